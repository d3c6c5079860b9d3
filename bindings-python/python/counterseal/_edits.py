"""What people changed of a call's arguments, as Python values. The call is captured again with them, so a wrong one is refused."""

from __future__ import annotations

import json
from base64 import b64decode
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from . import _native

_SCALARS = (type(None), bool, int, float, str, bytes, Decimal)
_ROWS = (list, tuple, set, frozenset)


class Edits:
    """The changed arguments of one call, by name, until each has found its place."""

    def __init__(self, pending: _native.Pending) -> None:
        before, after = pending.edited or ("{}", "{}")
        old, new = json.loads(before), json.loads(after)
        self._pending = pending
        self._changed = {
            _name(name): value
            for name, value in new.items()
            if name not in old or json.dumps(old[name], sort_keys=True) != json.dumps(value, sort_keys=True)
        }
        self._removed = {_name(name) for name in old.keys() - new.keys()}

    def removes(self, name: str) -> bool:
        """Whether the argument is to be left out."""
        if name not in self._removed:
            return False
        self._removed.discard(name)
        return True

    def take(self, name: str, value: Any) -> Any:
        """What stands in the place of `value`, the argument called `name`."""
        if name not in self._changed:
            return value
        if not _is_plain(value, top=True):
            kind = type(value).__name__
            self._refuse(f"`{name}` holds what only the program can make (a `{kind}`), so people cannot change it")
        try:
            made = _value(self._changed.pop(name))
        except ValueError as error:
            self._refuse(f"`{name}` was changed to what cannot be made here: {error}")
        if isinstance(value, float) and isinstance(made, int) and not isinstance(made, bool):
            return float(made)
        if isinstance(value, _ROWS) and isinstance(made, list):
            return type(value)(made)
        return made

    def left(self) -> dict[str, Any]:
        """What has found no place: arguments that the call did not give."""
        return {name: self.take(name, None) for name in [*self._changed]}

    def all_taken(self) -> None:
        """Refuses the call where a change has found no place in it."""
        missed = sorted({*self._changed, *self._removed})
        if missed:
            listed = ", ".join(f"`{name}`" for name in missed)
            self._refuse(f"people changed {listed}, which no parameter of the function takes")

    def _refuse(self, why: str) -> None:
        self._pending.refuse(why)


def all_of(pending: _native.Pending) -> dict[str, Any]:
    """Every argument as people want it. Refuses the call where one of them has no plain form."""
    _, after = pending.edited or ("{}", "{}")
    try:
        return named_values(after)
    except ValueError as error:
        pending.refuse(f"the arguments that people want cannot be made here: {error}")
        raise


def named_values(canonical: str) -> dict[str, Any]:
    """Python values of canonical arguments. Raises `ValueError` where one of them has no plain form."""
    return {_name(name): _value(value) for name, value in json.loads(canonical).items()}


def _is_plain(value: object, *, top: bool = False) -> bool:
    """Whether JSON could have made it: an edit can then make another one."""
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind is dict:
        return all(type(name) is str and _is_plain(inside) for name, inside in value.items())  # type: ignore[attr-defined]
    return (kind in _ROWS if top else kind is list) and all(_is_plain(one) for one in value)  # type: ignore[attr-defined]


def _name(name: str) -> str:
    return name[1:] if name.startswith("$") else name


def _value(canonical: Any) -> Any:
    """The Python value of a canonical one (`docs/formats.md` §1)."""
    if isinstance(canonical, list):
        return [_value(one) for one in canonical]
    if not isinstance(canonical, dict):
        return canonical
    if len(canonical) == 1:
        (tag, text), *_ = canonical.items()
        if tag in _TAGS:
            return _TAGS[tag](text)
    if any(name.startswith("$") and not name.startswith("$$") for name in canonical):
        raise ValueError("it holds a value that has no JSON form")
    return {_name(name): _value(value) for name, value in canonical.items()}


_TAGS: dict[str, Callable[[str], Any]] = {"$int": int, "$float": float, "$decimal": Decimal, "$bytes": b64decode}
