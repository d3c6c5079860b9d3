"""Answers to a question that was answered, and changes that do not fit it"""

COMMANDS = [
    ["approvals", "approve", "{id}", "--yes", "--patch", '[{"op": "remove", "path": "/none"}]'],
    ["approvals", "deny", "{id}", "--note", "not today"],
    ["approvals", "approve", "{id}", "--yes"],
    ["approvals", "deny", "{id}", "--json"],
]
ASKED = {"version": 1, "rules": [{"id": "ask", "tools": ["refund"], "decision": "require_approval"}]}
FINE = 1
"""The first answer is no mistake: the arguments of the agent are not at hand to try a change on."""
