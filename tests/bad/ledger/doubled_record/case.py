"""a record stands twice"""

from damaged import lines, segments

COMMAND = ["ledger", "verify"]


def damage(home):
    first, second = segments(home)
    kept = lines(first)
    first.write_bytes(b"".join([*kept[:4], *kept[3:]]))
