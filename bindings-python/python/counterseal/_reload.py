"""A policy file that is changed while the program runs: looked at every second by a thread of its own, never by a call."""

from __future__ import annotations

import os
from _thread import allocate_lock, start_new_thread
from stat import S_ISREG

from . import _configuration, _native
from ._errors import ConfigurationError

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from typing import Any

_SECONDS = 1.0
"""How often the file is looked at."""


class Watch:
    """Looks at one policy file until it is stopped; what that leads to is the core's to say."""

    def __init__(self, path: str, settings: dict[str, Any]) -> None:
        self.path = path
        self._settings = settings
        _, text, why = _look(path)
        self._reload = _native.Reload(path, text, why)
        self.policy = self._reload.policy
        """The policy to begin with, compiled from the text that later ones are compared with."""
        self._stopped = allocate_lock()
        self._ended = False

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
        return {"file": self.path, **self._reload.standing()}

    def look(self) -> None:
        """Puts the file in force if it is another one than before, the same as at the last look, and can be used."""
        if self._ended:
            return
        try:
            compiled = self._reload.look(*_look(self.path))
        except ConfigurationError as error:
            self._warn(error)
            return
        if compiled is None:
            return
        try:
            with _configuration._lock:
                if self._ended:
                    return
                engine = _configuration._swapped_in(compiled, self._settings)
        except Exception as error:  # a defect too: the one before stays in force, and the next change may be a good one
            self._refuse(error)
            return
        self._reload.taken()
        _configuration._after_swap(engine, self._settings)

    def _run(self, stopped: Any) -> None:
        while not stopped.acquire(timeout=_SECONDS):
            try:
                self.look()
            except Exception as error:  # the thread goes on
                self._refuse(error)

    def _refuse(self, error: Exception) -> None:
        self._reload.refused(str(error))
        self._warn(error)

    def _warn(self, error: Exception) -> None:
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


def _look(path: str) -> tuple[str, bytes | None, str]:
    """What tells the file from the one that was there before, and its text, or why it cannot be read."""
    try:
        # what is no file, as a pipe for a moment, is not waited for
        with open(path, "rb", opener=_opened) as file:
            found = os.fstat(file.fileno())
            if not S_ISREG(found.st_mode):
                return "", None, "it is no file"
            return f"{found.st_mtime_ns} {found.st_size} {found.st_ino}", file.read(), ""
    except OSError as error:
        return "", None, error.strerror or str(error)


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
