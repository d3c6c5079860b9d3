"""Calls that wait for people: who is asked, what a yes lets run, and that nobody else is held up meanwhile."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import counterseal as cs
import pytest
from conftest import PATIENCE, until, until_async
from counterseal.testing import TestEngine, engine

POLICY: dict[str, Any] = {
    "version": 1,
    "name": "shop",
    "tools": {"refund": {"volatile": ["request_id"]}},
    "rules": [
        {
            "id": "large",
            "tools": ["refund"],
            "when": "args.amount > 100.0",
            "decision": "require_approval",
            "reason": "a person decides",
            "approval": {"timeout": "10m"},
        },
        {
            "id": "huge",
            "tools": ["refund"],
            "when": "args.amount > 9000.0",
            "decision": "deny",
            "reason": "never so much",
        },
    ],
    "redact": {"keys": ["password"]},
}
Body = Callable[..., Any]


def refund(amount: float, request_id: str = "r", *rest: object, **more: object) -> tuple[object, ...]:
    return amount, request_id, rest, more


async def refund_async(amount: float, request_id: str = "r", *rest: object, **more: object) -> tuple[object, ...]:
    return amount, request_id, rest, more


def called(kind: str, *args: object, **kwargs: object) -> tuple[object, ...]:
    """Calls it in its way."""
    if kind == "function":
        return cs.guard_tool("refund", refund)(*args, **kwargs)  # type: ignore[arg-type]
    if kind == "coroutine":
        return asyncio.run(cs.guard_tool("refund", refund_async)(*args, **kwargs))  # type: ignore[arg-type]
    generated: list[tuple[object, ...]] = []

    async def give(amount: float, request_id: str = "r", *rest: object, **more: object) -> Any:
        yield amount, request_id, rest, more

    async def program() -> None:
        async for one in cs.guard_tool("refund", give)(*args, **kwargs):  # type: ignore[arg-type]
            generated.append(one)

    asyncio.run(program())
    return generated[0]


KINDS = ["function", "coroutine", "generator"]


def open_questions(home: str | Path) -> list[dict[str, Any]]:
    directory = Path(home) / "approvals"
    return [json.loads(one.read_text()) for one in sorted(directory.glob("*.json"))] if directory.exists() else []


def states(test: TestEngine) -> list[str]:
    from counterseal import Ledger

    test.decisions  # noqa: B018
    return [str(record["state"]) for record in Ledger(test.home) if record["kind"] == "approval"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_approver_sees_the_call_and_its_yes_lets_it_run_once(kind: str) -> None:
    seen: list[cs.ApprovalCall] = []

    def approver(call: cs.ApprovalCall) -> bool:
        seen.append(call)
        return True

    with engine(POLICY, approver=approver, agent_id="shop-agent") as test, cs.session("conv", user="u-7"):
        assert called(kind, 400.0, password="hunter2") == (400.0, "r", (), {"password": "hunter2"})
        assert [(one.effect, one.outcome) for one in test.decisions] == [("run", "success")]
        (call,) = seen
        assert (call.tool_name, call.reason, call.rules) == ("refund", "a person decides", ("local/large",))
        assert (call.session_id, call.user_id, call.agent_id) == ("conv", "u-7", "shop-agent")
        assert call.arguments["amount"] == 400
        assert "hunter2" not in repr(call)
        assert call.may_change == {"request_id"}
        assert call.expires_in.total_seconds() == 600
        assert call.action_id == test.decisions[0].decided["action_id"]
        assert test.decisions[0].decided["approval"] is not None
        assert called(kind, 5.0)[0] == 5.0
        assert len(seen) == 1, "only where the policy asks"
        with pytest.raises(AttributeError):
            call.tool_name = "other"


@pytest.mark.parametrize("kind", KINDS)
def test_a_no_says_why(kind: str) -> None:
    async def approver(call: cs.ApprovalCall) -> cs.Denied:
        await asyncio.sleep(0)
        return cs.Denied(note="ask on Monday", by="bob")

    with engine(POLICY, approver=approver) as test:
        with pytest.raises(cs.ApprovalDenied, match="`bob` said no: ask on Monday") as denied:
            called(kind, 400.0)
        assert (denied.value.reason_code, bool(denied.value.remediation)) == ("approval_denied", True)
        assert [(one.effect, one.outcome) for one in test.decisions] == [("refused", "denied")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ends", [SystemExit, asyncio.CancelledError])
@pytest.mark.parametrize("awaits", [False, True], ids=["function", "coroutine"])
def test_an_approver_that_ends_itself_has_said_no(kind: str, ends: type[BaseException], awaits: bool) -> None:
    def approver(call: cs.ApprovalCall) -> bool:
        raise ends

    async def approver_async(call: cs.ApprovalCall) -> bool:
        raise ends

    with engine(POLICY, approver=approver_async if awaits else approver):
        with pytest.raises(cs.ApprovalDenied, match=f"the approver raised `{ends.__name__}`"):
            called(kind, 400.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "answer",
    ["raises", None, 1, "yes", cs.Approved(edit=[{"op": "move"}]), cs.Approved(grant=cs.Grant())],
    ids=repr,
)
def test_what_is_no_answer_is_no_yes(kind: str, answer: Any) -> None:
    def approver(call: cs.ApprovalCall) -> Any:
        if answer == "raises":
            raise ValueError("hunter2")
        return answer

    with engine(POLICY, approver=approver) as test:
        with pytest.raises(cs.ApprovalDenied) as denied:
            called(kind, 400.0)
        assert "hunter2" not in str(denied.value)
        assert test.decisions[0].outcome == "denied"


@pytest.mark.parametrize("kind", KINDS)
def test_what_people_changed_is_what_the_body_gets(kind: str) -> None:
    edit = {"amount": 150.0, "request_id": "x", "rest": ["b", {"deep": [1]}], "note": "less"}
    with engine(POLICY, approver=lambda call: cs.Approved(edit=edit, by="ann")) as test:
        found = called(kind, 400.0, "r", "a", kept=b"\x00\xff")
        assert found == (150.0, "x", ("b", {"deep": [1]}), {"kept": b"\x00\xff", "note": "less"})
        assert isinstance(found[0], float)
        assert test.decisions[0].arguments["amount"] == 150
        assert [(one.effect, one.outcome) for one in test.decisions] == [("run", "success")]


def test_a_change_reaches_builtins_and_methods_too() -> None:
    class Shop:
        def refund(self, amount: float) -> float:
            return amount

    policy = {**POLICY, "tools": {}}
    with engine(policy, approver=lambda call: cs.Approved(edit={"amount": 150.0})):
        assert cs.guard_tool("refund", Shop().refund)(400.0) == 150.0
        assert cs.guard_tool("refund", Shop().refund)(amount=400.0) == 150.0
    every = {**POLICY, "tools": {}, "rules": [{"id": "all", "tools": ["sort"], "decision": "require_approval"}]}
    patch = [{"op": "replace", "path": "/iterable", "value": [2, 1]}]
    with engine(every, approver=lambda call: cs.Approved(edit=patch)):
        assert cs.guard_tool("sort", sorted)([3], reverse=False) == [1, 2]


@pytest.mark.parametrize("edit", [{"other": 1}, [{"op": "remove", "path": "/made"}], {"made": 1}])
def test_a_change_that_finds_no_place_refuses_the_call(edit: Any) -> None:
    from dataclasses import dataclass

    @dataclass
    class Order:
        id: int

    ran: list[float] = []

    def tool(amount: float, made: object = None) -> None:
        ran.append(amount)

    with engine({**POLICY, "tools": {}}, approver=lambda call: cs.Approved(edit=edit)) as test:
        with pytest.raises(cs.PolicyDenied) as denied:
            cs.guard_tool("refund", tool)(400.0, Order(3))
        assert denied.value.reason_code in ("call_changed", "approval_failed")
        assert {one.outcome for one in test.decisions} == {"denied"}
    assert ran == []


def test_a_change_is_decided_on_again() -> None:
    with engine(POLICY, approver=lambda call: cs.Approved(edit={"amount": 9500.0})):
        with pytest.raises(cs.PolicyDenied, match="never so much"):
            called("function", 400.0)


def test_arguments_changed_after_the_yes_are_refused() -> None:
    items = ["one"]
    ran: list[object] = []

    def approver(call: cs.ApprovalCall) -> bool:
        items.append("two")
        return True

    policy = {"version": 1, "rules": [{"id": "all", "tools": ["put"], "decision": "require_approval"}]}
    with engine(policy, approver=approver) as test:
        with pytest.raises(cs.PolicyDenied) as denied:
            cs.guard_tool("put", ran.append)(items)
        assert denied.value.reason_code == "call_changed"
        assert [(one.effect, one.outcome) for one in test.decisions] == [("refused", "denied")]
    assert ran == []


def test_a_grant_covers_like_calls() -> None:
    asked: list[cs.ApprovalCall] = []

    def approver(call: cs.ApprovalCall) -> cs.Approved:
        asked.append(call)
        return cs.Approved(grant=cs.Grant(when="double(args.amount) < 500.0", count=2))

    with engine(POLICY, approver=approver), cs.session("conv"):
        for amount in (400.0, 300.0, 450.0):
            called("function", amount)
        assert len(asked) == 1
        called("function", 300.0)
        assert len(asked) == 2


def test_a_permit_waits_and_carries_what_people_changed() -> None:
    def approver(call: cs.ApprovalCall) -> cs.Approved:
        return cs.Approved(edit={"amount": 150.0})

    with engine(POLICY, approver=approver) as test:
        with cs.enforce("refund", {"amount": 400.0}, edits=True) as permit:
            assert permit.edited == {"amount": 150}
        with pytest.raises(cs.PolicyDenied) as denied, cs.enforce("refund", {"amount": 400.0}):
            pytest.fail("the block must not run")
        assert denied.value.reason_code == "call_changed"

        async def program() -> None:
            async with cs.enforce("refund", {"amount": 400.0}, edits=True) as permit:
                assert permit.edited == {"amount": 150}

        asyncio.run(program())
        assert [one.outcome for one in test.decisions] == ["success", "denied", "success"]


def test_without_an_approver_nobody_waits() -> None:
    with engine(POLICY), pytest.raises(cs.PolicyDenied) as denied:
        called("function", 400.0)
    assert denied.value.reason_code == "no_approver"


def test_an_approver_that_is_none_is_refused(home: Path) -> None:
    with pytest.raises(cs.ConfigurationError, match="`approver` is `nobody`"):
        cs.configure(policy=POLICY, home=home, approver="nobody")  # type: ignore[arg-type]
    assert cs.configure(policy=POLICY, home=home, approver="home").approver == "home"


def test_time_that_runs_out_is_an_exception_of_its_own() -> None:
    async def program(test: TestEngine) -> None:
        calling = asyncio.ensure_future(cs.guard_tool("refund", refund_async)(400.0))
        await until_async(lambda: open_questions(test.home))
        test.advance(601)
        with pytest.raises(cs.ApprovalTimeout):
            await calling

    with engine(POLICY, approver="home") as test:
        asyncio.run(program(test))
        assert [one.outcome for one in test.decisions] == ["expired"]


def test_a_function_on_an_event_loop_is_refused_instead_of_stopping_the_loop() -> None:
    async def program() -> None:
        with pytest.raises(cs.PolicyDenied) as denied:
            cs.guard_tool("refund", refund)(400.0)
        assert denied.value.reason_code == "approval_pending"
        assert "to_thread" in denied.value.remediation

    with engine(POLICY, approver="home"):
        asyncio.run(program())


def test_a_cancelled_task_leaves_its_question_to_the_next_like_call() -> None:
    async def program(test: TestEngine) -> None:
        tool = cs.guard_tool("refund", refund_async)
        calling = asyncio.ensure_future(tool(400.0))
        await until_async(lambda: open_questions(test.home))
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        (left,) = await until_async(lambda: open_questions(test.home)[0]["events"])
        assert left["event"] == "left"
        again = asyncio.ensure_future(tool(400.0, "another id"))
        await until_async(lambda: open_questions(test.home)[0]["events"][-1]["event"] == "resumed")
        assert len(open_questions(test.home)) == 1
        again.cancel()
        await asyncio.gather(again, return_exceptions=True)

    with engine(POLICY, approver="home") as test, cs.session("conv"):
        asyncio.run(program(test))
        assert test.decisions == [], "a call that neither ran nor was refused"


@pytest.mark.parametrize("yes", [True, False])
def test_an_async_approver_of_a_call_on_trio_is_asked_on_trio(yes: bool) -> None:
    trio = importlib.import_module("trio")

    async def approver(call: cs.ApprovalCall) -> bool:
        await trio.lowlevel.checkpoint()
        return yes

    with engine(POLICY, approver=approver):
        tool = cs.guard_tool("refund", refund_async)
        if yes:
            assert trio.run(tool, 400.0)[0] == 400.0
        else:
            with pytest.raises(cs.ApprovalDenied):
                trio.run(tool, 400.0)


def test_a_blocking_approver_does_not_stop_the_loop() -> None:
    ticked = threading.Event()

    def approver(call: cs.ApprovalCall) -> bool:
        return ticked.wait(PATIENCE)

    async def program() -> None:
        calling = asyncio.ensure_future(cs.guard_tool("refund", refund_async)(400.0))
        await asyncio.sleep(0)
        ticked.set()
        assert (await calling)[0] == 400.0

    with engine(POLICY, approver=approver):
        asyncio.run(program())


def test_the_same_call_twice_is_asked_twice() -> None:
    asked: list[str] = []

    async def approver(call: cs.ApprovalCall) -> bool:
        asked.append(call.action_id)
        return True

    async def program() -> None:
        tool = cs.guard_tool("refund", refund_async)
        await asyncio.gather(tool(400.0), tool(400.0))

    with engine(POLICY, approver=approver) as test, cs.session("conv"):
        asyncio.run(program())
        assert len(set(asked)) == 2
        assert len({one.decided["approval"] for one in test.decisions}) == 2
        assert states(test).count("approved") == 2


# whoever runs the tests in the background has interrupts ignored
WAITING = """
import signal, sys, json, counterseal as cs
signal.signal(signal.SIGINT, signal.default_int_handler)
cs.configure(policy=json.loads(sys.argv[1]), home=sys.argv[2], approver="home")
with cs.session("conv"):
    print(cs.guard_tool("refund", lambda amount, request_id: (amount, request_id))(400.0, sys.argv[3]), flush=True)
