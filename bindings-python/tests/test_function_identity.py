"""A guarded function equals the bare one wherever a program or a framework looks at it."""

from __future__ import annotations

import asyncio
import collections.abc
import copy
import functools
import inspect
import pickle
import subprocess
import sys
import textwrap
import types
import typing
from pathlib import Path

import counterseal as cs
import pytest

pytestmark = pytest.mark.usefixtures("allowing")

DEFAULT = ["shared"]


def plain(order_id: str, /, amount: float = 1.0, *rest: int, note: list[str] = DEFAULT, **more: object) -> str:
    """Documented."""
    return f"{order_id} {amount} {rest} {note} {more}"


def empty() -> None:
    pass


def keyword_only(*, b: int, a: int = 2) -> tuple[int, int]:
    return a, b


async def coroutine(x: int, y: int = 2) -> int:
    await asyncio.sleep(0)
    return x + y


def generator(n: int) -> collections.abc.Generator[int, str, str]:
    got = []
    for i in range(n):
        got.append((yield i))
    return "".join(map(str, got))


async def async_generator(n: int) -> collections.abc.AsyncGenerator[int, None]:
    for i in range(n):
        await asyncio.sleep(0)
        yield i


def awkward(_cs_ticket: int, self: int, _cs__body: int = 0, __import__: int = 1) -> tuple[int, ...]:
    return _cs_ticket, self, _cs__body, __import__


plain.mark = {"kept": True}  # type: ignore[attr-defined]
FUNCTIONS = [plain, empty, keyword_only, coroutine, generator, async_generator, awkward, lambda x, *y: (x, y)]
QUESTIONS = [
    inspect.isfunction,
    inspect.isroutine,
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
    inspect.isbuiltin,
    inspect.ismethod,
    callable,
    inspect.getdoc,
    inspect.getmodule,
    inspect.getsource,
    inspect.getsourcefile,
    inspect.signature,
    lambda f: inspect.signature(f, follow_wrapped=False),
    inspect.getfullargspec,
    typing.get_type_hints,
    type,
]
ATTRIBUTES = ["__doc__", "__name__", "__qualname__", "__module__", "__annotations__", "__globals__", "__kwdefaults__"]


