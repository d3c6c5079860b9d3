"""Ids that no approval has"""

COMMANDS = [
    ["approvals", "show"],
    ["approvals", "show", "3f2a", "--home", "made"],
    ["approvals", "show", "", "--home", "made"],
    ["approvals", "show", "../secret", "--home", "made"],
    ["approvals", "show", "3F2A", "--home", "made"],
    ["approvals", "show", "0" * 33, "--home", "made"],
    ["approvals", "approve", "3f2a", "--yes", "--home", "made"],
    ["approvals", "deny", "3f2a", "--home", "made"],
    ["approvals", "show", "3f2a", "--home", "made", "--json"],
]
MADE = "made"
