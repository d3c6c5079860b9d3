"""Grants without an end, of nothing, or of no condition"""

APPROVE = ["approvals", "approve", "3f2a", "--home", "made", "--yes"]
COMMANDS = [
    [*APPROVE, "--grant-count", "0"],
    [*APPROVE, "--grant-count", "-1"],
    [*APPROVE, "--grant-count", "many"],
    [*APPROVE, "--grant-minutes", "1000000"],
    [*APPROVE, "--grant-when", "args.amount < 5.0"],
    [*APPROVE, "--grant-count", "1", "--grant-when", "args.amount <"],
]
MADE = "made"
