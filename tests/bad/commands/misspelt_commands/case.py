"""Commands and options that are none"""

COMMANDS = [
    ["approvals", "aprove", "3f2a"],
    ["approvals", "list", "--al"],
    ["approvals", "watch", "--seconds", "soon"],
    ["policy", "tets", "policy.yaml"],
    ["policy", "backtset", "policy.yaml"],
    ["ledger", "reprot"],
]