@pytest.mark.parametrize("bare", FUNCTIONS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("question", QUESTIONS, ids=[getattr(q, "__name__", "?") for q in QUESTIONS])
def test_it_answers_as_the_bare_one(bare: types.FunctionType, question: typing.Any) -> None:
    assert question(cs.guard_tool("tool", bare)) == question(bare)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("bare", FUNCTIONS, ids=lambda f: f.__name__)
def test_asyncio_asks_for_itself(bare: types.FunctionType) -> None:
    assert asyncio.iscoroutinefunction(cs.guard_tool("tool", bare)) == asyncio.iscoroutinefunction(bare)


@pytest.mark.parametrize("bare", FUNCTIONS, ids=lambda f: f.__name__)
def test_its_attributes_are_the_bare_ones(bare: types.FunctionType) -> None:
    guarded = cs.guard_tool("tool", bare)
    for name in ATTRIBUTES:
        assert getattr(guarded, name) == getattr(bare, name), name
    assert guarded.__defaults__ is bare.__defaults__
    assert guarded.__wrapped__ is bare
    assert guarded.__code__.co_name == bare.__code__.co_name
    assert {name: value for name, value in guarded.__dict__.items() if name != "__wrapped__"} == bare.__dict__


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters came with Python 3.12")
def test_type_parameters_are_the_bare_ones() -> None:
    space: dict[str, typing.Any] = {}
    exec("def identity[T](x: T) -> T: return x", space)
    guarded = cs.guard_tool("identity", space["identity"])
    assert guarded.__type_params__ == space["identity"].__type_params__
    assert guarded(1) == 1


def test_defaults_are_the_same_objects() -> None:
    guarded = cs.guard_tool("tool", plain)
    assert guarded.__kwdefaults__["note"] is DEFAULT
    assert guarded("a", 2.0, 3, k=4) == plain("a", 2.0, 3, k=4)
    assert guarded("a") == plain("a")


@pytest.mark.parametrize(
    "call",
    [
        lambda f: f(),
        lambda f: f("a", "b", order_id="c", amount=1),
        lambda f: f(order_id="a"),
    ],
)
def test_a_call_that_does_not_fit_is_refused_as_python_refuses_it(call: typing.Any) -> None:
    def small(order_id, /, amount=1): ...

    with pytest.raises(TypeError) as bare:
        call(small)
    with pytest.raises(TypeError) as guarded:
        call(cs.guard_tool("tool", small))
    assert str(guarded.value).rpartition("()")[2] == str(bare.value).rpartition("()")[2]


def test_parameters_may_have_any_name() -> None:
    assert cs.guard_tool("tool", awkward)(1, 2, 3, 4) == (1, 2, 3, 4)


def test_types_coroutine_stays_awaitable() -> None:
    @types.coroutine
    def legacy(x):
        yield from asyncio.sleep(0).__await__()
        return x

    guarded = cs.guard_tool("legacy", legacy)
    assert inspect.isgeneratorfunction(guarded)

    async def main():
        return await guarded(3)

    assert asyncio.run(main()) == 3


class Base:
    def greet(self, name: str) -> str:
        return f"base {name}"

    @classmethod
    def make(cls, name: str) -> str:
        return f"{cls.__name__} {name}"


class Child(Base):
    @cs.guard
    def greet(self, name: str) -> str:
        return "child " + super().greet(name)

    @cs.guard
    @classmethod
    def make(cls, name: str) -> str:
        return "child " + super().make(name)

    @classmethod
    @cs.guard(name="make_inside")
    def make_inside(cls, name: str) -> str:
        return f"inside {cls.__name__} {name}"

    @cs.guard
    @staticmethod
    def fixed(name: str) -> str:
        return f"fixed {name}"

    @staticmethod
    @cs.guard(name="fixed_inside")
    def fixed_inside(name: str) -> str:
        return f"fixed {name}"

    @property
    @cs.guard
    def shown(self) -> str:
        return "shown"


class Grandchild(Child):
    def greet(self, name: str) -> str:
        return "grand " + super().greet(name)


def test_methods_stay_methods() -> None:
    child = Child()
    assert child.greet("x") == "child base x"
    assert Child.greet(child, name="x") == "child base x"
    assert Grandchild().greet("x") == "grand child base x"
    assert inspect.ismethod(child.greet)
    assert child.greet.__self__ is child
    assert Child.make("x") == "child Child x"
    assert Grandchild().make("x") == "child Grandchild x"
    assert Grandchild.make_inside("x") == "inside Grandchild x"
    assert Child.fixed("x") == child.fixed("x") == child.fixed_inside("x") == "fixed x"
    assert isinstance(inspect.getattr_static(Child, "fixed"), staticmethod)
    assert isinstance(inspect.getattr_static(Child, "make"), classmethod)
    assert child.shown == "shown"


def test_abstract_methods_stay_abstract() -> None:
    import abc

    class Abstract(abc.ABC):
        @cs.guard
        @abc.abstractmethod
        def do(self): ...

    with pytest.raises(TypeError):
        Abstract()


@cs.guard
def decorated(x: int) -> int:
    return x


def test_what_is_found_under_its_own_name_is_pickled_by_reference() -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(decorated, protocol)) is decorated
        assert pickle.loads(pickle.dumps(Child.greet, protocol)) is Child.greet
    assert copy.deepcopy(decorated) is decorated
    assert copy.copy(decorated) is decorated


def bound_partial() -> typing.Any:
    return functools.partial(plain, "x")


class Calls:
    def __call__(self, x: int) -> int:
        return x


