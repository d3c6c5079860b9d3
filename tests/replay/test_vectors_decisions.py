"""Replays tests/vectors/decisions.json: what policies say of guarded tools, what the mode makes of it, and what is recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import counterseal as cs
from counterseal import testing
from recorded import Recorded
from replaying import REPLAYED, Case, expect, replay_all, vectors

CASES = vectors("decisions")["cases"]
OPTIONS = {"enforcement": "mode", "require_policy": "require_policy"}
UNSEEN = {"fail_mode"}
"""Shows only where a disk fails, which other tests bring about."""


def inexpressible(case: Case) -> str | None:
    """Why a Python program cannot say a case."""
    if len(case["layers"]) > 1:
        return "a program has one policy"
    if "source" in case["tool"]:
        return "a program's tools have no other source"
    if "schema" in case["tool"]:
        return "a program's tools have no schema"
    return "a call has no mode of its own" if "mode" in case else None


def guarded(tool: dict[str, Any]) -> Callable[..., Any]:
    """A function with these parameters, or with any, guarded with what is declared of it."""
    declared = dict(tool)
    name, parameters = declared.pop("name"), declared.pop("parameters", None)
    assert set(declared) <= {"tags", "risk", "connector", "action"}, declared
    scope: dict[str, Any] = {}
    exec(f"def body({'**arguments' if parameters is None else ', '.join(parameters)}): return None", scope)
    body: Callable[..., Any] = cs.guard_tool(name, scope["body"], **declared)
    return body


def replay(case: Case) -> str:
    assert case.get("op") in (None, "plan"), f"unknown operation `{case['op']}`"
    if reason := inexpressible(case):
        return reason
    options = {OPTIONS[name]: value for name, value in case.get("options", {}).items()}
    policy = cs.Policy.from_text(case["layers"]["local"]) if case["layers"] else None
    with testing.engine(policy, **options) as engine:
        try:
            tool = guarded(case["tool"])
        except cs.ConfigurationError as refused:
            expect("code", refused.code, case["error"]["code"])
            return REPLAYED
        assert "error" not in case, "it is no error"
        if case.get("op") == "plan":
            # without arguments every rule that speaks of the tool fails to be evaluated, and so decides
            expect("rules", len(cs.check(tool, {}).rules), case["expect"]["rules"])
            return REPLAYED
        decide(case, tool, engine)
    return REPLAYED


def decide(case: Case, tool: Callable[..., Any], engine: testing.TestEngine) -> None:
    decision = cs.check(tool, case["args"])
    said: dict[str, Any] = decision.to_dict()
    expected = {member: value for member, value in case["expect"].items() if member not in UNSEEN}
    if not expected.keys() <= said.keys():
        counted = cs.health()["condition_failed"]
        durable = admitted(tool, case["args"])
        cs.flush()
        said |= observed(Recorded(Path(engine.home)), durable)
        said["failures"] = cs.health()["condition_failed"] - counted
    for member, value in expected.items():
        if member == "record" and decision.effect != "run":
            # neither a result nor a wait for the disk: the body does not run
            expect(member, said[member]["args"], value["args"])
        else:
            expect(member, said[member], value)


def admitted(tool: Callable[..., Any], args: dict[str, Any]) -> bool:
    """Runs a call if it may, and returns whether it has to wait for the disk."""
    try:
        permit = cs.enforce(tool, {**args, "password": "p"})
    except cs.PolicyDenied:
        return False
    waits = permit.action_id is None
    with permit:
        permit.set_result({"password": "p"})
    return waits


def observed(seen: Recorded, durable: bool) -> dict[str, Any]:
    """What the record of the only call says."""
    ((action_id, decided),) = seen.decided.items()
    levels = [level(seen.payloads.get((action_id, part))) for part in ("arguments", "result")]
    recorded = {"args": levels[0], "result": levels[1], "sync": "durable" if durable else "timer"}
    return {"record": recorded, **{name: decided[name] for name in ("tags", "risk", "connector")}}


def level(payload: bytes | None) -> str:
    """How much of a value with a password was recorded."""
    if payload is None:
        return "digest"
    return "full" if b'"password":"p"' in payload else "redacted"


def test_decisions() -> None:
    answers = replay_all(CASES, replay)
    assert answers == {
        REPLAYED: 90,
        "a program has one policy": 8,
        "a program's tools have no other source": 8,
        "a program's tools have no schema": 3,
        "a call has no mode of its own": 4,
    }
    assert answers.total() == len(CASES)
    unseen = [member for case in CASES for member in case.get("expect", ()) if member in UNSEEN]
    assert len(unseen) == 5
