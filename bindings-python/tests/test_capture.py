"""What Python objects become: read through the canonical bytes that digests and records are made of."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import socket
import subprocess
import sys
import types
import typing
import uuid

import counterseal as cs
import pydantic
import pytest
from counterseal.testing import canonical


class Colour(enum.Enum):
    RED = "red"
    SOCKET = object()


class Level(enum.IntEnum):
    HIGH = 3


class Name(str):
    def __str__(self) -> str:
        raise AssertionError("the text itself is read, not what `__str__` makes of it")


class Count(int):
    def __int__(self) -> int:
        raise AssertionError("the number itself is read")


class Lines(list):
    def append(self, item: object) -> None:
        raise AssertionError("nothing is added")


class Bag(set):
    def __contains__(self, item: object) -> bool:
        raise AssertionError("the elements themselves are read")


class Point(typing.NamedTuple):
    y: int
    x: int


@dataclasses.dataclass
class Order:
    sku: str
    amount: float
    kind: typing.ClassVar[str] = "class"
    _cache: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Slotted:
    __slots__ = ("a",)
    a: int


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    amount: decimal.Decimal
    when: dt.date | None = None

    @pydantic.computed_field
    @property
    def computed(self) -> str:
        raise AssertionError("a computed field is code, not a field")


CASES = [
    (None, "null"),
    (True, "true"),
    (0, "0"),
    (-(2**53) + 1, "-9007199254740991"),
    (2**53, '{"$int":"9007199254740992"}'),
    (2**53 + 1, '{"$int":"9007199254740993"}'),
    (-(2**63), '{"$int":"-9223372036854775808"}'),
    (2**64, '{"$int":"18446744073709551616"}'),
    (1.0, "1"),
    (-0.0, "0"),
    (1e21, "1e+21"),
    (float("nan"), '{"$float":"NaN"}'),
    (float("-inf"), '{"$float":"-Infinity"}'),
    ("é😀", '"é😀"'),
    (b"\x00\xff", '{"$bytes":"AP8="}'),
    (bytearray(b"\x00\xff"), '{"$bytes":"AP8="}'),
    (memoryview(b"0\x000\xff")[1::2], '{"$bytes":"AP8="}'),
    ([1, (2, [])], "[1,[2,[]]]"),
    ({"b": 1, "a": {"c": None}}, '{"a":{"c":null},"b":1}'),
    ({"$set": 1}, '{"$$set":1}'),
    ({"\ue000": 1, "😀": 2}, '{"😀":2,"\ue000":1}'),
    ({1: "int", 2: "two"}, '{"1":"int","2":"two"}'),
    ({True: "truth"}, '{"true":"truth"}'),
    ({None: 0, 1.5: 0, Colour.RED: 0}, '{"1.5":0,"null":0,"red":0}'),
    ({2**64: 0}, '{"18446744073709551616":0}'),
    ({10, 9, "b"}, '["b",10,9]'),
    (frozenset({(1, 2)}), "[[1,2]]"),
    (collections.OrderedDict(b=1, a=2), '{"a":2,"b":1}'),
    (types.MappingProxyType({"a": 1}), '{"a":1}'),
    (collections.ChainMap({"a": 1}, {"b": 2}), '{"a":1,"b":2}'),
    (decimal.Decimal("1E+2"), '{"$decimal":"100"}'),
    (decimal.Decimal("1.50"), '{"$decimal":"1.5"}'),
    (decimal.Decimal("sNaN"), '{"$decimal":"NaN"}'),
    (dt.datetime(2026, 11, 21, 8, 45, 24, 120000), '{"$time":"2026-11-21T08:45:24.12"}'),
    (
        dt.datetime(2026, 11, 21, 0, 30, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        '{"$time":"2026-11-20T22:30:00Z"}',
    ),
    (dt.date(2026, 2, 1), '{"$time":"2026-02-01"}'),
    (dt.time(8, 5), '{"$time":"08:05:00"}'),
    (dt.time(8, 5, tzinfo=dt.timezone.utc), '{"$opaque":"datetime.time"}'),
    (uuid.UUID(int=7), '"00000000-0000-0000-0000-000000000007"'),
    (pathlib.PurePosixPath("/tmp/x"), '"/tmp/x"'),
    (Colour.RED, '"red"'),
    (Colour.SOCKET, '"SOCKET"'),
    (Level.HIGH, "3"),
    (Name("n"), '"n"'),
    (Count(4), "4"),
    (Lines([1]), "[1]"),
    (Bag({1}), "[1]"),
    (Point(1, 2), '{"x":2,"y":1}'),
    (Order("s", 1.5), '{"_cache":{},"amount":1.5,"sku":"s"}'),
    (Slotted(1), '{"a":1}'),
    (Model(amount=1, extra="e"), '{"amount":{"$decimal":"1"},"extra":"e","when":null}'),
    (object, '{"$opaque":"type"}'),
    (len, '{"$opaque":"builtin_function_or_method"}'),
]


@pytest.mark.parametrize(("value", "text"), CASES, ids=[text[:40] for _, text in CASES])
def test_each_type_has_its_value(value: object, text: str) -> None:
    assert canonical(value).decode() == text


@pytest.mark.parametrize(("value", "text"), CASES, ids=[text[:40] for _, text in CASES])
def test_a_part_is_read_as_it_is_alone(value: object, text: str) -> None:
    """Both ways of reading (built-in types alone, and among others) say the same."""
    assert canonical([value]).decode() == f"[{text}]"
    assert canonical({"k": value, "o": pathlib.PurePosixPath("p")}).decode() == f'{{"k":{text},"o":"p"}}'


def test_a_socket_is_opaque() -> None:
    with socket.socket() as open_socket:
        assert canonical(open_socket) == b'{"$opaque":"socket.socket"}'


class Raising:
    def __getattr__(self, name: str) -> object:
        raise ZeroDivisionError("never read")

    def __str__(self) -> str:
        raise ZeroDivisionError("never read")


def test_an_object_whose_code_raises_is_opaque_since_none_of_it_is_called() -> None:
    assert canonical(Raising()).decode() == f'{{"$opaque":"{__name__}.Raising"}}'


class RaisingMapping(collections.abc.Mapping):
    def __getitem__(self, key: str) -> object:
        raise KeyError("secret")

    def __iter__(self):
        return iter(["a"])

    def __len__(self) -> int:
        return 1


@dataclasses.dataclass
class RaisingField:
    __slots__ = ("a",)
    a: int

    def __getattribute__(self, name: str) -> object:
        if name == "a":
            raise ZeroDivisionError("secret")
        return super().__getattribute__(name)


def cycle() -> list[object]:
    inside: list[object] = []
    inside.append({"again": inside})
    return inside


def nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


class BadZone(dt.tzinfo):
    def utcoffset(self, moment: object) -> dt.timedelta:
        raise ZeroDivisionError("secret")


REFUSED = [
    ("cycle", cycle(), "value_too_deep", ""),
    ("cycle among others", [pathlib.PurePosixPath("p"), cycle()], "value_too_deep", ""),
    ("deep", nested(65), "value_too_deep", ""),
    ("many", [0] * 65_536, "value_too_large", ""),
    ("endless mapping", [types.MappingProxyType(dict.fromkeys(range(70_000)))], "value_too_large", ""),
    ("large", "x" * (1 << 20), "value_too_large", ""),
    ("surrogate", {"a": ["\ud800"]}, "value_bad_text", "a[0]"),
    ("surrogate key", {"a": {"\ud800": 1}}, "value_bad_text", "a"),
    ("path of bad bytes", {"a": pathlib.PurePosixPath("\udcff")}, "value_bad_text", "a"),
    ("duplicate", {"a": {1: 1, "1": 2}}, "value_duplicate_key", ""),
    ("key", {"a": {(1, 2): 3}}, "value_bad_key", "a"),
    ("mapping that raises", {"a": [RaisingMapping()]}, "value_unreadable", "a[0]"),
    ("field that raises", {"a": {"b": RaisingField(1)}}, "value_unreadable", "a.b"),
    ("zone that raises", {"a": dt.datetime(2026, 1, 1, tzinfo=BadZone())}, "value_unreadable", "a"),
    ("digits", 10**65_536, "value_too_large", ""),
]


@pytest.mark.parametrize(("value", "code", "path"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_has_no_value_is_refused_with_its_place(value: object, code: str, path: str) -> None:
    with pytest.raises(cs.CountersealError) as refused:
        canonical(value)
    assert refused.value.code == code
    assert "secret" not in refused.value.message
    if path:
        assert refused.value.details["path"] == path
        assert f"`{path}`" in refused.value.message


def test_64_levels_are_not_too_deep() -> None:
    assert canonical(nested(64)) == b"[" * 64 + b"]" * 64


class Changing(collections.abc.Mapping):
    """Runs code while it is read, the first time or every time."""

    def __init__(self, change: typing.Callable[[], object]) -> None:
        self.change = change

    def __getitem__(self, key: str) -> object:
        return 1

    def __iter__(self):
        self.change()
        return iter(["k"])

    def __len__(self) -> int:
        return 1


@dataclasses.dataclass
class Held:
    inside: object


@dataclasses.dataclass(frozen=True, slots=True)
class Slot:
    inside: object


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")


def changes() -> dict[str, tuple[object, typing.Callable[[int], object]]]:
    texts, nested, entries, elements, held = ["x" * 100], [["a"]], {"a": 1}, {1}, Held([1])
    raw, slot, model, ordered, own = bytearray(b"a"), Slot(1), Open(a=1), collections.OrderedDict(a=1), Lines([1])
    return {
        "list": (texts, lambda n: texts.append("y" * n)),
        "nested list": ((nested,), lambda n: nested[0].append("b" * n)),
        "dict": (entries, lambda n: entries.update(a=n + 1)),
        "dict of other keys": (entries, lambda n: entries.update({f"b{n}": 1})),
        "set": (elements, lambda n: elements.add(n + 10)),
        "field": (held, lambda n: setattr(held, "inside", n)),
        "list in a field": (Held(texts), lambda n: texts.append("y" * n)),
        "slot": (slot, lambda n: object.__setattr__(slot, "inside", n + 1)),
        "bytearray": (raw, lambda n: raw.append(n)),
        "view of bytes": (memoryview(raw), lambda n: raw.__setitem__(0, n)),
        "extra of a model": (model, lambda n: setattr(model, "a", n + 1)),
        "ordered dict": (ordered, lambda n: ordered.update(a=n + 1)),
        "subclass of list": (own, lambda n: own.extend([n])),
    }


@pytest.mark.parametrize("case", changes())
@pytest.mark.parametrize("lasting", ["always", "first", "last"])
def test_what_changes_while_it_is_read_is_refused(case: str, lasting: str) -> None:
    """However often the other argument's code runs, the argument changes after it was read, or between two readings."""
    value, change = changes()[case]
    calls: list[int] = []

    def changing() -> None:
        calls.append(1)
        if lasting == "always" or (lasting == "first") == (len(calls) == 1):
            change(len(calls))

    with pytest.raises(cs.CountersealError) as refused:
        canonical({"early": [value], "late": Changing(changing)})
    assert refused.value.code == "value_unreadable"
    assert "changed while it was read" in refused.value.message


