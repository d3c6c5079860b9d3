"""The core's decision without a host language, and what every other stage of a call costs beside it."""

from __future__ import annotations

from typing import Any

from bench.limits import Limit
from bench.processes import engine
from bench.rows import Asked, Group, Row, at_most

DECISION_NS = 700.0
ROWS = {
    "digest": "digest of the call, printed apart",
    "redaction": "redaction, printed apart",
    "record": "record into the spool, printed apart",
}


def table(stages: list[dict[str, Any]]) -> str:
    lines = [
        f"| {stage['name']} | {stage['median_ns']:.0f} ns | {stage['quartiles_ns'][0]:.0f} to "
        f"{stage['quartiles_ns'][1]:.0f} |"
        for stage in stages
    ]
    return "\n".join(["| stage of one call in the core, Rust | median | quartiles |", "|---|---|---|", *lines])


def measure(asked: Asked) -> Group:
    decision, stages = engine("decision"), engine("stages")
    medians = {piece["name"]: piece["median_ns"] for piece in decision["pieces"]}
    limit = Limit("the two comparisons written in Rust", medians["the two comparisons in Rust"], "ns")
    what = "core decision in Rust, two one-term conditions"
    rows = [Row(what, medians["decision"], "ns", at_most(DECISION_NS), limit=limit)]
    rows += [Row(text, medians[name], "ns") for name, text in ROWS.items()]
    return Group("Core decision", rows, table(stages["stages"]), {"decision": decision, "stages": stages})
