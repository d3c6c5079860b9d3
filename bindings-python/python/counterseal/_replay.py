"""Replaying a recorded run: what its calls came to, and no tool runs."""

from __future__ import annotations

import sys
from _thread import _count
from contextvars import ContextVar

from . import _native
from ._contexts import _optional, _Scope, _text
from ._errors import CountersealError
from ._given_back import ReplayedError as ReplayedError
from ._given_back import raised, returned

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    import os
    from types import TracebackType

_last: ContextVar[tuple[Replay, int] | None] = ContextVar("counterseal_replayed", default=None)
"""The call that this task or thread was given last, or that was given before it was started: its next one comes after that."""


class Replayed:
    """What takes the place of a ticket: false, so that a guarded function looks at it before its body."""

    __slots__ = ("result",)

    def __init__(self, result: object) -> None:
        self.result = result

    def __bool__(self) -> bool:
        return False


def replay(
    run: str,
    *,
    session: str | None = None,
    home: str | os.PathLike[str] | None = None,
    elsewhere: bool = False,
) -> Replay:
    """Inside its `with` block guarded calls get what was recorded of the run; no tool runs and nothing is recorded or counted.

    A call that no recorded one is like, or that was made in another order, raises `ReplayDivergence`, and so does leaving the
    block before the run is over. What a call was refused with, or ended with, it is refused or ends with again. It holds in this
    task or thread and those started from it with its context.

    `run` is the id given to `counterseal.run`; `session` tells runs of one id apart. Every result has to be in the ledger, which
    takes `record: {result: full}` in the policy: a run of which one is missing is refused at once.

    While it is under way, calls of this process from anywhere else are refused with the code `replay_incomplete`: a thread
    that was started without its context would run tools for real. `elsewhere=True` lets them be made, where other work goes on.
    """
    from ._configuration import flush
    from ._ledger import Ledger

    run, session = _text("run", run), _optional("session", session)
    flush()
    return Replay(_native.Recording(Ledger(home).home, run, session), elsewhere)


class Replay:
    """What `replay` returns: a context manager for `with` and `async with`, entered once."""

    def __init__(self, run: _native.Recording, elsewhere: bool) -> None:
        self._run = run
        self._elsewhere = elsewhere
        self._scope: _Scope | None = None
        self._left = False

    def __enter__(self) -> Replay:
        if self._scope is not None:
            raise CountersealError(
                "this replay was entered before; make another one with `replay`", code="closed", kind="runtime"
            )
        self._scope = _Scope(replay=self)
        self._scope.__enter__()
        if not self._elsewhere:
            _native.replay_alone(True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._scope is None or self._left:
            return
        self._left = True
        if not self._elsewhere:
            _native.replay_alone(False)
        self._scope.__exit__(kind, error, traceback)
        if error is None:
            self._run.end()

    async def __aenter__(self) -> Replay:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _serve(self, source: str, name: str, canonical: bytes, call_id: str | None) -> Replayed:
        """What was recorded of this call, or raises what it raised."""
        held = _last.get()
        after = held[1] if held is not None and held[0] is self else None
        index, result, error, refused = self._run.serve(source, name, canonical, call_id, after, _is_alone())
        _last.set((self, index))
        if refused is not None:
            raise refused
        if error is not None:
            raise raised(error)
        return Replayed(returned(result))


def _is_alone() -> bool:
    """Whether no other thread or task of the program is there that could make calls of the run beside this one."""
    modules = sys.modules
    # Greenlets cannot be counted, so where there may be some, there are; and trio runs tasks of its own beside the program's.
    if _count() > 0 or "greenlet" in modules or _on_trio():
        return False
    asyncio = modules.get("asyncio")
    if asyncio is None:
        return True
    try:
        return len(asyncio.all_tasks()) <= 1
    except RuntimeError:  # no loop runs here
        return True


def _on_trio() -> bool:
    from ._asking import trio_token

    return trio_token() is not None
