"""Builds the values that tests/vectors/values.json writes down (tests/vectors/README.md)."""

from __future__ import annotations

import decimal
import struct
from typing import Any

from canonical import Opaque, Refused, Value, key_text, make_map, make_set, make_time, parse_json


def value_of(case: dict[str, Any]) -> Value:
    return parse_json(case["json"]) if "json" in case else build(case["value"])


def build(tree: Any) -> Value:
    """The value of a typed tree: null, bool and text as they are, the rest an object with one member, its kind."""
    if tree is None:
        return None
    if isinstance(tree, (bool, str)):
        return tree
    ((kind, inside),) = tree.items()
    return _build(kind, inside)


def _build(kind: str, inside: Any) -> Value:
    if kind == "int":
        return int(inside)
    if kind == "bits":
        (number,) = struct.unpack(">d", bytes.fromhex(inside))
        assert isinstance(number, float)
        return number
    if kind == "decimal":
        try:
            return decimal.Decimal(inside)
        except decimal.InvalidOperation:
            raise Refused("value_bad_number") from None
    if kind == "bytes":
        return bytes.fromhex(inside)
    if kind == "time":
        return make_time(inside.get("date"), inside.get("time"), inside.get("offset_micros"))
    if kind == "opaque":
        return Opaque(inside)
    if kind == "list":
        return [build(element) for element in inside]
    if kind == "set":
        return make_set([build(element) for element in inside])
    if kind == "map":
        return make_map((key_text(build(key)), build(value)) for key, value in inside)
    return _repeated(kind, inside)


def _repeated(kind: str, inside: Any) -> Value:
    times = int(inside["times"])
    if kind == "fill":
        return str(inside["text"]) * times
    value = build(inside["of"])
    if kind == "repeat":
        return [value] * times
    if kind == "nest":
        for _ in range(times):
            value = [value]
        return value
    raise AssertionError(f"unknown kind {kind}")
