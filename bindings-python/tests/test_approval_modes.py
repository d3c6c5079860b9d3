"""`approval_mode="async"`: whoever called goes on, the call runs once people have said yes, and nothing is asked or run twice."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import counterseal as cs
import pytest
from conftest import PATIENCE, until
from counterseal.testing import engine

POLICY: dict[str, Any] = {
    "version": 1,
    "name": "shop",
    "tools": {"refund": {"volatile": ["request_id"]}},
    "rules": [
        {"id": "large", "tools": ["refund"], "when": "args.amount > 100.0", "decision": "require_approval"},
    ],
    "budgets": [{"id": "few", "tools": ["refund"], "per": "session", "calls": 2}],
}


def refund(amount: float, request_id: str = "r") -> tuple[float, str]:
    return amount, request_id


async def refund_async(amount: float, request_id: str = "r") -> tuple[float, str]:
    return amount, request_id


def questions(home: str | Path) -> list[dict[str, Any]]:
    return [json.loads(one.read_text()) for one in sorted((Path(home) / "approvals").glob("*.json"))]


def answer(home: str | Path, id: str | None, *words: str) -> None:
    """From another terminal."""
    command = [sys.executable, "-m", "counterseal", "approvals", *words, str(id), "--home", str(home)]
    command += ["--yes"] if words[0] == "approve" else []
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr


class Told:
    """The program's callbacks, which keep what they were told."""

    def __init__(self) -> None:
        self.ran: list[cs.ApprovalOutcome] = []
        self.did_not: list[cs.ApprovalOutcome] = []

    def guarded(self, function: Callable[..., Any], mode: Any = "async", **more: Any) -> Any:
        callbacks: dict[str, Any] = {"on_approval": self.ran.append, "on_denial": self.did_not.append}
        if asyncio.iscoroutinefunction(function):
            callbacks = {"on_approval": self._ran_async, "on_denial": self._did_not_async}
        return cs.guard_tool("refund", function, approval_mode=mode, **callbacks, **more)

    async def _ran_async(self, outcome: cs.ApprovalOutcome) -> None:
        await asyncio.sleep(0)
        self.ran.append(outcome)

    async def _did_not_async(self, outcome: cs.ApprovalOutcome) -> None:
        await asyncio.sleep(0)
        self.did_not.append(outcome)


def test_async_returns_at_once_and_the_call_runs_after_the_yes() -> None:
    told = Told()
    with engine(POLICY, approver="home", start=time.time()) as test, cs.session("conv"):
        tool = told.guarded(refund)
        assert tool(5.0) == (5.0, "r"), "nobody is asked"
        pending = tool(400.0, "r-1")
        assert isinstance(pending, cs.PendingApproval)
        assert (pending.state, pending.tool_name, pending.session_id, pending.outcome) == (
            "pending",
            "refund",
            "conv",
            None,
        )
        assert pending.wait(0.0) is None
        assert [one["request"]["id"] for one in questions(test.home)] == [pending.id]
        assert "400" in json.dumps(questions(test.home)[0]["request"]["arguments"])
        answer(test.home, pending.id, "approve", "--note", "fine")
        outcome = pending.wait(PATIENCE)
        assert outcome is not None
        assert (outcome.state, outcome.ran, outcome.result, outcome.error) == ("approved", True, (400.0, "r-1"), None)
        assert (outcome.note, outcome.edited, outcome.grant) == ("fine", False, None)
        assert outcome.arguments == {"amount": 400, "request_id": "r-1"}
        assert outcome.decided_by
        assert (outcome.id, outcome.action_id) == (pending.id, test.decisions[1].decided["action_id"])
        assert (told.ran, told.did_not) == ([outcome], [])
        assert [(one.effect, one.outcome) for one in test.decisions] == [("run", "success")] * 2
        assert "arguments" not in questions(test.home)[0]["request"], "kept only until it ran"


