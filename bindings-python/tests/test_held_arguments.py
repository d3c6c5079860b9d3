"""Arguments that partials, methods and callable objects add: rules and records see what the body gets."""

from __future__ import annotations

import asyncio
import functools
import inspect
import types
import typing

import counterseal as cs
import pytest
from conftest import deny_when
from counterseal.testing import engine

Body = typing.Callable[..., typing.Any]


def keywords(**more: object) -> dict[str, object]:
    return more


def listed(*paths: object) -> tuple[object, ...]:
    return paths


def mixed(first: object, /, second: object = 2, *rest: object, key: object = "k", **more: object) -> object:
    return (first, second, rest, key, more)


async def waiting(*paths: object, **more: object) -> object:
    await asyncio.sleep(0)
    return (paths, more)


class Files:
    def read(self, /, path: str = "/home", **more: object) -> object:
        return (path, more)

    def many(self, *paths: str) -> tuple[str, ...]:
        return paths

    def anything(*args: object, **more: object) -> object:
        return (args[1:], more)

    @functools.lru_cache  # noqa: B019
    def cached(self, path: str, mode: str = "r") -> str:
        return path + mode

    opened = functools.partialmethod(read, "/etc")


class Opened:
    def __init__(self, path: str, mode: str = "r") -> None:
        self.got = (path, mode)


HELD: dict[str, tuple[Body, tuple[object, ...], dict[str, object], dict[str, object]]] = {
    "into **": (functools.partial(keywords, path="/etc"), (), {"a": 1}, {"path": "/etc", "a": 1}),
    "into **, given again": (functools.partial(keywords, path="/etc"), (), {"path": "/home"}, {"path": "/home"}),
    "into *": (functools.partial(listed, "/etc"), ("/home",), {}, {"paths": ["/etc", "/home"]}),
    "into * of none given": (functools.partial(listed, "/etc"), (), {}, {"paths": ["/etc"]}),
    "nested": (
        functools.partial(functools.partial(mixed, 1, 2, 3, x="inner"), 4, x="outer", y=5),
        (6,),
        {"z": 7},
        {"first": 1, "second": 2, "rest": [3, 4, 6], "key": "k", "x": "outer", "y": 5, "z": 7},
    ),
    "by keyword and position": (
        functools.partial(mixed, 1, second=9, key="K"),
        (),
        {"second": 3},
        {"first": 1, "second": 3, "key": "K"},
    ),
    "of a method": (
        functools.partial(Files().read, **{"self": "/etc"}),
        (),
        {"path": "p"},
        {"path": "p", "self": "/etc"},
    ),
    "of a method into *": (functools.partial(Files().many, "/etc"), ("a",), {}, {"paths": ["/etc", "a"]}),
    "of an unbound method": (
        functools.partial(Files.read, Files(), **{"self": "/etc"}),
        (),
        {},
        {"path": "/home", "self": "/etc"},
    ),
    "a method that takes anything": (Files().anything, (1,), {"b": 2}, {"args": [1], "b": 2}),
    "of one that takes anything": (functools.partial(Files().anything, 1), (2,), {}, {"args": [1, 2]}),
    "method of a partial": (
        types.MethodType(functools.partial(mixed, 0), "r"),
        (1,),
        {},
        {"first": 0, "second": "r", "rest": [1], "key": "k"},
    ),
    "partial method": (Files().opened, (), {"a": 1}, {"path": "/etc", "a": 1}),
    "builtin": (functools.partial(max, 3, key=None), (4,), {}, {"args": [3, 4], "key": None}),
    "builtin with names": (
        functools.partial(sorted, [2, 1]),
        (),
        {"reverse": True},
        {"iterable": [2, 1], "key": None, "reverse": True},
    ),
    "class": (functools.partial(Opened, "/etc"), (), {"mode": "w"}, {"path": "/etc", "mode": "w"}),
    "class by keyword": (functools.partial(Opened, path="/etc"), (), {}, {"path": "/etc", "mode": "r"}),
    "cached": (functools.partial(functools.lru_cache(Files.read), Files(), "p"), (), {}, {"path": "p"}),
    "cached method": (functools.partial(Files().cached, "/etc"), ("w",), {}, {"path": "/etc", "mode": "w"}),
    "coroutine": (functools.partial(waiting, "/etc", a=1), ("b",), {"c": 2}, {"paths": ["/etc", "b"], "a": 1, "c": 2}),
}


