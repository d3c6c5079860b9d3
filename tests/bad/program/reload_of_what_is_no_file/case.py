"""`configure(reload=…)` without a file, and with what is neither yes nor no"""

import counterseal as cs

POLICY = {"version": 1, "name": "p", "rules": [{"id": "no", "tools": ["nothing"], "decision": "deny"}]}


def attempts(home):
    yield "reload of a dict", lambda: cs.configure(policy=POLICY, home=home, reload=True)
    yield "reload=1", lambda: cs.configure(policy=POLICY, home=home, reload=1)
    yield "reload='often'", lambda: cs.configure(policy=POLICY, home=home, reload="often")
