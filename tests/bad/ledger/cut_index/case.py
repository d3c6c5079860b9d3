"""the last line of the index was cut off"""

from damaged import lines

COMMAND = ["ledger", "verify"]


def damage(home):
    index = home / "index"
    index.write_bytes(b"".join(lines(index)[:-1]))
