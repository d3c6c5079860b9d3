"""A policy file that is changed while the program runs: looked at every second by a thread of its own, never by a call."""

from __future__ import annotations

import os
from _thread import allocate_lock, start_new_thread

from . import _configuration, _native
from ._errors import ConfigurationError, CountersealError

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    _Signature: TypeAlias = "tuple[int, int, int] | None"

_SECONDS = 1.0
"""How often the file is looked at."""


class Watch:
    """Looks at one policy file until it is stopped."""

    def __init__(self, path: str, settings: dict[str, Any]) -> None:
        self.path = path
        self._settings = settings
        # Before the policy is read: a change after this is seen.
        self._seen = _signature(path)
        self._text = b""
        self._stopped = allocate_lock()
        self.reloaded = 0
        self.refused = 0
        self.problem: str | None = None
        self._ended = False

    def start(self) -> None:
        """Begins to look; the file's text as it is now is the one in force."""
        if not self._text:
            self._text = _text(self.path)
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
        """Puts the file in force if it is another one than before and can be used; otherwise the one before stays."""
        now = _signature(self.path)
        if now == self._seen or self._ended:
            return
        self._seen = now
        try:
            text = _text(self.path)
            if text == self._text and text:
                return
            compiled = _native.Policy.from_file(self.path)
            with _configuration._lock:
                if self._ended:
                    return
                engine = _configuration._swapped_in(compiled, self._settings)
        except CountersealError as error:
            self._refuse(error)
            return
        self._text = text
        self.reloaded += 1
        self.problem = None
        _configuration._after_swap(engine, self._settings)

    def _run(self, stopped: Any) -> None:
        while not stopped.acquire(timeout=_SECONDS):
            try:
                self.look()
            except Exception as error:  # the thread goes on: the next change may be a good one
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


def _signature(path: str) -> _Signature:
    """What tells a file from the one that was there before; `None` where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _text(path: str) -> bytes:
    """The file's bytes; none where it cannot be read, which loading it then says better."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
