"""One guarded call above the bare one, beside the peers; and what further rules on the same tool cost."""

from __future__ import annotations

import json
import sys
from typing import Any

from bench.peers.run import table
from bench.processes import run
from bench.rows import Asked, Group, Row, at_least, at_most

OURS, STANDARD, WHOLE = "counterseal", "counterseal, standard policy", "counterseal, standard policy whole"
ONE_RULE_US, STANDARD_US, WHOLE_US, P99_US, TIMES_PEERS = 2.0, 3.5, 4.0, 10.0, 10.0
CURVE = (1, 10, 100, 1000)
LEDGER = "every one of {calls} calls was found in the ledger: {decided} decided, {completed} completed"


def timed(asked: Asked, rules: tuple[int, ...], rounds: int) -> Any:
    out = asked.scratch / f"peers-{len(rules)}.json"
    numbers = ",".join(map(str, rules))
    run([sys.executable, "-m", "bench.peers.run", "--rules", numbers, "--rounds", str(rounds), "--json", out])
    return json.loads(out.read_text())


def figure(document: Any, name: str, rules: int) -> Any:
    return next(f for f in document["rows"] if f["name"] == name and f["rules"] == rules)


def best_peer(document: Any, rules: int) -> Any:
    peers = [f for f in document["rows"] if f["name"] not in {OURS, STANDARD, WHOLE} and f["rules"] == rules]
    return min(peers, key=lambda f: f["above_bare_ns"], default=None)


def as_text(peer: Any, key: str = "above_bare_ns") -> str:
    return f"{peer[key] / 1e3:.1f} µs {peer['name']}" if peer else ""


def failures(document: Any) -> list[str]:
    return [f"{name} was not measured: {why}" for name, why in document["left_out"].items()]


def measure_call(asked: Asked) -> Group:
    document = timed(asked, (1,), 4 if asked.quick else 60)
    peer, limit = best_peer(document, 1), asked.limits["guarded_call"]
    rows = []
    for name, rules, what, target in (
        (OURS, 1, "one-rule policy", ONE_RULE_US),
        (STANDARD, 0, "standard policy", STANDARD_US),
        (WHOLE, 0, "standard policy whole", WHOLE_US),
    ):
        ours = figure(document, name, rules)
        above = ours["above_bare_ns"] / 1e3
        p99 = ours["p99_above_bare_ns"] / 1e3
        rows += [
            Row(f"guarded call above bare, {what}", above, "µs", at_most(target), as_text(peer), limit),
            Row(f"the same, p99, {what}", p99, "µs", at_most(P99_US), as_text(peer, "p99_above_bare_ns")),
        ]
        if peer:
            times = peer["above_bare_ns"] / ours["above_bare_ns"]
            rows.append(Row(f"faster than the best peer, {what}", times, "times", at_least(TIMES_PEERS), as_text(peer)))
    notes = f"{table(document['rows'])}\n\n{LEDGER.format(**document['ledger']).capitalize()}."
    return Group("Guarded call, side by side in one process", rows, notes, document, failures(document))


def measure_curve(asked: Asked) -> Group:
    document = timed(asked, CURVE, 2 if asked.quick else 12)
    rows = []
    for rules in CURVE:
        above = figure(document, OURS, rules)["above_bare_ns"] / 1e3
        what = f"guarded call above bare, {rules} {'rule' if rules == 1 else 'rules'} on the tool"
        rows.append(Row(what, above, "µs", None, as_text(best_peer(document, rules)), asked.limits["guarded_call"]))
    first, last = (figure(document, OURS, rules)["above_bare_ns"] for rules in (CURVE[0], CURVE[-1]))
    rows.append(Row("one more rule on the tool", (last - first) / (CURVE[-1] - CURVE[0]), "ns"))
    return Group("Rules on one tool", rows, table(document["rows"]), document, failures(document))
