"""Replays tests/vectors/values.json: canonical bytes, digests and refusals, as tests of programs and the ledger show them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import counterseal as cs
import pytest
from counterseal import testing
from recorded import Recorded, call_digest, home_with_key, result_digest
from replaying import REPLAYED, Case, expect, replay_all, vectors
from typed_tree import NoSuchObject, build

VECTORS = vectors("values")
KEY, TOOL = VECTORS["key"], VECTORS["tool"]
RECORDING = {"version": 1, "record": {"args": "full", "result": "full"}}
UNRECORDED_ABOVE = 60_000
"""A payload of more bytes may be left out of a record, which then says so."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return home_with_key(tmp_path / "home", KEY)


def refusal_of(case: Case) -> cs.CountersealError | None:
    """What a test of a program is told; `None` where the value has canonical bytes."""
    try:
        canonical_of(case)
    except cs.CountersealError as error:
        return error
    return None


def canonical_of(case: Case) -> bytes:
    return testing.canonical_json(case["json"]) if "json" in case else testing.canonical(build(case["value"]))


def arguments_of(case: Case) -> tuple[dict[str, Any] | str, bytes, bytes]:
    """The case's value as the arguments of a call, or as the only one; the bytes around its own in the latter case."""
    text = case.get("json")
    whole = text.lstrip().startswith("{") if text is not None else hasattr(build(case["value"]), "keys")
    before, after = (b"", b"") if whole else (b'{"v":', b"}")
    if text is not None:
        return (text if whole else '{"v":' + text + "}"), before, after
    value = build(case["value"])
    return (value if whole else {"v": value}), before, after


def refused_as(arguments: dict[str, Any] | str) -> str | None:
    """Why a call with these arguments does not run."""
    try:
        with cs.enforce(TOOL["name"], arguments):
            return None
    except cs.PolicyDenied as denied:
        return denied.reason_code


def record(case: Case) -> str:
    """Records a call with the value as its arguments, which returns the value as Python has it."""
    arguments = arguments_of(case)[0] if case.get("op") is None and not at_a_limit(case) else {}
    with cs.enforce(TOOL["name"], arguments) as permit:
        permit.set_result(build(case["value"]) if "value" in case else None)
        assert permit.action_id is not None
        return permit.action_id


def at_a_limit(case: Case) -> bool:
    """Whether one map more around the value would be too much."""
    name: str = case["name"]
    return name.startswith("limit:") or name == "json: nesting of 64"


def replay_refusal(case: Case) -> str:
    try:
        error = refusal_of(case)
    except NoSuchObject as none:
        expect("code", "value_bad_number", case["error"]["code"])
        return str(none)
    assert error is not None, "it is no error"
    expect("code", error.code, case["error"]["code"])
    # a JSON text that gives one argument twice is no well-formed set of arguments; a limit is a matter of capture
    malformed = error.code == "value_malformed" or ("json" in case and error.code == "value_duplicate_key")
    expect("reason", refused_as(arguments_of(case)[0]), "malformed_arguments" if malformed else "capture_failed")
    return REPLAYED


def compare(case: Case, action_id: str, seen: Recorded) -> None:
    canonical = canonical_of(case)
    said = {
        "canonical": canonical.decode(),
        "bytes": len(canonical),
        "sha256": hashlib.sha256(canonical).hexdigest(),
        "call_digest": call_digest(KEY, TOOL, canonical),
        "result_digest": result_digest(KEY, canonical),
    }
    for member, expected in case["expect"].items():
        expect(member, said[member], expected)
    if case.get("op") is None and not at_a_limit(case):
        _, before, after = arguments_of(case)
        whole = before + canonical + after
        expect("recorded arguments", seen.payloads[action_id, "arguments"], whole)
        digest = case["expect"]["call_digest"] if not before else call_digest(KEY, TOOL, whole)
        expect("recorded digest", seen.decided[action_id]["digest"], digest)
    if "value" not in case:
        return
    result = seen.completed[action_id]["result"]
    if result == "uncaptured":
        expect("uncaptured", canonical.startswith(b'{"$opaque":'), True)
        return
    expect("recorded result", result, {"digest": result_digest(KEY, canonical), "bytes": len(canonical)})
    if len(canonical) < UNRECORDED_ABOVE:
        expect("recorded result", seen.payloads[action_id, "result"], canonical)


def test_values(home: Path) -> None:
    cs.configure(policy=RECORDING, home=home)
    calls: dict[str, str] = {}

    def recorded(case: Case) -> str:
        assert case.get("op") in (None, "result"), f"unknown operation `{case['op']}`"
        if "error" in case:
            return replay_refusal(case)
        try:
            calls[case["name"]] = record(case)
        except NoSuchObject as none:
            return str(none)
        return REPLAYED

    answers = replay_all(VECTORS["cases"], recorded)
    cs.close()
    seen = Recorded(home)
    replay_all([case for case in VECTORS["cases"] if case["name"] in calls], lambda case: compared(case, calls, seen))
    assert answers == {REPLAYED: 168, "python refuses it itself": 8, "python's times have microseconds": 1}


def compared(case: Case, calls: dict[str, str], seen: Recorded) -> str:
    compare(case, calls[case["name"]], seen)
    return REPLAYED
