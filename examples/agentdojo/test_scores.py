"""Proves that outcomes are counted as the demo says, on runs made up by hand."""

from __future__ import annotations

import pytest

pytest.importorskip("agentdojo")
pytest.importorskip("counterseal")

from benchmark_suites import Call
from replay_tasks import AttackRun, DecidedCall, HonestRun
from score_outcomes import score, wilson


def calls(*decisions: str) -> list[DecidedCall]:
    return [DecidedCall(Call("tool", {}), decision) for decision in decisions]


def attack(*decisions: str) -> AttackRun:
    return AttackRun("s", "t", "a", calls("require_approval"), calls(*decisions), goal_reached=decisions == ("allow",))


def honest(*decisions: str) -> HonestRun:
    return HonestRun("s", "t", calls(*decisions), solved=True)


def test_outcomes() -> None:
    result = score(
        [honest("allow"), honest("allow", "require_approval"), honest("require_approval", "deny")],
        [attack("allow"), attack("allow", "require_approval"), attack("require_approval", "deny")],
        ["s"],
    )
    assert (result.untouched, result.asked, result.broken) == (1, 1, 1)
    assert (result.passed, result.held, result.denied, result.stopped) == (1, 1, 1, 2)
    assert (result.honest_calls, result.honest_calls_asked, result.goals_reached) == (5, 2, 1)


def test_other_suites_do_not_count() -> None:
    assert score([honest("deny")], [attack("allow")], ["other"]).attacks == 0


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962), (0, 0, 0.0, 1.0)],
)
def test_wilson(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-4)
