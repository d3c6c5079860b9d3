"""Calls that a framework makes as one task, and would all make again to ask people about one of them.

What ran would run again. So a call that people have answered stops too, as long as others of its turn ask; once the last of them has
had its turn and none asks any more, those that stopped for it are made again.
"""

from __future__ import annotations

from _thread import allocate_lock
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Waiting(Exception):  # noqa: N818
    """Leaves a call that is answered, since others of its turn are not."""

    __counterseal__ = True


class Stopped(NamedTuple):
    """What a call left by that asks people, or waits for others that do."""

    by: Exception


class Failed(NamedTuple):
    """What a call raised that has nothing to do with asking."""

    by: Exception


class Held:
    """A call that waits for others of its turn, and what came of it when it was made again."""

    def __init__(self, outcome: Stopped, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.outcome: object = outcome
        self.args = args
        self.kwargs = kwargs


class Turn:
    """Several calls, by the framework's ids of them."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids
        self._left = len(ids)
        self._is_stopped = False
        self._held: list[Held] = []
        self._lock = allocate_lock()

    def through(self, outcome: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[object, list[Held]]:
        """What a call that had its turn came to, and the calls that are to be made again now."""
        with self._lock:
            self._left -= 1
            if isinstance(outcome, Stopped) and isinstance(outcome.by, Waiting):
                outcome = Held(outcome, args, kwargs)
                self._held.append(outcome)
            elif isinstance(outcome, (Stopped, Failed)):
                self._is_stopped = True
            return outcome, self._held if self._left == 0 and not self._is_stopped else []


current: ContextVar[Turn | None] = ContextVar("counterseal_turn", default=None)
"""The turn that this call is made in; `None` where it is made alone."""


def attempted(make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a call comes to: a value, or why there is none."""
    try:
        return make(*args, **kwargs)
    except Exception as error:
        return _unmade(error)


async def attempted_async(make: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
    """As `attempted`, of a coroutine function."""
    try:
        return await make(*args, **kwargs)
    except Exception as error:
        return _unmade(error)


def made(outcome: Any) -> Any:
    """The value of a call, or what stopped it; raises what it raised."""
    if isinstance(outcome, Failed):
        raise outcome.by
    return outcome


def _unmade(error: Exception) -> Stopped | Failed:
    return Stopped(error) if getattr(error, "__counterseal__", False) else Failed(error)
