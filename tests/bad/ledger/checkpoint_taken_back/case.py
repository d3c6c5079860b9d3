"""a checkpoint that is held outside was taken back"""

COMMAND = ["ledger", "verify", "--checkpoints", "outside"]


def damage(home):
    notes = home / "checkpoints"
    parts = notes.read_bytes().split(b"\n\n")
    notes.write_bytes(b"\n\n".join(parts[:-3]) + b"\n\n")
