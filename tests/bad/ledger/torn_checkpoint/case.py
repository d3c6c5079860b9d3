"""the last checkpoint was torn"""

COMMAND = ["ledger", "verify"]


def damage(home):
    notes = home / "checkpoints"
    notes.write_bytes(notes.read_bytes()[:-40])
