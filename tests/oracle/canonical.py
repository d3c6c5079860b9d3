"""Canonical encoding and keyed digests of values, from docs/formats.md alone, in the standard library alone."""

from __future__ import annotations

import base64
import datetime
import decimal
import hashlib
import hmac
import json
import math
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_DEPTH = 64
MAX_BYTES = 1 << 20
MAX_VALUES = 65_536
MAX_RESULT_BYTES = 65_536
MAX_SAFE_INTEGER = 2**53 - 1

# Integers of any size are exact here too; their length is bounded by the texts of the vectors.
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)


class Refused(Exception):
    """A value that has no canonical encoding; `code` is the published error code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Time:
    """An instant, a local date and time, a date or a time of day, in canonical text."""

    text: str


@dataclass(frozen=True)
class Opaque:
    """Something that has no value: its type's qualified name."""

    name: str


Value: TypeAlias = (
    "bool | int | float | str | bytes | decimal.Decimal | Time | Opaque | list[Value] | dict[str, Value] | None"
)


def layout(negative: bool, digits: str, point: int) -> str:
    """ECMAScript Number::toString steps 6 to 10: the value is 0.digits x 10**point."""
    sign, k, n = "-" if negative else "", len(digits), point
    if k <= n <= 21:
        return sign + digits + "0" * (n - k)
    if 0 < n <= 21:
        return sign + digits[:n] + "." + digits[n:]
    if -6 < n <= 0:
        return sign + "0." + "0" * -n + digits
    fraction = "." + digits[1:] if k > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{n - 1:+d}"


def double_text(number: float) -> str:
    """The shortest digits that read back, which repr finds, laid out as ECMAScript lays them out."""
    if number == 0:
        return "0"
    return decimal_text(decimal.Decimal(repr(number)))


def decimal_text(number: decimal.Decimal) -> str:
    if number.is_nan():
        return "NaN"
    if number.is_infinite():
        return "-Infinity" if number.is_signed() else "Infinity"
    negative, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    if not text:
        return "0"
    return layout(bool(negative), text.rstrip("0"), len(text) + int(exponent))


def special_text(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def string_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused("value_bad_text") from None
    escapes = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
    return '"' + "".join(escapes.get(c, f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


def utf16_units(text: str) -> tuple[int, ...]:
    raw = text.encode("utf-16-be", "surrogatepass")
    return struct.unpack(f">{len(raw) // 2}H", raw)


def encode(value: Value) -> bytes:
    """The canonical bytes of a value."""
    budget = [MAX_VALUES]
    canonical = _text(value, 0, budget).encode()
    if len(canonical) > MAX_BYTES:
        raise Refused("value_too_large")
    return canonical


def _text(value: Value, depth: int, budget: list[int]) -> str:
    budget[0] -= 1
    if budget[0] < 0:
        raise Refused("value_too_large")
    if isinstance(value, (list, dict)) and depth >= MAX_DEPTH:
        raise Refused("value_too_deep")
    if isinstance(value, list):
        return "[" + ",".join(_text(element, depth + 1, budget) for element in value) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=utf16_units)
        members = (
            string_text("$" + k if k.startswith("$") else k) + ":" + _text(value[k], depth + 1, budget) for k in keys
        )
        return "{" + ",".join(members) + "}"
    return _scalar(value)


def _scalar(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) <= MAX_SAFE_INTEGER else _tagged("$int", str(value))
    if isinstance(value, float):
        return double_text(value) if math.isfinite(value) else _tagged("$float", special_text(value))
    if isinstance(value, str):
        return string_text(value)
    if isinstance(value, bytes):
        return _tagged("$bytes", base64.b64encode(value).decode())
    if isinstance(value, decimal.Decimal):
        return _tagged("$decimal", decimal_text(value))
    if isinstance(value, Time):
        return _tagged("$time", value.text)
    if isinstance(value, Opaque):
        return _tagged("$opaque", value.name)
    raise TypeError(f"not a value: {value!r}")


def _tagged(tag: str, text: str) -> str:
    return "{" + string_text(tag) + ":" + string_text(text) + "}"


def key_text(key: Value) -> str:
    """The text of a map key: an int of any size, a bool, null or a float has its canonical text without a tag."""
    if isinstance(key, str):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    if isinstance(key, float):
        return double_text(key) if math.isfinite(key) else special_text(key)
    if key is None or isinstance(key, bool):
        return _scalar(key)
    raise Refused("value_bad_key")


def make_map(entries: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    result: dict[str, Value] = {}
    for key, value in entries:
        if key in result:
            raise Refused("value_duplicate_key")
        result[key] = value
    return result


def make_set(elements: Sequence[Value]) -> list[Value]:
    return sorted(elements, key=encode)


def make_time(date: Sequence[int] | None, time: Sequence[int] | None, offset_micros: int | None) -> Time:
    """The canonical text of year, month, day and hour, minute, second, nanosecond, either absent."""
    try:
        if date is not None and time is not None:
            hour, minute, second, nanos = time
            year, month, day = date
            moment = datetime.datetime(year, month, day, hour, minute, second, nanos // 1000)
            moment -= datetime.timedelta(microseconds=offset_micros or 0)
            text = moment.strftime("%H:%M:%S") + _fraction(moment.microsecond * 1000 + nanos % 1000)
            zone = "" if offset_micros is None else "Z"
            return Time(f"{moment.date().isoformat()}T{text}{zone}")
        if date is not None:
            return Time(datetime.date(*date).isoformat())
        hour, minute, second, nanos = time or ()
        return Time(datetime.time(hour, minute, second, nanos // 1000).strftime("%H:%M:%S") + _fraction(nanos))
    except (ValueError, OverflowError):
        raise Refused("value_bad_number") from None


def _fraction(nanos: int) -> str:
    return ("." + f"{nanos:09d}".rstrip("0")) if nanos else ""


def parse_json(text: str) -> Value:
    """Strict JSON: integers exact, no duplicate keys, no lone surrogates, nothing beyond the doubles."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Value]:
        return make_map(pairs)

    def number(digits: str) -> float:
        result = float(digits)
        vanished = result == 0 and decimal.Decimal(digits) != 0
        if vanished or math.isinf(result):
            raise Refused("value_bad_number")
        return result

    def constant(_name: str) -> None:
        raise Refused("value_malformed")

    try:
        value: Value = json.loads(text, object_pairs_hook=members, parse_float=number, parse_constant=constant)
    except ValueError:
        raise Refused("value_malformed") from None
    except RecursionError:
        raise Refused("value_too_deep") from None
    _text(value, 0, [MAX_VALUES])  # lone surrogates, depth and count are refused while reading
    return value


def keyed(key: bytes, *parts: bytes) -> str:
    return hmac.new(key, b"".join(parts), hashlib.sha256).hexdigest()


def call_digest(key: bytes, source: str, name: str, canonical: bytes) -> str:
    head = f'["counterseal.call.v1",{string_text(source)},{string_text(name)},'.encode()
    return keyed(key, head, canonical, b"]")


def result_digest(key: bytes, canonical: bytes) -> str:
    head = b'["counterseal.result.v1",'
    if len(canonical) > MAX_RESULT_BYTES:
        return keyed(key, head, canonical[:MAX_RESULT_BYTES])
    return keyed(key, head, canonical, b"]")
