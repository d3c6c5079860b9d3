"""Python objects for JSON with the tagged objects of docs/formats.md §1, in which conditions.json writes values down."""

from __future__ import annotations

import base64
import datetime
import decimal
import math
from collections.abc import Callable
from typing import Any

from replaying import only_member
from typed_tree import moment, opaque


def tagged(value: Any) -> Any:
    """The object for JSON with the tagged objects of docs/formats.md, as conditions.json writes values."""
    if isinstance(value, list):
        return [tagged(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or not next(iter(value)).startswith("$"):
        return {name: tagged(one) for name, one in value.items()}
    tag, text = only_member(value)
    return TAGS[tag](text)


def from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def from_canonical_time(text: str) -> datetime.datetime | datetime.date | datetime.time:
    """`2026-01-01T00:00:00.5Z` and its parts, with as many digits behind the point as there are."""
    day, _, of_day = text.rpartition("T") if ":" in text else (text, "", "")
    parts: dict[str, Any] = {"date": [int(one) for one in day.split("-")]} if day else {}
    if of_day:
        whole, _, fraction = of_day.rstrip("Z").partition(".")
        parts["time"] = [*map(int, whole.split(":")), int(fraction.ljust(9, "0"))]
    return moment({**parts, "offset_micros": 0} if text.endswith("Z") else parts)


TAGS: dict[str, Callable[[str], Any]] = {
    "$int": int,
    "$float": lambda text: {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}[text],
    "$decimal": decimal.Decimal,
    "$bytes": from_base64,
    "$time": from_canonical_time,
    "$opaque": opaque,
}
