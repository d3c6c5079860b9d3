"""`log_token_usage` with what nobody can count"""

import counterseal as cs

POLICY = {"version": 1, "name": "p", "rules": [{"id": "no", "tools": ["nothing"], "decision": "deny"}]}


def attempts(home):
    cs.configure(policy=POLICY, home=home)
    yield "a negative count", lambda: cs.log_token_usage("model", -1, 2)
    yield "a count that is text", lambda: cs.log_token_usage("model", "1", 2)
    yield "a negative cost", lambda: cs.log_token_usage("model", 1, 2, cost_usd=-0.5)
    yield "a cost that is no number", lambda: cs.log_token_usage("model", 1, 2, cost_usd=float("nan"))
    yield "no session", lambda: cs.log_token_usage("model", 1, 2, session_id="")
