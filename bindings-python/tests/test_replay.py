"""Replaying a recorded run: its results in order, and no tool runs."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import datetime
import decimal
import functools
import pathlib
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
    with counterseal.replay("r-1", home=engine.home, elsewhere=True):
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


def threaded(function, *args):
    """What a plain thread, which has no context, ends with."""
    ended = []

    def run():
        try:
            ended.append(function(*args))
        except counterseal.CountersealError as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return ended[0]


def test_a_thread_without_its_context_runs_nothing(recorded):
    engine, program, seen = recorded
    with counterseal.replay("r-1", home=engine.home):
        for call in (
            lambda: program.search("a"),
            lambda: counterseal.enforce("search", {"query": "a"}),
            lambda: counterseal.log_token_usage("m", 1, 1),
            lambda: counterseal.current_session().mark("private"),
        ):
            assert threaded(call).code == "replay_incomplete"
        assert program() == seen
    assert program.ran == []
    assert threaded(program.search, "a")["of"] == 7
    assert program.ran == ["search"]


def test_none_is_a_result(recorded):
    engine, _, _ = recorded
    ran = []

    @counterseal.guard
    def nothing():
        ran.append(1)

    with counterseal.run("r-none"):
        assert nothing() is None
    with counterseal.replay("r-none", home=engine.home):
        assert nothing() is None
    assert ran == [1]


def test_calls_of_a_body_are_left_out(recorded):
    engine, _, _ = recorded
    ran = []

    @counterseal.guard
    def inner(x):
        ran.append("inner")
        return [x, len(ran)]

    @counterseal.guard
    def streams():
        yield 1

    @counterseal.guard
    def outer(x):
        ran.append("outer")
        return [inner(x), *streams()]

    def program():
        return [outer(1), inner(1), outer(1), inner(2)]

    with counterseal.run("r-nested"):
        seen = program()
    with counterseal.replay("r-nested", home=engine.home):
        assert program() == seen
    assert ran == ["outer", "inner", "inner", "outer", "inner", "inner"]
    with counterseal.run("r-inner"):
        outer(1)
    with (
        pytest.raises(counterseal.LedgerError, match="as of a generator"),
        counterseal.replay("r-inner", home=engine.home),
    ):
        # as a framework calls tools: what one was given is not known to the next
        contextvars.copy_context().run(outer, 1)
        contextvars.copy_context().run(next, streams())


def test_calls_beside_each_other_may_come_in_any_order(recorded):
    engine, _, _ = recorded

    @counterseal.guard
    async def takes(turn: int, of: str):
        for _ in range(turn):
            await asyncio.sleep(0)
        return f"{of}{turn}"

    async def agent(name, turns, before):
        for _ in range(before):
            await asyncio.sleep(0)
        return [await takes(turn, name) for turn in turns]

    async def program(first, second):
        return await asyncio.gather(agent("a", [3, 0, 2], first), agent("b", [1, 2, 0], second))

    with counterseal.run("r-tasks"):
        seen = asyncio.run(program(0, 0))
    for first, second in ((0, 0), (9, 0), (0, 9)):
        with counterseal.replay("r-tasks", home=engine.home):
            assert asyncio.run(program(first, second)) == seen
    # within one task the order holds
    with (
        pytest.raises(counterseal.ReplayDivergence, match="which the recorded run made before"),
        counterseal.replay("r-tasks", home=engine.home),
    ):

        async def other():
            return await asyncio.gather(agent("a", [0, 3, 2], 0), agent("b", [1, 2, 0], 0))

        asyncio.run(other())


def test_threads_with_its_context_may_come_in_any_order(recorded):
    engine, _, _ = recorded
    together = threading.Barrier(4)

    @counterseal.guard
    def meets(n: int):
        together.wait(30)
        return n * n

    def program(numbers):
        found = {}
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(lambda n: found.update({n: meets(n)}), n))
            for n in numbers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    with counterseal.run("r-threads"):
        seen = program([1, 2, 3, 4])
    for _ in range(5):
        with counterseal.replay("r-threads", home=engine.home):
            assert program([4, 3, 2, 1]) == seen


def test_a_call_left_out_is_told_at_the_next(recorded):
    engine, program, _ = recorded
    with (
        pytest.raises(counterseal.ReplayDivergence, match="call 2 is not the recorded one: recorded was `fetch`"),
        counterseal.replay("r-1", home=engine.home),
    ):
        program.search("a")
        program.fails(3)


def test_a_library_of_tasks_that_is_only_imported_hides_no_call_left_out(recorded):
    pytest.importorskip("trio")
    test_a_call_left_out_is_told_at_the_next(recorded)


def test_on_trio_too_a_task_may_be_overtaken():
    trio = pytest.importorskip("trio")
    with testing.engine(FULL) as engine:

        @counterseal.guard
        async def fetch(n: int):
            return n

        seen = {}

        async def one(n, wait):
            await trio.sleep(wait)
            seen[n] = await fetch(n)

        async def program(waits):
            seen.clear()
            async with trio.open_nursery() as nursery:
                for n, wait in enumerate(waits):
                    nursery.start_soon(one, n, wait)

        with counterseal.run("r-trio"):
            trio.run(program, (0, 0.02))
        with counterseal.replay("r-trio", home=engine.home):
            trio.run(program, (0.02, 0))
        assert seen == {0: 0, 1: 1}


def test_a_divergence_that_was_caught_is_told_at_the_end(recorded):
    engine, program, _ = recorded
    for found in ("b", None):
        with (
            pytest.raises(counterseal.ReplayDivergence, match="is not the recorded one|the recorded run made 4"),
            counterseal.replay("r-1", home=engine.home),
        ):
            if found is None:
                program()
            with pytest.raises(counterseal.ReplayDivergence):
                program.search(found or "a")
            with pytest.raises(counterseal.ReplayDivergence):
                program.search("a")
    assert program.ran == []


class OwnError(ValueError):
    def __init__(self, what, more):
        super().__init__(what, more)
        self.more = more


def test_an_exception_that_was_made_with_more_than_is_recorded_is_told_to_be_another(recorded):
    engine, _, _ = recorded

    @counterseal.guard
    def fails():
        raise ValueError(["a", {"b": 1}])

    with counterseal.run("r-error"), pytest.raises(ValueError):
        fails()
    with (
        counterseal.replay("r-error", home=engine.home),
        pytest.raises(counterseal.CountersealError, match="ValueError: …") as raised,
    ):
        fails()
    assert raised.value.code == "replayed"


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        FileNotFoundError(2, "No such file", "/x"),
        OwnError("boo", 3),
        ValueError("[1]"),
        ValueError("a", 1.5, None, True, 2**70),
        ValueError("mail bob@example.com"),
        TimeoutError(),
    ],
    ids=repr,
)
def test_an_exception_comes_back_as_far_as_it_was_recorded(recorded, error):
    engine, _, _ = recorded

    @counterseal.guard
    def fails():
        raise error

    with counterseal.run("r-error"), pytest.raises(type(error)):
        fails()
    with counterseal.replay("r-error", home=engine.home), pytest.raises(type(error)) as raised:
        fails()
    again = raised.value
    assert (type(again), again.args, str(again)) == (type(error), error.args, str(error))
    assert getattr(again, "errno", None) == getattr(error, "errno", None)
    assert getattr(again, "filename", None) == getattr(error, "filename", None)


def test_an_exception_that_takes_more_is_told_as_text(recorded):
    engine, _, _ = recorded

    class Local(Exception):  # noqa: N818
        pass

    @counterseal.guard
    def fails():
        raise Local("boo")

    with counterseal.run("r-local"), pytest.raises(Local):
        fails()
    with counterseal.replay("r-local", home=engine.home), pytest.raises(counterseal.ReplayedError, match="Local: boo"):
        fails()


def test_a_refusal_comes_back_in_its_own_words():
    policy = """
