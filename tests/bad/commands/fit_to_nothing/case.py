"""A ledger that is not there, or in which nothing ran"""

COMMANDS = [
    ["policy", "fit"],
    ["policy", "fit", "--home", "made"],
    ["policy", "fit", "--home", "made", "--json"],
    ["policy", "fit", "made"],
]
MADE = "made"
