"""Replaying a recorded run: its results in order, and no tool runs."""

from __future__ import annotations

import os
from _thread import RLock

from . import _native
from ._contexts import _Scope, _text
from ._errors import CountersealError, LedgerError, PolicyDenied, ReplayDivergence

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

_DIGEST = b'["counterseal.call.v1",'


class Replayed:
    """What takes the place of a ticket: false, so that a guarded function looks at it before its body."""

    __slots__ = ("result",)

    def __init__(self, result: object) -> None:
        self.result = result

    def __bool__(self) -> bool:
        return False


class ReplayedError(CountersealError):
    """The exception that ended a recorded call, where it was of no built-in type."""


def replay(run: str, *, session: str | None = None, home: str | os.PathLike[str] | None = None) -> Replay:
    """Inside its `with` block guarded calls get what was recorded of the run, in order; no tool runs and nothing is recorded.

    A call with another tool or other arguments than the recorded one raises `ReplayDivergence`, and so does leaving the block
    before the run is over. What a call was refused with, or ended with, it is refused or ends with again. It holds in this task
    or thread and those started from it with its context.

    `run` is the id given to `counterseal.run`; `session` tells runs of one id apart. Every result has to be in the ledger, which
    takes `record: {result: full}` in the policy: a run of which one is missing is refused at once.
    """
    return Replay(_recorded(_text("run", run), session, home))


