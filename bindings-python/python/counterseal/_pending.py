"""`approval_mode="async"`: whoever called goes on, and the call runs once people have said yes, by this process or a later one."""

from __future__ import annotations

import sys
from _thread import get_ident
from contextvars import copy_context

from . import _asking, _native
from ._contexts import _variable
from ._errors import LifecycleError, PolicyDenied
from ._modes import taking_up

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable, Generator
    from contextvars import Context
    from typing import Any

    from ._modes import Approvals, _Callback


class ApprovalOutcome:
    """How a call ended that people were asked about."""

    __slots__ = (
        "action_id",
        "arguments",
        "decided_by",
        "edited",
        "error",
        "grant",
        "id",
        "note",
        "ran",
        "result",
        "state",
        "tool_name",
    )

    def __init__(
        self, pending: _native.Pending, tool_name: str, result: object = None, error: BaseException | None = None
    ) -> None:
        ended = pending.ended() or {}
        refused = isinstance(error, PolicyDenied) and (
            error.action_id in (None, pending.action_id) or error.reason_code == "approval_used"
        )
        self.id: str | None = pending.approval
        """The approval's id."""
        self.action_id = pending.action_id
        """The id of the call in the record."""
        self.tool_name = tool_name
        open_still = not refused or getattr(error, "reason_code", None) in ("closed", "approval_pending")
        self.state: str = ended.get("state", "pending" if open_still else "cancelled")
        """`approved`, `denied`, `expired` or `cancelled` (nobody could be asked); `pending` where the wait was broken off, as
        by `close()`, and the question is still open: then no callback is told."""
        self.ran = self.state == "approved" and not refused
        """Whether the body ran. People may have said yes, and the policy no after all: `error` says why."""
        self.arguments: dict[str, Any] = _values(ended.get("arguments"))
        """By name, as the body got them."""
        self.edited: bool = ended.get("edited", False)
        """Whether people changed the arguments."""
        self.decided_by: str | None = ended.get("decided_by")
        self.note: str | None = ended.get("note")
        self.grant: dict[str, Any] | None = _object(ended.get("grant"))
        """What the yes covers besides this call."""
        self.result = result
        """What the body returned."""
        self.error = error
        """What the body raised; where it did not run, why."""

    @classmethod
    def of_left(cls, left: dict[str, Any], arguments: dict[str, Any], error: BaseException) -> ApprovalOutcome:
        """Of a call that a process left when it ended, and that does not run any more."""
        made = cls.__new__(cls)
        made.id, made.action_id, made.tool_name = left["id"], left["action_id"], left["tool_name"]
        made.state, made.ran, made.result, made.error = "cancelled", False, None, error
        made.arguments, made.edited = arguments, False
        made.decided_by = made.note = made.grant = None
        return made

    def __repr__(self) -> str:
        return f"ApprovalOutcome({self.tool_name!r}, {self.state!r}, result={self.result!r}, error={self.error!r})"


