"""`replay` of a run without `record: {result: full}`"""

import counterseal as cs

POLICY = {"version": 1, "name": "p", "rules": [{"id": "no", "tools": ["nothing"], "decision": "deny"}]}


def entered(run):
    with cs.replay(run):
        pass


def attempts(home):
    cs.configure(policy=POLICY, home=home)
    with cs.run("r-1"):
        cs.guard_tool("search", len)("flights")
    yield "replay('r-1')", lambda: entered("r-1")