@pytest.mark.parametrize("case", HELD)
def test_rules_and_records_see_what_the_body_gets(case: str) -> None:
    bare, args, more, expected = HELD[case]
    with engine() as test:
        guarded = cs.guard_tool("tool", bare)
        given, plain = guarded(*args, **more), bare(*args, **more)
        if inspect.isawaitable(given):

            async def both() -> tuple[object, object]:
                return await given, await plain

            assert inspect.iscoroutinefunction(guarded)
            given, plain = asyncio.run(both())
        assert getattr(given, "got", given) == getattr(plain, "got", plain)
        recorded = test.decisions[-1].arguments
        assert {name: value for name, value in recorded.items() if (name, value) != ("rest", [])} == expected
        if isinstance(guarded, types.FunctionType):
            assert inspect.signature(guarded) == inspect.signature(bare)


@pytest.mark.parametrize(
    ("bare", "when"),
    [
        (functools.partial(keywords, path="/etc"), 'string(args.path) == "/etc"'),
        (functools.partial(listed, "/etc"), 'args.paths.exists(p, string(p) == "/etc")'),
        (functools.partial(open, "/etc/passwd"), 'has(args.file) && string(args.file) == "/etc/passwd"'),
        (functools.partial(Opened, "/etc"), 'string(args.path) == "/etc"'),
        (functools.partial(Files().read, **{"self": "/etc"}), 'has(args.self) && string(args.self) == "/etc"'),
    ],
)
def test_a_rule_on_a_held_argument_refuses(bare: Body, when: str) -> None:
    with engine(deny_when("tool", when)):
        guarded = cs.guard_tool("tool", bare)
        with pytest.raises(cs.PolicyDenied) as denied:
            guarded()
        assert denied.value.reason_code == "rule"
        assert cs.check(guarded, {}).reason_code == "rule"


def test_a_keyword_given_to_a_partial_of_a_method_is_an_argument() -> None:
    with engine(deny_when("tool", "has(args.self)")):
        guarded = cs.guard_tool("tool", functools.partial(Files().read))
        assert guarded("p") == ("p", {})
        with pytest.raises(cs.PolicyDenied):
            guarded(**{"self": "/etc"})


def test_a_partial_that_is_changed_later_changes_neither_decision_nor_body() -> None:
    with engine() as test:
        for bare in (functools.partial(keywords, path="/home"), functools.partial(dict, path="/home")):
            guarded = cs.guard_tool("tool", bare)
            bare.keywords["path"] = "/etc"
            assert guarded() == {"path": "/home"}
            assert test.decisions[-1].arguments["path"] == "/home"


def test_a_partial_class_with_a_call_of_its_own_is_a_callable_object() -> None:
    class Prefixed(functools.partial):
        def __call__(self, path: str) -> object:
            return self.func("/etc" + path)

    with engine() as test:
        assert cs.guard_tool("tool", Prefixed(listed, "unused"))("/x") == ("/etc/x",)
        assert test.decisions[-1].arguments == {"path": "/x"}


def test_holes_of_a_partial_are_filled_as_python_fills_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from counterseal import _signature

    hole = _signature._HOLE
    assert _signature.combined((hole, 2, hole, 4), (1, 3, 5)) == (1, 2, 3, 4, 5)
    assert _signature.combined((hole, 2, hole, 4), (1,)) == (1, 2, hole, 4)
    if hasattr(functools, "Placeholder"):
        with engine() as test:
            guarded = cs.guard_tool("tool", functools.partial(mixed, hole, 2, hole, x=1))
            assert guarded(1, 3, 4) == (1, 2, (3, 4), "k", {"x": 1})
            assert test.decisions[-1].arguments == {"first": 1, "second": 2, "rest": [3, 4], "key": "k", "x": 1}


class Static:
    @staticmethod
    def __call__(path: str, mode: str = "r") -> tuple[str, str]:
        return path, mode


class OfClass:
    @classmethod
    def __call__(cls, path: str, mode: str = "r") -> tuple[str, str]:
        return path, mode


class OfBuiltin:
    __call__ = staticmethod(len)


class ByDescriptor:
    class Found:
        def __get__(self, instance: object, owner: type) -> Body:
            return lambda path: path

    __call__ = Found()


