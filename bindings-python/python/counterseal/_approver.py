"""How the program's own approver is asked, without holding up anybody else."""

from __future__ import annotations

import inspect
import os
import sys
from _thread import RLock, allocate_lock, start_new_thread
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from ._answers import ApprovalCall, Approved, Denied
from ._errors import CountersealError
from ._text import is_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from contextvars import Context
    from typing import TypeAlias

    from . import _native

    _Answer: TypeAlias = "bool | Approved | Denied"
    _Approver: TypeAlias = "Callable[[ApprovalCall], _Answer | Awaitable[_Answer]]"
    _Sleep: TypeAlias = "Callable[[_native.Pending], Coroutine[Any, Any, None]]"


_LOOK = 0.05
"""How often, in seconds, a thread that cannot wait for the end of a question looks for it."""


def answer(pending: _native.Pending, *, in_loop: bool) -> None:
    """Has the approver asked, and waits in the calling thread for the end of the question, whoever brings it. From a thread that runs
    an event loop one that awaits cannot be asked, and what other people say is not waited for."""
    if in_loop and _awaits(pending.approver):
        return
    # a grant may cover the call: then nobody is asked
    if pending.wait_asked():
        _ask_beside(pending, in_loop=in_loop)
    if not in_loop:
        pending.wait()


async def answer_async(pending: _native.Pending, sleep: _Sleep) -> None:
    """Asks the approver while the loop runs on: one that awaits as a task of it, any other on a thread."""
    approver: _Approver = pending.approver
    if not _awaits(approver):
        _on_thread(copy_context(), pending)
        await sleep(pending)
        return
    import asyncio

    if asyncio._get_running_loop() is None:
        await _answer_on_trio(pending, approver, sleep)
        return
    said = await _until_over(pending, _ask(pending, approver), sleep)
    if said is not _OVER:
        say(pending, said)
        await sleep(pending)


async def _answer_on_trio(pending: _native.Pending, approver: _Approver, sleep: _Sleep) -> None:
    trio = sys.modules.get("trio")
    if trio is None:
        return  # a loop that is not known: the call is refused, as it cannot wait

    async def ask() -> None:
        said = await _ask(pending, approver)
        say(pending, said)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await sleep(pending)
        nursery.cancel_scope.cancel()


def _awaits(approver: object) -> bool:
    return inspect.iscoroutinefunction(approver) or inspect.iscoroutinefunction(getattr(approver, "__call__", None))  # noqa: B004


async def _ask(pending: _native.Pending, approver: Any) -> _Answer:
    async def asked() -> _Answer:
        said: _Answer = await approver(ApprovalCall(pending.question(), pending))
        return said

    return await _awaited(asked())


async def _awaited(said: Awaitable[_Answer]) -> _Answer:
    try:
        return await said
    except (Exception, SystemExit) as error:
        return _failed(error)


_OVER = object()
"""What an approver said whose question ended before: nothing."""


async def _until_over(pending: _native.Pending, asking: Coroutine[Any, Any, _Answer], sleep: _Sleep) -> object:
    """What the approver says; it is cancelled where the question ends before, on an asyncio loop."""
    import asyncio

    asked = asyncio.ensure_future(asking)
    settled = asyncio.ensure_future(sleep(pending))
    try:
        await asyncio.wait([asked, settled], return_when=asyncio.FIRST_COMPLETED)
        if settled.done():
            return _OVER
        # nobody else cancels it but the end of the loop, which cancels this task too
        return _failed(asyncio.CancelledError()) if asked.cancelled() else asked.result()
    finally:
        asked.cancel()
        settled.cancel()


def _ask_beside(pending: _native.Pending, *, in_loop: bool) -> None:
    """Asks on a thread of its own, which nothing can end: the call does not wait for it, but for the end of its question."""
    interrupted: list[BaseException] = []
    said = allocate_lock()
    said.acquire()

    def ask() -> None:
        try:
            _answered(pending, in_loop=in_loop)
        except BaseException as error:
            interrupted.append(error)
            pending.leave()
        finally:
            said.release()

    try:
        start_new_thread(copy_context().run, (ask,))
    except RuntimeError:  # the interpreter ends, or has no thread left
        _answered(pending, in_loop=in_loop)
        said.release()
    if in_loop:
        while not said.acquire(timeout=_LOOK) and not pending.settled:
            pass
        if not interrupted:
            pending.wait_asked()  # what becomes of the answer
    else:
        pending.wait()
    if interrupted:
        raise interrupted[0]