def test_async_coroutines_are_awaited_and_their_callbacks_too() -> None:
    told = Told()

    async def program(home: str) -> None:
        tool = told.guarded(refund_async)
        pending = await tool(400.0)
        assert (pending.state, [one["request"]["id"] for one in questions(home)]) == ("pending", [pending.id])
        with pytest.raises(cs.LifecycleError, match="await"):
            pending.wait()
        await asyncio.to_thread(answer, home, pending.id, "approve")
        outcome = await asyncio.wait_for(pending, PATIENCE)
        assert outcome.result == (400.0, "r")
        assert await pending is outcome
        assert told.ran == [outcome]

    with engine(POLICY, approver="home", start=time.time()) as test:
        asyncio.run(program(test.home))
        assert [one.outcome for one in test.decisions] == ["success"]


def test_async_functions_can_be_called_on_an_event_loop() -> None:
    told = Told()

    async def program(home: str) -> None:
        pending = told.guarded(refund)(400.0)
        while pending.id is None:
            await asyncio.sleep(0)
        await asyncio.to_thread(answer, home, pending.id, "deny", "--note", "not today")
        outcome = await asyncio.wait_for(pending, PATIENCE)
        assert (outcome.state, outcome.ran, outcome.note) == ("denied", False, "not today")
        assert isinstance(outcome.error, cs.ApprovalDenied)

    with engine(POLICY, approver="home", start=time.time()) as test:
        asyncio.run(program(test.home))
        assert [len(told.ran), len(told.did_not)] == [0, 1]
        assert [(one.effect, one.outcome) for one in test.decisions] == [("refused", "denied")]


@pytest.mark.parametrize("function", [refund, refund_async], ids=["function", "coroutine"])
def test_async_asks_an_approver_of_the_program_too(function: Any) -> None:
    told = Told()

    async def approver(call: cs.ApprovalCall) -> cs.Approved:
        return cs.Approved(edit={"amount": 150.0}, by="ann")

    async def program() -> Any:
        return await (await told.guarded(refund_async)(400.0))

    with engine(POLICY, approver=approver) as test:
        outcome = told.guarded(refund)(400.0).wait(PATIENCE) if function is refund else asyncio.run(program())
        assert (outcome.result, outcome.edited, outcome.decided_by) == ((150.0, "r"), True, "ann")
        assert outcome.arguments == {"amount": 150, "request_id": "r"}
        assert [one.outcome for one in test.decisions] == ["success"]


def test_expired_and_cancelled_are_ends_of_their_own() -> None:
    told = Told()
    with engine(POLICY, approver="home") as test:
        tool = told.guarded(refund)
        late, dropped = tool(400.0), tool(500.0)
        dropped.cancel()
        outcome = dropped.wait(PATIENCE)
        assert (outcome.state, outcome.error.reason_code) == ("cancelled", "approval_cancelled")
        test.advance(901)
        outcome = late.wait(PATIENCE)
        assert (outcome.state, isinstance(outcome.error, cs.ApprovalTimeout)) == ("expired", True)
        assert [one.state for one in told.did_not] == ["cancelled", "expired"]
        assert sorted(str(one.outcome) for one in test.decisions) == ["cancelled", "expired"]


def test_a_body_that_raises_ran() -> None:
    told = Told()

    def fails(amount: float) -> None:
        raise ZeroDivisionError("own")

    with engine({**POLICY, "tools": {}}, approver=lambda call: True) as test:
        outcome = told.guarded(fails)(400.0).wait(PATIENCE)
        assert (outcome.ran, outcome.state, str(outcome.error)) == (True, "approved", "own")
        assert (told.ran, told.did_not) == ([outcome], [])
        assert [one.outcome for one in test.decisions] == ["error"]


def test_callbacks_are_told_where_the_caller_waits_too() -> None:
    told = Told()
    with engine(POLICY, approver=lambda call: call.arguments["amount"] < 1000) as test:
        assert told.guarded(refund, "wait")(400.0) == (400.0, "r")
        with pytest.raises(cs.ApprovalDenied):
            told.guarded(refund, None)(4000.0)

        async def program() -> None:
            assert await told.guarded(refund_async, "wait")(500.0) == (500.0, "r")

        asyncio.run(program())
        assert [one.result for one in told.ran] == [(400.0, "r"), (500.0, "r")]
        assert [one.state for one in told.did_not] == ["denied"]
        assert [one.outcome for one in test.decisions] == ["success", "denied", "success"]


