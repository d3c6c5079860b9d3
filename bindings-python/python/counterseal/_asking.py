"""Calls that wait for people: how threads and coroutines wait, and what people's changes make of the arguments.

A wait that is interrupted, by Ctrl-C, a cancelled task or a closed loop, leaves its question open: the next like call of the
session takes it up, and so does one in the process that runs after this one.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock, start_new_thread
from contextlib import suppress
from itertools import count

from . import _native
from ._waiting import on_disk

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._interrupting import Way
    from ._signature import Parameter

# Invariant: while this is not empty, one thread waits for what has ended and wakes whoever is in here; it ends, and says so, under
# the lock.
_sleepers: dict[int | None, Callable[[], object]] = {}
_numbers = count(1)
_waking = False
_lock = RLock()


def agreed(
    tool: _native.Tool, pending: _native.Pending, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[_native.Ticket, tuple[Any, ...], dict[str, Any]]:
    """Permission for a call by position and keyword, with the arguments it runs with; blocks the thread."""
    found: _native.Ticket | _native.Pending = pending
    while isinstance(found, _native.Pending):
        wait(found)
        if found.edited is not None:
            args, kwargs = _rebound(tool, found, args, kwargs)
        found = tool.resume_call(found, args, kwargs)
    return found, args, kwargs


async def agreed_async(
    tool: _native.Tool, pending: _native.Pending, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[_native.Ticket, tuple[Any, ...], dict[str, Any]]:
    """As `agreed`, without holding up the event loop."""
    found: _native.Ticket | _native.Pending = pending
    while isinstance(found, _native.Pending):
        await wait_async(found)
        if found.edited is not None:
            args, kwargs = _rebound(tool, found, args, kwargs)
        found = tool.resume_call(found, args, kwargs)
    return found, args, kwargs


def when(pending: _native.Pending, call: Callable[[], object], *, when_asked: bool) -> None:
    """Has the thread that wakes call `call`, which must not block, once the question has ended or as soon as people are asked."""
    number = _registered(call)
    if number is None:
        raise RuntimeError("nobody can be asked while the interpreter ends")
    try:
        pending.wake(number, when_asked=when_asked)
    except BaseException:
        _sleepers.pop(number, None)
        raise


async def called(subscribe: Callable[[Callable[[], None]], object]) -> None:
    """Sleeps until what `subscribe` is given is called, in any thread; not at all on a loop that is not known."""
    asyncio, trio = sys.modules.get("asyncio"), sys.modules.get("trio")
    loop = None if asyncio is None else asyncio._get_running_loop()
    if loop is not None:
        future = loop.create_future()
        subscribe(_set_result(loop, future))
        await future
        return
    token = trio_token()
    if trio is not None and token is not None:
        event = trio.Event()
        subscribe(lambda: token.run_sync_soon(event.set))
        await event.wait()


def passed(pending: _native.Pending, parameters: tuple[Parameter, ...], *values: Any) -> tuple[Any, ...]:
    """Waits in the calling thread; then the values of a guarded function's parameters, as people want them."""
    wait(pending)
    return values if pending.edited is None else _edited_values(pending, parameters, values)


def passed_natively(pending: _native.Pending, parameters: tuple[Parameter, ...], *values: Any) -> tuple[Any, ...]:
    """As `passed`, in a framework's own way to ask people where there is one."""
    wait(pending, native=True)
    return values if pending.edited is None else _edited_values(pending, parameters, values)


async def passed_async(pending: _native.Pending, parameters: tuple[Parameter, ...], *values: Any) -> tuple[Any, ...]:
    """As `passed`, without holding up the event loop."""
    await wait_async(pending)
    return values if pending.edited is None else _edited_values(pending, parameters, values)


async def passed_natively_async(
    pending: _native.Pending, parameters: tuple[Parameter, ...], *values: Any
) -> tuple[Any, ...]:
    """As `passed_natively`, without holding up the event loop."""
    await wait_async(pending, native=True)
    return values if pending.edited is None else _edited_values(pending, parameters, values)


def wait(pending: _native.Pending, *, native: bool = False) -> None:
    """Blocks the calling thread until the call can go on. Where that would stop an event loop, the call does not wait."""
    if not pending.asks:
        try:
            pending.wait()
        except BaseException:
            pending.leave()  # its body does not begin any more
            raise
        return
    try:
        # that way takes an answer of the desk's thread, which would stop a loop
        ask = None if in_loop() else _way(pending, native)
        if ask is not None:
            asked = False
            while pending.wait_asked():
                asked = True
                _say_natively(pending, ask)
            _natively_over(pending, ask, asked)
        elif pending.approver is not None:
            from ._approver import answer

            answer(pending, in_loop=in_loop())
            return
        elif in_loop():
            return
        pending.wait()
    except BaseException:
        pending.leave()
        raise


