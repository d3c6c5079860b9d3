"""Calls of processes that are gone: their questions are taken up, and their outcomes served here, each once.

Nothing runs here but by the answer to its question. Where the policy no longer asks, the question is ended: nobody said yes to that
run, and whoever called is long gone.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from . import _native
from ._contexts import _variable
from ._edits import named_values
from ._errors import CountersealError, PolicyDenied
from ._modes import NotAskedError, taking_up
from ._pending import ApprovalOutcome, PendingApproval, begin_telling

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._modes import Approvals
    from ._signature import Parameter

_served: WeakValueDictionary[str, Callable[..., Any]] = WeakValueDictionary()
_parameters: dict[str, tuple[Parameter, ...]] = {}
_approvals: WeakValueDictionary[str, Approvals] = WeakValueDictionary()
"""Each lives as long as its function, which it may lead to."""


def serve(name: str, function: Callable[..., Any], parameters: tuple[Parameter, ...], approvals: Approvals) -> None:
    """Says that calls of the tool can be taken up by calling `function`."""
    _served[name] = function
    _parameters[name] = parameters
    _approvals[name] = approvals


def taken_up(id: str | None) -> list[PendingApproval]:
    """What `resume_pending` says."""
    found: list[PendingApproval] = []
    for left in _native.left_calls(id):
        function = _served.get(left["tool_name"]) if left["source"] == "program" else None
        if function is None:
            continue
        coroutine = asyncio.iscoroutinefunction(function)
        if coroutine and asyncio._get_running_loop() is None:
            continue
        try:
            arguments = named_values(left["arguments"])
        except ValueError:
            continue
        if not _native.take_left(left["id"]):
            continue
        args, kwargs = _placed(_parameters[left["tool_name"]], arguments)
        try:
            found.append(copy_context().run(_called, function, left, args, kwargs, coroutine))
        except CountersealError as error:
            # decided anew, and nobody else's any more
            logging.getLogger("counterseal").warning("`%s` was taken up and does not run: %s", left["tool_name"], error)
            if isinstance(error, NotAskedError) or _denied(error):
                _native.end_left(left["id"])
                approvals = _approvals[left["tool_name"]]
                begin_telling(approvals, ApprovalOutcome.of_left(left, arguments, error), coroutine=coroutine)
    return found


def _denied(error: CountersealError) -> bool:
    """Whether the policy says no by now; whoever cannot ask, or cannot decide, leaves the question to others."""
    return isinstance(error, PolicyDenied) and error.decision.reason_code in _NO


_NO = ("rule", "default", "out_of_scope", "budget_exceeded", "rate_limited", "loop_detected")
"""Reason codes of a policy's own no."""


def _called(
    function: Callable[..., Any], left: dict[str, Any], args: list[Any], kwargs: dict[str, Any], coroutine: bool
) -> PendingApproval:
    who = {name: left[name] for name in ("session", "run", "user", "verified_by", "call_id")}
    _variable.set(_native.Context(None, **who))
    taking_up.set(True)
    made = function(*args, **kwargs)
    if coroutine:
        calling = made
        try:
            calling.send(None)
        except StopIteration as end:
            made = end.value
        else:
            calling.close()
    if not isinstance(made, PendingApproval):
        raise NotAskedError  # a replay has its result
    return made


def _placed(parameters: tuple[Parameter, ...], arguments: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments as a call gives them."""
    left, args, kwargs = dict(arguments), list[Any](), dict[str, Any]()
    for one in parameters:
        if one.kind < 2 and one.name in left:
            args.append(left.pop(one.name))
        elif one.kind == 2:
            args.extend(left.pop(one.name, ()))
        elif one.kind == 3 and one.name in left:
            kwargs[one.name] = left.pop(one.name)
    return args, {**kwargs, **left}
