"""Nobody was ever asked where there is no home"""

COMMANDS = [
    ["approvals", "list"],
    ["approvals", "show", "3f2a"],
    ["approvals", "approve", "3f2a", "--yes"],
    ["approvals", "deny", "3f2a"],
    ["approvals", "watch", "--seconds", "1"],
    ["approvals", "list", "--home", "file"],
]


def prepare(directory):
    (directory / "file").write_text("")
