"""Replays tests/vectors/replay.json: runs that are recorded by real calls, and what becomes of calls that are made again."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import counterseal as cs
from counterseal import testing
from replaying import REPLAYED, Case, expect, replay_all, vectors

IDS_ARE_OF_FRAMEWORKS = "a call id is the framework's, which a program cannot give"

Step = dict[str, Any]


class Recorded:
    """A call while it is recorded, in a thread of its own, so that others can run beside it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.began, self.ends = threading.Event(), threading.Event()
        self.step: Step = {}
        self.outcome: tuple[str, Any] = ("", None)
        context = contextvars.copy_context()
        self.thread = threading.Thread(target=context.run, args=(self.run, call))

    def run(self, call: Callable[[], Any]) -> None:
        running.set(self)
        self.outcome = outcome(call)
        self.began.set()

    def body(self) -> Any:
        self.began.set()
        assert self.ends.wait(30)
        if "error" in self.step:
            kind, _, message = self.step["error"].partition(": ")
            assert kind == "ValueError"
            raise ValueError(message)
        return iter([1]) if self.step.get("uncaptured") else self.step.get("result")

    def begin(self) -> None:
        self.thread.start()
        assert self.began.wait(30)

    def end(self, step: Step) -> None:
        self.step = step
        self.ends.set()
        self.thread.join(30)
        if "refused" in step:
            expect("refusal", self.outcome[1][0], step["refused"])


running: contextvars.ContextVar[Recorded] = contextvars.ContextVar("running")


def outcome(call: Callable[[], Any]) -> tuple[str, Any]:
    """What a caller sees of a call."""
    try:
        result = call()
    except cs.PolicyDenied as denied:
        return "refused", (denied.reason_code, type(denied), str(denied), denied.decision.to_dict())
    except ValueError as error:
        return "raised", (type(error), error.args)
    return "returned", result


class Program:
    """The tools of a case, whose bodies are only run while it is recorded."""

    def __init__(self) -> None:
        self.calls: dict[str, Recorded] = {}
        self.tools: dict[str, Callable[..., Any]] = {}

    def call(self, step: Step) -> Callable[[], Any]:
        def body(**arguments: Any) -> Any:
            return running.get().body()

        name = step["tool"]
        if name not in self.tools:
            self.tools[name] = cs.guard_tool(name, body)
        return lambda: self.tools[name](**step.get("args", {}))

    def record(self, step: Step) -> None:
        op, name = next((op, step[op]) for op in ("call", "begin", "end") if op in step)
        if op != "end":
            with cs.session(step.get("session", "s-1")), cs.run(step.get("run", "r-1")):
                self.calls[name] = Recorded(self.call(step))
                self.calls[name].begin()
        if op != "begin":
            self.calls[name].end(step)

    def close(self) -> None:
        for call in self.calls.values():
            call.ends.set()
            call.thread.join(30)

    def replay(self, case: Case) -> None:
        main = contextvars.copy_context()
        tasks = {"main": main}
        for position, step in enumerate(case["made"]):
            task = step.get("task", "main")
            if task not in tasks:
                tasks[task] = tasks[step.get("from", "main")].run(contextvars.copy_context)
            with nullcontext() if step.get("alone", True) else beside():
                expected, seen = step["expect"], self.made(tasks[task], step)
            if "given" in expected:
                expect(f"call {position}", seen, self.calls[expected["given"]].outcome)
            else:
                expect(f"call {position}", seen, expected)

    def made(self, task: contextvars.Context, step: Step) -> Any:
        try:
            return task.run(outcome, self.call(step))
        except cs.ReplayDivergence as divergence:
            return {"diverged": told(divergence)}
        except cs.LedgerError as error:
            if error.code != "replay_incomplete":
                raise
            return {"incomplete": str(error)}


@contextmanager
def beside() -> Iterator[None]:
    """Another thread lives, which might make calls too."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def told(divergence: cs.ReplayDivergence) -> dict[str, Any]:
    assert divergence.code == "replay_divergence"
    return {
        "message": str(divergence),
        "position": divergence.position,
        "expected": divergence.expected,
        "found": divergence.found,
    }


def replay(case: Case, policy: str) -> str:
    if any("call_id" in step for step in (*case["recorded"], *case.get("made", ()))):
        return IDS_ARE_OF_FRAMEWORKS
    with testing.engine(cs.Policy.from_text(case.get("policy", policy))) as engine:
        program = Program()
        try:
            for step in case["recorded"]:
                program.record(step)
            if missing := case.get("without"):
                cs.flush()
                Path(engine.home, missing).unlink()
            replayed(case, program, engine.home)
        finally:
            program.close()
    return REPLAYED


def replayed(case: Case, program: Program, home: str) -> None:
    left = None
    try:
        with cs.replay(case.get("run", "r-1"), session=case.get("session"), home=home):
            program.replay(case)
    except cs.ReplayDivergence as divergence:
        left = told(divergence)
    except cs.LedgerError as error:
        expect("refusal", {"code": error.code, "message": str(error).replace(home, "<home>")}, case["error"])
        return
    assert "error" not in case
    expect("left", left, case["left"])


def test_runs() -> None:
    found = vectors("replay")
    answers = replay_all(found["cases"], lambda case: replay(case, found["policy"]))
    assert answers == {REPLAYED: 50, IDS_ARE_OF_FRAMEWORKS: 3}
