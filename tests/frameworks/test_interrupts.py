"""`approval_mode="native"` in graphs of the program's own: LangGraph runs a node again from its start and hands out answers by their place."""

from __future__ import annotations

import asyncio
import contextvars
import operator
import threading
import time
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import counterseal as cs
import pytest
from counterseal import _interrupting, _native
from langchain_core.messages import AIMessage
from langchain_core.tools import StructuredTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POLICY: dict[str, Any] = {
    "version": 1,
    "name": "bank",
    "rules": [{"id": "ask", "tools": ["pay", "pay_async"], "decision": "require_approval"}],
}
THREAD = {"configurable": {"thread_id": "t"}}


class State(TypedDict):
    said: Annotated[list[str], operator.add]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    cs.configure(policy=POLICY, home=tmp_path / "home", approval_mode="native")
    with cs.session("conv"):
        yield tmp_path / "home"
    cs.close()


def until(done: Callable[[], Any]) -> Any:
    """Looks again and again, and fails where it never comes."""
    end = time.monotonic() + 60
    while not (found := done()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def graph(node: Callable[[Any], Any], state: type = State, *, resumable: bool = True) -> Any:
    building = StateGraph(state)
    building.add_node("node", node)
    building.add_edge(START, "node")
    building.add_edge("node", END)
    return building.compile(checkpointer=InMemorySaver() if resumable else None)


def answered(stopped: dict[str, Any], decide: Callable[[dict[str, Any]], str]) -> Any:
    """Answers everything that is asked."""
    said = {}
    for one in stopped["__interrupt__"]:
        said[one.id] = {"id": one.value["id"], "decision": decide(one.value), "by": "ann"}
    return Command(resume=said)


def kinds(home: Path) -> dict[str, list[dict[str, Any]]]:
    cs.flush()
    found: dict[str, list[dict[str, Any]]] = {"decided": [], "completed": [], "approval": []}
    for record in cs.Ledger(home):
        found.setdefault(record["kind"], []).append(record)
    return found


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"by": "joe"}, "`joe` does not count"),
        ({"grant": {"when": "true"}}, "a grant has an end"),
        ({"grant": {"when": "args.amount <", "count": 1}}, "not well-formed"),
        ({"grant": "all"}, "`grant` is a `str`"),
        ({"groups": "finance"}, "`groups` is no list"),
    ],
)
def test_an_answer_that_cannot_be_used_is_asked_for_again(tmp_path: Path, given: dict[str, Any], problem: str) -> None:
    rule = {**POLICY["rules"][0], "approval": {"approvers": ["ann"]}}
    cs.configure(policy={**POLICY, "rules": [rule]}, home=tmp_path / "home", approval_mode="native")

    def paid(amount: int) -> str:
        return f"paid {amount}"

    pay = cs.guard_tool("pay", paid)
    stops = graph(lambda state: {"said": [pay(7)]})
    with cs.session("conv"):
        (first,) = stops.invoke({"said": []}, THREAD)["__interrupt__"]
        answer = {"id": first.value["id"], "decision": "approve", "by": "ann"}
        (again,) = stops.invoke(Command(resume={**answer, **given}), THREAD)["__interrupt__"]
        assert again.value["id"] == answer["id"], "the question is still open"
        assert problem in again.value["problem"]
        assert stops.invoke(Command(resume=answer), THREAD)["said"] == ["paid 7"]
    cs.close()


def test_every_run_of_a_node_that_asks_twice_has_a_yes_of_its_own(home: Path) -> None:
    ran: list[int] = []

    @cs.guard(approval_mode="native")
    def pay(amount: int) -> str:
        ran.append(amount)
        return f"paid {amount}"

    program = graph(lambda state: {"said": [pay(1), pay(2)]})
    stopped = program.invoke({"said": []}, THREAD)
    asked = []
    while "__interrupt__" in stopped:
        asked += [one.value["id"] for one in stopped["__interrupt__"]]
        assert len(asked) < 9
        stopped = program.invoke(answered(stopped, lambda question: "approve"), THREAD)
    assert stopped["said"] == ["paid 1", "paid 2"]
    assert len(set(asked)) == len(asked) == len(ran)
    records = kinds(home)
    assert len(records["decided"]) == len(records["completed"]) == len(ran)
    assert sorted(one["approval"] for one in records["decided"]) == sorted(asked)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("concurrency", [None, 1], ids=["beside", "one after another"])
def test_a_no_to_one_call_never_becomes_the_no_or_the_yes_of_another(
    home: Path, asynchronous: bool, concurrency: int | None
) -> None:
    thread: dict[str, Any] = {**THREAD, "max_concurrency": concurrency}
    ran: list[int] = []

    def pay(amount: int) -> str:
        """Pays."""
        ran.append(amount)
        return f"paid {amount}"

    async def pay_async(amount: int) -> str:
        return pay(amount)

    calls = [{"name": "pay", "args": {"amount": number}, "id": f"c{number}"} for number in range(3)]
    one = StructuredTool.from_function(pay, pay_async if asynchronous else None)
    program = graph(ToolNode([one]), MessagesState)

    def step(given: Any) -> dict[str, Any]:
        found: dict[str, Any] = (
            asyncio.run(program.ainvoke(given, thread)) if asynchronous else program.invoke(given, thread)
        )
        return found

    # one task for all three: none runs before all are answered, or it would run again
    stopped = step({"messages": [AIMessage("", tool_calls=calls)]})
    turns = 0
    while "__interrupt__" in stopped:
        turns += 1
        assert turns < 20
        decide: Callable[[dict[str, Any]], str] = lambda question: (  # noqa: E731
            "deny" if question["arguments"]["amount"] == 1 else "approve"
        )
        stopped = step(answered(stopped, decide))
    texts = [str(one.content) for one in stopped["messages"][1:]]
    assert [text.split(":")[0] for text in texts] == [
        "paid 0",
        "`pay` was not run. A person was asked and said no",
        "paid 2",
    ]
    assert 1 not in ran
    assert sorted(ran) == [0, 2]
    records = kinds(home)
    ran_by = [one["approval"] for one in records["decided"] if one["effect"] == "run"]
    assert len(set(ran_by)) == len(ran_by) == len(ran)


