"""`approval_mode="native"`: a framework stops its run to ask people, and calls the tool again with their answer.

A step of a run may be gone through again from its start, with several questions, and answers come by their place in it. So an answer
names the question that it answers, and counts for that one alone, whoever of the step finds it; and no call of a step runs before
all questions of the step are answered, since what ran would run again: the core holds the calls of one turn, whichever process asks.
"""

from __future__ import annotations

import os
from _thread import RLock

from ._answers import UNNAMED, Approved, Denied, Grant
from ._errors import CountersealError
from ._text import is_text

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from . import _native

    _Payload: TypeAlias = "dict[str, Any]"


class Way:
    """How the run that a call is made in is stopped."""

    __slots__ = ("ask", "given", "step", "wait")

    def __init__(
        self,
        step: str,
        ask: Callable[[_Payload], object],
        wait: Callable[[_Payload], object],
        given: list[object],
    ) -> None:
        self.step = step
        """A name of the step of the run that is then gone through again."""
        self.ask = ask
        """Stops it with a question, or gives the answer that has its place."""
        self.wait = wait
        """Stops it for a call that is answered, because of others of its turn that are not."""
        self.given = given
        """The answers that the framework has for this step by now."""


ways: list[Callable[[], Way | None]] = []
"""Of each framework that has one: the way of the run that this call is made in, if it is made in one."""

_KEPT = 1_000
_early: dict[str, Approved | Denied] = {}
"""Answers that another call of the run found before the one they are for: by question, the latest last."""
_lock = RLock()
_open: dict[str, dict[str, dict[str, Any]]] = {}
"""What is asked in a step and was not answered yet: by step and question."""

HOW = (
    'answer {"id": ..., "decision": "approve"}, "deny", or "edit" with "arguments"; "note", "by", "groups", "verified_by" and'
    ' "grant" may be added'
)


def way() -> Way | None:
    """What stops the run that this call is made in."""
    for one in ways:
        found = one()
        if found is not None:
            return found
    return None


def answered(pending: _native.Pending, way: Way) -> Approved | Denied:
    """What people say to a question that is open, or leaves by the framework's own exception."""
    id = pending.approval or ""
    payload = _payload(pending, id)
    if pending.held:
        way.wait(payload)
    with _lock:
        asked = _bounded(_open).setdefault(way.step, {})
        asked[id] = payload
    problem: dict[str, str] = {}
    while True:
        # at once: what another thread of the step takes from the framework may be for this one
        with _lock:
            said = _early.get(id)
            if said is not None:
                left = next((other for other in asked if other not in _early), None)
                if left is None or pending.in_turn:
                    return said
                payload = asked.get(left, payload)
            given = way.ask({**payload, **problem})
            why = _noted(pending, given)
        problem = {} if why is None else {"problem": f"the answer cannot be used: {why}; {HOW}"}


def passed_by(pending: _native.Pending, way: Way) -> None:
    """Takes what the framework has of answers to a question that is over: the next stop of the step would be given one of them."""
    mine = [one for one in way.given if isinstance(one, dict) and one.get("id") == pending.approval]
    # shown only where another call of the step took the answer, and the framework stops for the next
    payload = _payload(pending, pending.approval or "") if mine else {}
    with _lock:
        while mine:
            given = way.ask(payload)
            if given is mine[-1]:
                break
            _noted(pending, given)
    over(pending.approval, way)


def over(id: str | None, way: Way) -> None:
    """Nothing is asked by that question in this step any more."""
    if id is not None:
        # both at once: another thread of the step would ask again what was answered
        with _lock:
            _early.pop(id, None)
            _open.get(way.step, {}).pop(id, None)


def _noted(pending: _native.Pending, given: object) -> Exception | None:
    """Keeps an answer for the question that it names; why it cannot be used, if it cannot."""
    from ._approver import must_take

    try:
        about, answer = _read(given)
        must_take(pending, about, answer)
    except (CountersealError, TypeError, ValueError, AttributeError, OverflowError) as error:
        return error
    _early.pop(about, None)
    _bounded(_early)[about] = answer
    return None


def _bounded(kept: dict[str, Any]) -> dict[str, Any]:
    while len(kept) >= _KEPT:
        kept.pop(next(iter(kept)), None)
    return kept


def _payload(pending: _native.Pending, id: str) -> dict[str, Any]:
    """What a screen shows: plain values, the arguments redacted as for everybody who is asked."""
    import json

    question = dict(pending.question())
    question["arguments"] = json.loads(question["arguments"])
    question["expires_in"] = question.pop("seconds")
    return {"type": "approval", "id": id, **question, "how": HOW}


def _read(given: Any) -> tuple[str, Approved | Denied]:
    if not isinstance(given, dict):
        raise TypeError(f"it is a `{type(given).__name__}`")
    unknown = given.keys() - {"id", "decision", "arguments", "note", "by", "groups", "verified_by", "grant"}
    if unknown:
        raise ValueError(f"it has `{min(map(str, unknown))}`")
    if not is_text(given.get("id")):
        raise ValueError("it does not say which question it is about")
    who: dict[str, Any] = {
        "note": _text(given, "note"),
        "by": _text(given, "by") or UNNAMED,
        "groups": _listed(given.get("groups")),
        "verified_by": _text(given, "verified_by"),
    }
    decision, edit, grant = given.get("decision"), given.get("arguments"), given.get("grant")
    if decision == "deny":
        return given["id"], Denied(**who)
    if decision not in ("approve", "edit"):
        raise ValueError("`decision` is none of `approve`, `deny`, `edit`")
    if (edit is not None) != (decision == "edit") or not isinstance(edit, (dict, type(None))):
        raise ValueError("`arguments` are what `edit` changes, by name")
    return given["id"], Approved(edit=edit, grant=None if grant is None else _grant(grant), **who)


def _grant(given: Any) -> Grant:
    from datetime import datetime, timedelta

    if not isinstance(given, dict):
        raise TypeError(f"`grant` is a `{type(given).__name__}`, no object")
    unknown = given.keys() - {"when", "count", "until", "seconds"}
    if unknown:
        raise ValueError(f"`grant` has `{min(map(str, unknown))}`")
    until = given.get("until")
    ends = None if until is None else datetime.fromisoformat(until.replace("Z", "+00:00"))
    if given.get("seconds") is not None:
        return Grant(when=given.get("when"), count=given.get("count"), until=timedelta(seconds=given["seconds"]))
    return Grant(when=given.get("when"), count=given.get("count"), until=ends)


def _text(given: dict[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is None:
        return None
    if not is_text(value):
        raise ValueError(f"`{name}` is no text")
    return value


def _listed(given: object) -> list[str]:
    found: list[str] = []
    if given is None:
        return found
    for one in given if isinstance(given, list) else (None,):
        if not is_text(one):
            raise ValueError("`groups` is no list of texts")
        found.append(one)
    return found


def _forked() -> None:
    global _lock
    _lock = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
