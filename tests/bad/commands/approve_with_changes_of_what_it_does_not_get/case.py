"""Other values of arguments that the call does not have"""

COMMANDS = [
    ["approvals", "approve", "{id}", "--yes", "--set", "amuont=80"],
    ["approvals", "approve", "{id}", "--yes", "--set", "amount=80", "--set", "$to=1"],
    ["approvals", "approve", "{id}", "--yes", "--set", "amuont=80", "--json"],
]
ASKED = {"version": 1, "rules": [{"id": "ask", "tools": ["refund"], "decision": "require_approval"}]}
