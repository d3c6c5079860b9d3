"""Replays tests/vectors/limits.json: what budgets, rate limits and loops make of sequences of calls."""

from __future__ import annotations

from replaying import REPLAYED, replay_all, vectors
from sequences import replay


def test_limits() -> None:
    assert replay_all(vectors("limits")["cases"], replay) == {REPLAYED: 37}
