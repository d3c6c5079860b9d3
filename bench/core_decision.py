"""The core's decision without a host language, and what every other stage of a call costs beside it."""

from __future__ import annotations

from typing import Any

from bench.limits import Limit
from bench.processes import engine
from bench.rows import Asked, Group, Row, at_most

DECISION_NS, TRANSACTION_NS = 700.0, 400.0
# Stages of one call that stand beside the decision in the report.
APART = (
    "digest of the call",
    "redact arguments",
    "record before the body",
    "the whole call in Rust",
    "the whole call, policy whole",
)
# Transactions that stand beside the one with a target.
STATE = ("one entry", "four entries of any of 20,000 sessions", "four entries looked at", "four keys")


def table(stages: list[dict[str, Any]]) -> str:
    lines = [
        f"| {stage['name']} | {stage['median_ns']:.0f} ns | {stage['quartiles_ns'][0]:.0f} to "
        f"{stage['quartiles_ns'][1]:.0f} |"
        for stage in stages
    ]
    return "\n".join(["| stage of one call in the core, Rust | median | quartiles |", "|---|---|---|", *lines])


def measure(asked: Asked) -> Group:
    decision, stages, state = engine("decision"), engine("stages"), engine("state")
    pieces = [*decision["pieces"], *stages["stages"], *state["pieces"]]
    medians = {piece["name"]: piece["median_ns"] for piece in pieces}
    bare = "the two comparisons in Rust"
    what = "core decision in Rust, two one-term conditions"
    rows = [Row(what, medians["decision"], "ns", at_most(DECISION_NS), limit=Limit(bare, medians[bare], "ns"))]
    rows += [Row(f"printed apart: {name}", medians[name], "ns") for name in APART]
    what = "shared state: one transaction over 4 entries, nobody else at them"
    rows.append(Row(what, medians["four entries"], "ns", at_most(TRANSACTION_NS)))
    rows += [Row(f"the same: {name}", medians[name], "ns") for name in STATE]
    data = {"decision": decision, "stages": stages, "state": state}
    return Group("Core decision", rows, table(stages["stages"]), data)
