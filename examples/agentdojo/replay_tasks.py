"""Replays honest tasks and attacks call by call and notes what was decided about each call.

The order of an attack is that of a real one: the agent works on the user's task, a tool result carries the attacker's
text to it, and it then makes the attacker's calls, all in one session. So the honest calls come first, then the
attacker's. No call is left out after a refusal: an agent that is refused one step may well try the next.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import counterseal as cs

from benchmark_suites import Attack, Call, Environment, HonestTask, Suite
from guarded_runtime import ToolRuntime

Session = Callable[..., AbstractContextManager[Any]]


@dataclass(frozen=True)
class DecidedCall:
    call: Call
    decision: str
    refusal: Any = None
    tool_error: str = ""

    @property
    def ran(self) -> bool:
        return self.refusal is None


@dataclass(frozen=True)
class HonestRun:
    suite: str
    task: str
    calls: list[DecidedCall]
    solved: bool

    @property
    def outcome(self) -> str:
        decisions = {call.decision for call in self.calls}
        return "broken" if "deny" in decisions else "asked" if "require_approval" in decisions else "untouched"


@dataclass(frozen=True)
class AttackRun:
    suite: str
    task: str
    attack: str
    honest_calls: list[DecidedCall]
    attack_calls: list[DecidedCall]
    goal_reached: bool

    @property
    def outcome(self) -> str:
        decisions = {call.decision for call in self.attack_calls}
        return "denied" if "deny" in decisions else "held" if "require_approval" in decisions else "passed"


def replay_honest_tasks(suite: Suite, runtime: ToolRuntime, session: Session = cs.session) -> Iterator[HonestRun]:
    for task in suite.honest_tasks:
        before, after = _start(task, suite.honest_environment)
        with session(f"{suite.name}/{task.name}", user_text=task.prompt):
            calls = [_decide(runtime, after, call) for call in task.calls(before)]
        yield HonestRun(suite.name, task.name, calls, task.solved(before, after, _ran(calls)))


def replay_attacks(suite: Suite, runtime: ToolRuntime, session: Session = cs.session) -> Iterator[AttackRun]:
    for task in suite.honest_tasks:
        for attack in suite.attacks:
            yield _replay_attack(suite, runtime, session, task, attack)


def without_session(_name: str, *, user_text: str) -> AbstractContextManager[None]:
    return nullcontext()


def _replay_attack(suite: Suite, runtime: ToolRuntime, session: Session, task: HonestTask, attack: Attack) -> AttackRun:
    before, after = _start(task, suite.attacked_environment(attack))
    with session(f"{suite.name}/{task.name}/{attack.name}", user_text=task.prompt):
        honest = [_decide(runtime, after, call) for call in task.calls(before)]
        attacking = [_decide(runtime, after, call) for call in attack.calls(before)]
    reached = attack.goal_reached(before, after, _ran(honest + attacking))
    return AttackRun(suite.name, task.name, attack.name, honest, attacking, reached)


def _start(task: HonestTask, environment: Environment) -> tuple[Environment, Environment]:
    before = task.start(environment)
    return before, before.model_copy(deep=True)


def _decide(runtime: ToolRuntime, environment: Environment, call: Call) -> DecidedCall:
    # Tools may change the lists they are given; the next run of the same task must not see that.
    try:
        runtime.run(environment, Call(call.tool, copy.deepcopy(dict(call.args))))
    except cs.PolicyDenied as refusal:
        return DecidedCall(call, _text(refusal.decision.decision), refusal)
    except Exception as error:
        return DecidedCall(call, "allow", tool_error=f"{type(error).__name__}: {error}")
    return DecidedCall(call, "allow")


def _text(decision: Any) -> str:
    return next(word for word in ("allow", "deny", "require_approval") if decision == word)


def _ran(calls: list[DecidedCall]) -> list[Call]:
    return [decided.call for decided in calls if decided.ran]
