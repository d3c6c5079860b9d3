"""What a replay gives in the place of a body: recorded results and exceptions as Python has them."""

from __future__ import annotations

import sys

from ._errors import CountersealError

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from typing import Any


_NOT_PLAIN = "…"
"""Recorded in the place of what an exception was made with, where that is more than texts and numbers."""


class ReplayedError(CountersealError):
    """The exception that ended a recorded call, where one of its own type cannot be made."""


def returned(result: str | None) -> object:
    """A recorded result as Python has it, of its JSON; without one nothing came back."""
    import json

    return None if result is None else _value(json.loads(result))


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return [_value(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, text),) = value.items()
        if tag in ("$int", "$float", "$decimal", "$bytes", "$time") and isinstance(text, str):
            return _tagged(tag, text)
    return {key[1:] if key.startswith("$$") else key: _value(one) for key, one in value.items()}


def _tagged(tag: str, text: str) -> Any:
    if tag == "$int":
        return int(text)
    if tag == "$float":
        return float(text)
    if tag == "$decimal":
        from decimal import Decimal

        return Decimal(text)
    if tag == "$bytes":
        import base64

        return base64.b64decode(text)
    return _moment(text)


def _moment(text: str) -> Any:
    """A time as the class that has it; what none of them has stays text."""
    import datetime
    import re

    plain = re.sub(r"(\.\d{6})\d+", r"\1", text.replace("Z", "+00:00"))
    plain = re.sub(r"\.(\d{1,5})(?!\d)", lambda found: "." + found[1].ljust(6, "0"), plain)
    for read in (datetime.date.fromisoformat, datetime.time.fromisoformat, datetime.datetime.fromisoformat):
        try:
            return read(plain)
        except ValueError:
            continue
    return text


def raised(error: str) -> BaseException:
    """The exception of a recorded call, of its JSON: of its own type where that is a built-in one or the program has it by now, made
    with what was recorded of its arguments. A constructor of the program's own is not called."""
    import json

    recorded = json.loads(error)
    if not isinstance(recorded, str):
        return ReplayedError("what it was made with was redacted", code="replayed", kind="runtime")
    name, _, message = recorded.partition(": ")
    kind = _exception_type(name)
    if kind is not None and message != _NOT_PLAIN:
        args = _listed(message) if message.startswith("[") else (message,) if message else ()
        native = next(base for base in kind.__mro__ if base.__module__ == "builtins")
        try:
            made: BaseException = kind(*args) if kind is native else native.__new__(kind, *args)
            if kind is not native:
                native.__init__(made, *args)
            str(made)
        except Exception:  # it takes more than was recorded
            return ReplayedError(recorded, code="replayed", kind="runtime")
        return made
    return ReplayedError(recorded, code="replayed", kind="runtime")


def _listed(message: str) -> tuple[Any, ...]:
    import json

    try:
        return tuple(_value(one) for one in json.loads(message))
    except ValueError:  # an older record: the text itself begins like that
        return (message,)


def _exception_type(name: str) -> Any:
    """The class of that name: a built-in one, one of the program's main module, which are recorded without it, or one of another
    module that the program has imported."""
    path = name.split(".")
    places = [("builtins", path), ("__main__", path)]
    places += [(".".join(path[:length]), path[length:]) for length in range(1, len(path))]
    for module, names in places:
        found: Any = sys.modules.get(module)
        for part in names:
            found = getattr(found, "__dict__", {}).get(part)
        if isinstance(found, type) and issubclass(found, Exception) and not issubclass(found, CountersealError):
            return found
    return None
