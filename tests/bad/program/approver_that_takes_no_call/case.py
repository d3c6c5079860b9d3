"""`configure(approver=…)` with what cannot be asked"""

import counterseal as cs

POLICY = {"version": 1, "name": "p", "rules": [{"id": "no", "tools": ["nothing"], "decision": "deny"}]}


def attempts(home):
    for given in [
        "nobody",
        "",
        5,
        True,
        ["ann"],
        lambda: True,
        lambda call, other: True,
        cs.Approved,
        cs.terminal_approver,
    ]:
        name = getattr(given, "__qualname__", repr(given))
        yield f"approver={name}", lambda given=given: cs.configure(policy=POLICY, home=home, approver=given)
