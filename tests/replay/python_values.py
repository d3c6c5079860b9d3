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
from python_subclasses import (
    Batch,
    Broken,
    Covered,
    Kept,
    Odd,
    Rows,
    Sly,
    SlyDict,
    SlyGet,
    SlySet,
    disputed_bill,
    filled_bill,
    labelled,
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
    "@dataclass class Bill(dict): amount: int; Bill(amount=9) with an entry 'id': 1": filled_bill,
    "the same Bill(amount=9) with an entry 'amount': 1": disputed_bill,
    "@dataclass class Batch(list): amount: int; Batch(amount=9)": lambda: Batch(amount=9),
    "@dataclass class Label(str): amount: int; a Label without text whose amount is 9": labelled,
    "class Rows(list): with an __iter__ that gives what it holds; Rows([1, 2])": lambda: Rows([1, 2]),
    "class Sly(list): with an __iter__ that gives 'other'; Sly(['own'])": lambda: Sly(["own"]),
    "class SlySet(set): with an __iter__ that gives 'other'; SlySet(['own'])": lambda: SlySet(["own"]),
    "class Kept(dict): with a __getitem__ that gives what it holds; Kept(a=1)": lambda: Kept(a=1),
    "class SlyDict(dict): with a __getitem__ that gives 2; SlyDict(a=1)": lambda: SlyDict(a=1),
    "class SlyGet(dict): with a get that gives 2; SlyGet(a=1)": lambda: SlyGet(a=1),
    "a dataclass instance Covered(x=1) whose class has a property x that gives 2": lambda: Covered(1),
    "class Odd(str, enum.Enum): whose text is '/etc' and whose value is 'safe'; Odd.A": lambda: Odd.A,
    "class Broken(list): with an __iter__ that raises; Broken([1])": lambda: Broken([1]),
    "the same Odd; {Odd.A: 1}": lambda: {Odd.A: 1},
}


def construct(text: str) -> Any:
    """The object that a sentence names or an expression gives; a text that is neither fails."""
    sentence = SENTENCES.get(text)
    return eval(text, dict(NAMESPACE)) if sentence is None else sentence()
