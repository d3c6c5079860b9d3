"""Replays tests/vectors/redaction.json: what of a call's arguments and result is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import counterseal as cs
from counterseal import testing
from recorded import Recorded
from replaying import REPLAYED, Case, expect, replay_all, vectors
from typed_tree import build

CASES = vectors("redaction")["cases"]


def policy(case: Case) -> dict[str, Any]:
    redact = {"keys": case["keys"], "detect": case["detect"]}
    return {"version": 1, "redact": redact, "record": {"args": "redacted", "result": "redacted"}}


def replay(case: Case) -> str:
    assert "op" not in case, f"unknown operation `{case['op']}`"
    if "layers" in case:
        return "a program has one policy"
    if not case["keys"] and not case["detect"]:
        return "the policy under every other redacts too"
    text = case.get("json")
    canonical = testing.canonical(build(case["value"])) if text is None else testing.canonical_json(text)
    with testing.engine(policy(case)) as engine:
        arguments: Any = {"v": build(case["value"])} if text is None else '{"v":' + text + "}"
        with cs.enforce("tool", arguments) as permit:
            if text is None:
                permit.set_result(build(case["value"]))
            action_id = permit.action_id
        cs.flush()
        seen = Recorded(Path(engine.home))
    assert action_id is not None
    recorded = canonical.decode() if case["expect"]["redacted"] is None else case["expect"]["redacted"]
    expect("arguments", seen.payloads[action_id, "arguments"].decode(), '{"v":' + recorded + "}")
    if text is None:
        expect("result", seen.payloads[action_id, "result"].decode(), recorded)
    return REPLAYED


def test_redactions() -> None:
    answers = replay_all(CASES, replay)
    assert answers == {REPLAYED: 36, "a program has one policy": 1, "the policy under every other redacts too": 1}
    assert answers.total() == len(CASES)