class PendingApproval:
    """A call that runs once people have said yes. Wait for it with `wait` in a thread, with `await` on a loop, or not at all."""

    __slots__ = ("__weakref__", "_done", "_outcome", "_pending", "_runs_in", "_woken", "session_id", "tool_name")

    def __init__(self, pending: _native.Pending) -> None:
        from threading import Event

        question = pending.question()
        self.tool_name: str = question["tool_name"]
        self.session_id: str = question["session_id"]
        self._pending = pending
        self._outcome: ApprovalOutcome | None = None
        self._done = Event()
        self._runs_in: object = None
        self._woken: list[Callable[[], object]] = []

    @property
    def id(self) -> str | None:
        """The approval's id, as `counterseal approvals` shows it; `None` until the home has it, a moment after the call."""
        return self._pending.approval

    @property
    def action_id(self) -> str | None:
        """The id of the call in the record."""
        return self._pending.action_id

    @property
    def state(self) -> str:
        """`pending`, then exactly one of `approved`, `denied`, `expired` and `cancelled`."""
        if self._outcome is not None:
            return self._outcome.state
        return str((self._pending.ended() or {"state": "pending"})["state"])

    @property
    def outcome(self) -> ApprovalOutcome | None:
        """How it ended; `None` until it has, the body included."""
        return self._outcome

    def wait(self, timeout: float | None = None) -> ApprovalOutcome | None:
        """Blocks this thread until it has ended, at most `timeout` seconds; `None` where it has not."""
        self._not_from_within()
        if not self._done.is_set() and _asking.in_loop():
            raise LifecycleError(
                "waiting here would stop the event loop; `await` the pending approval", code="closed", kind="runtime"
            )
        self._done.wait(timeout)
        return self._outcome

    def __await__(self) -> Generator[Any, None, ApprovalOutcome]:
        return self._ended().__await__()

    def cancel(self) -> None:
        """Takes the question back; does nothing once it has ended."""
        if not self._pending.settled:
            self._pending.cancel()

    def __repr__(self) -> str:
        return f"PendingApproval({self.tool_name!r}, id={self.id!r}, state={self.state!r})"

    def __str__(self) -> str:
        """What a model can be told."""
        if self._outcome is None:
            return f"`{self.tool_name}` has not run yet: a person is asked first. Do not call it again for this; go on with something else"
        return f"`{self.tool_name}` waited for a person; the answer was `{self.state}`"

    async def _ended(self) -> ApprovalOutcome:
        self._not_from_within()
        if self._outcome is None:
            await _asking.called(self._when_done)
        if self._outcome is None:
            raise LifecycleError(
                "this event loop cannot be woken from here; ask for `outcome` later", code="closed", kind="runtime"
            )
        return self._outcome

    def _not_from_within(self) -> None:
        """The body and the callbacks are a part of what would be waited for."""
        if self._runs_in is not None and not self._done.is_set() and self._runs_in in (get_ident(), _task()):
            raise LifecycleError(
                "the body and the callbacks of a call cannot wait for its end; a callback gets the outcome",
                code="closed",
                kind="runtime",
            )

    def _when_done(self, woken: Callable[[], object]) -> None:
        self._woken.append(woken)
        if self._done.is_set():
            self._wake()

    def _end(self, outcome: ApprovalOutcome) -> None:
        self._outcome = outcome
        self._done.set()
        self._wake()

    def _wake(self) -> None:
        while self._woken:
            try:
                self._woken.pop()()
            except (IndexError, RuntimeError):  # another thread took the last, or its loop was closed
                continue


def resume_pending(id: str | None = None) -> list[PendingApproval]:
    """Takes up the calls of tools with `approval_mode="async"` that processes of this home left when they ended, or only the one
    whose approval has that id, of which the beginning is enough. Those that people have answered by now run at once, the others
    once they are answered; their tools' callbacks get the outcomes. Each call is taken up by one process alone.

    A tool has to be guarded here by then, and is called with what the home has of its arguments: plain values. An `async` tool is
    called where this is called on an asyncio loop. What is left out stays open for others.

    Raises `CountersealError` (`approval_not_found`) for an id that this home has no approval of, or several.
    """
    from ._resume import taken_up

    return taken_up(id)


def waited(pending: _native.Pending, approvals: Approvals, finish: Callable[..., Any], values: tuple[Any, ...]) -> Any:
    """Waits in the calling thread, and tells the program's callbacks how it ended."""
    name = pending.question()["tool_name"]
    try:
        result = finish(pending, *values)
    except Exception as error:
        _tell(approvals, ApprovalOutcome(pending, name, error=error))
        raise
    _tell(approvals, ApprovalOutcome(pending, name, result))
    return result


async def waited_async(
    pending: _native.Pending, approvals: Approvals, finish: Callable[..., Any], values: tuple[Any, ...]
) -> Any:
    """As `waited`, without holding up the event loop."""
    name = pending.question()["tool_name"]
    try:
        result = await finish(pending, *values)
    except Exception as error:
        await _tell_async(approvals, ApprovalOutcome(pending, name, error=error))
        raise
    await _tell_async(approvals, ApprovalOutcome(pending, name, result))
    return result


def begun(
    pending: _native.Pending, approvals: Approvals, finish: Callable[..., Any], values: tuple[Any, ...]
) -> PendingApproval:
    """Goes on without the call. No thread waits for it: one is started for the body, once people have said yes."""
    handle = PendingApproval(pending)
    context = _context_of_body()

    def run() -> None:
        handle._runs_in = get_ident()
        try:
            result = finish(pending, *values)
        except BaseException as error:
            outcome = ApprovalOutcome(pending, handle.tool_name, error=error)
        else:
            outcome = ApprovalOutcome(pending, handle.tool_name, result)
        try:
            _tell(approvals, outcome)
        finally:
            handle._end(outcome)

    def settled() -> None:
        from threading import Thread

        # the end of the program does not cut short what people agreed to; the thread that starts this one is a daemon
        Thread(target=context.run, args=(run,), name="counterseal-approved", daemon=False).start()

    def asked() -> None:
        from ._approver import _on_thread

        # a grant may cover the call: then nobody is asked
        if not pending.settled:
            _on_thread(context.copy(), pending)

    if pending.approver is not None:
        _asking.when(pending, asked, when_asked=True)
    if not _asking.in_loop():
        pending.wait_asked()
    _asking.when(pending, settled, when_asked=False)
    return handle