def test_a_question_outlives_its_process(home: Path) -> None:
    @tool
    def pay(amount: int) -> str:
        """Pays."""
        return f"paid {amount}"

    program = graph(ToolNode([pay]), MessagesState)
    call = {"name": "pay", "args": {"amount": 1}, "id": "c"}
    stopped = program.invoke({"messages": [AIMessage("", tool_calls=[call])]}, THREAD)
    (before,) = stopped["__interrupt__"]
    # as the home sees the end of a process
    cs.close()
    cs.configure(policy=POLICY, home=home, approval_mode="native")
    ended = program.invoke(answered(stopped, lambda question: "approve"), THREAD)
    assert ended["messages"][-1].content == "paid 1"
    assert [one["approval"] for one in kinds(home)["decided"]] == [before.value["id"]]


def test_a_body_that_stops_the_graph_itself_is_entered_again_under_its_yes(home: Path) -> None:
    @tool
    def pay(amount: int) -> str:
        """Pays, from an account that it asks for."""
        return f"paid {amount} from {interrupt('which account?')}, {interrupt('which month?')}"

    program = graph(ToolNode([pay]), MessagesState)
    call = {"name": "pay", "args": {"amount": 1}, "id": "c"}
    stopped = program.invoke({"messages": [AIMessage("", tool_calls=[call])]}, THREAD)
    # one that cannot be used has its place among the answers too
    useless = {"id": stopped["__interrupt__"][0].value["id"], "decision": "perhaps"}
    stopped = program.invoke(Command(resume=useless), THREAD)
    stopped = program.invoke(answered(stopped, lambda question: "approve"), THREAD)
    for account in ("savings", "May"):
        assert isinstance(stopped["__interrupt__"][0].value, str)
        stopped = program.invoke(Command(resume=account), THREAD)
    assert stopped["messages"][-1].content == "paid 1 from savings, May"
    records = kinds(home)
    assert [one["state"] for one in records["approval"]] == ["pending", "approved"]
    assert [one["outcome"] for one in records["completed"]] == ["interrupted", "interrupted", "success"]
    assert len({one["action_id"] for one in records["decided"]}) == 3


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_calls_of_a_turn_wait_for_each_other_across_processes(home: Path, asynchronous: bool) -> None:
    ran: list[str] = []

    def pay(to: str) -> str:
        """Pays."""
        ran.append(to)
        return f"paid {to}"

    async def pay_async(to: str) -> str:
        return pay(to)

    one = StructuredTool.from_function(pay, coroutine=pay_async)
    program = graph(ToolNode([one]), MessagesState)
    calls = [{"name": "pay", "args": {"to": to}, "id": f"c-{to}"} for to in "abc"]
    given: Any = {"messages": [AIMessage("", tool_calls=calls)]}
    asked = []
    while True:
        found = asyncio.run(program.ainvoke(given, THREAD)) if asynchronous else program.invoke(given, THREAD)
        if "__interrupt__" not in found:
            break
        assert ran == []
        (question,) = found["__interrupt__"]
        asked.append(question.value["arguments"]["to"])
        given = answered(found, lambda question: "approve")
        # as another process finds it: what this one knew of the turn is gone
        cs.close()
        _interrupting._open.clear()
        _interrupting._early.clear()
        cs.configure(policy=POLICY, home=home, approval_mode="native")
    assert sorted(ran) == sorted(asked) == ["a", "b", "c"]
    assert [message.content for message in found["messages"][1:]] == ["paid a", "paid b", "paid c"]


def test_a_turn_that_cannot_be_stopped_waits_for_each_of_its_calls_alone(home: Path) -> None:
    ran: list[str] = []

    @tool
    def pay(to: str) -> str:
        """Pays."""
        ran.append(to)
        return f"paid {to}"

    program = graph(ToolNode([pay]), MessagesState, resumable=False)
    calls = [{"name": "pay", "args": {"to": to}, "id": f"c-{to}"} for to in "ab"]
    given = {"messages": [AIMessage("", tool_calls=calls)]}
    found: list[dict[str, Any]] = []
    context = contextvars.copy_context()
    running = threading.Thread(target=lambda: found.append(context.run(program.invoke, given)), daemon=True)
    running.start()
    first, second = until(lambda: len(asked := list((home / "approvals").glob("*.json"))) == 2 and asked)
    approve = ["counterseal", "approvals", "approve", "--yes", "--home", str(home)]
    assert _native.command_line([*approve, first.stem]) == 0
    until(lambda: ran)  # while the other one is not answered
    assert _native.command_line([*approve, second.stem]) == 0
    running.join(60)
    assert [message.content for message in found[0]["messages"][1:]] == ["paid a", "paid b"]


def test_a_permit_stops_the_graph_too(home: Path) -> None:
    def node(state: State) -> State:
        with cs.enforce("pay", {"amount": 1}, approval_mode="native"):
            return {"said": ["paid"]}

    program = graph(node)
    stopped = program.invoke({"said": []}, THREAD)
    assert [one.value["arguments"] for one in stopped["__interrupt__"]] == [{"amount": 1}]
    assert program.invoke(answered(stopped, lambda question: "approve"), THREAD)["said"] == ["paid"]
    records = kinds(home)
    assert [len(records["decided"]), len(records["completed"])] == [1, 1]
