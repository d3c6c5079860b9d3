"""the checkpoints held outside are not there"""

COMMAND = ["ledger", "verify", "--checkpoints", "missing"]


def damage(home):
    assert home.exists()
