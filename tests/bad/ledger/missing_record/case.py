"""a record was taken out"""

from damaged import lines, segments

COMMAND = ["ledger", "verify"]


def damage(home):
    first, second = segments(home)
    kept = lines(first)
    del kept[3]
    first.write_bytes(b"".join(kept))
