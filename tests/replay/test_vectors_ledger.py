"""Replays tests/vectors/ledger.json: small ledgers, whole and changed, verified as a program would."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import counterseal as cs
import pytest
from replaying import REPLAYED, VECTORS, Case, expect, replay_all, vectors

CASES = vectors("ledger")["cases"]
OF_NO_CALL = "0" * 32
"""Under this action id lie payloads of records that belong to no call."""
NAMES = sorted({case["ledger"] for case in CASES})


def mutate(home: Path, mutation: dict[str, Any]) -> None:
    file = home / mutation["file"]
    data = bytearray(file.read_bytes())
    lines = bytes(data).splitlines(keepends=True)
    nth = mutation.get("line", 0) - 1
    operation = mutation["op"]
    if operation == "remove":
        file.unlink()
        return
    if operation == "flip":
        data[mutation["offset"]] ^= 1
        lines = [bytes(data)]
    elif operation == "cut":
        lines = [bytes(data[: mutation["length"]])]
    elif operation == "drop":
        del lines[nth]
    elif operation == "double":
        lines.insert(nth, lines[nth])
    elif operation == "swap":
        lines[nth], lines[nth + 1] = lines[nth + 1], lines[nth]
    else:
        raise AssertionError(f"unknown mutation `{operation}`")
    file.write_bytes(b"".join(lines))


def outcome(found: cs.Verification) -> dict[str, Any]:
    if found.ok:
        counted = ("records", "sealed", "checkpoints", "pruned", "payloads", "erased")
        return {"holds": True, **{name: found.details[name] for name in counted}}
    first = found.problems[0]
    place = first["place"]
    file = "outside" if place["file"].endswith("/outside") else place["file"]
    return {"holds": False, "code": first["code"], "file": file, "line": place.get("line"), "seq": place.get("seq")}


def test_ledgers(tmp_path: Path) -> None:
    def replay(case: Case) -> str:
        assert case["op"] == "verify", f"unknown operation `{case['op']}`"
        folder = tmp_path / "changed"
        shutil.copytree(VECTORS / "ledgers" / case["ledger"], folder)
        try:
            if "mutation" in case:
                mutate(folder / "home", case["mutation"])
            found = cs.Ledger(folder / "home").verify(deep=True, outside=folder / "outside")
            expect("report", outcome(found), case["expect"])
            expect("truth", bool(found), case["expect"]["holds"])
        finally:
            shutil.rmtree(folder)
        return REPLAYED

    assert replay_all(CASES, replay) == {REPLAYED: len(CASES)}


@pytest.mark.parametrize("name", NAMES)
def test_records_read(name: str) -> None:
    """Every record and payload that the report counts is found by reading."""
    home = VECTORS / "ledgers" / name / "home"
    (whole,) = (case["expect"] for case in CASES if case["ledger"] == name and "mutation" not in case)
    ledger = cs.Ledger(home)
    records = list(ledger)
    assert len(records) == whole["records"]
    payloads = [
        value
        for action_id in {record.get("action_id", OF_NO_CALL) for record in records if "payload" in record}
        for value in ledger.payloads(action_id).values()
    ]
    assert sum(value is not None for value in payloads) == whole["payloads"]
    assert sum(value is None for value in payloads) == whole["erased"]
