"""What the program's own approver is shown, and what it may say."""

from __future__ import annotations

from . import _native
from ._errors import ConfigurationError
from ._fixed import fixed

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta
    from typing import Any

UNNAMED = "program"
"""Who answers where the approver does not say."""


class ApprovalCall:
    """A call that waits for people, as its approver sees it. Nothing in it changes the call."""

    __slots__ = (
        "_pending",
        "action_id",
        "agent_id",
        "arguments",
        "call_id",
        "expires_in",
        "hidden",
        "may_change",
        "reason",
        "reason_code",
        "rules",
        "run_id",
        "session_id",
        "tool_name",
        "user_id",
        "user_verified_by",
    )

    def __init__(self, question: Mapping[str, Any], pending: _native.Pending) -> None:
        import json
        from datetime import timedelta

        put = object.__setattr__
        put(self, "_pending", pending)
        for name, value in question.items():
            if name not in ("arguments", "may_change", "rules", "seconds"):
                put(self, name, value)
        put(self, "arguments", fixed(json.loads(question["arguments"])))
        put(self, "may_change", frozenset(question["may_change"]))
        put(self, "rules", tuple(question["rules"]))
        put(self, "expires_in", timedelta(seconds=question["seconds"]))

    if TYPE_CHECKING:
        tool_name: str
        arguments: Mapping[str, Any]
        """By name, in canonical form, redacted but for those that the policy's `show` names. Nothing in it can be changed either."""
        may_change: frozenset[str]
        """Those of them that may be others when the call runs: a yes does not hold for their values."""
        hidden: int
        """How many arguments are not shown."""
        reason: str | None
        reason_code: str
        rules: tuple[str, ...]
        agent_id: str | None
        user_id: str | None
        user_verified_by: str | None
        session_id: str
        run_id: str | None
        call_id: str | None
        action_id: str
        expires_in: timedelta
        _pending: _native.Pending

    @property
    def is_over(self) -> bool:
        """Whether the question has ended meanwhile: its time ran out, somebody answered elsewhere, or nobody waits for it any more. An
        answer is not used then."""
        return self._pending.settled

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"`{name}` cannot be set: what people are asked is fixed; answer `Approved(edit=...)`")

    def __repr__(self) -> str:
        return f"ApprovalCall({self.tool_name!r}, {self.arguments!r}, action_id={self.action_id!r})"


class Grant:
    """What a yes covers beside its own call: like calls of the same session and tool, which are then not asked about.

    `when` is a condition on their arguments; without it those that are bound have to be the same. `count` is how many of them,
    `until` when it ends (a `timedelta` from now, or an aware `datetime`): one of the two has to be given.
    """

    __slots__ = ("count", "until", "when")

    def __init__(
        self, *, when: str | None = None, count: int | None = None, until: datetime | timedelta | None = None
    ) -> None:
        self.when = when
        self.count = count
        self.until = until

    def to_json(self) -> str:
        """In the form that a home keeps."""
        import json
        from datetime import datetime, timedelta, timezone

        until = datetime.now(timezone.utc) + self.until if isinstance(self.until, timedelta) else self.until
        given: dict[str, Any] = {"when": self.when, "count": self.count}
        if until is not None:
            if until.tzinfo is None:
                raise ConfigurationError(
                    "`until` of a grant needs a time zone; use `datetime.now(timezone.utc) + ...`",
                    code="approval_invalid",
                    kind="approval",
                )
            given["until"] = until.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
        return json.dumps({name: value for name, value in given.items() if value is not None})

    def __repr__(self) -> str:
        return f"Grant(when={self.when!r}, count={self.count!r}, until={self.until!r})"


class Approved:
    """A yes. `edit` changes arguments before the call runs: new values by name, or a JSON Patch on the canonical arguments.

    `by` names who said it, `groups` what the person is in, `verified_by` who vouches for that; without it nobody does.
    """

    __slots__ = ("by", "edit", "grant", "groups", "note", "verified_by")

    def __init__(
        self,
        *,
        note: str | None = None,
        edit: Mapping[str, Any] | list[dict[str, Any]] | None = None,
        grant: Grant | None = None,
        by: str = UNNAMED,
        groups: Iterable[str] = (),
        verified_by: str | None = None,
    ) -> None:
        self.note = note
        self.edit = edit
        self.grant = grant
        self.by = by
        self.groups = tuple(groups)
        self.verified_by = verified_by

    def patch(self) -> str | None:
        """The edit as a JSON Patch."""
        import json

        if self.edit is None:
            return None
        if isinstance(self.edit, list):
            return json.dumps(self.edit)
        values = {name: json.loads(_native.canonical(value)) for name, value in self.edit.items()}
        return json.dumps([{"op": "add", "path": _pointer(name), "value": value} for name, value in values.items()])

    def __repr__(self) -> str:
        return f"Approved(note={self.note!r}, edit={self.edit!r}, grant={self.grant!r}, by={self.by!r})"


class Denied:
    """A no. `note` says why, for the record and for the agent."""

    __slots__ = ("by", "groups", "note", "verified_by")

    def __init__(
        self,
        *,
        note: str | None = None,
        by: str = UNNAMED,
        groups: Iterable[str] = (),
        verified_by: str | None = None,
    ) -> None:
        self.note = note
        self.by = by
        self.groups = tuple(groups)
        self.verified_by = verified_by

    def __repr__(self) -> str:
        return f"Denied(note={self.note!r}, by={self.by!r})"


def _pointer(name: str) -> str:
    escaped = f"${name}" if name.startswith("$") else name
    return "/" + escaped.replace("~", "~0").replace("/", "~1")
