"""a segment is no text"""

from damaged import segments

COMMAND = ["ledger", "verify"]


def damage(home):
    first, second = segments(home)
    first.write_bytes(bytes(range(256)) * 8)
