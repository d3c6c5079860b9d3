"""An approver at the terminal of the program."""

from __future__ import annotations

import os
from _thread import RLock

from . import _native
from ._answers import Approved, Denied

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from ._answers import ApprovalCall

_LOOK = 0.1
"""How often it is looked, in seconds, whether the question has ended while nothing was typed."""

_one_at_a_time = RLock()


def terminal_approver(
    *, input: TextIO | None = None, output: TextIO | None = None
) -> Callable[[ApprovalCall], Approved | Denied]:
    """An approver that asks whoever sits at the terminal. Only the word `yes` is a yes; no terminal is a no.

    Answers are recorded under the name of the user that runs the program, vouched for by the operating system. What ends
    meanwhile, since its time runs out or somebody answers elsewhere, is not asked on. `input` and `output` stand in for the
    terminal; only where `input` is one can the asking stop.
    """

    def ask(call: ApprovalCall) -> Approved | Denied:
        with _one_at_a_time:
            if call.is_over:
                return _TOO_LATE
            if input is not None and output is not None:
                return _asked(call, input, output)
            try:
                terminal = open("/dev/tty", "r+b", buffering=0)  # noqa: SIM115
            except OSError:
                return Denied(note="there is no terminal to ask at")
            from io import TextIOWrapper

            with TextIOWrapper(terminal, encoding="utf-8", errors="replace", write_through=True) as both:
                return _asked(call, input or both, output or both)

    return ask


def _asked(call: ApprovalCall, source: TextIO, target: TextIO) -> Approved | Denied:
    by = _user()
    target.write(_described(call))
    target.flush()
    _forget_typed_ahead(source)
    while True:
        target.write("type `yes` to let it run, `no` to refuse it, or `no` and a reason: ")
        target.flush()
        line = source.readline() if _is_typed(call, source) else ""
        if call.is_over:
            _forget_typed_ahead(source)
            target.write(f"\n{_end(call)}\n")
            target.flush()
            return _TOO_LATE
        said = line.strip()
        word, _, rest = said.partition(" ")
        if said.lower() == "yes":
            return Approved(by=by, verified_by="os")
        if word.lower() == "no" or not line:
            return Denied(by=by, verified_by="os", note=rest.strip() or None)
        if said:
            target.write(f"`{_native.plain(said)}` is neither\n")


_TOO_LATE = Denied(note="the question had ended")
"""An answer that is not used."""


def _is_typed(call: ApprovalCall, source: TextIO) -> bool:
    """Waits until there is something to read; `False` where the question ends before."""
    from select import select

    try:
        if not source.isatty():
            return True
        while not call.is_over:
            if select([source], [], [], _LOOK)[0]:
                return True
    except (OSError, ValueError):  # no terminal of POSIX
        return True
    return False


def _end(call: ApprovalCall) -> str:
    """How the question ended, for whoever was asked here too."""
    ended = call._pending.ended() or {}
    who = _native.plain(ended.get("decided_by") or "somebody")
    said = {
        "approved": f"`{who}` said yes elsewhere",
        "denied": f"`{who}` said no elsewhere",
        "expired": "time ran out: it is refused",
    }
    return said.get(ended.get("state", ""), "nobody waits for the answer any more")


def _forget_typed_ahead(source: TextIO) -> None:
    """What was typed before the question was there to be read is no answer to it."""
    from contextlib import suppress

    with suppress(ImportError, OSError, ValueError):  # not a terminal, or none of POSIX
        import termios

        with suppress(termios.error):
            termios.tcflush(source.fileno(), termios.TCIFLUSH)


def _described(call: ApprovalCall) -> str:
    import json

    wrapped = _native.wrapped
    lines = ["", "-" * 72, wrapped("", f"May `{call.tool_name}` run?")]
    if call.reason:
        lines.append(wrapped("  why asked   ", call.reason))
    lines.append(wrapped("  for         ", f"{call.user_id or 'nobody named'}, session {call.session_id}"))
    if call.agent_id:
        lines.append(wrapped("  agent       ", call.agent_id))
    lines.append("  arguments (written by the agent or by what it read: do not take their word for anything)")
    for name, value in call.arguments.items():
        end = "   (may be another when it runs)" if name in call.may_change else ""
        lines.append(wrapped("    ", f"{name} = {json.dumps(value, ensure_ascii=False)}") + end)
    if call.hidden:
        lines.append(f"    and {call.hidden} not shown")
    lines.append(f"  time        {max(1, round(call.expires_in.total_seconds() / 60))} min, then it is refused")
    return "\n".join(lines) + "\n"


def _user() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return f"uid-{os.getuid()}" if hasattr(os, "getuid") else "unknown"


def _forked() -> None:
    """Whoever is asked by a parent's thread answers the parent."""
    global _one_at_a_time
    _one_at_a_time = RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
