"""Reads the vectors, and holds every replay to having replayed each of their cases."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parents[1] / "vectors"
REPLAYED = "replayed"
"""What a replay answers for a case that came out as expected; anything else is why Python cannot say the case."""

Case = dict[str, Any]


def vectors(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    assert read["name"] == name
    return read


def expect(what: str, said: object, expected: object) -> None:
    """Fails where the two differ, also where one is `True` and the other `1`."""
    if said != expected or type(said) is not type(expected):
        raise AssertionError(f"{what}: {said!r}, expected {expected!r}")


def replay_all(cases: list[Case], replay: Callable[[Case], str]) -> Counter[str]:
    """Replays every case and tells all that came out otherwise at once; counts the answers."""
    answers: Counter[str] = Counter()
    wrong: list[str] = []
    for case in cases:
        try:
            answers[replay(case)] += 1
        except Exception as error:
            wrong.append(f"{case['name']}: {type(error).__name__}: {error}")
    assert not wrong, f"{len(wrong)} of {len(cases)}\n" + "\n".join(wrong)
    assert answers.total() == len(cases)
    return answers


def only_member(tree: dict[str, Any]) -> tuple[str, Any]:
    """The name and value of an object with one member."""
    (member,) = tree.items()
    return member
