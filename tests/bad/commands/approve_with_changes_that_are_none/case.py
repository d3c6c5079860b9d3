"""Other arguments that cannot be read"""

APPROVE = ["approvals", "approve", "3f2a", "--home", "made", "--yes"]
COMMANDS = [
    [*APPROVE, "--set", "amount"],
    [*APPROVE, "--set", "=80"],
    [*APPROVE, "--set", "to=ann"],
    [*APPROVE, "--patch", "{"],
    [*APPROVE, "--patch", "[]"],
    [*APPROVE, "--patch", '[{"op": "move"}]'],
    [*APPROVE, "--set", "amount=80", "--patch", "[]"],
]
MADE = "made"