class Replay:
    """What `replay` returns: a context manager for `with` and `async with`, entered once."""

    def __init__(self, calls: list[_Call]) -> None:
        self._calls = calls
        self._next = 0
        self._lock = RLock()
        self._scope: _Scope | None = None

    def __enter__(self) -> Replay:
        if self._scope is not None:
            raise CountersealError(
                "this replay was entered before; make another one with `replay`", code="closed", kind="runtime"
            )
        self._scope = _Scope(replay=self)
        self._scope.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._scope is not None:
            self._scope.__exit__(kind, error, traceback)
        if error is None and self._next < len(self._calls):
            expected = self._calls[self._next]
            raise ReplayDivergence(
                f"the program made {self._next} of {len(self._calls)} calls; the next would be {expected}",
                position=self._next + 1,
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

    def _serve(self, source: str, name: str, canonical: bytes) -> Replayed:
        """What was recorded of the next call, which has to be this one."""
        with self._lock:
            position = self._next
            if position >= len(self._calls):
                raise ReplayDivergence(
                    f"call {position + 1} is `{_named(source, name)}` with {_short(canonical)}; the recorded run made {position}",
                    position=position + 1,
                    expected=None,
                    found={"tool": _named(source, name), "arguments": _parsed(canonical)},
                )
            call = self._calls[position]
            difference = call.difference(source, name, canonical)
            if difference is not None:
                raise ReplayDivergence(
                    f"call {position + 1} is not the recorded one: {difference}",
                    position=position + 1,
                    expected=call.shown(),
                    found={"tool": _named(source, name), "arguments": _parsed(canonical)},
                )
            self._next = position + 1
        return call.outcome()


class _Call:
    """One recorded call."""

    def __init__(self, decided: dict[str, Any], key: bytes) -> None:
        self.decided = decided
        self.completed: dict[str, Any] | None = None
        self.parts: dict[str, Any] = {}
        self._key = key

    @property
    def tool(self) -> str:
        return _named(self.decided["tool"]["source"], self.decided["tool"]["name"])

    def __str__(self) -> str:
        arguments = self.parts.get("arguments")
        return f"`{self.tool}`" if arguments is None else f"`{self.tool}` with {_short(_dumped(arguments))}"

    def shown(self) -> dict[str, Any]:
        return {"tool": self.tool, "arguments": self.parts.get("arguments")}

    def missing(self) -> str | None:
        """Why it cannot be replayed, if it cannot."""
        decided, completed = self.decided, self.completed
        if decided["digest"] is None:
            return "its arguments could not be captured"
        if decided["effect"] != "run":
            return None
        if completed is None:
            return "it has not ended, or its end was not recorded"
        if completed["outcome"] == "error":
            return None if self.parts.get("error") is not None else "what it raised was not recorded"
        if completed["outcome"] != "success":
            return f"its outcome is `{completed['outcome']}`"
        if completed["result"] is None:
            return None
        if completed["result"] == "uncaptured":
            return "its result could not be captured, as of a generator or a stream"
        if self.parts.get("result", _MISSING) in (None, _MISSING):
            return "its result was not recorded; write `record: {result: full}` in the policy"
        return _unreadable(self.parts["result"])

    def difference(self, source: str, name: str, canonical: bytes) -> str | None:
        """What differs between the recorded call and this one."""
        import hashlib
        import hmac

        if (source, name) != (self.decided["tool"]["source"], self.decided["tool"]["name"]):
            return f"recorded was {self}, made was `{_named(source, name)}` with {_short(canonical)}"
        text = b",".join((_native.canonical(source), _native.canonical(name), canonical))
        digest = hmac.new(self._key, _DIGEST + text + b"]", hashlib.sha256).hexdigest()
        if hmac.compare_digest(digest, self.decided["digest"]):
            return None
        return f"`{self.tool}` got other arguments: {_difference(self.parts.get('arguments'), _parsed(canonical))}"

    def outcome(self) -> Replayed:
        if self.decided["effect"] != "run":
            raise _refusal(self.decided, self.tool)
        completed = self.completed
        if completed is not None and completed["outcome"] == "error":
            raise _raised(str(self.parts["error"]))
        return Replayed(_value(self.parts.get("result")))


_MISSING = object()


def _recorded(run: str, session: str | None, home: str | os.PathLike[str] | None) -> list[_Call]:
    from ._configuration import flush
    from ._ledger import Ledger, _lines

    flush()
    ledger = Ledger(home)
    key = _digest_key(ledger.home)
    calls: dict[str, _Call] = {}
    for record in ledger:
        if record["kind"] == "decided":
            if record["run"] == run and session in (None, record["session"]):
                calls[record["action_id"]] = _Call(record, key)
        elif record["kind"] == "completed" and record["action_id"] in calls:
            calls[record["action_id"]].completed = record
    if not calls:
        raise LedgerError(
            f"no call of the run `{run}` is in the ledger of `{ledger.home}`; calls belong to one inside `counterseal.run(id)`",
            code="ledger_not_found",
            kind="config",
            details={"path": ledger.home},
        )
    sessions = sorted({call.decided["session"] for call in calls.values()})
    if len(sessions) > 1:
        listed = ", ".join(f"`{one}`" for one in sessions)
        raise _incomplete(f"the run `{run}` is in several sessions: {listed}; give `session` to say which is meant")
    for stream, segment in ledger._segments():
        for line in _lines(ledger._path(stream, segment, "side"), action_id=str, part=str, salt=str, payload=object):
            if line["action_id"] in calls:
                erased = not line["salt"].strip("0")
                calls[line["action_id"]].parts[line["part"]] = None if erased else line["payload"]
    ordered = sorted(calls.values(), key=lambda call: str(call.decided["time"]))
    for position, call in enumerate(ordered, 1):
        why = call.missing()
        if why is not None:
            raise _incomplete(f"the run `{run}` cannot be replayed: call {position}, {call}: {why}")
    return ordered


def _incomplete(why: str) -> LedgerError:
    return LedgerError(why, code="replay_incomplete", kind="config")


def _digest_key(home: str) -> bytes:
    path = os.path.join(home, "digest.key")
    try:
        with open(path) as file:
            return bytes.fromhex(file.read().strip())
    except (OSError, ValueError) as error:
        raise _incomplete(
            f"`{path}` cannot be read, and without it nobody can tell whether arguments are the recorded ones"
        ) from error


def _named(source: str, name: str) -> str:
    return name if source == "program" else f"{source}/{name}"


def _parsed(canonical: bytes) -> Any:
    import json

    return json.loads(canonical)


def _dumped(value: object) -> bytes:
    import json

    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _short(canonical: bytes) -> str:
    text = canonical.decode(errors="replace")
    return f"`{text}`" if len(text) <= 200 else f"`{text[:200]}…`"


def _is_redacted(value: object) -> bool:
    return isinstance(value, dict) and any(key.startswith("$redacted") for key in value)


def _difference(recorded: Any, found: Any) -> str:
    """The arguments that differ, as far as what was recorded shows them."""
    if not isinstance(recorded, dict) or not isinstance(found, dict):
        return f"now {_short(_dumped(found))}; those of the record were not kept"
    told: list[str] = []
    for name in sorted(recorded.keys() | found.keys()):
        if name not in found:
            told.append(f"`{name}` was {_short(_dumped(recorded[name]))} and is missing")
        elif name not in recorded:
            told.append(f"`{name}` is {_short(_dumped(found[name]))} and was not there")
        elif _dumped(recorded[name]) != _dumped(found[name]) and not _is_redacted(recorded[name]):
            told.append(f"`{name}` was {_short(_dumped(recorded[name]))} and is {_short(_dumped(found[name]))}")
    return "; ".join(told) or "they differ where the record is redacted"


def _unreadable(value: Any) -> str | None:
    """Why a recorded result cannot be given back, if it cannot."""
    if isinstance(value, list):
        return next((why for why in map(_unreadable, value) if why), None)
    if not isinstance(value, dict):
        return None
    if _is_redacted(value):
        return "its result was redacted; write `record: {result: full}` in the policy"
    if value.keys() == {"$opaque"}:
        return f"its result holds a `{value['$opaque']}`, which has no value"
    return next((why for why in map(_unreadable, value.values()) if why), None)


def _value(value: Any) -> Any:
    """A recorded value as Python has it."""
    if isinstance(value, list):
        return [_value(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, text),) = value.items()
        if tag in ("$int", "$float", "$decimal", "$bytes", "$time") and isinstance(text, str):
            return _tagged(tag, text)
    return {key[1:] if key.startswith("$$") else key: _value(one) for key, one in value.items()}


def _tagged(tag: str, text: str) -> Any:
    if tag == "$int":
        return int(text)
    if tag == "$float":
        return float(text)
    if tag == "$decimal":
        from decimal import Decimal

        return Decimal(text)
    if tag == "$bytes":
        import base64

        return base64.b64decode(text)
    return _moment(text)


def _moment(text: str) -> Any:
    """A time as the class that has it; what none of them has stays text."""
    import datetime
    import re

    plain = re.sub(r"(\.\d{6})\d+", r"\1", text.replace("Z", "+00:00"))
    plain = re.sub(r"\.(\d{1,5})(?!\d)", lambda found: "." + found[1].ljust(6, "0"), plain)
    for read in (datetime.date.fromisoformat, datetime.time.fromisoformat, datetime.datetime.fromisoformat):
        try:
            return read(plain)
        except ValueError:
            continue
    return text


def _raised(text: str) -> BaseException:
    """The exception of a recorded call: its type where that is a built-in one."""
    import builtins

    name, _, message = text.partition(": ")
    kind = getattr(builtins, name.removeprefix("builtins."), None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            return kind(message) if message else kind()
        except TypeError:
            pass
    return ReplayedError(text, code="replayed", kind="runtime")


def _refusal(decided: dict[str, Any], tool: str) -> PolicyDenied:
    """The refusal of a recorded call. Its reason as text is not recorded."""
    from ._errors import ApprovalDenied, ApprovalTimeout, BudgetExceeded, RateLimited

    code = decided["reason_code"]
    kinds = {
        "budget_exceeded": BudgetExceeded,
        "rate_limited": RateLimited,
        "loop_detected": RateLimited,
        "approval_denied": ApprovalDenied,
        "approval_expired": ApprovalTimeout,
    }
    decision: Any = _RecordedDecision(decided)
    return kinds.get(code, PolicyDenied)(decision, tool)


class _RecordedDecision:
    """A decision as the ledger holds it."""

    def __init__(self, decided: dict[str, Any]) -> None:
        self.decision = decided["decision"]
        self.effect = decided["effect"]
        self.reason = None
        self.reason_code = decided["reason_code"]
        self.reason_for_agent = None
        self.rules = tuple(decided["rules"])
        self.policy = decided["policy"]
        self.enforcement = decided["enforcement"]
        self.detail = None
        self.limit = None
        self.action_id = decided["action_id"]
