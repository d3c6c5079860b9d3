"""The ledger of a home: read record by record, and verified."""

from __future__ import annotations

import os

from . import _native, _settings
from ._errors import LedgerError

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class Ledger:
    """What the processes of one home recorded. Iterating gives the records as dicts, stream after stream as they began.

    `home` left out is the one that this program was configured with, else the one of the environment. Only what is on the disk is
    seen: `counterseal.flush()` first, to see the calls of this process.
    """

    def __init__(self, home: str | os.PathLike[str] | None = None) -> None:
        self.home: str = _native.home_in_use() if home is None else _settings.path("home", home) or ""
        """The directory it lies in."""
        # Only where nothing of a ledger is left: one that lost a file is there, and does not verify.
        if not any(os.path.exists(os.path.join(self.home, name)) for name in ("home.json", "index", "streams")):
            raise LedgerError(
                f"there is no ledger in `{self.home}`; give the home that a program was configured with",
                code="ledger_not_found",
                kind="config",
                details={"path": self.home},
            )

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for stream, segment in self._segments():
            yield from _lines(self._path(stream, segment, "jsonl"), kind=str)

    def payloads(self, action_id: str) -> dict[str, Any]:
        """The values recorded beside a call, by the name of their part; `None` for one that was erased."""
        found: dict[str, Any] = {}
        for stream, segment in self._segments():
            for line in _lines(self._path(stream, segment, "side"), action_id=str, part=str, salt=str, payload=object):
                if line["action_id"] == action_id:
                    found[line["part"]] = None if not line["salt"].strip("0") else line["payload"]
        return found

    def verify(
        self,
        *,
        deep: bool = False,
        outside: str | os.PathLike[str] | None = None,
        first_key: str | None = None,
        copy: bool = False,
    ) -> Verification:
        """Looks for any change. `deep` also reads the payloads; `outside` is a file of checkpoints that was held elsewhere,
        `first_key` the home's first key as `counterseal init` printed it; `copy` says that the home is a copy without keys.
        """
        return Verification(
            *_native.verify_ledger(
                self.home,
                deep=deep,
                outside=None if outside is None else os.fspath(outside),
                first_key=first_key,
                copy=copy,
            )
        )

    def __repr__(self) -> str:
        return f"Ledger({self.home!r})"

    def _path(self, stream: str, segment: int, extension: str) -> str:
        return os.path.join(self.home, "streams", stream, f"{segment:06}.{extension}")

    def _segments(self) -> Iterator[tuple[str, int]]:
        """The segments in the order in which the index says they began."""
        for line in _lines(os.path.join(self.home, "index"), kind=str, stream=str, segment=int):
            if line["kind"] == "opened":
                yield line["stream"], line["segment"]


class Verification:
    """What a verification found; its text is the report for people."""

    __slots__ = ("_text", "details", "ok")

    def __init__(self, ok: bool, details: str, text: str) -> None:
        self.ok = ok
        """Whether nothing is wrong."""
        self.details: dict[str, Any] = _parsed(details)
        """The whole report, by name."""
        self._text = text

    @property
    def problems(self) -> list[dict[str, Any]]:
        """What is wrong: `code`, `place` and `message` of each."""
        listed: list[dict[str, Any]] = self.details["problems"]
        return listed

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Verification(ok={self.ok}, {len(self.problems)} problems)"


def _lines(path: str, **members: type) -> Iterator[dict[str, Any]]:
    """The whole lines of a file, which have at least these members; the last one may still be being written."""
    if not os.path.exists(path):
        return
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    yield _line(path, number, line, members)
    except OSError as error:
        raise LedgerError(
            f"`{path}` cannot be read: {error.strerror}", code="ledger_io", kind="runtime", details={"path": path}
        ) from error


def _line(path: str, number: int, line: bytes, members: dict[str, type]) -> dict[str, Any]:
    try:
        found = _parsed(line)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, number, "is no valid json") from error
    if not isinstance(found, dict):
        raise _damaged(path, number, "is no json object")
    for name, kind in members.items():
        if name not in found or not isinstance(found[name], kind):
            raise _damaged(path, number, f"has no `{name}` that can be read")
    return found


def _damaged(path: str, number: int, how: str) -> LedgerError:
    return LedgerError(
        f"`{path}`, line {number} {how}; `counterseal ledger verify` tells what became of it",
        code="ledger_corrupt",
        kind="integrity",
        details={"path": path, "line": str(number)},
    )


def _parsed(text: str | bytes) -> dict[str, Any]:
    # Imported here: a program that never reads its ledger does not wait for it.
    import json

    found: dict[str, Any] = json.loads(text)
    return found