"""


Waiting = Callable[[Path, str], subprocess.Popen[str]]


@pytest.fixture
def waiting_process() -> Iterator[Waiting]:
    """Starts programs that wait for people; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def start(home: Path, request: str) -> subprocess.Popen[str]:
        arguments = [sys.executable, "-c", WAITING, json.dumps(POLICY), str(home), request]
        started.append(subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_killed_while_people_are_asked_the_next_process_takes_up_the_same_question(
    home: Path, waiting_process: Waiting
) -> None:
    first = waiting_process(home, "r-1")
    (asked,) = until(lambda: open_questions(home))
    first.kill()
    first.wait(PATIENCE)
    second = waiting_process(home, "r-2")
    until(lambda: [event["event"] for event in open_questions(home)[0]["events"]] == ["resumed"])
    assert len(open_questions(home)) == 1
    command = [
        sys.executable,
        "-m",
        "counterseal",
        "approvals",
        "approve",
        asked["request"]["id"],
        "--yes",
        "--home",
        str(home),
    ]
    answered = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert answered.returncode == 0, answered.stderr
    assert second.communicate(timeout=PATIENCE)[0] == "(400.0, 'r-2')\n"
    assert [event["event"] for event in open_questions(home)[0]["events"]] == ["resumed", "answered", "claimed"]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupt_ends_the_wait_and_leaves_the_question(home: Path, waiting_process: Waiting) -> None:
    waiting = waiting_process(home, "r-1")
    until(lambda: open_questions(home))
    waiting.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in waiting.communicate(timeout=PATIENCE)[1]
    assert [event["event"] for event in open_questions(home)[0]["events"]] in ([], ["left"])
    waiting_process(home, "r-2")
    until(lambda: [event["event"] for event in open_questions(home)[0]["events"]][-1:] == ["resumed"])


def pages() -> int:
    """That this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1])


def test_a_thousand_coroutines_wait_without_a_thread_each() -> None:
    async def program(test: TestEngine) -> None:
        tool = cs.guard_tool("refund", refund_async)
        calls = [asyncio.ensure_future(tool(400.0))]
        await until_async(lambda: open_questions(test.home))
        # the desk, the ledger's writer, and the one that wakes the loop are there by now
        before = len(os.listdir("/proc/self/task"))
        gc.collect()
        resident = pages()
        calls += [asyncio.ensure_future(tool(400.0)) for _ in range(1000)]
        await until_async(lambda: len(os.listdir(Path(test.home) / "approvals")) > 1001)
        assert len(os.listdir("/proc/self/task")) - before <= 1
        # a release build takes half of that (docs/figures.md)
        assert (pages() - resident) * os.sysconf("SC_PAGE_SIZE") / 1000 <= 40 * 1024
        for call in calls:
            call.cancel()
        assert all(
            isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*calls, return_exceptions=True)
        )

    if not Path("/proc/self/task").exists():
        pytest.skip("threads are counted as Linux lists them")
    with engine(POLICY, approver="home") as test:
        asyncio.run(program(test))


def test_the_terminal_asks_until_it_is_understood() -> None:
    import io

    out = io.StringIO()
    approver = cs.terminal_approver(input=io.StringIO("y\nok\nyes\n"), output=out)
    policy = {**POLICY, "tools": {}}
    with engine(policy, approver=approver), cs.session("conv", user="u-7"):
        cs.guard_tool("refund", lambda amount, text: None)(400.0, "\x1b[2Jharmless\u202e")
    shown = out.getvalue()
    for said in ("May `refund` run?", "a person decides", "u-7", "amount = 400", "`y` is neither", "10 min"):
        assert said in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    for line, why in (("no too much\n", "too much"), ("", "said no")):
        approver = cs.terminal_approver(input=io.StringIO(line), output=io.StringIO())
        with engine(policy, approver=approver), pytest.raises(cs.ApprovalDenied, match=why):
            cs.guard_tool("refund", lambda amount: None)(400.0)


def test_the_terminal_shows_every_argument_whole_in_lines_that_are_told_from_its_own() -> None:
    import io

    out = io.StringIO()
    approver = cs.terminal_approver(input=io.StringIO("no\n"), output=out)
    query = "SELECT 1 -- " + "harmless " * 60 + " " * 80 + "  time        99 min; DROP TABLE users"
    with engine({**POLICY, "tools": {}}, approver=approver), pytest.raises(cs.ApprovalDenied):
        cs.guard_tool("refund", lambda amount, text: None)(400.0, query)
    lines = out.getvalue().splitlines()
    pieces = [line.removeprefix("    | ") for line in lines if line.startswith("    | ")]
    assert "".join(pieces).endswith('DROP TABLE users"')
    assert all(len(line) <= 100 and not line.startswith("  time        99") for line in lines)


@pytest.mark.skipif(os.name != "posix", reason="terminals of POSIX")
def test_what_was_typed_before_the_question_was_there_is_no_answer() -> None:
    import pty

    person, terminal = pty.openpty()
    os.write(person, b"yes\n")

    def answers() -> None:
        seen = b""
        while b"type `yes`" not in seen:
            seen += os.read(person, 4096)
        os.write(person, b"no not that\n")

    with open(terminal, encoding="utf-8") as source, open(os.dup(terminal), "w", encoding="utf-8") as target:
        answering = threading.Thread(target=answers)
        answering.start()
        approver = cs.terminal_approver(input=source, output=target)
        with engine(POLICY, approver=approver), pytest.raises(cs.ApprovalDenied, match="not that"):
            cs.guard_tool("refund", refund)(400.0)
        answering.join(PATIENCE)
    os.close(person)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_question_of_the_parent_is_refused_in_a_child() -> None:
    from test_waiting import in_child

    with engine(POLICY, approver="home") as test:
        loop = asyncio.new_event_loop()
        calling = loop.create_task(cs.guard_tool("refund", refund_async)(400.0))
        loop.run_until_complete(asyncio.sleep(0))
        until(lambda: open_questions(test.home))

        def refused() -> None:
            permit = cs.enforce("refund", {"amount": 5.0})
            with permit:
                pass
            calling.cancel()
            loop.run_until_complete(asyncio.gather(calling, return_exceptions=True))

        assert in_child(refused) == 0
        assert open_questions(test.home)[0]["events"] == []
        calling.cancel()
        loop.run_until_complete(asyncio.gather(calling, return_exceptions=True))
        loop.close()


class Desk:
    def __call__(self, call: cs.ApprovalCall) -> bool:
        return True

    def one(self, call: cs.ApprovalCall) -> bool:
        return True

    def none(self) -> bool:
        return True


@pytest.mark.parametrize(
    "approver", [Desk(), Desk().one, Desk.one.__get__(Desk()), lambda call, why="": True, print], ids=str
)
def test_what_takes_the_call_can_be_an_approver(approver: Any, home: Path) -> None:
    cs.configure(policy=POLICY, home=home, approver=approver)


@pytest.mark.parametrize(
    "approver", [Desk, Desk().none, lambda: True, cs.terminal_approver, lambda call, why: True], ids=str
)
def test_what_cannot_take_the_call_is_refused_before_anybody_is_asked(approver: Any, home: Path) -> None:
    with pytest.raises(cs.ConfigurationError, match="a function that takes the call"):
        cs.configure(policy=POLICY, home=home, approver=approver)
