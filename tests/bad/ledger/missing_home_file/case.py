"""home.json is gone"""

COMMAND = ["ledger", "verify"]


def damage(home):
    (home / "home.json").unlink()
