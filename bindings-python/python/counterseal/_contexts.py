"""Sessions, runs and annotations: on whose behalf a call is made, carried by one context variable."""

from __future__ import annotations

import os
from contextvars import ContextVar

from . import _native
from ._errors import ConfigurationError
from ._text import is_text

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Any, TypeAlias

    _Variable: TypeAlias = "ContextVar[_native.Context | None]"

_variable: _Variable = _native.context_variable()
_entered: ContextVar[tuple[tuple[_Scope, _native.Context | None], ...]] = ContextVar("counterseal_entered", default=())
"""The scopes that this task or thread is in, each with what held before it: one scope may be entered in many of them."""


class _Scope:
    """What `session`, `run` and `annotate` return: a context manager for `with` and `async with`.

    It can be used again, and by many tasks and threads at once.
    """

    __slots__ = ("_made",)

    def __init__(self, **made: Any) -> None:
        self._made = made

    def __enter__(self) -> _native.Context:
        before = _variable.get()
        context = _native.Context(before, **self._made)
        _entered.set((*_entered.get(), (self, before)))
        _variable.set(context)
        return context

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        entered = _entered.get()
        place = next((place for place in reversed(range(len(entered))) if entered[place][0] is self), None)
        if place is None:
            # Another task or thread entered it, such as the one that an asynchronous generator ran in before.
            return
        before, above = entered[place][1], entered[place + 1 :]
        if above:
            # Left before those entered inside it, as generators may: they go on, and end where this one began.
            above = ((above[0][0], before), *above[1:])
        else:
            _variable.set(before)
        _entered.set(entered[:place] + above)

    async def __aenter__(self) -> _native.Context:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)


def session(
    id: str,
    *,
    user: str | None = None,
    verified_by: str | None = None,
    user_text: str | None = None,
    parent: str | None = None,
) -> _Scope:
    """The conversation that calls belong to, and on whose behalf.

    `verified_by` says who vouched for the user's id; without it nobody did. A session inside another one is a conversation
    of its own: run, user and annotations of the one around it do not hold in it.

    `user_text` is what the user wrote, for rules that ask `session.said(…)`; give every turn its own, they add up. Only
    keyed hashes of it are kept. `parent` is the id of the session of which this one is a sub-agent's: they share what
    they saw, said and learned, both ways, and the limits of a session. The same id may be used under several parents; each
    time it goes with the one that is named.
    """
    if verified_by is not None and user is None:
        raise ConfigurationError(
            "`verified_by` says who vouched for `user`, which is missing", code="config_invalid", kind="config"
        )
    if parent is not None and parent == id:
        raise ConfigurationError(f"the session `{id}` cannot be its own `parent`", code="config_invalid", kind="config")
    return _Scope(
        session=_text("session", id),
        user=_optional("user", user),
        verified_by=_optional("verified_by", verified_by),
        user_text=user_text if user_text == "" else _optional("user_text", user_text),
        parent=_optional("parent", parent),
    )


def run(id: str) -> _Scope:
    """One execution in the session."""
    return _Scope(run=_text("run", id))


def annotate(
    *,
    rationale: str | None = None,
    confidence: float | None = None,
    purpose: str | None = None,
    lineage: Iterable[str] | None = None,
    model: str | None = None,
    **more: object,
) -> _Scope:
    """What the program knows of why the calls inside are made; recorded with each of them, redacted like arguments."""
    if lineage is not None and (isinstance(lineage, (str, bytes)) or not hasattr(lineage, "__iter__")):
        raise ConfigurationError(
            f"`lineage` is a list, not `{lineage!r}`; write `lineage=[...]`", code="config_invalid", kind="config"
        )
    given: dict[str, object] = {
        "rationale": rationale,
        "confidence": confidence,
        "purpose": purpose,
        "lineage": None if lineage is None else list(lineage),
        "model": model,
        **more,
    }
    return _Scope(annotations={name: value for name, value in given.items() if value is not None})


def set_session(
    id: str,
    *,
    user: str | None = None,
    verified_by: str | None = None,
    user_text: str | None = None,
    parent: str | None = None,
) -> None:
    """As `session`, until `clear_session` or the end of the task or thread."""
    scope = session(id, user=user, verified_by=verified_by, user_text=user_text, parent=parent)
    _variable.set(_native.Context(_variable.get(), **scope._made))


def get_session() -> str | None:
    """The session that the program named; `None` in the process's own."""
    context = _variable.get()
    return None if context is None or context.implicit else context.session


def clear_session() -> None:
    """Back to the process's own session."""
    replay = _replaying()
    _variable.set(None if replay is None else _native.Context(None, replay=replay))


def _replaying() -> object:
    """What is replayed here, if anything is."""
    context = _variable.get()
    return None if context is None else context.replay


def process_session() -> str:
    """A fresh id for the session of a process that names none."""
    return f"process-{os.urandom(8).hex()}"


def warn_of_implicit_session() -> None:
    """Says once that a call was made in the process's own session though the program names sessions."""
    import logging

    logging.getLogger("counterseal").warning(
        "a call was made in no session, though this program names sessions; a thread of a pool has none of its own: hand it over "
        "with `contextvars.copy_context().run`, or enter the session there"
    )


# A forked child is another process: it has its own session.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_native.forget_process_session)
    os.register_at_fork(after_in_child=_native.forked)


def _text(what: str, value: object) -> str:
    if not is_text(value) or not value:
        raise ConfigurationError(
            f"`{what}` is a text of valid unicode that is not empty, not `{value!r}`",
            code="config_invalid",
            kind="config",
        )
    return value


def _optional(what: str, value: object) -> str | None:
    return None if value is None else _text(what, value)
