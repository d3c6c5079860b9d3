"""Calls that have to wait: for room in the spool, for the disk. Nobody else is held up, and what was changed meanwhile is refused."""

from __future__ import annotations

import asyncio
import os
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import counterseal as cs
import pytest
from conftest import broken_disk, until
from counterseal.testing import TestEngine, engine

POLICY = {
    "version": 1,
    "name": "waiting",
    "rules": [{"id": "no", "tools": ["nothing"], "decision": "deny"}],
}
DURABLE = {**POLICY, "record": {"sync": "durable"}}
MANY = 200


def test_durable_calls_of_a_loop_need_no_executor() -> None:
    async def put(items: int) -> int:
        return items

    async def program() -> list[int]:
        tool = cs.guard_tool("put", put)
        loop = asyncio.get_running_loop()
        await loop.shutdown_default_executor()
        before = threading.active_count()
        calls = [asyncio.ensure_future(tool(number)) for number in range(MANY)]
        await asyncio.sleep(0)
        # The thread that sees to them is none of the threading module's.
        assert threading.active_count() == before
        return await asyncio.gather(*calls)

    with engine(DURABLE) as test:
        assert asyncio.run(program()) == list(range(MANY))
        assert asyncio.run(program()) == list(range(MANY))
        assert [one.outcome for one in test.decisions] == ["success"] * 2 * MANY


def ledger_health(what: str) -> int:
    return int(cs.health()["ledger"][what])


class Caller(threading.Thread):
    """One call on a thread of its own."""

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.call = call
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.call()
        except BaseException as error:  # noqa: BLE001
            self.error = error


def refused_as_changed(error: BaseException | None, test: TestEngine) -> None:
    assert isinstance(error, cs.PolicyDenied), error
    assert (error.reason_code, bool(error.remediation)) == ("call_changed", True)
    assert error.action_id == test.decisions[0].decided["action_id"]
    assert [(one.effect, one.outcome) for one in test.decisions] == [("run", "denied")]


@pytest.mark.parametrize("kind", ["function", "fallback"])
def test_an_argument_changed_while_the_record_goes_to_the_disk_is_refused(kind: str) -> None:
    ran: list[object] = []
    items = ["one"]
    with engine(DURABLE) as test:
        tool = cs.guard_tool("put", (lambda items: ran.append(items)) if kind == "function" else ran.append)
        with broken_disk(Path(test.home)):
            caller = Caller(lambda: tool(items))
            caller.start()
            # It gives the interpreter's lock up for its wait alone, which does not end here.
            until(lambda: ledger_health("queued_bytes") > 0)
            items[0] = "other"
        caller.join()
        refused_as_changed(caller.error, test)
    assert ran == []


@pytest.mark.parametrize("kind", ["coroutine", "generator", "permit"])
def test_an_argument_changed_while_a_loop_waits_for_the_disk_is_refused(kind: str) -> None:
    ran: list[object] = []

    async def put(items: list[str]) -> None:
        ran.append(items)

    async def give(items: list[str]) -> object:
        ran.append(items)
        yield items

    async def coroutine(items: list[str]) -> None:
        await cs.guard_tool("put", put)(items)

    async def generator(items: list[str]) -> None:
        async for _ in cs.guard_tool("put", give)(items):
            pass

    async def permit(items: list[str]) -> None:
        async with cs.enforce("put", {"items": items}):
            ran.append(items)

    async def program(test: TestEngine, call: Callable[[list[str]], Awaitable[None]]) -> BaseException | None:
        items = ["one"]
        with broken_disk(Path(test.home)):
            calling = asyncio.ensure_future(call(items))
            await asyncio.sleep(0)
            assert ledger_health("queued_bytes") > 0
            items.append("two")
        return (await asyncio.gather(calling, return_exceptions=True))[0]

    with engine(DURABLE) as test:
        call = {"coroutine": coroutine, "generator": generator, "permit": permit}[kind]
        refused_as_changed(asyncio.run(program(test, call)), test)
    assert ran == []


def test_a_permit_whose_arguments_were_changed_is_never_entered() -> None:
    with engine(DURABLE) as test:
        items = ["one"]
        permit = cs.enforce("put", {"items": items})
        items.append("two")
        with pytest.raises(cs.PolicyDenied) as denied, permit:
            pytest.fail("the block must not run")
        refused_as_changed(denied.value, test)
        with pytest.raises(cs.LifecycleError), permit:
            pytest.fail("the block must not run")


def test_what_nobody_changed_runs_once_its_record_is_on_the_disk() -> None:
    with engine(DURABLE) as test:
        assert cs.guard_tool("put", len)([1, {"deep": {2, 3}}]) == 2
        with cs.enforce("put", {"items": [1]}) as permit:
            permit.set_result("done")
        assert [(one.effect, one.outcome) for one in test.decisions] == [("run", "success")] * 2


