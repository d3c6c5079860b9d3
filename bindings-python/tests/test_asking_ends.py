"""Questions that end while the program's own approver is still busy: the call goes on, and a late answer is not used."""

from __future__ import annotations

import asyncio
import importlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import counterseal as cs
import pytest
from conftest import PATIENCE, until, until_async
from counterseal.testing import TestEngine, engine
from test_asking import POLICY, called, open_questions, refund, refund_async

ENDS = ["expired", "approved", "denied"]


class Program:
    """One that asks `approver`, whose question somebody else ends."""

    def __init__(self, home: Path, test: TestEngine | None) -> None:
        self.home = home
        self.test = test

    def end(self, how: str) -> None:
        """By the test's clock, or from another terminal, as that knows no other time than the machine's."""
        (question,) = until(lambda: open_questions(self.home))
        if self.test is not None:
            self.test.advance(601)
        else:
            words = ["approve", "--yes"] if how == "approved" else ["deny"]
            terminal(self.home, *words, question["request"]["id"])

    def states(self) -> list[str]:
        cs.flush()
        return [str(record["state"]) for record in cs.Ledger(self.home) if record["kind"] == "approval"]


@contextmanager
def program(how: str, approver: Any, home: Path) -> Iterator[Program]:
    if how == "expired":
        with engine(POLICY, approver=approver) as test:
            yield Program(Path(test.home), test)
        return
    cs.configure(policy=POLICY, home=home, approver=approver)
    yield Program(home, None)
    cs.close()


