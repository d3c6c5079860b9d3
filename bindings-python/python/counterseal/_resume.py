"""Calls of processes that are gone: their questions are taken up, and their outcomes served here, each once."""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from . import _native
from ._contexts import _variable
from ._edits import named_values
from ._errors import CountersealError
from ._pending import PendingApproval, taking_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._signature import Parameter

_served: WeakValueDictionary[str, Callable[..., Any]] = WeakValueDictionary()
_parameters: dict[str, tuple[Parameter, ...]] = {}


def serve(name: str, function: Callable[..., Any], parameters: tuple[Parameter, ...]) -> None:
    """Says that calls of the tool can be taken up by calling `function`."""
    _served[name] = function
    _parameters[name] = parameters


def taken_up(id: str | None) -> list[PendingApproval]:
    """What `resume_pending` says."""
    found: list[PendingApproval] = []
    for left in _native.left_calls():
        function = _served.get(left["tool_name"]) if left["source"] == "program" else None
        if function is None or (id is not None and left["id"] != id):
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
            made = copy_context().run(_called, function, left, args, kwargs, coroutine)
        except CountersealError as error:
            # decided anew and refused: on record, and on nobody else's hands
            logging.getLogger("counterseal").warning("`%s` was taken up and refused: %s", left["tool_name"], error)
            continue
        if isinstance(made, PendingApproval):
            found.append(made)
    return found


def _called(
    function: Callable[..., Any], left: dict[str, Any], args: list[Any], kwargs: dict[str, Any], coroutine: bool
) -> Any:
    who = {name: left[name] for name in ("session", "run", "user", "verified_by", "call_id")}
    _variable.set(_native.Context(None, **who))
    if not coroutine:
        return function(*args, **kwargs)
    taking_up.set(True)
    calling = function(*args, **kwargs)
    try:
        calling.send(None)
    except StopIteration as end:
        return end.value
    # the policy lets it run without people by now, and its record goes to the disk first
    calling.close()
    return None


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
