"""Classes for the objects that only Python can write down, and objects that contain themselves."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import typing
from collections.abc import Iterator
from typing import Any

import pydantic


@dataclasses.dataclass
class Point:
    x: Any
    y: Any


@dataclasses.dataclass(frozen=True, slots=True)
class SlottedPoint:
    x: int
    y: float


@dataclasses.dataclass
class Line:
    start: Point
    end: Point


class Pair(typing.NamedTuple):
    left: str
    right: str | None


class Movie(typing.TypedDict):
    title: str
    year: int


class OrderLine(pydantic.BaseModel):
    sku: str
    count: int


class Order(pydantic.BaseModel):
    id: int
    lines: list[OrderLine]


class Unserialisable(pydantic.BaseModel):
    id: int

    @pydantic.model_serializer
    def shown(self) -> dict[str, Any]:
        raise RuntimeError("the serializer was called")


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Thing(enum.Enum):
    SOCKET = object()


class TextColour(str, enum.Enum):
    RED = "red"


class Name(str):
    def __str__(self) -> str:
        return "other"


class Count(int):
    def __str__(self) -> str:
        raise RuntimeError("the text was asked for")

    def __int__(self) -> int:
        raise RuntimeError("the number was asked for")


class Unreadable(collections.abc.Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise RuntimeError("nothing is here")

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


@dataclasses.dataclass
class Cautious:
    x: int

    @property
    def danger(self) -> int:
        raise RuntimeError("the property was read")


class Lost(datetime.tzinfo):
    def utcoffset(self, moment: datetime.datetime | None) -> datetime.timedelta:
        raise RuntimeError("nobody knows")

    def dst(self, moment: datetime.datetime | None) -> datetime.timedelta | None:
        return None

    def tzname(self, moment: datetime.datetime | None) -> str | None:
        return None


def list_in_itself() -> list[Any]:
    a: list[Any] = []
    a.append(a)
    return a


def dict_in_itself() -> dict[str, Any]:
    a: dict[str, Any] = {}
    a["a"] = a
    return a


def point_in_itself() -> Point:
    point = Point(x=None, y=None)
    point.x = point
    return point