@pytest.mark.parametrize(
    "bare", [plain, coroutine, Base().greet, bound_partial(), Calls(), len, functools.partial(max, 1), dict.get]
)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_is_not_found_there_is_not_pickled(bare: typing.Any, protocol: int) -> None:
    guarded = cs.guard_tool("tool", bare)
    with pytest.raises((pickle.PicklingError, AttributeError)) as refused:
        pickle.dumps(guarded, protocol)
    assert isinstance(refused.value, pickle.PicklingError) or sys.version_info < (3, 12)
    assert copy.deepcopy(guarded) is guarded


def test_another_process_unpickles_a_guarded_function(tmp_path: Path, home: Path) -> None:
    (tmp_path / "tools_module.py").write_text("import counterseal as cs\n@cs.guard\ndef tool(x): return x\n")
    program = textwrap.dedent(f"""
        import pickle, sys
        sys.path.insert(0, {str(tmp_path)!r})
        if len(sys.argv) == 1:
            import tools_module
            sys.stdout.write(pickle.dumps(tools_module.tool).hex())
        else:
            tool = pickle.loads(bytes.fromhex(sys.argv[1]))
            import counterseal as cs
            cs.configure(policy={{"version": 1, "name": "p", "scope": []}}, home={str(home / "other")!r})
            try:
                tool(1)
            except cs.PolicyDenied as denied:
                print(denied.reason_code)
    """)
    pickled = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    answer = subprocess.run([sys.executable, "-c", program, pickled], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "out_of_scope"


def test_a_forward_reference_is_not_evaluated_when_guarding() -> None:
    space: dict[str, typing.Any] = {"cs": cs, "__name__": "space"}
    exec("@cs.guard\ndef early(x: 'Late') -> 'Late': return x\nclass Late: pass", space)
    assert typing.get_type_hints(space["early"]) == {"x": space["Late"], "return": space["Late"]}


class Late:
    pass


class Hinted:
    def method(self, a: int, b: Late | None = None) -> float:
        return 1.0

    async def waiting(self, a: int) -> Late:
        return Late()

    def __call__(self, a: int, b: Late | None = None) -> float:
        return 1.0


class HintedStatic:
    @staticmethod
    def __call__(a: int) -> Late:
        return Late()


def test_type_hints_of_methods_and_callable_objects_are_those_of_what_they_run() -> None:
    hinted = Hinted()
    for bare, run in (
        (hinted.method, hinted.method),
        (hinted.waiting, hinted.waiting),
        (hinted, hinted.__call__),
        (HintedStatic(), HintedStatic.__call__),
    ):
        guarded = cs.guard_tool("tool", bare)
        assert typing.get_type_hints(guarded) == typing.get_type_hints(run) != {}
        assert inspect.signature(guarded) == inspect.signature(run)
        assert inspect.signature(guarded, eval_str=True) == inspect.signature(run, eval_str=True)


class Kept:
    def __init__(self, path: str = "/home") -> None:
        self.path = path

    def __reduce__(self) -> typing.Any:
        return Kept, (self.path,)

    def __deepcopy__(self, memo: object) -> Kept:
        raise AssertionError("an instance's own way of copying is none of its class")


guarded_class = cs.guard_tool("kept", Kept)
guarded_class.__qualname__ = guarded_class.__name__ = "guarded_class"


def test_a_guarded_class_is_copied_and_pickled_as_functions_are() -> None:
    assert pickle.loads(pickle.dumps(guarded_class)) is guarded_class
    assert copy.deepcopy(guarded_class) is guarded_class
    assert copy.copy(guarded_class) is guarded_class
    assert guarded_class("/etc").path == "/etc"
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(cs.guard_tool("tool", Kept))


def test_a_guarded_cache_can_be_asked_and_cleared() -> None:
    calls: list[int] = []

    @functools.lru_cache(maxsize=8)
    def square(x: int) -> int:
        calls.append(x)
        return x * x

    guarded = cs.guard_tool("square", square)
    assert [guarded(3), guarded(3)] == [9, 9]
    assert guarded.cache_info().hits == 1
    assert guarded.cache_parameters()["maxsize"] == 8
    guarded.cache_clear()
    assert guarded(3) == 9
    assert calls == [3, 3]
