"""`mark` with what is no tag, and outside the vocabulary"""

import counterseal as cs

POLICY = {"version": 1, "name": "p", "rules": [{"id": "no", "tools": ["nothing"], "decision": "deny"}]}


def marked(tag):
    with cs.session("conv"):
        cs.current_session().mark(tag)


def attempts(home):
    cs.configure(policy={**POLICY, "tags": ["untrusted"]}, home=home)
    for given in ["", 5, "untrusteed", "private"]:
        yield f"mark({given!r})", lambda given=given: marked(given)