def test_a_callback_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fails(outcome: cs.ApprovalOutcome) -> None:
        raise ValueError("hunter2")

    with engine(POLICY, approver=lambda call: True):
        tool = cs.guard_tool("refund", refund, on_approval=fails)
        assert tool(400.0) == (400.0, "r")
    assert "`on_approval` of `refund` raised `ValueError`" in caplog.text
    assert "hunter2" not in caplog.text


def test_what_was_reserved_before_people_answered_is_counted_once() -> None:
    told = Told()
    with engine(POLICY, approver="home", start=time.time()) as test, cs.session("conv"):
        tool = told.guarded(refund)
        for amount in (400.0, 500.0):
            pending = tool(amount)
            answer(test.home, pending.id, "approve")
            assert pending.wait(PATIENCE).ran
        with pytest.raises(cs.BudgetExceeded):
            tool(600.0)


LEFT = """
import sys, json, counterseal as cs
cs.configure(policy=json.loads(sys.argv[1]), home=sys.argv[2], approver="home")
def refund(amount, request_id="r"): return amount
tool = cs.guard_tool("refund", refund, approval_mode="async", on_approval=print, on_denial=print)
with cs.session("conv", user="u-7", verified_by="sso"), cs.run("r-1"):
    print(tool(400.5, "first").id, flush=True)
sys.stdin.read()
"""


