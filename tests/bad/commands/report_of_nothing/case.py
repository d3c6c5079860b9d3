"""A ledger that is not there, and options that are none"""

COMMANDS = [
    ["ledger", "report"],
    ["ledger", "report", "--home", "."],
    ["ledger", "report", "--tool"],
    ["ledger", "report", "--seession", "s-1"],
    ["ledger", "report", "conv-1"],
    ["ledger", "report", "--json", "--home", "elsewhere"],
]
