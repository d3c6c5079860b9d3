"""Every way of calling gives rules and records the same arguments, and every kind of callable completes."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import threading
import typing

import counterseal as cs
import pytest
from counterseal.testing import engine

Call = typing.Callable[[typing.Any], object]


def body(order_id, amount=1.0, *, note="n"):
    return f"{order_id}:{amount}:{note}"


async def coroutine(order_id, amount=1.0, *, note="n"):
    await asyncio.sleep(0)
    return f"{order_id}:{amount}:{note}"


class Refunds:
    def method(self, order_id, amount=1.0, *, note="n"):
        return f"{order_id}:{amount}:{note}"

    @classmethod
    def of_class(cls, order_id, amount=1.0, *, note="n"):
        return f"{order_id}:{amount}:{note}"

    __call__ = method


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


UNPACKED = ["o"]
UNPACKED_BY_NAME = {"amount": 2.0}
STYLES: dict[str, Call] = {
    "positional": lambda f: f("o", 2.0),
    "keyword": lambda f: f(order_id="o", amount=2.0),
    "mixed": lambda f: f("o", amount=2.0, note="n"),
    "unpacked": lambda f: f(*UNPACKED, **UNPACKED_BY_NAME),
    "partial of the guarded": lambda f: functools.partial(f, "o")(amount=2.0),
}
CALLABLES: dict[str, typing.Callable[[], typing.Any]] = {
    "function": lambda: body,
    "lambda": lambda: lambda order_id, amount=1.0, *, note="n": body(order_id, amount, note=note),
    "bound method": lambda: Refunds().method,
    "class method": lambda: Refunds.of_class,
    "callable object": Refunds,
    "partial": lambda: functools.partial(body, note="n"),
    "partial of a partial": lambda: functools.partial(functools.partial(body), note="n"),
}
EXPECTED = {"amount": 2, "note": "n", "order_id": "o"}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", CALLABLES)
def test_every_style_of_every_callable_gives_the_same_arguments(kind: str, style: str) -> None:
    with engine() as test:
        guarded = cs.guard_tool("refund", CALLABLES[kind]())
        assert STYLES[style](guarded) == "o:2.0:n"
        assert [(one.arguments, one.outcome) for one in test.decisions] == [(EXPECTED, "success")]


def test_arguments_that_a_partial_fixes_are_arguments() -> None:
    with engine() as test:
        guarded = cs.guard_tool("refund", functools.partial(body, "o", note="n"))
        assert guarded(2.0) == "o:2.0:n"
        unbound = cs.guard_tool("refund_unbound", functools.partial(Refunds.method, Refunds(), "o"))
        assert unbound(2.0) == "o:2.0:n"
        assert [one.arguments for one in test.decisions] == [EXPECTED, EXPECTED]


def test_one_dict_and_json_text_give_the_same_arguments_defaults_included() -> None:
    with engine() as test:
        guarded = cs.guard_tool("refund", body)
        for tool in ("refund", guarded):
            for given in (
                {"order_id": "o", "amount": 2.0},
                '{"amount": 2.0, "order_id": "o"}',
                b'{"amount":2,"order_id":"o"}',
            ):
                with cs.enforce(tool, given):
                    pass
        assert [one.arguments for one in test.decisions] == [EXPECTED] * 6
        digests = {one.decided["digest"] for one in test.decisions}
        guarded("o", 2.0)
        assert digests == {test.decisions[-1].decided["digest"]}


def test_extra_arguments_go_by_their_own_names() -> None:
    def many(first, /, *rest, key, **more):
        return (first, rest, key, more)

    with engine() as test:
        guarded = cs.guard_tool("many", many)
        assert guarded(1, 2, 3, key=4, other=5) == (1, (2, 3), 4, {"other": 5})
        assert test.decisions[-1].arguments == {"first": 1, "key": 4, "other": 5, "rest": [2, 3]}
        with pytest.raises(cs.PolicyDenied) as denied:
            guarded(1, key=2, first="another")
        assert denied.value.reason_code == "capture_failed"
        assert "`first`" in denied.value.message


def test_a_wrapper_called_as_its_function_cannot_be_is_named_as_it_is_called() -> None:
    @logged
    def small(a):
        return a

    with engine() as test:
        guarded = cs.guard_tool("small", small)
        with pytest.raises(TypeError):
            guarded(1, 2, b=3)
        assert test.decisions[-1].arguments == {"args": [1, 2], "b": 3}
        assert test.decisions[-1].outcome == "error"


def test_injected_parameters_reach_the_body_and_nothing_else() -> None:
    def transfer(account, amount, *, client=None):
        return (account, amount, client)

    with engine() as test:
        guarded = cs.guard_tool("transfer", transfer, inject=["account", "client"])
        account, client = object(), object()
        assert guarded(account, 5, client=client) == (account, 5, client)
        wrapped = cs.guard_tool("wrapped", logged(transfer), inject=["account", "client"])
        assert wrapped(account, 5, client=client) == (account, 5, client)
        assert [one.arguments for one in test.decisions] == [{"amount": 5}, {"args": [{"$opaque": "object"}, 5]}]
        with pytest.raises(cs.ConfigurationError, match="no parameter `acount`"):
            cs.guard_tool("typo", transfer, inject=["acount"])


def test_builtins_are_guarded_natively() -> None:
    with engine({"version": 1, "name": "p", "scope": ["longest", "add"]}) as test:
        longest = cs.guard_tool("longest", max)
        assert longest("a", "bbb", key=len) == "bbb"
        items: list[int] = []
        add = cs.guard_tool("add", items.append)
        add(3)
        with pytest.raises(cs.PolicyDenied):
            cs.guard_tool("other", items.append)(4)
        assert items == [3]
        assert longest.__name__ == "max"
        assert longest.__wrapped__ is max
        assert [one.arguments for one in test.decisions[:2]] == [
            {"args": ["a", "bbb"], "key": {"$opaque": "builtin_function_or_method"}},
            {"object": 3},
        ]


def test_a_guarded_builtin_binds_as_the_bare_one() -> None:
    with engine():

        class Text(str):
            upper = cs.guard_tool("upper", str.upper)
            length = cs.guard_tool("length", len)

        assert Text("a").upper() == "A"
        assert Text("a").length("abc") == 3


class Seen(Exception):
    pass


def test_the_bodys_own_exception_passes_untouched() -> None:
    error, cause = Seen("kept"), ValueError("why")

    def failing(x):
        raise error from cause

    with engine() as test:
        guarded = cs.guard_tool("failing", failing)
        with pytest.raises(Seen) as raised:
            guarded(1)
        assert raised.value is error
        assert error.__cause__ is cause
        assert error.__context__ is None
        last = error.__traceback__
        while last.tb_next is not None:
            last = last.tb_next
        assert last.tb_frame.f_code is failing.__code__
        assert test.decisions[-1].outcome == "error"


def test_a_builtins_exception_passes_too() -> None:
    with engine() as test:
        with pytest.raises(ValueError, match="invalid literal"):
            cs.guard_tool("number", int)("x")
        assert test.decisions[-1].outcome == "error"


def test_a_coroutine_is_decided_when_it_runs() -> None:
    async def main() -> None:
        with engine({"version": 1, "name": "p", "scope": ["refund"]}) as test:
            guarded = cs.guard_tool("refund", coroutine)
            waiting = guarded("o", 2.0)
            assert test.decisions == []
            assert await waiting == "o:2.0:n"
            assert [(one.arguments, one.outcome) for one in test.decisions] == [(EXPECTED, "success")]
            with pytest.raises(cs.PolicyDenied):
                await cs.guard_tool("other", coroutine)("o")

            class Method:
                async def __call__(self, x):
                    return x

            called = cs.guard_tool("refund", Method())
            assert inspect.iscoroutinefunction(called)
            assert await called(1) == 1

    asyncio.run(main())


def test_a_cancelled_coroutine_is_interrupted() -> None:
    async def slow(x):
        await asyncio.sleep(3600)

    async def main() -> None:
        with engine() as test:
            task = asyncio.ensure_future(cs.guard_tool("slow", slow)(1))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert test.decisions[-1].outcome == "interrupted"

    asyncio.run(main())


def test_a_coroutine_cancelled_by_trio_is_interrupted_too() -> None:
    trio = pytest.importorskip("trio")

    async def slow(x):
        await trio.sleep_forever()

    async def main() -> None:
        with trio.move_on_after(0):
            await cs.guard_tool("slow", slow)(1)

    with engine() as test:
        trio.run(main)
        assert test.decisions[-1].outcome == "interrupted"


def generator(n):
    received = []
    try:
        for i in range(n):
            received.append((yield i))
    except Seen as error:
        received.append(error)
        yield "caught"
    return received


def test_a_generator_is_decided_when_it_starts_and_completes_when_it_ends() -> None:
    with engine({"version": 1, "name": "p", "scope": ["numbers"]}) as test:
        numbers = cs.guard_tool("numbers", generator)
        started = numbers(2)
        assert test.decisions == []
        assert next(started) == 0
        assert started.send("a") == 1
        assert test.decisions[-1].outcome is None
        with pytest.raises(StopIteration) as ended:
            started.send("b")
        assert ended.value.value == ["a", "b"]
        assert test.decisions[-1].outcome == "success"
        assert test.decisions[-1].completed["result"] == "uncaptured"

        thrown = numbers(2)
        next(thrown)
        assert thrown.throw(Seen()) == "caught"
        assert list(thrown) == []
        assert test.decisions[-1].outcome == "success"

        closed = numbers(2)
        next(closed)
        closed.close()
        assert test.decisions[-1].outcome == "interrupted"

        dropped = numbers(2)
        next(dropped)
        del dropped
        gc.collect()
        assert test.decisions[-1].outcome == "interrupted"

        with pytest.raises(cs.PolicyDenied):
            next(cs.guard_tool("other", generator)(1))


async def async_generator(n):
    received = []
    try:
        for i in range(n):
            await asyncio.sleep(0)
            received.append((yield i))
    except Seen as error:
        received.append(error)
        yield "caught"
    finally:
        await asyncio.sleep(0)
        LOG.append(received)


LOG: list[object] = []


def test_an_async_generator_forwards_everything() -> None:
    async def main() -> None:
        with engine() as test:
            numbers = cs.guard_tool("numbers", async_generator)
            assert [i async for i in numbers(3)] == [0, 1, 2]
            assert test.decisions[-1].outcome == "success"
            assert [i async for i in numbers(0)] == []
            assert test.decisions[-1].outcome == "success"

            sent = numbers(2)
            assert await sent.__anext__() == 0
            assert await sent.asend("a") == 1
            with pytest.raises(StopAsyncIteration):
                await sent.asend("b")
            assert LOG[-1] == ["a", "b"]

            thrown = numbers(2)
            await thrown.__anext__()
            assert await thrown.athrow(Seen()) == "caught"
            with pytest.raises(StopAsyncIteration):
                await thrown.__anext__()
            assert test.decisions[-1].outcome == "success"

            uncaught = numbers(2)
            await uncaught.__anext__()
            error = ZeroDivisionError()
            with pytest.raises(ZeroDivisionError) as raised:
                await uncaught.athrow(error)
            assert raised.value is error
            assert test.decisions[-1].outcome == "error"

            closed = numbers(2)
            await closed.__anext__()
            length = len(LOG)
            await closed.aclose()
            assert len(LOG) == length + 1
            assert test.decisions[-1].outcome == "interrupted"

    asyncio.run(main())


def giving(result):
    def give():
        return result

    return give


def test_results_are_digested_and_never_changed() -> None:
    class Odd:
        def __eq__(self, other):
            raise AssertionError("a result is handed on, not looked at")

    results = [None, {"a": [1]}, Odd(), "\ud800", generator(1), "x" * 100_000]
    with engine() as test:
        for result in results:
            assert cs.guard_tool("give", giving(result))() is result
        recorded = [one.completed["result"] for one in test.decisions]
        assert [one if isinstance(one, str) else one["bytes"] for one in recorded] == [
            4,
            9,
            "uncaptured",
            "uncaptured",
            "uncaptured",
            100_002,
        ]


def test_a_guarded_call_inside_another_is_its_own() -> None:
    with engine() as test:
        inner = cs.guard_tool("inner", lambda x: x)
        outer = cs.guard_tool("outer", lambda x: inner(x) + 1)
        assert outer(1) == 2
        assert [one.tool for one in test.decisions] == ["outer", "inner"]


def test_threads_decide_side_by_side() -> None:
    with engine() as test:
        guarded = cs.guard_tool("work", lambda n: n)
        seen: list[int] = []

        def work(start: int) -> None:
            with cs.session(f"s{start}"):
                for n in range(start, start + 200):
                    seen.append(guarded(n))

        threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 800, 200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(seen) == list(range(800))
        by_session = {(one.decided["session"], one.arguments["n"] // 200 * 200) for one in test.decisions}
        assert by_session == {(f"s{start}", start) for start in range(0, 800, 200)}
        assert {one.outcome for one in test.decisions} == {"success"}