def _answered(pending: _native.Pending, *, in_loop: bool) -> None:
    try:
        said: object = pending.approver(ApprovalCall(pending.question(), pending))
        if inspect.isawaitable(said):
            if in_loop:
                getattr(said, "close", lambda: None)()
                raise TypeError("an approver of a call that blocks an event loop cannot be awaited")
            import asyncio

            from ._asking import sleep

            said = asyncio.run(_until_over(pending, _awaited(said), sleep))
    except BaseException as error:
        # whoever interrupts the program has not answered; all else is the approver's own failure
        if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
            raise
        said = _OVER if pending.settled else _failed(error)
    if said is not _OVER:
        say(pending, said)


def _failed(error: BaseException) -> Denied:
    """An approver that fails has not said yes. Its message stays with the program: it may quote what is not for the record."""
    import logging

    logging.getLogger("counterseal").warning("the approver raised `%s`; the call is denied", type(error).__name__)
    return Denied(note=f"the approver raised `{type(error).__name__}`")


def say(pending: _native.Pending, said: object) -> None:
    if said is True:
        said = Approved()
    elif said is False:
        said = Denied()
    elif not isinstance(said, (Approved, Denied)):
        kind = type(said).__name__
        said = Denied(
            note=f"the approver answered a `{kind}`; it can say `True`, `False`, `Approved(...)` or `Denied(...)`"
        )
    try:
        _tell(pending, said)
    except (CountersealError, TypeError, ValueError, OverflowError) as error:
        why = error.message if isinstance(error, CountersealError) else type(error).__name__
        _tell(pending, Denied(note=f"the approver's answer cannot be used: {why}"))


def _tell(pending: _native.Pending, said: Approved | Denied) -> None:
    pending.answer(isinstance(said, Approved), note=None if said.note is None else _note(said.note), **_values(said))


def must_take(pending: _native.Pending, id: str, said: Approved | Denied) -> None:
    """Raises where that question could not take that answer."""
    pending.must_take(id, isinstance(said, Approved), **_values(said))


def _values(said: Approved | Denied) -> dict[str, Any]:
    return {
        "by": said.by,
        "groups": list(said.groups),
        "verified_by": said.verified_by,
        "edit": said.patch() if isinstance(said, Approved) else None,
        "grant": said.grant.to_json() if isinstance(said, Approved) and said.grant is not None else None,
    }


def _note(note: object) -> str:
    if not is_text(note):
        raise ValueError("a note is a text of valid unicode")
    return note


# One question at a time, on one thread, which ends with the last of them: whoever sits at a terminal answers one. An approver that
# is still busy when its question has ended holds up nobody: another thread asks on.
_questions: deque[tuple[Context, _native.Pending]] = deque()
_turn: object = None
"""Whose turn it is to ask; `None` while there is nothing to ask."""
_lock = RLock()


def _on_thread(context: Context, pending: _native.Pending) -> None:
    with _lock:
        _questions.append((context, pending))
        if _turn is None:
            try:
                _begin()
            except RuntimeError:  # the interpreter ends
                _questions.pop()
                raise


def _begin() -> None:
    global _turn
    _turn = object()
    try:
        start_new_thread(_answer_all, (_turn,))
    except RuntimeError:
        _turn = None
        raise


def _answer_all(mine: object) -> None:
    global _turn
    while True:
        with _lock:
            if _turn is not mine:
                return
            if not _questions:
                _turn = None
                return
            mine = _turn = object()
            context, pending = _questions.popleft()
        # answered elsewhere meanwhile, or nobody waits any more
        if pending.settled:
            continue
        try:
            _when_over(pending, mine)
            context.run(_answered, pending, in_loop=False)
        except BaseException as error:  # the thread serves others too
            if not pending.settled:
                say(pending, _failed(error) if isinstance(error, Exception) else Denied(note="the approver was ended"))


def _when_over(pending: _native.Pending, turn: object) -> None:
    from ._asking import when

    def passed_on() -> None:
        global _turn
        with _lock:
            if _turn is turn:
                _turn = None
                if _questions:
                    _begin()

    when(pending, passed_on, when_asked=False)


def _forked() -> None:
    global _lock, _turn
    _lock, _turn = RLock(), None
    _questions.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
