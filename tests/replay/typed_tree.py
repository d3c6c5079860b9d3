"""Python objects for the typed trees in which vectors write values down (tests/vectors/README.md)."""

from __future__ import annotations

import datetime
import decimal
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from replaying import only_member


class NoSuchObject(Exception):
    """Python has no object for the tree; the message says why."""


class Pairs(Mapping[Any, Any]):
    """A mapping that keeps keys apart which a dict takes for one, such as `1` and `1.0`, or cannot hold."""

    def __init__(self, pairs: list[tuple[Any, Any]]) -> None:
        self._pairs = pairs

    def __getitem__(self, key: object) -> Any:
        return next(value for known, value in self._pairs if known is key)

    def __iter__(self) -> Iterator[Any]:
        return (key for key, _ in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)


def build(tree: Any) -> Any:
    """null, booleans and texts stand for themselves; everything else is an object with one member, its kind."""
    if tree is None or isinstance(tree, (bool, str)):
        return tree
    kind, inside = only_member(tree)
    if kind not in KINDS:
        raise AssertionError(f"unknown kind `{kind}`")
    return KINDS[kind](inside)


def double(bits: str) -> float:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    return float(number)


def exact(text: str) -> decimal.Decimal:
    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation:
        raise NoSuchObject("python refuses it itself") from None


def moment(parts: dict[str, Any]) -> datetime.datetime | datetime.date | datetime.time:
    date: Any = parts.get("date")
    time: Any = parts.get("time")
    zone = None
    if "offset_micros" in parts:
        zone = datetime.timezone(datetime.timedelta(microseconds=parts["offset_micros"]))
    if time is not None:
        hour, minute, second, nanos = time
        if nanos % 1000:
            raise NoSuchObject("python's times have microseconds")
        time = (hour, minute, second, nanos // 1000)
    try:
        if date is None:
            return datetime.time(*time).replace(tzinfo=zone)
        return datetime.date(*date) if time is None else datetime.datetime(*date, *time).replace(tzinfo=zone)
    except ValueError:
        raise NoSuchObject("python refuses it itself") from None


def opaque(name: str) -> object:
    """Something without a value whose type has this qualified name."""
    module, _, own = name.rpartition(".")
    return type(own, (), {"__module__": module or "builtins"})()


def elements(trees: list[Any]) -> frozenset[Any]:
    built = [tuple(one) if isinstance(one, list) else one for one in map(build, trees)]
    made = frozenset(built)
    assert len(made) == len(built), "the set lost an element"
    return made


def members(pairs: list[list[Any]]) -> Mapping[Any, Any]:
    built = [(build(key), build(value)) for key, value in pairs]
    try:
        made = dict(built)
    except TypeError:
        return Pairs(built)
    return made if len(made) == len(built) else Pairs(built)


def nested(inside: dict[str, Any]) -> Any:
    value = build(inside["of"])
    for _ in range(inside["times"]):
        value = [value]
    return value


KINDS: dict[str, Callable[[Any], Any]] = {
    "int": int,
    "bits": double,
    "decimal": exact,
    "bytes": bytes.fromhex,
    "time": moment,
    "opaque": opaque,
    "list": lambda inside: [build(one) for one in inside],
    "set": elements,
    "map": members,
    "fill": lambda inside: inside["text"] * inside["times"],
    "repeat": lambda inside: [build(inside["of"])] * inside["times"],
    "nest": nested,
}
