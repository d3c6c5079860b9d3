"""Replaying a recorded run: its results in order, and no tool runs."""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import decimal
import functools
import threading

import counterseal
import pytest
from counterseal import testing

FULL = "version: 1\nrecord: {result: full}\nrules: [{id: no, tools: [forbidden], decision: deny}]\n"


class Program:
    """Some tools, and how often their bodies ran."""

    def __init__(self):
        self.ran = []

        @counterseal.guard
        def search(query: str, limit: int = 3):
            self.ran.append("search")
            return {"hits": [query] * limit, "of": 7}

        @counterseal.guard
        async def fetch(url: str):
            self.ran.append("fetch")
            return [url, 2.5, None, b"\x00\xff", decimal.Decimal("1.10"), datetime.date(2026, 3, 1), 2**80]

        @counterseal.guard
        def fails(n: int):
            self.ran.append("fails")
            raise ValueError(f"not {n}")

        @counterseal.guard
        def forbidden():
            self.ran.append("forbidden")

        @counterseal.guard
        def generates():
            self.ran.append("generates")
            yield 1

        self.search, self.fetch, self.fails, self.forbidden, self.generates = search, fetch, fails, forbidden, generates

    def __call__(self, query="a"):
        seen = [self.search(query), asyncio.run(self.fetch("u"))]
        with pytest.raises(ValueError, match="not 3") as error:
            self.fails(3)
        seen.append(str(error.value))
        with pytest.raises(counterseal.PolicyDenied) as denied:
            self.forbidden()
        return [*seen, denied.value.reason_code, denied.value.decision.rules]


@pytest.fixture
def recorded():
    with testing.engine(FULL) as engine:
        program = Program()
        with counterseal.run("r-1"):
            seen = program()
        assert program.ran == ["search", "fetch", "fails"]
        program.ran.clear()
        yield engine, program, seen


def test_a_run_gives_what_it_gave_and_no_tool_runs(recorded):
    engine, program, seen = recorded
    before = len(engine.decisions)
    with counterseal.replay("r-1", home=engine.home):
        assert program() == seen
    assert program.ran == []
    assert len(engine.decisions) == before
    program.search("a")
    assert program.ran == ["search"]


def test_the_home_left_out_is_the_one_in_use(recorded):
    engine, program, seen = recorded
    with counterseal.replay("r-1"):
        assert program() == seen
    counterseal.flush()
    assert [line["kind"] for line in counterseal.Ledger()] == [line["kind"] for line in counterseal.Ledger(engine.home)]


def test_no_engine_is_needed(recorded):
    engine, program, seen = recorded
    replay = counterseal.replay("r-1", home=engine.home)
    running = counterseal._native.running_engine()
    counterseal._native.stand_down()
    try:
        with replay:
            assert program() == seen
    finally:
        running.take_over()
    assert program.ran == []


def test_another_argument_shows_the_difference(recorded):
    engine, program, _ = recorded
    with (
        pytest.raises(counterseal.ReplayDivergence) as raised,
        counterseal.replay("r-1", home=engine.home),
    ):
        program("b")
    error = raised.value
    assert str(error) == 'call 1 is not the recorded one: `search` got other arguments: `query` was `"a"` and is `"b"`'
    assert (error.code, error.position) == ("replay_divergence", 1)
    assert error.expected == {"tool": "search", "arguments": {"limit": 3, "query": "a"}}
    assert error.found == {"tool": "search", "arguments": {"limit": 3, "query": "b"}}
    assert program.ran == []


def test_another_tool_is_a_divergence(recorded):
    engine, program, _ = recorded
    with (
        pytest.raises(counterseal.ReplayDivergence, match="recorded was `search` with .*, made was `fails`"),
        counterseal.replay("r-1", home=engine.home),
    ):
        program.fails(3)


