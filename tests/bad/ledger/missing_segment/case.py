"""a segment was removed"""

from damaged import segments

COMMAND = ["ledger", "verify"]


def damage(home):
    first, second = segments(home)
    second.unlink()
