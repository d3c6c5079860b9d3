"""What a tool does while people are asked: wait, go on and be called back, or leave it to the framework that runs it."""

from __future__ import annotations

from contextvars import ContextVar

from . import _native
from ._errors import ConfigurationError, LifecycleError

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, Literal, TypeAlias

    from ._pending import ApprovalOutcome

    _ApprovalMode: TypeAlias = Literal["wait", "async", "native"]
    _Callback: TypeAlias = "Callable[[ApprovalOutcome], object | Awaitable[object]]"

taking_up: ContextVar[bool] = ContextVar("counterseal_taking_up", default=False)
"""Whether a question of a process that is gone is taken up: then nothing is waited for, and nothing runs but by its answer."""

MODES = ("wait", "async", "native")


class NotAskedError(LifecycleError):
    """The policy decides on a call that is taken up without people by now."""

    def __init__(self) -> None:
        why = "the policy no longer asks people about this call; call it again where it is still wanted"
        super().__init__(why, code="closed", kind="runtime")


class Approvals:
    """How one tool deals with approvals, where it does more than wait."""

    __slots__ = ("__weakref__", "mode", "on_approval", "on_denial")

    def __init__(self, mode: str, on_approval: _Callback | None, on_denial: _Callback | None) -> None:
        self.mode = mode
        self.on_approval = on_approval
        self.on_denial = on_denial

    def held(self, found: _native.Pending, finish: Callable[..., Any], *values: Any) -> Any:
        """What a function returns whose call cannot run yet."""
        if not _asks(found):
            if taking_up.get():
                found.leave()
                raise NotAskedError
            return finish(found, *values)
        from . import _pending

        if self.mode == "async":
            return _pending.begun(found, self, finish, values)
        return _pending.waited(found, self, finish, values)

    async def held_async(self, found: _native.Pending, finish: Callable[..., Any], *values: Any) -> Any:
        """What a coroutine returns whose call cannot run yet."""
        if not _asks(found):
            if taking_up.get():
                found.leave()
                raise NotAskedError
            return await finish(found, *values)
        from . import _pending

        if self.mode == "async":
            return await _pending.begun_async(found, self, finish, values)
        return await _pending.waited_async(found, self, finish, values)


def checked(
    name: str, kind: str | None, mode: object, on_approval: _Callback | None, on_denial: _Callback | None
) -> Approvals | None:
    """What was asked for, if it makes sense of a tool of that kind; `None` where it only waits as `configure` says."""
    if mode is None and on_approval is None and on_denial is None:
        return None
    if mode == "webhook":
        raise _wrong(
            name, "`webhook` needs a server, which this version does not support; give `async`, `wait` or `native`"
        )
    if mode is not None and mode not in MODES:
        raise _wrong(name, f"`approval_mode` is one of `wait`, `async`, `native`, not `{mode!r}`")
    for what, callback in (("on_approval", on_approval), ("on_denial", on_denial)):
        if callback is not None and not callable(callback):
            raise _wrong(name, f"`{what}` is called with the outcome, and a `{type(callback).__name__}` cannot be")
    if mode == "async" and (on_approval is None or on_denial is None):
        raise _wrong(
            name,
            "`async` needs `on_approval` and `on_denial`: whoever called has gone on by the time that people answer",
        )
    if kind is None:
        raise _wrong(name, "it is no function of Python's own kind; guard a function that calls it")
    if kind not in ("function", "coroutine") and (mode == "async" or on_approval or on_denial):
        raise _wrong(
            name, "a generator gives its values to whoever asks for them; only functions and coroutines go on later"
        )
    return Approvals(mode or "wait", on_approval, on_denial)


def unasked(ticket: _native.Ticket) -> None:
    """Ends a permission that nobody was asked for, of a call that is taken up."""
    error = NotAskedError()
    _native.failed(ticket, error)
    raise error


def _asks(found: object) -> bool:
    """Whether people are asked; others wait for the disk, or replay."""
    return isinstance(found, _native.Pending) and found.asks


def _wrong(name: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"`{name}` cannot be guarded in this way: {why}", code="tool_invalid", kind="config", details={"tool": name}
    )
