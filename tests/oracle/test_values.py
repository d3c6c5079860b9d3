"""Replays tests/vectors/values.json against the oracle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from canonical import Refused, call_digest, encode, result_digest
from value_cases import value_of

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "values.json").read_text(encoding="utf-8"))
KEY = bytes.fromhex(VECTORS["key"])
TOOL = VECTORS["tool"]


def outcome(case: dict[str, Any]) -> dict[str, Any]:
    """What the oracle says of a case, with the members that the case expects."""
    canonical = encode(value_of(case))
    operation = case.get("op", "encode")
    if operation == "result":
        return {"result_digest": result_digest(KEY, canonical), "bytes": len(canonical)}
    assert operation == "encode", f"unknown operation {operation}"
    said = {
        "canonical": canonical.decode(),
        "bytes": len(canonical),
        "sha256": hashlib.sha256(canonical).hexdigest(),
        "call_digest": call_digest(KEY, TOOL["source"], TOOL["name"], canonical),
    }
    return {member: said[member] for member in case["expect"]}


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_value(case: dict[str, Any]) -> None:
    if "error" in case:
        with pytest.raises(Refused) as refused:
            outcome(case)
        assert refused.value.code == case["error"]["code"]
    else:
        assert outcome(case) == case["expect"]


def test_names_are_unique() -> None:
    names = [case["name"] for case in (*VECTORS["cases"], *VECTORS["python"])]
    assert len(names) == len(set(names))
