"""a checkpoint signs another size"""

from damaged import replace

COMMAND = ["ledger", "verify"]


def damage(home):
    notes = home / "checkpoints"
    replace(notes, notes.read_bytes().splitlines()[1], b"1")
