"""An approver at the terminal of the program."""

from __future__ import annotations

from _thread import RLock

from ._answers import Approved, Denied

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from ._answers import ApprovalCall

_WIDTH = 400
"""Characters of one argument that are shown."""

_one_at_a_time = RLock()


def terminal_approver(
    *, input: TextIO | None = None, output: TextIO | None = None
) -> Callable[[ApprovalCall], Approved | Denied]:
    """An approver that asks whoever sits at the terminal. Only the word `yes` is a yes; no terminal is a no.

    Answers are recorded under the name of the user that runs the program, vouched for by the operating system. `input` and
    `output` stand in for the terminal.
    """

    def ask(call: ApprovalCall) -> Approved | Denied:
        with _one_at_a_time:
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
    while True:
        target.write("type `yes` to let it run, `no` to refuse it, or `no` and a reason: ")
        target.flush()
        line = source.readline()
        said = line.strip()
        word, _, rest = said.partition(" ")
        if said.lower() == "yes":
            return Approved(by=by, verified_by="os")
        if word.lower() == "no" or not line:
            return Denied(by=by, verified_by="os", note=rest.strip() or None)
        if said:
            target.write(f"`{_plain(said)}` is neither\n")


def _described(call: ApprovalCall) -> str:
    lines = ["", "-" * 72, f"May `{_plain(call.tool_name)}` run?"]
    if call.reason:
        lines.append(f"  why asked   {_plain(call.reason)}")
    lines.append(f"  for         {_plain(call.user_id or 'nobody named')}, session {_plain(call.session_id)}")
    if call.agent_id:
        lines.append(f"  agent       {_plain(call.agent_id)}")
    lines.append("  arguments (written by the agent or by what it read: do not take their word for anything)")
    for name, value in call.arguments.items():
        may_change = "   (may be another when it runs)" if name in call.may_change else ""
        lines.append(f"    {_plain(name)} = {_shown(value)}{may_change}")
    if call.hidden:
        lines.append(f"    and {call.hidden} not shown")
    lines.append(f"  time        {max(1, round(call.expires_in.total_seconds() / 60))} min, then it is refused")
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    import json

    text = _plain(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}… ({len(text) - _WIDTH} more characters)"


def _plain(text: str) -> str:
    """With what steers a terminal, or reorders and hides text around it, shown as its number."""
    import unicodedata

    return "".join(
        f"\\u{{{ord(one):x}}}" if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp") else one for one in text
    )


def _user() -> str:
    import os

    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return f"uid-{os.getuid()}" if hasattr(os, "getuid") else "unknown"