def test_what_changes_before_it_is_read_is_read_as_it_is_then() -> None:
    texts: list[str] = []
    assert canonical([Changing(texts.clear), texts]) == b'[{"k":1},[]]'


def test_an_object_whose_code_answers_differently_is_refused() -> None:
    answers = iter(range(1000))

    class Lively(collections.abc.Mapping):
        def __getitem__(self, key: str) -> object:
            return next(answers)

        def __iter__(self):
            return iter(["k"])

        def __len__(self) -> int:
            return 1

    backed = collections.UserDict(a=1)
    for value in (Lively(), [backed, Changing(lambda: backed.update(a=next(answers)))]):
        with pytest.raises(cs.CountersealError, match="changed while it was read"):
            canonical({"v": value})


def test_what_answers_alike_is_read_though_it_is_no_number() -> None:
    class Unordered(collections.abc.Mapping):
        def __getitem__(self, key: str) -> object:
            return float("nan")

        def __iter__(self):
            return iter(["k"])

        def __len__(self) -> int:
            return 1

    assert canonical(Unordered()) == b'{"k":{"$float":"NaN"}}'


def test_fields_that_are_not_read_make_a_container_opaque() -> None:
    class OfAttrs(dict):
        __attrs_attrs__ = ("amount",)

    class TextOfAttrs(str):
        __attrs_attrs__ = ("amount",)

    assert canonical([OfAttrs(a=1), TextOfAttrs("a")]).count(b"$opaque") == 2


def test_views_of_a_large_container_count_once() -> None:
    class Own(list):
        def __iter__(self):
            return super().__iter__()

    assert canonical([Own([0] * 60_000)]).count(b"0") == 60_000
    with pytest.raises(cs.CountersealError) as refused:
        canonical([Own([0] * 40_000), Own([0] * 40_000)])
    assert refused.value.code == "value_too_large"


def test_reading_imports_nothing() -> None:
    program = (
        "import sys, counterseal.testing as t; before = set(sys.modules); "
        "t.canonical([object(), {1, 2}, (1,), b'x', 2**80]); print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_interrupt_while_a_value_is_read_reaches_the_program() -> None:
    class Interrupting(collections.abc.Mapping):
        def __getitem__(self, key: str) -> object:
            raise KeyboardInterrupt

        def __iter__(self):
            return iter(["k"])

        def __len__(self) -> int:
            return 1

    with pytest.raises(KeyboardInterrupt):
        canonical(Interrupting())