def test_a_call_cancelled_before_its_body_has_spent_nothing() -> None:
    async def put(items: int) -> int:
        return items

    async def program(test: TestEngine) -> int:
        tool = cs.guard_tool("put", put)
        for _ in range(3):
            with broken_disk(Path(test.home)):
                calling = asyncio.ensure_future(tool(1))
                await asyncio.sleep(0)
                calling.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await calling
        return await tool(2)

    with engine({**DURABLE, "budgets": [{"id": "one", "calls": 1}]}) as test:
        assert asyncio.run(program(test)) == 2
        assert [one.outcome for one in test.decisions] == ["cancelled"] * 3 + ["success"]


def test_a_loop_that_is_closed_while_a_call_waits_harms_nobody() -> None:
    async def put(items: int) -> int:
        return items

    with engine(DURABLE) as test:
        tool = cs.guard_tool("put", put)
        with broken_disk(Path(test.home)):
            loop = asyncio.new_event_loop()
            loop.create_task(tool(1))
            loop.run_until_complete(asyncio.sleep(0))
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
        assert asyncio.run(tool(2)) == 2
        assert test.decisions[1].outcome == "success"


@contextmanager
def a_call_that_waits_for_room(home: Path) -> Iterator[list[cs.PolicyDenied]]:
    """In the block a thread waits for room in the spool of `home`, again and again; what it was refused with."""
    refused: list[cs.PolicyDenied] = []
    tool = cs.guard_tool("put", lambda items: None)
    with broken_disk(home):
        tool(["first"])
        while ledger_health("capacity_bytes") - ledger_health("queued_bytes") > 980_000:
            tool(["x" * 200_000])
        seen = threading.Event()

        def call() -> None:
            while not seen.is_set():
                try:
                    tool(["y" * 990_000])
                except cs.PolicyDenied as denied:
                    refused.append(denied)

        def one_waits() -> bool:
            ledger = cs.health()["ledger"]
            return bool(ledger["waits"] > ledger["full"])

        caller = Caller(call)
        caller.start()
        # With the interpreter's lock held, this thread would see each wait only once it has ended in a refusal.
        until(one_waits)
        yield refused
        seen.set()
    caller.join()
    assert caller.error is None


def test_a_call_that_waits_for_room_holds_up_no_other_thread() -> None:
    with engine(POLICY) as test, a_call_that_waits_for_room(Path(test.home)):
        pass


def test_a_call_that_waits_for_room_is_not_closed_by_a_new_configuration(tmp_path: Path) -> None:
    cs.configure(policy=POLICY, home=tmp_path / "one")
    with a_call_that_waits_for_room(tmp_path / "one") as refused:
        cs.configure(policy=POLICY, home=tmp_path / "two")
    cs.close()
    assert [one.decision.detail for one in refused if "closed" in (one.decision.detail or "")] == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("policy", [POLICY, DURABLE], ids=["ready", "waiting"])
@pytest.mark.parametrize("fail_mode", ["closed", "open"])
def test_a_permit_of_the_parent_does_not_run_in_a_child(policy: dict[str, object], fail_mode: str) -> None:
    with engine({**policy, "fail_mode": fail_mode}) as test:
        permit = cs.enforce("wipe", {"disk": "a"})

        def entered() -> None:
            with pytest.raises(cs.LifecycleError) as refused, permit:
                pytest.fail("the block must not run")
            assert refused.value.code == "forked"

        assert in_child(entered) == 0
        with permit:
            pass
        assert [(one.tool, one.outcome) for one in test.decisions] == [("wipe", "success")]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_coroutine_that_waits_in_the_parent_is_refused_in_a_child() -> None:
    ran: list[str] = []

    async def wipe(disk: str) -> None:
        ran.append(disk)

    with engine(DURABLE) as test:
        loop = asyncio.new_event_loop()
        with broken_disk(Path(test.home)):
            calling = loop.create_task(cs.guard_tool("wipe", wipe)("a"))
            loop.run_until_complete(asyncio.sleep(0))

            def refused() -> None:
                with pytest.raises(cs.LifecycleError) as refused:
                    loop.run_until_complete(calling)
                assert (refused.value.code, ran) == ("forked", [])

            assert in_child(refused) == 0
        loop.run_until_complete(calling)
        loop.close()
        assert (ran, [one.outcome for one in test.decisions]) == (["a"], ["success"])


def in_child(work: Callable[[], None]) -> int:
    """Runs `work` in a forked child; 0 where it raised nothing."""
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
