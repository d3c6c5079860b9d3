"""`replay` of runs and homes that are not there"""

import counterseal as cs

POLICY = {"version": 1, "name": "p", "rules": [{"id": "no", "tools": ["nothing"], "decision": "deny"}]}


def entered(*arguments, **more):
    with cs.replay(*arguments, **more):
        pass


def attempts(home):
    cs.configure(policy=POLICY, home=home)
    cs.guard_tool("search", len)("outside of a run")
    for given in ["", None, 5, "r-1"]:
        yield f"replay({given!r})", lambda given=given: entered(given)
    yield "another home", lambda: entered("r-1", home=f"{home}/elsewhere")
    yield "home=5", lambda: entered("r-1", home=5)
