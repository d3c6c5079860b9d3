"""Replays sequences of calls at chosen times, and what becomes of each: the form of limits.json and sessions.json."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timezone
from typing import Any

import counterseal as cs
from counterseal import _contexts, _native, testing
from replaying import REPLAYED, Case, expect

START = testing.START

Beginnings = dict[str, dict[str, str]]


class Left(Exception):
    """With which a body is left to be entered again."""


_native.leaves_a_body(Left)


def replay(case: Case) -> str:
    began: Beginnings = {}
    with testing.engine(cs.Policy.from_text(case["policy"])) as engine:
        for index, step in enumerate(case["calls"]):
            engine.set_time(START + step["at"])
            seen = taken(step, began)
            for member, expected in step.get("expect", {}).items():
                same(f"call {index}: {member}", seen[member], expected)
    return REPLAYED


def taken(step: dict[str, Any], began: Beginnings) -> dict[str, Any]:
    """What is seen of one step."""
    session = step.get("session", "s")
    if step.get("op") == "begin":
        began[session] = {name: step[name] for name in ("user_text", "parent", "user", "run") if name in step}
        return {}
    with ExitStack() as within:
        enter(session, began, within, step.get("user"))
        if "run" in step:
            within.enter_context(cs.run(step["run"]))
        if "call_id" in step:
            # which only frameworks give, through what their adapters use
            within.enter_context(_contexts._Scope(call_id=step["call_id"]))
        if step.get("op") == "mark":
            cs.current_session().mark(step["tag"])
            return {}
        if step.get("op") == "usage":
            tokens = step.get("prompt_tokens", 0), step.get("completion_tokens", 0)
            cs.log_token_usage("m", *tokens, cost_usd=step.get("cost_usd"))
            return {}
        if step.get("op") == "standing":
            return standing(cs.current_session())
        return decided(step)


def enter(session: str, began: Beginnings, within: ExitStack, user: str | None = None) -> None:
    """Enters a session within those whose sub-agent's it is."""
    given = {**began.get(session, {}), **({} if user is None else {"user": user})}
    run = given.pop("run", None)
    if given.get("parent") in began:
        enter(given["parent"], began, within)
    within.enter_context(cs.session(session, **given))
    if run is not None:
        within.enter_context(cs.run(run))


def standing(session: cs.Session) -> dict[str, Any]:
    budgets = [
        {"id": id, "used": state.used, "max": state.max, "left": state.left, "resets_at": moment(state.resets_at)}
        for id, state in session.budgets.items()
    ]
    return {
        "calls": session.tool_calls,
        "prompt_tokens": session.token_spend - 3,
        "completion_tokens": 3,
        "cost_usd": session.cost_usd,
        "budgets": budgets,
    }


def decided(step: dict[str, Any]) -> dict[str, Any]:
    def body(**arguments: Any) -> Any:
        if step.get("suspends"):
            raise Left
        return step.get("result")

    declared = {"tags": step.get("tags", []), "cost_usd": step.get("cost_usd")}
    tool = cs.guard_tool(step["tool"], body, **{name: value for name, value in declared.items() if value})
    arguments = step.get("args", {})
    if step.get("op") == "check":
        return seen(cs.check(tool, arguments))
    assert "op" not in step, f"unknown operation `{step['op']}`"
    asked = cs.check(tool, arguments)
    refused: cs.PolicyDenied | None = None
    try:
        tool(**arguments)
    except Left:
        pass
    except cs.PolicyDenied as denied:
        refused = denied
    if refused is None:
        assert asked.effect == "run"
        return seen(asked)
    kinds = {"budget_exceeded": cs.BudgetExceeded, "rate_limited": cs.RateLimited, "loop_detected": cs.RateLimited}
    assert type(refused) is kinds.get(refused.reason_code, cs.PolicyDenied)
    return seen(refused.decision)


def seen(decision: cs.Decision) -> dict[str, Any]:
    said: dict[str, Any] = decision.to_dict()
    if limit := said["limit"]:
        limit["resets_at"] = moment(limit["resets_at"])
    return said


def moment(seconds: float | None) -> str | None:
    return None if seconds is None else f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def same(what: str, said: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        for member, value in expected.items():
            same(f"{what}.{member}", said[member], value)
    elif isinstance(expected, list):
        expect(f"{what}: how many", len(said), len(expected))
        for one, other in zip(said, expected):
            same(what, one, other)
    elif isinstance(expected, (int, float)):
        expect(what, float(said), float(expected))
    else:
        expect(what, said, expected)
