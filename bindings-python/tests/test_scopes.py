"""Sessions and runs, entered and left by tasks, threads and generators in any order."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager

import counterseal as cs


def test_one_scope_is_entered_by_many_tasks_and_threads_and_left_by_each() -> None:
    shared = cs.session("shared")
    barrier = threading.Barrier(2)
    seen: list[tuple[str | None, str | None]] = []

    async def task(steps: int) -> tuple[str | None, str | None]:
        async with shared:
            for _ in range(steps):
                await asyncio.sleep(0)
            inside = cs.get_session()
        return inside, cs.get_session()

    async def tasks() -> list[tuple[str | None, str | None]]:
        return await asyncio.gather(*(task(steps) for steps in (3, 0, 2, 1)))

    def thread(outer: str, first: bool) -> None:
        with cs.session(outer), shared:
            barrier.wait()
            if first:
                barrier.wait()
            inside = cs.get_session()
            shared.__exit__(None, None, None)
            seen.append((inside, cs.get_session()))
            if not first:
                barrier.wait()

    assert asyncio.run(tasks()) == [("shared", None)] * 4
    threads = [threading.Thread(target=thread, args=(outer, outer == "a")) for outer in ("a", "b")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert seen == [("shared", "b"), ("shared", "a")]


def test_scopes_that_are_left_in_another_order_end_where_they_began() -> None:
    def entered(scope: AbstractContextManager[object]) -> Iterator[None]:
        with scope:
            yield

    with cs.session("outer"):
        first, second = entered(cs.session("first")), entered(cs.session("second"))
        next(first)
        next(second)
        assert next(first, None) is None
        assert cs.get_session() == "second"
        assert next(second, None) is None
        assert cs.get_session() == "outer"
        with cs.run("r"), cs.session("same") as outer, cs.session("same") as inner:
            assert outer is not inner
    assert cs.get_session() is None


def test_a_scope_left_in_a_context_that_did_not_enter_it_changes_nothing_there() -> None:
    scope = cs.session("entered elsewhere")
    contextvars.Context().run(scope.__enter__)
    with cs.session("here"):
        scope.__exit__(None, None, None)
        assert cs.get_session() == "here"
