"""two records were swapped"""

from damaged import lines, segments

COMMAND = ["ledger", "verify"]


def damage(home):
    first, second = segments(home)
    kept = lines(first)
    kept[2], kept[4] = kept[4], kept[2]
    first.write_bytes(b"".join(kept))
