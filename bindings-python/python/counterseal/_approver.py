"""How the program's own approver is asked, without holding up anybody else."""

from __future__ import annotations

import inspect
import os
import sys
from _thread import RLock, start_new_thread
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


def answer(pending: _native.Pending, *, in_loop: bool) -> None:
    """Asks the approver in the calling thread. One that awaits is given a loop of its own, unless this thread runs one."""
    approver: _Approver = pending.approver
    if in_loop and _awaits(approver):
        return
    # a grant may cover the call: then nobody is asked
    if pending.wait_asked():
        _answered(pending, approver, in_loop=in_loop)


async def answer_async(pending: _native.Pending, sleep: Callable[[_native.Pending], Coroutine[Any, Any, None]]) -> None:
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
    asked = asyncio.ensure_future(_ask(pending, approver))
    settled = asyncio.ensure_future(sleep(pending))
    try:
        await asyncio.wait([asked, settled], return_when=asyncio.FIRST_COMPLETED)
        if not settled.done():
            # nobody else cancels it but the end of the loop, which cancels this task too
            say(pending, _failed(asyncio.CancelledError()) if asked.cancelled() else asked.result())
            await settled
    finally:
        asked.cancel()
        settled.cancel()


async def _answer_on_trio(
    pending: _native.Pending, approver: _Approver, sleep: Callable[[_native.Pending], Coroutine[Any, Any, None]]
) -> None:
    trio = sys.modules.get("trio")
    if trio is None:
        return  # a loop that is not known: the call is refused, as it cannot wait

    async def ask() -> None:
        say(pending, await _ask(pending, approver))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await sleep(pending)
        nursery.cancel_scope.cancel()


def _awaits(approver: object) -> bool:
    return inspect.iscoroutinefunction(approver) or inspect.iscoroutinefunction(getattr(approver, "__call__", None))  # noqa: B004


async def _ask(pending: _native.Pending, approver: Any) -> _Answer:
    try:
        said: _Answer = await approver(ApprovalCall(pending.question()))
    except (Exception, SystemExit) as error:
        return _failed(error)
    return said


def _answered(pending: _native.Pending, approver: Any, *, in_loop: bool) -> None:
    try:
        said = approver(ApprovalCall(pending.question()))
        if inspect.isawaitable(said):
            if in_loop:
                getattr(said, "close", lambda: None)()
                raise TypeError("an approver of a call that blocks an event loop cannot be awaited")
            import asyncio

            said = asyncio.run(_awaited(said))
    except BaseException as error:
        # whoever interrupts the program has not answered; all else is the approver's own failure
        if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
            raise
        said = _failed(error)
    say(pending, said)


async def _awaited(said: Awaitable[_Answer]) -> _Answer:
    return await said


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


# One question at a time, on one thread, which ends with the last of them: whoever sits at a terminal answers one.
_questions: deque[tuple[Context, _native.Pending]] = deque()
_lock = RLock()


def _on_thread(context: Context, pending: _native.Pending) -> None:
    with _lock:
        _questions.append((context, pending))
        if len(_questions) == 1:
            try:
                start_new_thread(_answer_all, ())
            except RuntimeError:  # the interpreter ends
                _questions.pop()
                raise


def _answer_all() -> None:
    while True:
        context, pending = _questions[0]
        try:
            # answered elsewhere meanwhile, or nobody waits any more
            if not pending.settled:
                context.run(_answered, pending, pending.approver, in_loop=False)
        except BaseException as error:  # the thread serves others too
            if not pending.settled:
                say(pending, _failed(error) if isinstance(error, Exception) else Denied(note="the approver was ended"))
        finally:
            with _lock:
                _questions.popleft()
                last = not _questions
        if last:
            return


def _forked() -> None:
    global _lock
    _lock = RLock()
    _questions.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