def left_behind(home: Path) -> str:
    """The id of a question whose process was killed."""
    arguments = [sys.executable, "-c", LEFT, json.dumps(POLICY), str(home)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        id = process.stdout.readline().strip()
        process.kill()
    return id


@pytest.mark.parametrize("asynchronous", [False, True], ids=["function", "coroutine"])
@pytest.mark.parametrize("answered_before", [False, True], ids=["still open", "answered meanwhile"])
def test_a_later_process_serves_the_outcome_once(home: Path, asynchronous: bool, answered_before: bool) -> None:
    id = left_behind(home)
    if answered_before:
        answer(home, id, "approve")
    told = Told()
    cs.configure(policy=POLICY, home=home, approver="home")
    tool = told.guarded(refund_async if asynchronous else refund)

    def finish(resumed: list[cs.PendingApproval]) -> None:
        assert [cs.resume_pending(), cs.resume_pending(id)] == [[], []], "taken up once"
        with pytest.raises(cs.CountersealError, match="there is no approval `0000`") as unknown:
            cs.resume_pending("0000")
        assert unknown.value.code == "approval_not_found"
        if not answered_before:
            until(lambda: resumed[0].id)
            answer(home, id, "approve")

    async def program() -> list[cs.PendingApproval]:
        resumed = cs.resume_pending()
        await asyncio.to_thread(finish, resumed)
        await asyncio.wait_for(resumed[0], PATIENCE)
        return resumed

    if asynchronous:
        assert cs.resume_pending() == [], "there is no loop to run it on"
        resumed = asyncio.run(program())
    else:
        resumed = cs.resume_pending(id[:8])
        finish(resumed)
        resumed[0].wait(PATIENCE)
    (pending,), (outcome,) = resumed, told.ran
    assert (pending.id, outcome.result) == (id, (400.5, "first"))
    assert (tool.__name__, cs.resume_pending()) == (refund_async.__name__ if asynchronous else "refund", [])
    cs.flush()
    records = [one for one in cs.Ledger(home) if one["kind"] in ("decided", "completed")]
    assert [one["kind"] for one in records] == ["decided", "completed"]
    decided = records[0]
    assert (decided["session"], decided["run"], decided["user"]) == ("conv", "r-1", {"id": "u-7", "verified_by": "sso"})
    assert decided["action_id"] == outcome.action_id


NO_LONGER: dict[str, list[dict[str, Any]]] = {
    "lets it run": [{"id": "other", "tools": ["other"], "decision": "deny"}],
    "denies it": [{"id": "never", "tools": ["refund"], "decision": "deny"}],
}


@pytest.mark.parametrize("asynchronous", [False, True], ids=["function", "coroutine"])
@pytest.mark.parametrize("answered_before", [False, True], ids=["still open", "answered meanwhile"])
@pytest.mark.parametrize("rules", NO_LONGER.values(), ids=NO_LONGER.keys())
def test_a_call_that_the_policy_no_longer_asks_about_is_ended_and_never_runs(
    home: Path, asynchronous: bool, answered_before: bool, rules: list[dict[str, Any]]
) -> None:
    id = left_behind(home)
    if answered_before:
        answer(home, id, "approve")
    told, ran = Told(), list[float]()

    def body(amount: float, request_id: str = "r") -> None:
        ran.append(amount)

    async def body_async(amount: float, request_id: str = "r") -> None:
        ran.append(amount)

    cs.configure(policy={**POLICY, "rules": rules, "budgets": []}, home=home, approver="home")
    tool = told.guarded(body_async if asynchronous else body)

    async def program() -> None:
        assert [cs.resume_pending(), cs.resume_pending()] == [[], []]
        for _ in range(3):
            await asyncio.sleep(0)

    if asynchronous:
        asyncio.run(program())
    else:
        assert [cs.resume_pending(), cs.resume_pending()] == [[], []]
    assert (ran, told.ran) == ([], [])
    (outcome,) = told.did_not
    assert (outcome.id, outcome.state, outcome.ran, outcome.arguments["amount"]) == (id, "cancelled", False, 400.5)
    assert isinstance(outcome.error, cs.CountersealError)
    (question,) = questions(home)
    assert "arguments" not in question["request"], "its arguments do not stay behind"
    cs.close()
    cs.configure(policy=POLICY, home=home, approver="home")
    assert callable(tool)
    assert cs.resume_pending() == [], "ended for later processes too"


def test_the_end_of_the_program_waits_for_a_body_that_people_agreed_to(home: Path) -> None:
    program = """
import sys, json, threading, counterseal as cs
cs.configure(policy=json.loads(sys.argv[1]), home=sys.argv[2], approver="home")
began = threading.Event()
def refund(amount, request_id="r"):
    began.set()
    threading.main_thread().join()  # until the program's own code has ended
    print("ran whole", flush=True)
def told(outcome): print("told", flush=True)
tool = cs.guard_tool("refund", refund, approval_mode="async", on_approval=told, on_denial=print)
pending = tool(400.5)
while pending.id is None: pass
print(pending.id, flush=True)
began.wait()
"""
    arguments = [sys.executable, "-c", program, json.dumps(POLICY), str(home)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answer(home, process.stdout.readline().strip(), "approve")
        assert process.stdout.read().split("\n")[:2] == ["ran whole", "told"]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["function", "coroutine"])
def test_a_callback_cannot_wait_for_its_own_end(asynchronous: bool) -> None:
    raised: list[BaseException] = []
    made: list[cs.PendingApproval] = []

    def told(outcome: cs.ApprovalOutcome) -> None:
        try:
            made[0].wait()
        except cs.LifecycleError as error:
            raised.append(error)

    async def told_async(outcome: cs.ApprovalOutcome) -> None:
        try:
            await made[0]
        except cs.LifecycleError as error:
            raised.append(error)

    async def program() -> None:
        made.append(await tool(400.0))
        await asyncio.to_thread(answer, test.home, made[0].id, "approve")
        await asyncio.wait_for(made[0], PATIENCE)

    function: Any = refund_async if asynchronous else refund
    callback: Any = told_async if asynchronous else told
    with engine(POLICY, approver="home", start=time.time()) as test:
        tool = cs.guard_tool("refund", function, approval_mode="async", on_approval=callback, on_denial=callback)
        if asynchronous:
            asyncio.run(program())
        else:
            made.append(tool(400.0))
            until(lambda: made[0].id)
            answer(test.home, made[0].id, "approve")
            assert made[0].wait(PATIENCE) is not None
    assert "wait for its end" in str(raised[0])


def test_closing_leaves_the_question_open_and_tells_nobody(home: Path) -> None:
    told = Told()
    cs.configure(policy=POLICY, home=home, approver="home")
    tool = told.guarded(refund)
    with cs.session("conv"):
        pending = tool(400.0)
    cs.close()
    assert pending.wait(PATIENCE).state == "pending"
    assert (told.ran, told.did_not) == ([], [])
    cs.configure(policy=POLICY, home=home, approver="home")
    answer(home, pending.id, "approve")
    (resumed,) = cs.resume_pending()
    assert (resumed.wait(PATIENCE).result, resumed.id) == ((400, "r"), pending.id)


def test_calling_again_after_a_restart_takes_up_the_same_question(home: Path) -> None:
    id = left_behind(home)
    told = Told()
    cs.configure(policy=POLICY, home=home, approver="home")
    with cs.session("conv", user="u-7", verified_by="sso"):
        pending = told.guarded(refund)(400.5, "another volatile value")
    assert (pending.id, len(questions(home))) == (id, 1)
    answer(home, id, "approve")
    assert pending.wait(PATIENCE).result == (400.5, "another volatile value")


def test_another_user_takes_up_nobodys_question(home: Path) -> None:
    id = left_behind(home)
    told = Told()
    cs.configure(policy=POLICY, home=home, approver="home")
    for user in (None, "u-8"):
        with cs.session("conv", user=user):
            assert told.guarded(refund)(400.5, "first").id != id


def test_the_same_call_twice_is_two_questions() -> None:
    told = Told()
    with engine(POLICY, approver="home"), cs.session("conv"):
        tool = told.guarded(refund)
        assert len({tool(400.0).id, tool(400.0).id}) == 2


def test_no_thread_waits() -> None:
    told = Told()
    with engine({**POLICY, "budgets": []}, approver="home"):
        tool = told.guarded(refund)
        first = tool(400.0)
        before = threading.active_count()
        calls = [tool(400.0 + number) for number in range(100)]
        assert threading.active_count() == before
        for one in [first, *calls]:
            one.cancel()
        for one in [first, *calls]:
            assert one.wait(PATIENCE).state == "cancelled"


def test_what_a_model_is_told_names_no_arguments() -> None:
    with engine(POLICY, approver="home"):
        pending = Told().guarded(refund)(400.0)
        assert "`refund` has not run yet" in str(pending)
        assert "400" not in str(pending) + repr(pending)


def test_modes_that_make_no_sense_are_refused_where_the_tool_is_guarded(home: Path) -> None:
    def generator(amount: float) -> Any:
        yield amount

    def nothing(outcome: object) -> None: ...

    for function, options, why in (
        (refund, {"approval_mode": "async"}, "needs `on_approval` and `on_denial`"),
        (refund, {"approval_mode": "async", "on_approval": nothing}, "needs `on_approval` and `on_denial`"),
        (refund, {"approval_mode": "webhook"}, "needs a server"),
        (refund, {"approval_mode": "later"}, "one of `wait`, `async`, `native`"),
        (refund, {"on_denial": "x"}, "`on_denial` is called"),
        (generator, {"on_denial": nothing}, "a generator"),
        (sorted, {"approval_mode": "native"}, "guard a function that calls it"),
    ):
        with pytest.raises(cs.ConfigurationError, match=why):
            cs.guard_tool("refund", function, **options)  # type: ignore[type-var]
    with pytest.raises(cs.ConfigurationError, match="guard_tool"):
        cs.configure(policy=POLICY, home=home, approval_mode="async")  # type: ignore[arg-type]
    with pytest.raises(cs.ConfigurationError, match="enter the permit"):
        cs.enforce("refund", {}, approval_mode="async")  # type: ignore[arg-type]
    assert cs.configure(policy=POLICY, home=home, approval_mode="native").approval_mode == "native"
