"""a segment that the index does not know"""

from damaged import segments

COMMAND = ["ledger", "verify"]


def damage(home):
    first, second = segments(home)
    first.with_name("000002.jsonl").write_bytes(first.read_bytes())
