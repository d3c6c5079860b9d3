"""a record was added after the end"""

from damaged import lines, segments

COMMAND = ["ledger", "verify"]


def damage(home):
    first, second = segments(home)
    first.write_bytes(first.read_bytes() + lines(first)[-1])