def test_a_callable_object_is_decided_under_the_names_of_what_it_runs() -> None:
    with engine() as test:
        for bare in (Static(), OfClass(), functools.partial(Static())):
            assert cs.guard_tool("tool", bare)("/etc") == ("/etc", "r")
            assert test.decisions[-1].arguments == {"path": "/etc", "mode": "r"}
        assert cs.guard_tool("tool", OfBuiltin())([1]) == 1
        assert test.decisions[-1].arguments == {"obj": [1]}
        assert cs.guard_tool("tool", ByDescriptor())("/etc") == "/etc"
        assert test.decisions[-1].arguments == {"args": ["/etc"]}


def test_a_signature_that_says_something_else_renames_no_argument() -> None:
    def send(to: str, text: str) -> tuple[str, str]:
        return to, text

    send.__signature__ = inspect.signature(lambda text, to: None)  # type: ignore[attr-defined]
    holder = types.SimpleNamespace()
    with engine() as test:
        for bare in (send, functools.partial(send), functools.partial(send, "a@b")):
            left = ("a@b", "hello")[len(getattr(bare, "args", ())) :]
            assert cs.guard_tool("tool", bare)(*left) == ("a@b", "hello")
            assert test.decisions[-1].arguments == {"to": "a@b", "text": "hello"}
        assert cs.guard_tool("tool", types.MethodType(send, holder))("hello") == (holder, "hello")
        assert test.decisions[-1].arguments == {"text": "hello"}


def test_a_wrapper_that_says_what_it_takes_is_believed_bound_or_partial() -> None:
    def anything(*args: object, **more: object) -> object:
        return args, more

    anything.__signature__ = inspect.signature(lambda self, path, mode="r": None)  # type: ignore[attr-defined]
    with engine() as test:
        method = types.MethodType(anything, Files())
        for bare in (method, functools.partial(method)):
            cs.guard_tool("tool", bare)("/etc")
            assert test.decisions[-1].arguments == {"path": "/etc", "mode": "r"}
        cs.guard_tool("tool", functools.partial(method, "/etc", mode="w"))()
        assert test.decisions[-1].arguments == {"path": "/etc", "mode": "w"}


def test_a_static_method_over_a_guard_hides_no_plain_value() -> None:
    class Tools:
        @staticmethod
        @cs.guard(name="tool")
        def read(self: object, mode: str = "r") -> object:
            return self

        @cs.guard(name="tool")
        def method(self, mode: str = "r") -> object:
            return mode

    with engine() as test:
        for value in ("/etc", ["/etc"], 5, None):
            assert Tools.read(value) == value
            assert test.decisions[-1].arguments == {"mode": "r", "self": value}
        Tools().method("w")
        assert test.decisions[-1].arguments == {"mode": "w"}


def test_names_that_source_code_folds_are_not_confused() -> None:
    def body(a: object = 1, b: object = 2) -> tuple[object, object]:
        return a, b

    folded = "\N{LATIN SMALL LIGATURE FI}"
    for names in ((folded, "fi"), ("fi", folded), ("a b", "c"), ("class", "d"), ("a): pass\nimport os; (", "e")):
        renamed = types.FunctionType(body.__code__.replace(co_varnames=names), {}, "body", (1, 2))
        with engine() as test:
            assert cs.guard_tool("tool", renamed)(3, **{names[1]: 4}) == (3, 4)
            got = test.decisions[-1].arguments
            assert list(got.values())[::1] in ([3, 4], [[3], 4], [4, [3]], [4, 3])
    accented = types.FunctionType(body.__code__.replace(co_varnames=("größe", "b")), {}, "body", (1, 2))
    with engine() as test:
        assert cs.guard_tool("tool", accented)(**{"größe": 3}) == (3, 2)
        assert test.decisions[-1].arguments == {"größe": 3, "b": 2}


def test_parameters_may_be_called_as_the_generated_functions_own_names() -> None:
    def body(make, guarded, _cs_body, _cs_combined, _cs_before, /, *_cs_, **_cs_keywords):  # type: ignore[no-untyped-def]
        return make, guarded, _cs_body, _cs_combined, _cs_before, _cs_, _cs_keywords

    with engine() as test:
        bare = functools.partial(body, 1, 2, 3, 4, 5, 6, a=8)
        assert cs.guard_tool("tool", bare)(7, b=9) == (1, 2, 3, 4, 5, (6, 7), {"a": 8, "b": 9})
        assert test.decisions[-1].arguments == {
            "make": 1,
            "guarded": 2,
            "_cs_body": 3,
            "_cs_combined": 4,
            "_cs_before": 5,
            "_cs_": [6, 7],
            "a": 8,
            "b": 9,
        }