async def wait_async(pending: _native.Pending, *, native: bool = False) -> None:
    """Waits until the call can go on. No thread waits for it, and a cancelled task leaves the question open.

    On a loop that cannot be woken from here it does not wait: the call is refused then, as it cannot wait.
    """
    if not pending.asks:
        await on_disk(pending)
        return
    try:
        ask = _way(pending, native)
        if ask is not None:
            await sleep(pending, when_asked=True)
            asked = False
            while not pending.settled:
                asked = True
                _say_natively(pending, ask)
                await sleep(pending, when_asked=True)
            _natively_over(pending, ask, asked)
        elif pending.approver is not None:
            await sleep(pending, when_asked=True)
            # a grant may cover the call: then nobody is asked
            if not pending.settled:
                from ._approver import answer_async

                await answer_async(pending, sleep)
        else:
            await sleep(pending)
    except BaseException:
        pending.leave()
        raise


def _way(pending: _native.Pending, native: bool) -> Way | None:
    """The framework's own way to ask people, where it is to be used and the call is made in a run of one."""
    if not (native or pending.native):
        return None
    from ._interrupting import way

    return way()


def _say_natively(pending: _native.Pending, way: Way) -> None:
    from ._approver import say
    from ._interrupting import answered, over

    said = answered(pending, way)
    over(pending.approval, way)
    say(pending, said)


def _natively_over(pending: _native.Pending, way: Way, asked: bool) -> None:
    from ._interrupting import over, passed_by

    # those of a turn share the places of their answers, which are told apart by name
    if asked or pending.in_turn:
        over(pending.approval, way)
    else:
        passed_by(pending, way)


def in_loop() -> bool:
    """Whether this thread runs an event loop, which a wait would stop."""
    asyncio = sys.modules.get("asyncio")
    return (asyncio is not None and asyncio._get_running_loop() is not None) or trio_token() is not None


async def sleep(pending: _native.Pending, *, when_asked: bool = False) -> None:
    """Sleeps until the question has ended, or as soon as people are asked; not at all on a loop that is not known."""
    asyncio, trio = sys.modules.get("asyncio"), sys.modules.get("trio")
    loop = None if asyncio is None else asyncio._get_running_loop()
    if loop is not None:
        future = loop.create_future()
        number = _registered(_set_result(loop, future))
        try:
            if number is not None:
                pending.wake(number, when_asked=when_asked)
                await future
        finally:
            _sleepers.pop(number, None)
        return
    token = trio_token()
    if trio is None or token is None:
        return
    event = trio.Event()
    number = _registered(lambda: token.run_sync_soon(event.set))
    try:
        if number is not None:
            pending.wake(number, when_asked=when_asked)
            await event.wait()
    finally:
        _sleepers.pop(number, None)


def _registered(woken: Callable[[], object]) -> int | None:
    """The number that calls `woken`; `None` while the interpreter ends, when no thread can be started."""
    global _waking
    number = next(_numbers)
    with _lock:
        _sleepers[number] = woken
        if not _waking:
            try:
                start_new_thread(_wake, ())
            except RuntimeError:
                del _sleepers[number]
                return None
            _waking = True
    return number


def _set_result(loop: Any, future: Any) -> Callable[[], None]:
    def set_result() -> None:
        if not future.done():
            future.set_result(None)

    def woken() -> None:
        loop.call_soon_threadsafe(set_result)

    return woken


def trio_token() -> Any:
    """That of the trio run of this thread; `None` outside of one, also where trio is only imported."""
    trio = sys.modules.get("trio")
    try:
        return None if trio is None else trio.lowlevel.current_trio_token()
    except RuntimeError:
        return None


def _wake() -> None:
    """The one thread that wakes loops, for as long as any coroutine waits."""
    global _waking
    while True:
        for number in _native.woken():
            woken = _sleepers.pop(number, None)
            if woken is not None:
                with suppress(RuntimeError):  # the loop was closed, and nobody waits any more
                    woken()
        with _lock:
            if not _sleepers:
                _waking = False
                return


def _edited_values(
    pending: _native.Pending, parameters: tuple[Parameter, ...], values: tuple[Any, ...]
) -> tuple[Any, ...]:
    """The values with those put in that people changed. What cannot be put in is refused: the call is decided by its arguments."""
    from ._edits import Edits

    edits = Edits(pending)
    found: list[Any] = []
    for parameter, value in zip(parameters, values, strict=True):
        if parameter.kind == 4:
            named = {name: edits.take(name, given) for name, given in value.items() if not edits.removes(name)}
            found.append({**named, **edits.left()})
        elif parameter.kind == 2:
            found.append(tuple(edits.take(parameter.name, list(value))))
        else:
            found.append(edits.take(parameter.name, value))
    edits.all_taken()
    return tuple(found)


def _rebound(
    tool: _native.Tool, pending: _native.Pending, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    from ._edits import Edits

    edits = Edits(pending)
    places = [name for name, kind in tool.behind or () if kind < 2]
    rest = "args" if tool.behind is None else next((name for name, kind in tool.behind if kind == 2), None)
    before = tuple(edits.take(name, value) for name, value in zip(places, args, strict=False))
    after = args[len(places) :]
    if rest is not None:
        after = tuple(edits.take(rest, list(after)))
    found = {name: edits.take(name, value) for name, value in kwargs.items() if not edits.removes(name)}
    return before + after, {**found, **edits.left()}


def _forked() -> None:
    """A forked child has no thread that wakes: what its copies wait for is the parent's."""
    global _lock, _waking
    _lock, _waking = RLock(), False
    _sleepers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
