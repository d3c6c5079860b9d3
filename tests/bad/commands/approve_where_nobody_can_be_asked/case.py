"""A yes that nobody confirms"""

COMMANDS = [["approvals", "approve", "3f2a", "--home", "made"]]
MADE = "made"
