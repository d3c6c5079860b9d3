"""Classes that derive from built-in ones, or stand over them, and may say something else than those hold."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator
from typing import Any


@dataclasses.dataclass
class Bill(dict[str, Any]):
    amount: int


def filled_bill() -> Bill:
    bill = Bill(amount=9)
    bill["id"] = 1
    return bill


def disputed_bill() -> Bill:
    bill = Bill(amount=9)
    bill["amount"] = 1
    return bill


@dataclasses.dataclass
class Batch(list[Any]):
    amount: int


@dataclasses.dataclass(init=False)
class Label(str):
    """A text, and a number beside it."""

    amount: int


def labelled() -> Label:
    label = Label()
    label.amount = 9
    return label


class Rows(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        return super().__iter__()


class Sly(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(["other"])


class SlySet(set[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(["other"])


class Broken(list[Any]):
    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("nothing is here")


class Kept(dict[str, Any]):
    def __getitem__(self, key: str) -> Any:
        return super().__getitem__(key)


class SlyDict(dict[str, Any]):
    def __getitem__(self, key: str) -> Any:
        return 2


class SlyGet(dict[str, Any]):
    def get(self, key: str, default: Any = None) -> Any:
        return 2


@dataclasses.dataclass
class Covered:
    x: Any


def _covering(self: Covered) -> int:
    return 2


Covered.x = property(_covering, lambda self, given: self.__dict__.update(x=given))


class Odd(str, enum.Enum):
    A = "safe"

    def __new__(cls, value: str) -> Odd:
        made = str.__new__(cls, "/etc")
        made._value_ = value
        return made
