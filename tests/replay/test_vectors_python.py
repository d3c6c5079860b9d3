"""Replays `python` of tests/vectors/values.json: objects that other languages do not have."""

from __future__ import annotations

import socket
from pathlib import Path

import counterseal as cs
from counterseal import testing
from python_values import SENTENCES, construct
from recorded import Recorded
from replaying import REPLAYED, Case, expect, replay_all, vectors

CASES = vectors("values")["python"]
RECORDING = {"version": 1, "record": {"args": "full"}}


def test_what_only_python_can_say() -> None:
    calls: dict[str, tuple[str, bytes]] = {}
    with testing.engine(RECORDING) as engine:
        assert replay_all(CASES, lambda case: replay(case, calls)) == {REPLAYED: len(CASES)}
        cs.flush()
        seen = Recorded(Path(engine.home))
    for name, (action_id, canonical) in calls.items():
        expect(name, seen.payloads[action_id, "arguments"], b'{"v":' + canonical + b"}")
    assert len(calls) == sum("expect" in case for case in CASES)


def replay(case: Case, calls: dict[str, tuple[str, bytes]]) -> str:
    """Reads the object as a test of a program does, and as the argument of a call."""
    value = construct(case["python"])
    try:
        canonical = testing.canonical(value)
    except cs.CountersealError as error:
        expect("code", error.code, case["error"]["code"])
        expect("reason", cs.check("tool", {"v": value}).reason_code, "capture_failed")
        return REPLAYED
    finally:
        if isinstance(value, socket.socket):
            value.close()
    expect("canonical", canonical.decode(), case["expect"]["canonical"])
    with cs.enforce("tool", {"v": value}) as permit:
        assert permit.action_id is not None
        calls[case["name"]] = permit.action_id, canonical
    return REPLAYED


def test_every_sentence_is_of_a_case() -> None:
    assert set(SENTENCES) <= {case["python"] for case in CASES}
