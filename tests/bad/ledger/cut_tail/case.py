"""the last records of a segment were cut off"""

from damaged import lines, segments

COMMAND = ["ledger", "verify"]


def damage(home):
    first, second = segments(home)
    first.write_bytes(b"".join(lines(first)[:-2]))
