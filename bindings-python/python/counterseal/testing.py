"""For the tests of programs: an engine of its own, a clock that stands still, and what was decided."""

from __future__ import annotations

from . import _adapters, _native, _settings
from ._configuration import compiled_policy
from ._ledger import Ledger

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Literal

    from ._approver import _Approver
    from ._configuration import _PolicySource

START = 1_767_225_600
"""Where a test's clock stands at first: 2026-01-01T00:00:00Z, in seconds since 1970."""


def canonical(value: object) -> bytes:
    """The canonical bytes of a value, as rules, digests and records see it."""
    return _native.canonical(value)


def canonical_json(text: str) -> bytes:
    """The canonical bytes of a JSON text, read as strictly as the arguments of a call."""
    return _native.canonical_json(text)


def engine(
    policy: _PolicySource | None = None,
    *,
    agent_id: str | None = None,
    mode: str | None = None,
    require_policy: bool = False,
    start: float = START,
    approver: _Approver | Literal["home"] | None = None,
    approval_mode: Literal["wait", "native"] | None = None,
) -> TestEngine:
    """A fresh engine in a home of its own, in force while its `with` block runs; the one before comes back afterwards.

    Without a policy everything is allowed and recorded. The clock stands at `start` until `set_time` or `advance`.
    """
    return TestEngine(
        policy,
        agent_id=agent_id,
        mode=mode,
        require_policy=require_policy,
        start=start,
        approver=approver,
        approval_mode=approval_mode,
    )


class TestEngine:
    """What `engine` returns."""

    __test__ = False

    def __init__(
        self,
        policy: _PolicySource | None,
        *,
        agent_id: str | None,
        mode: str | None,
        require_policy: bool,
        start: float,
        approver: object = None,
        approval_mode: str | None = None,
    ) -> None:
        self._policy = None if policy is None else compiled_policy(policy)
        self._options: dict[str, Any] = {
            "agent": _settings.text("agent_id", agent_id),
            "mode": _settings.mode(mode),
            "require_policy": require_policy,
            "asks": approver is not None or approval_mode == "native",
            "native": _settings.approval_mode(approval_mode) == "native",
            "approver": None if approver == "home" else _settings.approver(approver),
        }
        self._now = round(start * 1_000_000_000)
        self._running: _native.Engine | None = None
        self._before: _native.Engine | None = None
        self.home: str = ""
        """The engine's home, removed with it."""

    def __enter__(self) -> TestEngine:
        import tempfile

        self._directory = tempfile.TemporaryDirectory(prefix="counterseal-test-")
        self.home = self._directory.name + "/home"
        armed = False
        try:
            armed = _adapters.arm()
            self._running = _native.Engine(policy=self._policy, home=self.home, manual_clock=self._now, **self._options)
        except BaseException:
            if armed:
                _adapters.disarm()
            self._directory.cleanup()
            raise
        self._armed = armed
        self._before = self._running.take_over()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._armed:
            _adapters.disarm()
        if self._before is None:
            _native.stand_down()
        else:
            self._before.take_over()
        self._engine().close(10.0)
        self._running = None
        self._directory.cleanup()

    @property
    def decisions(self) -> list[Recorded]:
        """Every call decided so far, in order, with how it ended."""
        self._engine().flush(10.0)
        ledger = Ledger(self.home)
        found: dict[str, Recorded] = {}
        for record in ledger:
            if record["kind"] == "decided":
                action_id = record["action_id"]
                found[action_id] = Recorded(record, ledger.payloads(action_id))
            elif record["kind"] == "completed" and record["action_id"] in found:
                found[record["action_id"]].completed = record
        return list(found.values())

    def set_time(self, seconds: float) -> None:
        """Moves the clock to that many seconds since 1970."""
        self._now = round(seconds * 1_000_000_000)
        self._engine().set_clock(self._now)

    def advance(self, seconds: float) -> None:
        """Moves the clock on."""
        self.set_time(self._now / 1_000_000_000 + seconds)

    def _engine(self) -> _native.Engine:
        if self._running is None:
            raise RuntimeError("the engine runs inside its `with` block only")
        return self._running


class Recorded:
    """One decided call, as the ledger holds it."""

    def __init__(self, decided: dict[str, Any], payloads: dict[str, Any]) -> None:
        self.decided = decided
        """The whole `decided` record."""
        self.completed: dict[str, Any] | None = None
        """The whole `completed` record; `None` while the call runs and for one that was refused."""
        self.payloads = payloads
        """The recorded values, by the name of their part."""

    @property
    def tool(self) -> str:
        """The tool's name."""
        return str(self.decided["tool"]["name"])

    @property
    def arguments(self) -> Any:
        """The redacted arguments by name, in their canonical form."""
        return self.payloads.get("arguments")

    @property
    def decision(self) -> str:
        """What the policy said."""
        return str(self.decided["decision"])

    @property
    def effect(self) -> str:
        """What the enforcement mode made of it."""
        return str(self.decided["effect"])

    @property
    def reason_code(self) -> str:
        """Why, as a stable code."""
        return str(self.decided["reason_code"])

    @property
    def outcome(self) -> str | None:
        """How the call ended; `None` while it runs and for one that was refused."""
        return None if self.completed is None else str(self.completed["outcome"])

    def __repr__(self) -> str:
        return f"Recorded({self.tool!r}, {self.arguments!r}, decision={self.decision!r}, outcome={self.outcome!r})"
