"""the first key is not the one held outside"""

COMMAND = [
    "ledger",
    "verify",
    "--key",
    "counterseal/b158977a515932af5de2ed7bf51fdaef+16e7e379+AZy7zUxhXe6Q7Gh151UdP7rav0TyYzu0zmZA6y+OiC1R",
]


def damage(home):
    assert home.exists()
