"""Files among the approvals that are none"""

ID = "3f2a" + "0" * 28
COMMANDS = [
    ["approvals", "list", "--home", "made"],
    ["approvals", "show", "3f2a", "--home", "made"],
    ["approvals", "approve", "3f2a", "--yes", "--home", "made"],
    ["approvals", "list", "--home", "made", "--json"],
]
MADE = "made"


def prepare(directory):
    approvals = directory / "made/approvals"
    approvals.mkdir(mode=0o700, exist_ok=True)
    (approvals / f"{ID}.json").write_bytes(b"\xff\x00 garbage")
    (approvals / f"{ID}.json").chmod(0o600)
