"""Writes the outcome of the demo for people, and the same as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmark_suites import BENCHMARK, HELD_OUT, WRITTEN_ON
from replay_tasks import AttackRun, DecidedCall, HonestRun
from score_outcomes import Score, score, wilson
from tamper_ledger import LedgerProof

GROUPS = {"written on": WRITTEN_ON, "held out": HELD_OUT, "all four": (*WRITTEN_ON, *HELD_OUT)}


@dataclass
class Replay:
    """Every run of the demo: with the guard, without, and with it but nothing remembered from call to call."""

    honest: list[HonestRun] = field(default_factory=list)
    attacks: list[AttackRun] = field(default_factory=list)
    bare_honest: list[HonestRun] = field(default_factory=list)
    bare_attacks: list[AttackRun] = field(default_factory=list)
    alone_honest: list[HonestRun] = field(default_factory=list)
    alone_attacks: list[AttackRun] = field(default_factory=list)

    def scores(self) -> dict[str, Score]:
        return {name: score(self.honest, self.attacks, suites) for name, suites in self._rows()}

    def bare_scores(self) -> dict[str, Score]:
        return {name: score(self.bare_honest, self.bare_attacks, suites) for name, suites in self._rows()}

    def alone_scores(self) -> dict[str, Score]:
        return {name: score(self.alone_honest, self.alone_attacks, suites) for name, suites in self._rows()}

    def first_stopped_call(self) -> tuple[AttackRun, DecidedCall]:
        return next((run, call) for run in self.attacks for call in run.attack_calls if not call.ran)

    def decided_calls(self) -> int:
        return sum(len(run.calls) for run in self.honest) + sum(
            len(run.honest_calls) + len(run.attack_calls) for run in self.attacks
        )

    def _rows(self) -> list[tuple[str, Sequence[str]]]:
        rows: list[tuple[str, Sequence[str]]] = []
        for group in ("written on", "held out"):
            rows += [(suite, (suite,)) for suite in GROUPS[group]]
            rows.append((group, GROUPS[group]))
        return [*rows, ("all four", GROUPS["all four"])]


def print_text(replay: Replay, ledger: LedgerProof, seconds: float) -> None:
    scores, total = replay.scores(), replay.scores()["all four"]
    print(f"AgentDojo {BENCHMARK}: real tool functions on real environments, no model, no network.")
    print(f"{total.honest} honest tasks, {total.attacks} attacks, {replay.decided_calls():,} calls, {seconds:.1f} s.")
    _print_attacks(scores, replay.bare_scores())
    _print_honest(scores, replay.bare_scores())
    _print_memory(scores, replay.alone_scores())
    _print_explanation(*replay.first_stopped_call())
    _print_ledger(ledger, replay.decided_calls())


def print_json(replay: Replay, ledger: LedgerProof, seconds: float) -> None:
    run, call = replay.first_stopped_call()
    document = {
        "benchmark": BENCHMARK,
        "seconds": round(seconds, 3),
        "calls": replay.decided_calls(),
        "with_guard": {name: _score_json(row) for name, row in replay.scores().items()},
        "without_memory": {name: _score_json(row) for name, row in replay.alone_scores().items()},
        "without_guard": {name: asdict(row) for name, row in replay.bare_scores().items()},
        "explained_call": {"task": f"{run.suite}/{run.task}/{run.attack}", **_call_json(call)},
        "ledger": asdict(ledger),
    }
    print(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def _print_attacks(scores: dict[str, Score], bare: dict[str, Score]) -> None:
    print("\nAttacks: honest calls first, then the attacker's, in one session")
    print(
        f"  {'':<12}{'attacks':>8}{'denied':>8}{'held':>6}{'passed':>8}{'stopped':>9}  95%{'':<9}{'goal reached *':>16}"
    )
    for name, row in scores.items():
        share, interval = _share(row.stopped, row.attacks)
        goals = f"{row.goals_reached} (bare {bare[name].goals_reached})"
        _print_row(
            name, f"{row.attacks:>8}{row.denied:>8}{row.held:>6}{row.passed:>8}{share:>9}  {interval:<12}{goals:>16}"
        )
    print("  * by AgentDojo's own check of the environment afterwards; bare: the same calls without the guard")


def _print_honest(scores: dict[str, Score], bare: dict[str, Score]) -> None:
    print("\nHonest tasks: asked = a person has to confirm at least one call; broken = a call is denied")
    print(
        f"  {'':<12}{'tasks':>8}{'untouched':>11}{'asked':>7}{'broken':>8}{'asked':>9}  95%{'':<9}{'calls asked':>16}"
    )
    for name, row in scores.items():
        share, interval = _share(row.asked, row.honest)
        calls = f"{row.honest_calls_asked} of {row.honest_calls}"
        _print_row(
            name,
            f"{row.honest:>8}{row.untouched:>11}{row.asked:>7}{row.broken:>8}{share:>9}  {interval:<12}{calls:>16}",
        )
    total = scores["all four"]
    print(
        f"  Solved by AgentDojo's own check: {total.solved} with no approval given, {bare['all four'].solved} unguarded"
    )


def _print_memory(scores: dict[str, Score], alone: dict[str, Score]) -> None:
    print("\nWhat the session's facts buy: the same rules, with and without what came before and what the user wrote")
    print(f"  {'':<12}{'stopped':>9}{'without':>9}{'asked':>9}{'without':>9}")
    for name in GROUPS:
        row, other = scores[name], alone[name]
        shares = [
            _share(part, whole)[0]
            for part, whole in (
                (row.stopped, row.attacks),
                (other.stopped, other.attacks),
                (row.asked, row.honest),
                (other.asked, other.honest),
            )
        ]
        _print_row(name, "".join(f"{share:>9}" for share in shares))


def _print_explanation(run: AttackRun, call: DecidedCall) -> None:
    refusal = call.refusal.decision
    arguments = ", ".join(f"{name}={value!r}" for name, value in call.call.args.items())
    print(f"\nOne stopped call, explained ({run.suite}, {run.task}, {run.attack})")
    print(f"  {call.call.tool}({arguments})")
    for label, value in (
        ("decision", f"{call.decision}, here without an approver: {refusal.reason_code}"),
        ("rules", ", ".join(str(rule) for rule in refusal.rules)),
        ("reason", refusal.reason),
        ("to the agent", refusal.reason_for_agent),
        ("policy", refusal.policy),
    ):
        print(textwrap.fill(str(value), 110, initial_indent=f"    {label:<13}", subsequent_indent=" " * 17))


def _print_ledger(ledger: LedgerProof, calls: int) -> None:
    print("\nThe ledger")
    print(f"  {calls:,} calls decided, {ledger.decided_records:,} decisions on record")
    print(f"  verify: {'ok' if ledger.untouched_ok else 'FAILED'}: {ledger.untouched}")
    changed = f"`{ledger.changed_from}` became `{ledger.changed_to}`"
    print(f"  in a copy, {ledger.changed_file} line {ledger.changed_line}: {changed}")
    print(f"  verify: {'NOT NOTICED' if ledger.tampered_ok else 'found'}: {ledger.tampered}")


def _print_row(name: str, cells: str) -> None:
    indent = "" if name in GROUPS else "  "
    print(f"  {indent + name:<12}{cells}")


def _share(part: int, whole: int) -> tuple[str, str]:
    low, high = wilson(part, whole)
    return f"{part / whole:.1%}", f"{low:.1%}-{high:.1%}"


def _score_json(row: Score) -> dict[str, Any]:
    return {
        **asdict(row),
        "stopped": row.stopped,
        "stopped_95": wilson(row.stopped, row.attacks),
        "asked_95": wilson(row.asked, row.honest),
    }


def _call_json(call: DecidedCall) -> dict[str, Any]:
    refusal = call.refusal.decision
    return {
        "tool": call.call.tool,
        "args": dict(call.call.args),
        "decision": call.decision,
        "reason_code": str(refusal.reason_code),
        "rules": [str(rule) for rule in refusal.rules],
        "reason": refusal.reason,
        "reason_for_agent": refusal.reason_for_agent,
        "policy": str(refusal.policy),
    }
