"""the arguments of a call were taken out"""

from damaged import lines, segments

COMMAND = ["ledger", "verify", "--deep"]


def damage(home):
    first, second = segments(home)
    side = first.with_suffix(".side")
    side.write_bytes(b"".join(lines(side)[1:]))
