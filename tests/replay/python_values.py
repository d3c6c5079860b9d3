"""Objects that only Python can write down, by the texts that `python` of tests/vectors/values.json has."""

from __future__ import annotations

import datetime
import decimal
import pathlib
import socket
import types
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

from python_classes import (
    Cautious,
    Colour,
    Count,
    Level,
    Line,
    Lost,
    Movie,
    Name,
    Order,
    OrderLine,
    Pair,
    Point,
    SlottedPoint,
    TextColour,
    Thing,
    Unreadable,
    Unserialisable,
    dict_in_itself,
    list_in_itself,
    point_in_itself,
)

NAMESPACE = {
    "datetime": datetime,
    "decimal": decimal,
    "pathlib": pathlib,
    "types": types,
    "uuid": uuid,
    "zoneinfo": zoneinfo,
}
SENTENCES: dict[str, Callable[[], Any]] = {
    "a dataclass instance Point(x=1, y=2.5)": lambda: Point(x=1, y=2.5),
    "a dataclass(frozen=True, slots=True) instance Point(x=1, y=2.5)": lambda: SlottedPoint(x=1, y=2.5),
    "a dataclass instance Line(start=Point(x=0, y=0), end=Point(x=1, y=1))": lambda: Line(Point(0, 0), Point(1, 1)),
    "a NamedTuple instance Pair(left='a', right=None)": lambda: Pair(left="a", right=None),
    "a TypedDict instance Movie(title='x', year=1999)": lambda: Movie(title="x", year=1999),
    "a pydantic.BaseModel instance Order(id=7, lines=[Line(sku='a', count=2)])": lambda: Order(
        id=7, lines=[OrderLine(sku="a", count=2)]
    ),
    "a pydantic.BaseModel instance Order(id=7) with a model_serializer that raises; the serializer is not called": lambda: (
        Unserialisable(id=7)
    ),
    "class Colour(enum.Enum): RED = 'red'; Colour.RED": lambda: Colour.RED,
    "class Level(enum.IntEnum): HIGH = 3; Level.HIGH": lambda: Level.HIGH,
    "class Thing(enum.Enum): SOCKET = object(); Thing.SOCKET": lambda: Thing.SOCKET,
    "class Colour(str, enum.Enum): RED = 'red'; {Colour.RED: 1}": lambda: {TextColour.RED: 1},
    "class Name(str): with a __str__ that returns 'other'; Name('own')": lambda: Name("own"),
    "class Count(int): with a __str__ and __int__ that raise; Count(5)": lambda: Count(5),
    "an open socket.socket()": socket.socket,
    "a = []; a.append(a); a": list_in_itself,
    "a = {}; a['a'] = a; a": dict_in_itself,
    "a dataclass instance whose field holds the instance": point_in_itself,
    "a collections.abc.Mapping subclass instance with one key whose __getitem__ raises": Unreadable,
    "a dataclass instance Point(x=1) whose class has a property that raises and is no field; it is not read": lambda: (
        Cautious(x=1)
    ),
    "datetime.datetime(2026, 11, 21, tzinfo=Z()) where Z is a datetime.tzinfo whose utcoffset raises": lambda: (
        datetime.datetime(2026, 11, 21, tzinfo=Lost())
    ),
}


def construct(text: str) -> Any:
    """The object that a sentence names or an expression gives; a text that is neither fails."""
    sentence = SENTENCES.get(text)
    return eval(text, dict(NAMESPACE)) if sentence is None else sentence()
