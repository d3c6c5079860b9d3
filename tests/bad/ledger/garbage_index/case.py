"""a line of the index is garbage"""

from damaged import replace

COMMAND = ["ledger", "verify"]


def damage(home):
    replace(home / "index", b'"kind":"opened"', b'"kind":"opende"')
