"""the last record was torn"""

from damaged import segments

COMMAND = ["ledger", "verify"]


def damage(home):
    first, second = segments(home)
    second.write_bytes(second.read_bytes()[:-20])
