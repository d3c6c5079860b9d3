"""The engine of this process: configured, looked at, flushed and closed."""

from __future__ import annotations

import os
import sys
from _thread import RLock

from . import _adapters, _native, _settings
from ._errors import CountersealError, LedgerError
from ._text import is_text

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal, TypeAlias

    from ._approver import _Approver
    from ._reload import Watch

    _PolicySource: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any] | _native.Policy"

_EXIT_SECONDS = 2.0
"""How long the end of the process may wait for the disk."""

# A signal's handler or a finalizer may run in the thread that holds it, and configure, close or call a tool in turn: so that
# thread can take it again. No policy is read, no logger called and no ledger written or closed while it is held.
_lock = RLock()
# Changed by single operations alone: what interrupts one of two may change it between them.
_retired: dict[_native.Engine, None] = {}
_registered = False
_watch: Watch | None = None
"""What looks at the policy file, where `configure` was asked to."""


def _unlocked() -> None:
    """A forked child starts without the thread that may have held the lock, and without the one that looks at the policy."""
    global _lock
    _lock = RLock()
    if _watch is not None:
        _watch.start()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlocked)


class Configuration:
    """What is in force: every setting as it came out of arguments and environment, and what the policy says of itself."""

    __slots__ = (
        "agent_id",
        "approval_mode",
        "approver",
        "checkpoints",
        "enforcement",
        "home",
        "limits",
        "mode",
        "policy",
        "reload",
        "require_policy",
        "rules",
        "warning",
    )

    def __init__(
        self,
        *,
        policy: str | None,
        rules: int,
        limits: int,
        enforcement: str,
        home: str,
        agent_id: str | None,
        mode: str | None,
        require_policy: bool,
        warning: str | None,
        checkpoints: str | None = None,
        approver: str | None = None,
        approval_mode: str | None = None,
        reload: bool = False,
    ) -> None:
        self.policy = policy
        self.rules = rules
        self.limits = limits
        self.enforcement = enforcement
        self.home = home
        self.agent_id = agent_id
        self.mode = mode
        self.require_policy = require_policy
        self.warning = warning
        self.checkpoints = checkpoints
        self.approver = approver
        self.approval_mode = approval_mode
        self.reload = reload

    def to_dict(self) -> dict[str, object]:
        """All of it by name, ready for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.to_dict().items())
        return f"Configuration({shown})"


def configure(
    *,
    policy: _PolicySource | None = None,
    agent_id: str | None = None,
    mode: str | None = None,
    home: str | os.PathLike[str] | None = None,
    require_policy: bool | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
    approver: _Approver | Literal["home", "terminal"] | None = None,
    approval_mode: Literal["wait", "native"] | None = None,
    reload: bool | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
) -> Configuration:
    """Starts deciding with `policy`: a path, a text, a dict or a `Policy`. A text has more than one line or begins with `{`.

    What is not given is taken from the environment (`COUNTERSEAL_POLICY`, `COUNTERSEAL_HOME`, …). A second call is checked whole,
    against every guarded tool too, and then swapped in at once: tools guarded before follow it; if it is refused, the
    configuration in force stays.

    `checkpoints` is a file outside the home: what seals the ledger is appended to it too, so that
    `counterseal ledger verify --checkpoints FILE` finds a home that was put back or written anew.

    `approver` is who is asked where the policy wants a person: `"home"` waits for `counterseal approvals` in another terminal,
    `"terminal"` (or `terminal_approver()`) asks at the program's own, a function gets the call and returns `True`, `False`,
    `Approved(...)` or `Denied(...)`; it may be `async`. Without one such calls are refused.

    `approval_mode` is what a call does while people are asked, where its tool does not say: `"wait"`, or `"native"`: a framework that
    can stop its run and go on later does so, whoever is the approver; outside of such a run the call waits, without an approver
    for `counterseal approvals`.

    `reload` looks at the policy file every second, by a thread of its own. A changed one, found the same twice, is checked whole
    and then swapped in at once; one that is refused, or refuses nothing any more, is told in `health()` and to the logger, and the
    one before stays.
    """
    _settings.refuse_server(api_key, base_url)
    settings = _engine_settings(agent_id, mode, home, require_policy, checkpoints, approver, approval_mode, reload)
    watch = _watch_on(policy, settings)
    compiled = compiled_policy(policy) if watch is None else watch.policy
    with _lock:
        engine = _swapped_in(compiled, settings)
        _watched(watch)
    return _after_swap(engine, settings)


def from_environment() -> None:
    """Configures from the environment alone, for a guarded call that comes first; raises where it says nothing."""
    with _lock:  # where another thread is just starting an engine, that one is waited for
        if _native.running_engine() is not None:
            return
    _settings.refuse_server(None, None)
    settings = _engine_settings(None, None, None, None, None, None, None, None)
    watch = _watch_on(None, settings)
    compiled = compiled_policy(None) if watch is None else watch.policy
    with _lock:
        if _native.running_engine() is not None:
            return
        engine = _swapped_in(compiled, settings)
        _watched(watch)
    _after_swap(engine, settings)


def flush(timeout: float = 10.0) -> FlushReport:
    """Waits until everything recorded so far is on the disk, at most `timeout` seconds."""
    engine = _native.running_engine()
    return FlushReport(*((0, 0, 0) if engine is None else engine.flush(timeout)))


def close(timeout: float = 10.0) -> None:
    """Writes, seals and signs what is recorded, and refuses every further call until `configure` is called again.

    Raises `LedgerError` where that took longer than `timeout` seconds; what is not written then is recovered by the
    next process of the home.
    """
    with _lock:  # not between an engine's start and its swap
        _watched(None)
        retired, engine = [*_retired], _native.running_engine()
    failed = _closed(retired, timeout)
    if engine is not None:
        engine.close(timeout)
    if failed is not None:
        raise failed


def health() -> dict[str, Any]:
    """The state of the engine and its ledger, cheap enough to be asked every second; `{}` before `configure`."""
    engine = _native.running_engine()
    if engine is None:
        return {}
    import json

    found: dict[str, Any] = json.loads(engine.health())
    watch = _watch
    if watch is not None:
        found["reload"] = watch.state()
    return found


class FlushReport:
    """What a flush came to."""

    __slots__ = ("dropped", "pending", "written")

    def __init__(self, written: int, pending: int, dropped: int) -> None:
        self.written = written
        """Records of this process on the disk."""
        self.pending = pending
        """Records that still wait."""
        self.dropped = dropped
        """Records given up so far; the ledger says so itself."""

    @property
    def complete(self) -> bool:
        """Whether everything recorded before is on the disk."""
        return self.pending == 0

    def __repr__(self) -> str:
        return f"FlushReport(written={self.written}, pending={self.pending}, dropped={self.dropped})"


def _engine_settings(
    agent_id: str | None,
    mode: str | None,
    home: str | os.PathLike[str] | None,
    require_policy: bool | None,
    checkpoints: str | os.PathLike[str] | None,
    approver: object,
    approval_mode: str | None,
    reload: bool | None,
) -> dict[str, Any]:
    return {
        "home": _settings.path("home", home) or _native.default_home(),
        "agent_id": _settings.text("agent_id", agent_id),
        "mode": _settings.mode(mode),
        "require_policy": _settings.truth("require_policy", require_policy),
        "checkpoints": _settings.path("checkpoints", checkpoints),
        "approver": _settings.approver(approver),
        "approval_mode": _settings.approval_mode(approval_mode),
        "reload": _settings.truth("reload", reload),
    }


def _watch_on(policy: _PolicySource | None, settings: dict[str, Any]) -> Watch | None:
    """What looks at the policy file, which it has read once; `None` where nobody asked for it."""
    found = _settings.chosen("policy", policy)
    if not settings["reload"] or found is None:
        return None
    from ._reload import Watch, file_of

    path = file_of(found)
    if not os.path.exists(path):
        compiled_policy(policy)  # says best what is wrong with it
    return Watch(path, settings)


def _watched(watch: Watch | None) -> None:
    """Puts `watch` in the place of the one before, under the lock."""
    global _watch
    if _watch is not None:
        _watch.stop()
    _watch = watch
    if watch is not None:
        watch.start()


def _swapped_in(compiled: _native.Policy, settings: dict[str, Any]) -> _native.Engine:
    """Starts an engine and puts it in force, under the lock."""
    engine = _native.Engine(
        policy=compiled,
        home=settings["home"],
        agent=settings["agent_id"],
        mode=settings["mode"],
        require_policy=settings["require_policy"],
        checkpoints=settings["checkpoints"],
        manual_clock=None,
        asks=settings["approver"] is not None or settings["approval_mode"] == "native",
        approver=None if settings["approver"] == "home" else settings["approver"],
        native=settings["approval_mode"] == "native",
    )
    _close_at_exit()
    _adapters.arm()
    before = engine.take_over()
    if before is not None:
        _retired[before] = None
    return engine


def _after_swap(engine: _native.Engine, settings: dict[str, Any]) -> Configuration:
    # The swap holds by now. What cannot be closed in time stays among the retired, and `close` says why.
    _closed([old for old in [*_retired] if old.is_idle()], _EXIT_SECONDS)
    summary = engine.summary()
    approver = settings["approver"]
    shown = {
        **settings,
        "approver": getattr(approver, "__name__", type(approver).__name__) if callable(approver) else approver,
    }
    in_force = summary.pop("in_force")
    effective = Configuration(policy=", ".join(summary.pop("policies")) or None, **summary, **shown)
    _tell(effective, in_force)
    return effective


def _closed(engines: list[_native.Engine], timeout: float) -> LedgerError | None:
    """Closes each of some retired engines, whatever becomes of another: the first that was not closed in time says so."""
    failed: LedgerError | None = None
    for one in engines:
        try:
            one.close(timeout)
        except LedgerError as error:
            failed = failed or error
        else:
            _retired.pop(one, None)
    return failed


def compiled_policy(given: _PolicySource | None) -> _native.Policy:
    """The policy that was given, or that the environment names."""
    found = _settings.chosen("policy", given)
    if found is None:
        raise _settings.missing()
    if isinstance(found, _native.Policy):
        return found
    if isinstance(found, str) and (not found.strip() or not is_text(found)):
        raise _settings.invalid("policy", repr(found), "a path or a text of valid unicode that is not empty")
    one_line = isinstance(found, str) and "\n" not in found and not found.lstrip().startswith("{")
    if one_line and ":" in found and not os.path.exists(found):  # type: ignore[operator, arg-type]
        wanted = "the path of a file that is there; a policy as text has more than one line or begins with `{`"
        raise _settings.invalid("policy", found, wanted)
    if isinstance(found, str) and ("\n" in found or found.lstrip().startswith("{")):
        return _native.Policy.from_text(found)
    if isinstance(found, (str, os.PathLike)):
        return _native.Policy.from_file(os.fspath(found))
    if hasattr(found, "keys"):
        return _native.Policy.from_dict(found)
    raise _settings.invalid("policy", found, "a path, a text, a dict or a `Policy`")


def _close_at_exit() -> None:
    global _registered
    if not _registered:
        import atexit

        atexit.register(_at_exit)
        _registered = True


def _at_exit() -> None:
    try:
        close(_EXIT_SECONDS)
    except CountersealError as error:
        print(f"counterseal: {error}", file=sys.stderr)


def _tell(effective: Configuration, in_force: str) -> None:
    """One line of what is in force. Nobody can listen for less than a warning where logging is not even imported."""
    if effective.warning is None and "logging" not in sys.modules:
        return
    import logging

    logger = logging.getLogger("counterseal")
    line = f"policy `{effective.policy or 'none'}`, mode {effective.enforcement}, {in_force}"
    if effective.warning is None:
        logger.info(line)
    else:
        logger.warning("%s: %s", line, effective.warning)
