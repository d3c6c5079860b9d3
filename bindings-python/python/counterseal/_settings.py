"""Every setting, once: what `configure` takes and which environment variable stands in for it."""

from __future__ import annotations

import os

from ._errors import ConfigurationError
from ._text import is_text

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from typing import Any

MODES = ("observe", "step_up", "progressive", "block")

SETTINGS: dict[str, tuple[str, str]] = {
    "policy": ("COUNTERSEAL_POLICY", "path of the policy file; `configure` also takes the policy itself"),
    "agent_id": ("COUNTERSEAL_AGENT_ID", "the agent's id, recorded with every call"),
    "mode": (
        "COUNTERSEAL_MODE",
        "`observe`, `step_up`, `progressive` or `block`; only tightens unless the policy says `may_loosen`",
    ),
    "home": ("COUNTERSEAL_HOME", "the directory that the processes of one agent share"),
    "checkpoints": (
        "COUNTERSEAL_CHECKPOINTS",
        "file outside the home to which every checkpoint is appended too, best where the program cannot change it later",
    ),
    "approver": (
        "COUNTERSEAL_APPROVER",
        "who is asked where the policy wants a person: `home` waits for `counterseal approvals`, `terminal` asks at the terminal;"
        " `configure` also takes a function. Without it such calls are refused",
    ),
    "approval_mode": (
        "COUNTERSEAL_APPROVAL_MODE",
        "`wait` until people have answered, or `native`: let a framework that can stop its run and go on later do so",
    ),
    "require_policy": (
        "COUNTERSEAL_REQUIRE_POLICY",
        "`1` to refuse every call while the policy decides nothing, `0` to allow and record it",
    ),
    "reload": (
        "COUNTERSEAL_RELOAD",
        "`1` to put a changed policy file in force while the program runs, `0` to read it once",
    ),
    "api_key": ("COUNTERSEAL_API_KEY", "key of a server; not supported by this version, refused if it is set"),
    "base_url": ("COUNTERSEAL_BASE_URL", "address of a server; not supported by this version, refused if it is set"),
}
"""Name of the argument: its environment variable, and what it is."""

_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def chosen(name: str, argument: object) -> object:
    """The argument, else what the environment says, else `None`. An empty variable counts as unset."""
    if argument is not None:
        return argument
    return os.environ.get(SETTINGS[name][0]) or None


def text(name: str, argument: object) -> str | None:
    """A setting that is text."""
    value = chosen(name, argument)
    if value is None or (is_text(value) and value):
        return value
    raise invalid(name, value, "a text that is not empty")


def mode(argument: object) -> str | None:
    """A mode by its text."""
    value = chosen("mode", argument)
    if value is None:
        return None
    if isinstance(value, str) and value in MODES:
        return str.__str__(value)
    raise invalid("mode", value, "one of `observe`, `step_up`, `progressive`, `block`")


def approval_mode(argument: object) -> str | None:
    """What a call does while people are asked, where its tool does not say."""
    value = chosen("approval_mode", argument)
    if value in (None, "wait", "native"):
        return value
    raise invalid(
        "approval_mode", value, "`wait` or `native`; `async` is said of one tool, with its callbacks: `guard_tool`"
    )


def truth(name: str, argument: object) -> bool:
    """A setting that is yes or no; no if nothing says otherwise."""
    value = chosen(name, argument)
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) and value.lower() in _TRUTHS:
        return _TRUTHS[value.lower()]
    raise invalid(name, value, "`True` or `False`, in the environment `1` or `0`")


def approver(argument: object) -> object:
    """Who can be asked: `None`, `home` or a function."""
    value: Any = chosen("approver", argument)
    if value is None or _takes_the_call(value):
        return value
    if value == "home":
        return "home"
    if value == "terminal":
        from ._terminal import terminal_approver

        return terminal_approver()
    shown = getattr(value, "__qualname__", value) if callable(value) else value
    raise invalid(
        "approver", shown, "`home`, `terminal` or a function that takes the call, such as `terminal_approver()`"
    )


def _takes_the_call(value: Any) -> bool:
    """Whether it can be called with one value. One that cannot would answer every question with no, as late as it is asked."""
    if not callable(value) or isinstance(value, type):
        return False
    import inspect

    try:
        inspect.signature(value).bind(None)
    except TypeError:
        return False
    except ValueError:  # a function that does not tell its parameters
        return True
    return True


def path(name: str, argument: object) -> str | None:
    """A setting that is a path."""
    value = chosen(name, argument)
    if value is None:
        return None
    if isinstance(value, (str, os.PathLike)):
        found = os.fspath(value)
        if isinstance(found, str) and found:
            return _whole(name, found)
    raise invalid(name, value, "a path")


def _whole(name: str, found: str) -> str:
    """The path from the root on: the program may go to another directory later."""
    if found.startswith("~"):
        raise invalid(
            name, found, "the path itself: `~` means something to a shell alone; `os.path.expanduser` knows it too"
        )
    try:
        return os.path.abspath(found)
    except OSError:
        raise invalid(name, found, "a path from the root on, as the working directory is gone") from None


def refuse_server(api_key: object, base_url: object) -> None:
    """A server's settings are never accepted and ignored."""
    for name, argument in (("api_key", api_key), ("base_url", base_url)):
        if chosen(name, argument) is not None:
            raise ConfigurationError(
                f"`{name}` asks for a server, which this version does not support; give `policy` and leave `{name}`"
                f" and `{SETTINGS[name][0]}` out",
                code="config_invalid",
                kind="config",
                details={"setting": name},
            )


def missing() -> ConfigurationError:
    """What to do where nothing says what to decide with."""
    return ConfigurationError(
        "there is no policy to decide with; call `counterseal.configure(policy=…)` with the path, text or dict of one, or"
        " set `COUNTERSEAL_POLICY` to the path of one (`counterseal init` writes a first one)",
        code="config_missing",
        kind="config",
        details={"setting": "policy", "variable": SETTINGS["policy"][0]},
    )


def invalid(name: str, value: object, wanted: str) -> ConfigurationError:
    """A setting with a value that cannot be used."""
    variable = SETTINGS[name][0]
    shown = value if is_text(value) else repr(value)
    return ConfigurationError(
        f"`{name}` is `{shown}`; give {wanted} (as the argument `{name}` or in `{variable}`)",
        code="config_invalid",
        kind="config",
        details={"setting": name, "variable": variable},
    )