_tasks: set[Task[None]] = set()
"""Those that wait: a loop itself holds its tasks weakly."""


async def begun_async(
    pending: _native.Pending, approvals: Approvals, finish: Callable[..., Any], values: tuple[Any, ...]
) -> Any:
    """As `begun`: a task of the loop waits and runs the body. On a loop other than asyncio's the caller waits itself."""
    asyncio = sys.modules.get("asyncio")
    loop = None if asyncio is None else asyncio._get_running_loop()
    if loop is None:
        return await waited_async(pending, approvals, finish, values)
    handle = PendingApproval(pending)

    async def run() -> None:
        handle._runs_in = _task()
        outcome: ApprovalOutcome | None = None
        try:
            result = await finish(pending, *values)
        except BaseException as error:
            outcome = ApprovalOutcome(pending, handle.tool_name, error=error)
            if not isinstance(error, Exception):
                handle._end(outcome)
                raise
        else:
            outcome = ApprovalOutcome(pending, handle.tool_name, result)
        try:
            await _tell_async(approvals, outcome)
        finally:
            handle._end(outcome)

    task = _context_of_body().run(loop.create_task, run())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    if not taking_up.get():
        await _asking.sleep(pending, when_asked=True)
    return handle


def _task() -> object:
    asyncio = sys.modules.get("asyncio")
    return None if asyncio is None or asyncio._get_running_loop() is None else asyncio.current_task()


def _context_of_body() -> Context:
    """The caller's context for what runs later. The call's own id is not that of calls its body makes."""
    context = copy_context()
    context.run(taking_up.set, False)
    found = context.get(_variable)
    if found is not None:
        context.run(_variable.set, _native.Context(found))
    return context


def begin_telling(approvals: Approvals, outcome: ApprovalOutcome, *, coroutine: bool) -> None:
    """Tells the program's callback, of a coroutine on the loop that runs in this thread."""
    if not coroutine:
        _tell(approvals, outcome)
        return
    import asyncio

    task = asyncio.get_running_loop().create_task(_tell_async(approvals, outcome))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def _tell(approvals: Approvals, outcome: ApprovalOutcome) -> None:
    callback = _callback(approvals, outcome)
    if callback is None:
        return
    try:
        import inspect

        said = callback(outcome)
        if inspect.isawaitable(said):
            if _asking.in_loop():
                getattr(said, "close", lambda: None)()
                raise TypeError("a callback of a function that is called on an event loop cannot be awaited")
            import asyncio

            asyncio.run(_awaited(said))
    except Exception as error:
        _failed(outcome, error)


async def _tell_async(approvals: Approvals, outcome: ApprovalOutcome) -> None:
    callback = _callback(approvals, outcome)
    if callback is None:
        return
    try:
        import inspect

        said = callback(outcome)
        if inspect.isawaitable(said):
            await said
    except Exception as error:
        _failed(outcome, error)


async def _awaited(said: Any) -> None:
    await said


def _callback(approvals: Approvals, outcome: ApprovalOutcome) -> _Callback | None:
    if outcome.state == "pending":
        return None  # broken off: the next like call takes the question up
    return approvals.on_approval if outcome.ran else approvals.on_denial


def _failed(outcome: ApprovalOutcome, error: Exception) -> None:
    """A callback changes nothing of what was decided. Its message stays with the program."""
    import logging

    which = "on_approval" if outcome.ran else "on_denial"
    logging.getLogger("counterseal").warning("`%s` of `%s` raised `%s`", which, outcome.tool_name, type(error).__name__)


def _values(canonical: str | None) -> dict[str, Any]:
    """The arguments as plain values; as they stand in the record where one of them is none."""
    if canonical is None:
        return {}
    from ._edits import named_values

    try:
        return named_values(canonical)
    except ValueError:
        return _object(canonical) or {}


def _object(text: str | None) -> dict[str, Any] | None:
    import json

    return None if text is None else dict(json.loads(text))
