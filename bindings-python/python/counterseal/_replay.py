"""Replaying a recorded run: what its calls came to, and no tool runs."""

from __future__ import annotations

import sys
from _thread import RLock, _count
from contextvars import ContextVar

from . import _native
from ._contexts import _Scope, _text
from ._errors import CountersealError, ReplayDivergence
from ._given_back import ReplayedError as ReplayedError

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    import os
    from types import TracebackType

    from ._recorded import Call, Run

_last: ContextVar[tuple[Replay, Call] | None] = ContextVar("counterseal_replayed", default=None)
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
    from ._recorded import recorded

    return Replay(recorded(_text("run", run), session, home), elsewhere)


class Replay:
    """What `replay` returns: a context manager for `with` and `async with`, entered once."""

    def __init__(self, run: Run, elsewhere: bool) -> None:
        self._run = run
        self._elsewhere = elsewhere
        self._made = 0
        self._first = 0
        """Every call before it was given back."""
        self._diverged: ReplayDivergence | None = None
        self._lock = RLock()
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
        if error is not None:
            return
        if self._diverged is not None:
            # The program caught it and went on as if it were a failure of the tool.
            raise _again(self._diverged)
        expected = next((call for call in self._run.calls if not call.served and not call.may_be_inner()), None)
        if expected is not None:
            raise ReplayDivergence(
                f"the program made {self._made} of {self._outer()} calls; the next would be {expected}",
                position=self._made + 1,
                expected=expected.shown(),
                found=None,
            )

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
        """What was recorded of this call."""
        from ._recorded import incomplete

        held = _last.get()
        after = held[1] if held is not None and held[0] is self else None
        with self._lock:
            if self._diverged is not None:
                raise _again(self._diverged)
            call = self._matching(source, name, canonical, call_id, after)
            call.served = True
            self._made += 1
        _last.set((self, call))
        why = call.missing()
        if why is not None:
            raise incomplete(f"{call} cannot be replayed: {why}")
        return Replayed(call.outcome())

    def _matching(self, source: str, name: str, canonical: bytes, call_id: str | None, after: Call | None) -> Call:
        """The recorded call that this one is; raises where it is none.

        Calls that ran at the same time may come in any order, and it cannot be told from a record which task made which. So any call
        of the same tool and arguments may be meant that was not given back yet; but one that ended before another began cannot
        have been made after it by the same task.
        """
        like = [call for call in self._run.like(source, name, canonical) if not call.served]
        fitting = [call for call in like if after is None or call.begins > after.ends]
        if not fitting:
            expected = self._expected(source, name, call_id, after)
            raise self._divergence(source, name, canonical, expected, like[0] if like else None, after)
        # One that a body may have made, whose call was given back without it, comes last: the program may make the same call too.
        found = min(
            fitting, key=lambda call: (call_id is None or call.call_id != call_id, call.may_be_inner(), call.begins)
        )
        if _is_alone():
            # Nobody is there who could still make the calls before it.
            expected = self._unmade(None)
            if expected is not None and expected.begins < found.begins:
                raise self._divergence(source, name, canonical, expected, None, after)
        return found

    def _unmade(self, after: Call | None) -> Call | None:
        """The first call that was not made, and that no body made which did not run."""
        calls = self._run.calls
        while self._first < len(calls) and calls[self._first].served:
            self._first += 1
        for call in calls[self._first :]:
            if not call.served and (after is None or call.begins > after.ends) and not call.may_be_inner():
                return call
        return None

    def _expected(self, source: str, name: str, call_id: str | None, after: Call | None) -> Call | None:
        """The recorded call that was most likely meant."""
        left = [call for call in self._run.calls if not call.served and not call.may_be_inner()]
        by_id = [call for call in left if call_id is not None and call.call_id == call_id]
        of_tool = [] if _is_alone() else [call for call in left if call.key[:2] == (source, name)]
        return next(iter(by_id or of_tool), self._unmade(after))

    def _divergence(
        self,
        source: str,
        name: str,
        canonical: bytes,
        expected: Call | None,
        like: Call | None,
        after: Call | None,
    ) -> ReplayDivergence:
        from ._recorded import named, parsed, short

        position = self._made + 1
        made = f"`{named(source, name)}` with {short(canonical)}"
        if like is not None and after is not None:
            why = f"call {position} is {made}, which the recorded run made before {after} had ended"
        elif expected is None:
            why = f"call {position} is {made}; the recorded run made {self._outer()}"
        else:
            why = f"call {position} is not the recorded one: {expected.difference(source, name, canonical)}"
        self._diverged = ReplayDivergence(
            why,
            position=position,
            expected=None if expected is None else expected.shown(),
            found={"tool": named(source, name), "arguments": parsed(canonical)},
        )
        return self._diverged

    def _outer(self) -> int:
        """How many calls the program has to make, as far as it is known."""
        return sum(call.served or not call.may_be_inner() for call in self._run.calls)


def _again(diverged: ReplayDivergence) -> ReplayDivergence:
    """The same for whoever comes later: an exception that is raised twice would gather the traces of both."""
    return ReplayDivergence(
        diverged.message, position=diverged.position, expected=diverged.expected, found=diverged.found
    )


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
