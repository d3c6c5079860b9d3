"""the checkpoint key is gone"""

COMMAND = ["ledger", "verify"]


def damage(home):
    (home / "keys/current").unlink()
