"""A policy file that is changed while the program runs: looked at every second by a thread of its own, never by a call."""

from __future__ import annotations

import os
from _thread import allocate_lock, start_new_thread

from . import _configuration, _native
from ._errors import ConfigurationError

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    _Signature: TypeAlias = "tuple[int, int, int] | None"
    _Look: TypeAlias = "tuple[_Signature, bytes | OSError]"

_SECONDS = 1.0
"""How often the file is looked at."""


class Watch:
    """Looks at one policy file until it is stopped.

    A changed file is put in force once two looks found it the same: one that is being written where it stands would be a policy
    with its rules missing. The text that was read is the one that is compiled and the one that later looks are compared with.
    """

    def __init__(self, path: str, settings: dict[str, Any]) -> None:
        self.path = path
        self._settings = settings
        self._compiled: _native.Policy | None = None
        self._in_force = b""
        self._before: _Look | None = None
        """What the last look found, where that is neither in force nor refused."""
        self._refused: _Look | None = None
        """What was refused: that is said once."""
        self._stopped = allocate_lock()
        self.reloaded = 0
        self.refused = 0
        self.problem: str | None = None
        self._ended = False

    def compiled(self) -> _native.Policy:
        """The policy to begin with, compiled from the text that later ones are compared with."""
        _, found = _look(self.path)
        # What cannot be read is read once more: that says best why.
        compiled = (
            _native.Policy.from_bytes(self.path, found)
            if isinstance(found, bytes)
            else _native.Policy.from_file(self.path)
        )
        self._in_force = found if isinstance(found, bytes) else b""
        self._compiled = compiled
        return compiled

    def start(self) -> None:
        """Begins to look."""
        self._stopped = allocate_lock()
        self._stopped.acquire()
        start_new_thread(self._run, (self._stopped,))

    def stop(self) -> None:
        """Looks no more; a look that is under way ends by itself."""
        self._ended = True
        if self._stopped.locked():
            self._stopped.release()

    def state(self) -> dict[str, object]:
        """What `health()` says of it."""
        return {"file": self.path, "reloaded": self.reloaded, "refused": self.refused, "problem": self.problem}

    def look(self) -> None:
        """Puts the file in force if it is another one than before, the same as at the last look, and can be used."""
        if self._ended:
            return
        now = _look(self.path)
        before, self._before = self._before, None
        found = now[1]
        if found == self._in_force:
            self._refused = self.problem = None
            return
        if not _same(before, now):
            if not _same(self._refused, now):
                self._before = now
            return
        try:
            # What cannot be read is read once more: that says best why.
            compiled = (
                _native.Policy.from_bytes(self.path, found)
                if isinstance(found, bytes)
                else _native.Policy.from_file(self.path)
            )
            if not isinstance(found, bytes):
                return
            self._check(compiled)
            with _configuration._lock:
                if self._ended:
                    return
                engine = _configuration._swapped_in(compiled, self._settings)
        except Exception as error:  # a defect too: the one before stays in force, and the next change may be a good one
            self._refused = now
            self._refuse(error)
            return
        self._in_force, self._compiled = found, compiled
        self._refused = self.problem = None
        self.reloaded += 1
        _configuration._after_swap(engine, self._settings)

    def _check(self, compiled: _native.Policy) -> None:
        """A policy that refuses nothing does not take the place of one that does: it is what is left of a file cut short."""
        if compiled.refuses_nothing and self._compiled is not None and not self._compiled.refuses_nothing:
            raise ConfigurationError(
                f"`{self.path}` has no rule, limit or scope any more, so it would let every call run; write what it is to refuse,"
                " or call `configure` again, or start the program anew, to have nothing refused",
                code="config_invalid",
                kind="config",
                details={"path": self.path},
            )

    def _run(self, stopped: Any) -> None:
        while not stopped.acquire(timeout=_SECONDS):
            try:
                self.look()
            except Exception as error:  # the thread goes on
                self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        self.refused += 1
        self.problem = str(error)
        import logging

        logging.getLogger("counterseal").warning(
            "the changed policy `%s` is refused, and the one before stays in force: %s", self.path, error
        )


def file_of(policy: object) -> str:
    """The path of the policy that is to be watched."""
    if isinstance(policy, os.PathLike):
        policy = os.fspath(policy)
    if isinstance(policy, str) and "\n" not in policy and not policy.lstrip().startswith("{"):
        return os.path.abspath(policy)
    raise ConfigurationError(
        "`reload` looks at a file, and the policy was given as it is; give its path, or leave `reload` out",
        code="config_conflict",
        kind="config",
        details={"setting": "reload"},
    )


def _look(path: str) -> _Look:
    """What tells the file from the one that was there before, and its text: the clock of a disk may be too coarse to tell two
    changes apart, so both are looked at."""
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            return (found.st_mtime_ns, found.st_size, found.st_ino), file.read()
    except OSError as error:
        return None, error


def _same(before: _Look | None, now: _Look) -> bool:
    if before is None or before[0] != now[0]:
        return False
    one, other = before[1], now[1]
    return str(one) == str(other) if isinstance(other, OSError) else one == other