def test_too_many_and_too_few_calls_are_divergences(recorded):
    engine, program, _ = recorded
    with (
        pytest.raises(counterseal.ReplayDivergence, match="the program made 1 of 4 calls; the next would be `fetch`"),
        counterseal.replay("r-1", home=engine.home),
    ):
        program.search("a")
    with (
        pytest.raises(counterseal.ReplayDivergence, match="call 5 is `search` .*; the recorded run made 4"),
        counterseal.replay("r-1", home=engine.home),
    ):
        program()
        program.search("a")


def test_an_exception_of_the_program_is_not_covered_up(recorded):
    engine, program, _ = recorded
    with pytest.raises(KeyError, match="mine"), counterseal.replay("r-1", home=engine.home):
        program.search("a")
        raise KeyError("mine")


def test_it_holds_in_its_own_context_alone(recorded):
    engine, program, _ = recorded
    with counterseal.replay("r-1", home=engine.home):
        other = threading.Thread(
            target=contextvars.Context().run, args=(functools.partial(program.search, "elsewhere"),)
        )
        other.start()
        other.join()
        assert program.ran == ["search"]
        with counterseal.session("another"), counterseal.run("another"):
            program.search("a")
        counterseal.set_session("third")
        asyncio.run(program.fetch("u"))
        counterseal.clear_session()
        with pytest.raises(ValueError, match="not 3"):
            program.fails(3)
        with pytest.raises(counterseal.PolicyDenied):
            program.forbidden()
    assert program.ran == ["search"]


def test_a_callable_that_no_function_stands_in_for_is_replayed(recorded):
    engine, _, _ = recorded
    made = counterseal.guard_tool("joined", "-".join)
    with counterseal.run("r-2"):
        assert made(["a", "b"]) == "a-b"
    with counterseal.replay("r-2", home=engine.home):
        assert made(["a", "b"]) == "a-b"


def test_redacted_arguments_are_compared_all_the_same(recorded):
    engine, _, _ = recorded

    @counterseal.guard
    def login(password: str):
        return "in"

    with counterseal.run("r-3"):
        login("secret")
    with counterseal.replay("r-3", home=engine.home):
        assert login("secret") == "in"
    with (
        pytest.raises(counterseal.ReplayDivergence, match="they differ where the record is redacted"),
        counterseal.replay("r-3", home=engine.home),
    ):
        login("another")


def test_what_was_not_recorded_in_full_is_refused_at_once():
    with testing.engine("version: 1\n") as engine:
        program = Program()
        with counterseal.run("r-1"):
            program.search("a")
        with pytest.raises(counterseal.LedgerError, match=r"call 1, `search` .*record: {result: full}") as raised:
            counterseal.replay("r-1", home=engine.home)
        assert raised.value.code == "replay_incomplete"


def test_a_generator_cannot_be_replayed(recorded):
    engine, program, _ = recorded
    with counterseal.run("r-4"):
        assert [*program.generates()] == [1]
    with pytest.raises(counterseal.LedgerError, match="its result could not be captured"):
        counterseal.replay("r-4", home=engine.home)


def test_a_call_that_the_program_runs_itself_cannot_be_replayed(recorded):
    engine, program, _ = recorded
    with pytest.raises(counterseal.CountersealError, match="guard the function instead"):
        with counterseal.replay("r-1", home=engine.home):
            counterseal.enforce("search", {"query": "a", "limit": 3})


def test_a_run_that_is_not_there_is_told(recorded):
    engine, program, _ = recorded
    with pytest.raises(counterseal.LedgerError, match="no call of the run `r-9`"):
        counterseal.replay("r-9", home=engine.home)
    for session in ("one", "two"):
        with counterseal.session(session), counterseal.run("same"):
            program.search(session)
    with pytest.raises(counterseal.LedgerError, match="several sessions: `one`, `two`"):
        counterseal.replay("same", home=engine.home)
    with counterseal.replay("same", session="two", home=engine.home):
        assert program.search("two")["hits"] == ["two"] * 3