version: 1
record: {result: full}
rules:
  - {id: no, tools: [forbidden], decision: deny, reason: not here, reason_for_agent: ask a colleague}
budgets: [{id: few, tools: [counted], calls: 1}]
"""
    with testing.engine(policy) as engine:
        program = Program()
        counted = counterseal.guard(lambda: 1, name="counted")

        def refusals():
            found = []
            for call in (program.forbidden, counted, counted):
                try:
                    call()
                except counterseal.PolicyDenied as denied:
                    found.append((type(denied), str(denied), denied.reason, denied.reason_for_agent, denied.code))
            return found

        with counterseal.run("r-1"):
            seen = refusals()
        assert len(seen) == 2
        assert seen[0][2:4] == ("not here", "ask a colleague")
        with counterseal.replay("r-1", home=engine.home):
            assert refusals() == seen


def test_a_refusal_comes_back_with_its_whole_decision(recorded):
    engine, program, _ = recorded
    with counterseal.run("r-refused"), pytest.raises(counterseal.PolicyDenied) as first:
        program.forbidden()
    with counterseal.replay("r-refused", home=engine.home), pytest.raises(counterseal.PolicyDenied) as second:
        program.forbidden()
    assert second.value.decision == first.value.decision
    assert copy.copy(second.value.decision).to_dict() == first.value.decision.to_dict()


def test_a_call_that_people_agreed_to_is_given_back_without_asking_them():
    asked = []

    def agrees(question):
        asked.append(question.tool_name)
        return counterseal.Approved(by="ann")

    policy = FULL.replace("decision: deny", "decision: require_approval")
    with testing.engine(policy, approver=agrees) as engine:
        forbidden = counterseal.guard(lambda: 7, name="forbidden")
        with counterseal.run("r-asked"):
            assert forbidden() == 7
        with counterseal.replay("r-asked", home=engine.home):
            assert forbidden() == 7
    assert asked == ["forbidden"]


def test_a_record_that_cannot_be_read_is_told(recorded):
    engine, _, _ = recorded
    counterseal.flush()
    (segment,) = pathlib.Path(engine.home).glob("streams/*/*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b'"fetch"', b'"fe"tch'))
    with pytest.raises(counterseal.LedgerError, match="`counterseal ledger verify` tells") as raised:
        counterseal.replay("r-1", home=engine.home)
    assert raised.value.code == "ledger_corrupt"


def test_nothing_is_counted(recorded):
    engine, program, seen = recorded

    def agent():
        found = program()
        counterseal.log_token_usage("m", 40, 2)
        counterseal.current_session().mark("private")
        return found

    with counterseal.session("s-1"), counterseal.run("r-spends"):
        agent()
    with counterseal.replay("r-spends", home=engine.home), counterseal.session("s-2"):
        assert agent() == seen
    with counterseal.session("s-2"):
        standing = counterseal.current_session()
        assert (standing.token_spend, standing.tags) == (0, frozenset())
