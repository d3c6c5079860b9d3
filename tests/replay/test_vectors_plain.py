"""Replays tests/vectors/plain.json: how texts from outside are shown to people, by the approver at the terminal."""

from __future__ import annotations

import io
import sys
import unicodedata

import counterseal as cs
from counterseal import testing
from replaying import REPLAYED, Case, expect, replay_all, vectors

CASES = vectors("plain")["cases"]
FIRST, NEXT = "  why asked   ", "              | "


def shown(reason: str) -> list[str]:
    """The lines in which the terminal shows why people are asked."""
    out = io.StringIO()
    approver = cs.terminal_approver(input=io.StringIO("no\n"), output=out)
    rule = {"id": "ask", "tools": ["tool"], "decision": "require_approval", "reason": reason}
    with testing.engine({"version": 1, "rules": [rule]}, approver=approver):
        try:
            cs.guard_tool("tool", lambda: None)()
        except cs.ApprovalDenied:
            lines = out.getvalue().split("\n")
    start = next(place for place, line in enumerate(lines) if line.startswith(FIRST))
    end = next(place for place, line in enumerate(lines) if line.startswith("  for "))
    assert all(line.startswith(NEXT) for line in lines[start + 1 : end])
    return [line[len(FIRST if place == 0 else NEXT) :] for place, line in enumerate(lines[start:end])]


def replay(case: Case) -> str:
    if case.get("op") == "lines":
        return "the terminal shows no text over several lines"
    assert "op" not in case, f"unknown operation `{case['op']}`"
    if not case["text"]:
        return "no reason is none"
    expect("lines", shown(case["text"]), case["expect"])
    return REPLAYED


def test_texts_from_outside() -> None:
    answers = replay_all(CASES, replay)
    assert answers == {REPLAYED: 42, "the terminal shows no text over several lines": 1, "no reason is none": 1}


def test_nothing_that_unicode_says_is_not_to_be_seen_is_shown() -> None:
    categories = ("Cc", "Cf", "Zl", "Zp")
    hidden = [one for one in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(one) in categories]
    assert "".join(shown("".join(hidden))) == "".join(f"\\u{{{ord(one):x}}}" for one in hidden)
