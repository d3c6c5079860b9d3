"""Replays tests/vectors/sessions.json: what sessions remember of sequences of calls."""

from __future__ import annotations

from replaying import REPLAYED, replay_all, vectors
from sequences import replay


def test_sessions() -> None:
    assert replay_all(vectors("sessions")["cases"], replay) == {REPLAYED: 33}
