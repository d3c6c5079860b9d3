"""The calls of a recorded run, as a replay needs them: in which order they were made, what they were and what came back."""

from __future__ import annotations

import os

from . import _native
from ._errors import LedgerError
from ._given_back import raised, refusal, unreadable, value_of

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    _Place: TypeAlias = "tuple[str, int, int]"

_DIGEST = b'["counterseal.call.v1",'
_ERASED = object()


class Call:
    """One recorded call."""

    def __init__(self, decided: dict[str, Any], begins: _Place) -> None:
        self.decided = decided
        self.completed: dict[str, Any] | None = None
        self.parts: dict[str, Any] = {}
        self.begins = self.ends = begins
        """Where it was decided and where it ended, among all records: one that ends before another begins was made before it."""
        self.around: list[Call] = []
        """Those that began before it and ended after it: it may have been made by the body of one of them, or beside it."""
        self.served = False

    @property
    def tool(self) -> str:
        return named(self.decided["tool"]["source"], self.decided["tool"]["name"])

    @property
    def call_id(self) -> str | None:
        found: str | None = self.decided["call_id"]
        return found

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two calls the same one: source, tool and the digest of the arguments."""
        tool = self.decided["tool"]
        return tool["source"], tool["name"], self.decided["digest"]

    def __str__(self) -> str:
        arguments = self.parts.get("arguments")
        return f"`{self.tool}`" if arguments in (None, _ERASED) else f"`{self.tool}` with {short(_dumped(arguments))}"

    def shown(self) -> dict[str, Any]:
        arguments = self.parts.get("arguments")
        return {"tool": self.tool, "arguments": None if arguments is _ERASED else arguments}

    def may_be_inner(self) -> bool:
        """Whether it was made while a call ran that was given back without running its body: then that body may have made it."""
        return any(outer.served for outer in self.around)

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
            return None if self.parts.get("error", _ERASED) is not _ERASED else "what it raised was not recorded"
        if completed["outcome"] != "success":
            return f"its outcome is `{completed['outcome']}`"
        if completed["result"] is None:
            return None
        if completed["result"] == "uncaptured":
            return "its result could not be captured, as of a generator or a stream"
        result = self.parts.get("result", _ERASED)
        if result is _ERASED:
            return "its result was not recorded; write `record: {result: full}` in the policy"
        return unreadable(result)

    def difference(self, source: str, name: str, canonical: bytes) -> str:
        """What differs between the recorded call and the one that was made."""
        if (source, name) != self.key[:2]:
            return f"recorded was {self}, made was `{named(source, name)}` with {short(canonical)}"
        recorded = self.parts.get("arguments")
        return f"`{self.tool}` got other arguments: {_difference(recorded, parsed(canonical))}"

    def outcome(self) -> object:
        """The recorded result, or raises what was raised."""
        if self.decided["effect"] != "run":
            raise refusal(self.decided, self.tool, self.parts.get("error"))
        if self.completed is not None and self.completed["outcome"] == "error":
            raise raised(self.parts["error"])
        return value_of(self.parts.get("result"))


class Run:
    """The calls of one run in the order in which they were decided."""

    def __init__(self, calls: list[Call], key: bytes) -> None:
        self.calls = calls
        self._key = key
        self._by_key: dict[tuple[str, str, str], list[Call]] = {}
        for call in calls:
            self._by_key.setdefault(call.key, []).append(call)

    def like(self, source: str, name: str, canonical: bytes) -> list[Call]:
        """Those of this tool with exactly these arguments."""
        import hashlib
        import hmac

        text = b",".join((_native.canonical(source), _native.canonical(name), canonical))
        digest = hmac.new(self._key, _DIGEST + text + b"]", hashlib.sha256).hexdigest()
        return self._by_key.get((source, name, digest), [])


def recorded(run: str, session: str | None, home: str | os.PathLike[str] | None) -> Run:
    """The run from the ledger of `home`; raises where it is not there or cannot be replayed."""
    from ._configuration import flush
    from ._ledger import Ledger

    flush()
    ledger = Ledger(home)
    key = _digest_key(ledger.home)
    calls: dict[str, Call] = {}
    for record, place in _placed(ledger):
        if record["kind"] == "decided":
            if record["run"] == run and session in (None, record["session"]):
                calls[record["action_id"]] = Call(record, place)
        elif record["kind"] == "completed" and record["action_id"] in calls:
            call = calls[record["action_id"]]
            call.completed, call.ends = record, max(place, call.begins)
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
        raise incomplete(f"the run `{run}` is in several sessions: {listed}; give `session` to say which is meant")
    _read_payloads(ledger, calls)
    ordered = sorted(calls.values(), key=lambda call: call.begins)
    _nest(ordered)
    for position, call in enumerate(ordered, 1):
        why = call.missing()
        # One that may have been made by another's body is only needed where the program makes it.
        if why is not None and not call.around:
            raise incomplete(f"the run `{run}` cannot be replayed: call {position}, {call}: {why}")
    return Run(ordered, key)


def _placed(ledger: Any) -> Iterator[tuple[dict[str, Any], _Place]]:
    """Every record and its place among all: by time, and within a stream as it was written, whatever its times say."""
    from ._ledger import _lines

    latest: dict[str, str] = {}
    order: dict[str, int] = {}
    for stream, segment in ledger._segments():
        number = order.setdefault(stream, len(order))
        for record in _lines(ledger._path(stream, segment, "jsonl"), kind=str, time=str, seq=int):
            time = latest[stream] = max(record["time"], latest.get(stream, ""))
            yield record, (time, number, record["seq"])


def _read_payloads(ledger: Any, calls: dict[str, Call]) -> None:
    from ._ledger import _lines

    for stream, segment in ledger._segments():
        for line in _lines(ledger._path(stream, segment, "side"), action_id=str, part=str, salt=str, payload=object):
            if line["action_id"] in calls:
                erased = not line["salt"].strip("0")
                calls[line["action_id"]].parts[line["part"]] = _ERASED if erased else line["payload"]


def _nest(ordered: list[Call]) -> None:
    """Notes for each call those that ran when it began and still ran when it ended."""
    running: list[Call] = []
    for call in ordered:
        running = [other for other in running if other.ends > call.begins]
        call.around = [other for other in running if other.ends > call.ends]
        running.append(call)


def incomplete(why: str) -> LedgerError:
    return LedgerError(why, code="replay_incomplete", kind="config")


def _digest_key(home: str) -> bytes:
    path = os.path.join(home, "digest.key")
    try:
        with open(path) as file:
            return bytes.fromhex(file.read().strip())
    except (OSError, ValueError) as error:
        raise incomplete(
            f"`{path}` cannot be read, and without it nobody can tell whether arguments are the recorded ones"
        ) from error


def named(source: str, name: str) -> str:
    return name if source == "program" else f"{source}/{name}"


def parsed(canonical: bytes) -> Any:
    import json

    return json.loads(canonical)


def _dumped(value: object) -> bytes:
    import json

    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def short(canonical: bytes) -> str:
    text = canonical.decode(errors="replace")
    return f"`{text}`" if len(text) <= 200 else f"`{text[:200]}…`"


def _difference(recorded: Any, found: Any) -> str:
    """The arguments that differ, as far as what was recorded shows them."""
    from ._given_back import is_redacted

    if not isinstance(recorded, dict) or not isinstance(found, dict):
        return f"now {short(_dumped(found))}; those of the record were not kept"
    told: list[str] = []
    for name in sorted(recorded.keys() | found.keys()):
        if name not in found:
            told.append(f"`{name}` was {short(_dumped(recorded[name]))} and is missing")
        elif name not in recorded:
            told.append(f"`{name}` is {short(_dumped(found[name]))} and was not there")
        elif _dumped(recorded[name]) != _dumped(found[name]) and not is_redacted(recorded[name]):
            told.append(f"`{name}` was {short(_dumped(recorded[name]))} and is {short(_dumped(found[name]))}")
    return "; ".join(told) or "they differ where the record is redacted"
