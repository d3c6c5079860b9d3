"""a segment took the place of another"""

from damaged import segments

COMMAND = ["ledger", "verify"]


def damage(home):
    first, second = segments(home)
    first.write_bytes(second.read_bytes())
