"""`COUNTERSEAL_APPROVER` with what nobody is"""

import os

import counterseal as cs

POLICY = {"version": 1, "name": "p", "rules": [{"id": "no", "tools": ["nothing"], "decision": "deny"}]}


def attempts(home):
    os.environ["COUNTERSEAL_APPROVER"] = "slack"
    yield "COUNTERSEAL_APPROVER=slack", lambda: cs.configure(policy=POLICY, home=home)
