"""`replay` of a run that goes another way"""

import counterseal as cs

POLICY = {"version": 1, "name": "p", "rules": [{"id": "no", "tools": ["nothing"], "decision": "deny"}]}


def attempts(home):
    cs.configure(policy={**POLICY, "record": {"args": "full", "result": "full"}}, home=home)

    def body(query):
        return query.upper()

    search, fetch = cs.guard_tool("search", body), cs.guard_tool("fetch", body)
    with cs.run("r-1"):
        search("flights")

    def replayed(*calls):
        with cs.replay("r-1"):
            for call in calls:
                call()

    yield "other arguments", lambda: replayed(lambda: search("hotels"))
    yield "another tool", lambda: replayed(lambda: fetch("flights"))
    yield "one call more", lambda: replayed(lambda: search("flights"), lambda: search("flights"))
    yield "one call less", lambda: replayed()

    def twice():
        replay = cs.replay("r-1")
        with replay:
            search("flights")
        with replay:
            search("flights")

    yield "the same replay twice", twice