def terminal(home: Path, *words: str, refused: bool = False) -> str:
    """What `counterseal approvals` says in another terminal."""
    command = [sys.executable, "-m", "counterseal", "approvals", *words, "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == (2 if refused else 0), done.stderr
    return done.stderr if refused else done.stdout


def ended_by(running: Program, how: str, asked: threading.Event) -> threading.Thread:
    """A thread that ends the question once the approver is busy with it."""

    def end() -> None:
        assert asked.wait(PATIENCE)
        running.end(how)

    thread = threading.Thread(target=end)
    thread.start()
    return thread


def outcome_of(kind: str, how: str) -> None:
    """Calls it, and finds it ended so."""
    if how == "approved":
        assert called(kind, 400.0)[0] == 400.0
    else:
        with pytest.raises(cs.ApprovalTimeout if how == "expired" else cs.ApprovalDenied):
            called(kind, 400.0)


class Busy:
    """An approver that is asked and says yes much too late."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.let_go = threading.Event()
        self.done = threading.Event()
        self.saw: list[bool] = []

    def __call__(self, call: cs.ApprovalCall) -> bool:
        self.saw.append(call.is_over)
        self.asked.set()
        assert self.let_go.wait(PATIENCE)
        self.saw.append(call.is_over)
        self.done.set()
        return True


@pytest.fixture
def busy() -> Iterator[Busy]:
    approver = Busy()
    yield approver
    approver.let_go.set()


@pytest.mark.parametrize("kind", ["function", "coroutine", "generator"])
@pytest.mark.parametrize("how", ENDS)
def test_a_call_does_not_wait_for_an_approver_whose_question_has_ended(
    kind: str, how: str, busy: Busy, home: Path
) -> None:
    with program(how, busy, home) as running:
        ending = ended_by(running, how, busy.asked)
        outcome_of(kind, how)
        ending.join(PATIENCE)
        assert not busy.done.is_set(), "the approver is busy still"
        busy.let_go.set()
        assert busy.done.wait(PATIENCE)
        assert busy.saw == [False, True], "it can see that nobody needs its answer"
        assert running.states() == ["pending", how], "its late answer is not used"


@pytest.mark.parametrize("kind", ["function", "coroutine"])
@pytest.mark.parametrize("how", ENDS)
def test_an_async_approver_is_cancelled_when_its_question_has_ended(kind: str, how: str, home: Path) -> None:
    asked, cancelled = threading.Event(), threading.Event()

    async def approver(call: cs.ApprovalCall) -> bool:
        asked.set()
        try:
            await asyncio.sleep(10 * PATIENCE)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return True

    with program(how, approver, home) as running:
        ending = ended_by(running, how, asked)
        outcome_of(kind, how)
        ending.join(PATIENCE)
        assert cancelled.wait(PATIENCE)
        assert running.states() == ["pending", how]


def test_an_async_approver_on_trio_is_cancelled_when_its_question_has_ended(home: Path) -> None:
    trio = importlib.import_module("trio")
    asked = threading.Event()

    async def approver(call: cs.ApprovalCall) -> bool:
        asked.set()
        await trio.sleep_forever()
        return True

    with program("expired", approver, home) as running:
        ending = ended_by(running, "expired", asked)
        with pytest.raises(cs.ApprovalTimeout):
            trio.run(cs.guard_tool("refund", refund_async), 400.0)
        ending.join(PATIENCE)


def test_an_approver_that_is_still_busy_does_not_keep_others_from_being_asked(busy: Busy, home: Path) -> None:
    seen: list[float] = []

    def approver(call: cs.ApprovalCall) -> bool:
        seen.append(call.arguments["amount"])
        return busy(call) if call.arguments["amount"] == 400 else True

    async def calls(running: Program) -> None:
        tool = cs.guard_tool("refund", refund_async)
        first = asyncio.ensure_future(tool(400.0))
        await until_async(busy.asked.is_set)
        (asked,) = open_questions(running.home)
        second = asyncio.ensure_future(tool(500.0))
        await until_async(lambda: len(open_questions(running.home)) == 2)
        assert seen == [400], "one question at a time"
        await asyncio.to_thread(terminal, running.home, "deny", asked["request"]["id"])
        with pytest.raises(cs.ApprovalDenied):
            await first
        assert (await second)[0] == 500.0
        assert not busy.done.is_set()

    with program("denied", approver, home) as running:
        asyncio.run(calls(running))


def test_a_function_on_an_event_loop_does_not_wait_for_an_approver_that_awaits() -> None:
    async def approver(call: cs.ApprovalCall) -> bool:
        return True

    async def call() -> None:
        with pytest.raises(cs.PolicyDenied) as denied:
            cs.guard_tool("refund", refund)(400.0)
        assert denied.value.reason_code == "approval_pending"

    with engine(POLICY, approver=approver):
        asyncio.run(call())


def test_a_function_on_an_event_loop_waits_for_nobody_but_a_plain_approver() -> None:
    policy = {**POLICY, "rules": [{**POLICY["rules"][0], "approval": {"quorum": 2}}]}
    seen = []

    async def call() -> None:
        with pytest.raises(cs.PolicyDenied) as denied:
            cs.guard_tool("refund", refund)(400.0)
        assert denied.value.reason_code == "approval_pending"

    def approver(call: cs.ApprovalCall) -> bool:
        seen.append(call.arguments["amount"])
        return True

    with engine(policy, approver=approver) as test:
        asyncio.run(call())
        until(lambda: [one["event"] for one in open_questions(test.home)[0]["events"]] == ["answered", "left"])
    assert seen == [400]


def test_an_approver_that_interrupts_leaves_the_question_open() -> None:
    def approver(call: cs.ApprovalCall) -> bool:
        raise KeyboardInterrupt

    with engine(POLICY, approver=approver) as test:
        with pytest.raises(KeyboardInterrupt):
            cs.guard_tool("refund", refund)(400.0)
        assert until(lambda: [one["event"] for one in open_questions(test.home)[0]["events"]]) == ["left"]
        assert test.decisions == []


@pytest.mark.skipif(os.name != "posix", reason="terminals of POSIX")
@pytest.mark.parametrize(
    ("how", "said"),
    [("expired", b"time ran out"), ("approved", b"said yes elsewhere"), ("denied", b"said no elsewhere")],
)
def test_the_terminal_stops_asking_when_the_question_has_ended(how: str, said: bytes, home: Path) -> None:
    import pty

    person, screen = pty.openpty()
    seen: list[bytes] = []

    def watches(running: Program) -> None:
        while b"type `yes`" not in b"".join(seen):
            seen.append(os.read(person, 4096))
        os.write(person, b"ye")
        running.end(how)
        while said not in b"".join(seen):
            seen.append(os.read(person, 4096))

    with (
        open(screen, encoding="utf-8") as source,
        open(os.dup(screen), "w", encoding="utf-8") as target,
        program(how, cs.terminal_approver(input=source, output=target), home) as running,
    ):
        watching = threading.Thread(target=watches, args=(running,))
        watching.start()
        outcome_of("function", how)
        watching.join(PATIENCE)
        assert not watching.is_alive(), seen
        assert running.states() == ["pending", how]
    os.close(person)


def test_the_time_that_an_approver_is_told_is_what_is_left() -> None:
    told: list[timedelta] = []

    def interrupts(call: cs.ApprovalCall) -> bool:
        told.append(call.expires_in)
        if len(told) == 1:
            raise KeyboardInterrupt
        return True

    with engine(POLICY, approver=interrupts) as test, cs.session("conv"):
        tool = cs.guard_tool("refund", refund)
        with pytest.raises(KeyboardInterrupt):
            tool(400.0)
        until(lambda: open_questions(test.home)[0]["events"])
        test.advance(120)
        assert tool(400.0)[0] == 400.0
        assert told == [timedelta(minutes=10), timedelta(minutes=8)]


def test_two_grants_are_agreed_to_as_far_as_both_go(home: Path) -> None:
    rule: dict[str, Any] = {**POLICY["rules"][0], "approval": {"quorum": 2}}
    asked: list[float] = []

    def approver(call: cs.ApprovalCall) -> cs.Approved:
        asked.append(call.arguments["amount"])
        grant = cs.Grant(when="double(args.amount) < 500.0", until=timedelta(hours=1))
        return cs.Approved(by="ann", grant=grant, note="as bob@example.com said")

    cs.configure(policy={**POLICY, "rules": [rule], "redact": {"detect": ["email"]}}, home=home, approver=approver)
    tool = cs.guard_tool("refund", refund)

    def second() -> None:
        (question,) = until(lambda: [one for one in open_questions(home) if one["events"]])
        id = question["request"]["id"]
        refused = terminal(home, "approve", id, "--yes", "--set", "amuont=80", refused=True)
        assert "`refund` gets no argument `amuont`: it gets `amount`, `request_id`" in refused
        assert open_questions(home) == [question], "nothing was changed"
        terminal(home, "approve", id, "--yes", "--grant-minutes", "9", "--grant-when", "double(args.amount) > 200.0")

    with cs.session("conv"):
        answering = threading.Thread(target=second)
        answering.start()
        assert tool(400.0)[0] == 400.0
        answering.join(PATIENCE)
        assert [tool(300.0)[0], tool(450.0)[0]] == [300.0, 450.0]
        assert asked == [400], "both agreed to these"
    (question,) = open_questions(home)
    shown = terminal(home, "show", question["request"]["id"])
    assert "granted     like calls, until 2" in shown
    joined = re.sub("\n *[|] ", "", shown)
    assert "where (double(args.amount) < 500.0) && (double(args.amount) > 200.0) (used 2 times)" in joined
    assert "as [email] said" in joined
    cs.flush()
    for file in home.rglob("*"):
        assert not file.is_file() or b"bob@" not in file.read_bytes(), file


@pytest.mark.skipif(os.name != "posix", reason="terminals of POSIX")
def test_who_watches_is_asked_until_there_is_an_answer_or_the_time_is_over(home: Path) -> None:
    def call() -> None:
        with cs.session("conv"):
            cs.guard_tool("refund", refund)(400.0)

    cs.configure(policy=POLICY, home=home, approver="home")
    calling = threading.Thread(target=call)
    calling.start()
    until(lambda: open_questions(home))
    said, exit = on_terminal(home, [b"\n", b"what\n"], "watch", "--seconds", "3")
    assert (said.count("type `yes`"), exit) == (3, 0), said
    (question,) = open_questions(home)
    said, exit = on_terminal(home, [b"no\n"], "approve", question["request"]["id"])
    assert ("nothing was answered" in said, exit) == (True, 3), said
    said, exit = on_terminal(home, [b"\n", b"yes\n"], "watch", "--seconds", "3")
    assert (said.count("type `yes`"), "approved" in said, exit) == (2, True, 0), said
    calling.join(PATIENCE)
    assert not calling.is_alive()


def on_terminal(home: Path, lines: list[bytes], *words: str) -> tuple[str, int]:
    """What `counterseal approvals` shows on a terminal where that is typed, one line to a question."""
    import pty

    person, screen = pty.openpty()
    command = [sys.executable, "-m", "counterseal", "approvals", *words, "--home", str(home)]
    with subprocess.Popen(command, stdin=screen, stdout=screen, stderr=screen) as process:
        os.close(screen)
        seen, typed = b"", 0
        while True:
            try:
                seen += os.read(person, 4096)
            except OSError:  # the other side is closed
                break
            # counted where it stands, as the terminal echoes what is typed
            if seen.count(b"type `yes`") > typed < len(lines):
                os.write(person, lines[typed])
                typed += 1
        exit = process.wait(PATIENCE)
    os.close(person)
    return seen.decode(), exit
