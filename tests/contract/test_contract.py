"""What every adapter keeps, whatever its framework: each test runs a whole agent of that framework.

Every body that runs has exactly one `decided` and one `completed` record, of the arguments that the body got.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import counterseal as cs
import pytest
from driver import FINAL, Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Guarded
    from driver import Driver


def refuse(tool: str, when: str | None = None, **more: Any) -> dict[str, Any]:
    rule = {"id": f"refuse-{tool}", "tools": [tool], "decision": "deny", "reason": "the test says no", **more}
    return rule if when is None else {**rule, "when": when}


def body_of(asynchronous: bool, run: Callable[..., str]) -> Any:
    """`run` as a sync or an async function with the same signature, as programs write them."""
    if not asynchronous:

        def transfer(to: str, amount: float, note: str = "none") -> str:
            return run(to, amount, note)

        return transfer

    async def transfer_async(to: str, amount: float, note: str = "none") -> str:
        return run(to, amount, note)

    transfer_async.__name__ = "transfer"
    return transfer_async


class Bodies:
    """What ran, with what it got."""

    def __init__(self, *fails: BaseException) -> None:
        self.got: list[tuple[Any, ...]] = []
        self._fails = list(fails)

    def __call__(self, *arguments: Any) -> str:
        self.got.append(arguments)
        if self._fails:
            raise self._fails.pop(0)
        return "sent"


def test_what_is_decided_on_is_what_the_body_gets_after_coercion(
    driver: Driver, guarded: Guarded, asynchronous: bool
) -> None:
    ran = Bodies()
    tool = driver.tool(body_of(asynchronous, ran))
    guarded.by(refuse("transfer", "args.amount > 100.0"))
    small, large = (
        Call("transfer", {"to": "x", "amount": "99.5"}, "a"),
        Call("transfer", {"to": "x", "amount": "1e3"}, "b"),
    )
    ended = driver.run([tool], [small], [large], asynchronous=asynchronous)
    assert ran.got == [("x", 99.5, "none")]
    assert [one.error for one in ended.answers] == [False, True]
    assert guarded.recorded() == [
        ("transfer", {"to": "x", "amount": 99.5, "note": "none"}, "run", "success"),
        ("transfer", {"to": "x", "amount": 1000.0, "note": "none"}, "refused", None),
    ]


def test_defaults_are_arguments(driver: Driver, guarded: Guarded, asynchronous: bool) -> None:
    ran = Bodies()
    tool = driver.tool(body_of(asynchronous, ran))
    guarded.by(refuse("transfer", 'string(args.note) == "none"'))
    ended = driver.run([tool], [Call("transfer", {"to": "x", "amount": 1.0})], asynchronous=asynchronous)
    assert ran.got == []
    assert ended.answers[0].error


def test_arguments_changed_on_the_way_are_decided_on_as_changed(
    driver: Driver, guarded: Guarded, asynchronous: bool
) -> None:
    ran = Bodies()
    tool = driver.tool(body_of(asynchronous, ran))
    guarded.by(refuse("transfer", 'string(args.to) == "attacker"'))

    def redirect(arguments: dict[str, Any]) -> None:
        arguments["to"] = "attacker"

    ended = driver.run(
        [tool], [Call("transfer", {"to": "x", "amount": 1.0})], asynchronous=asynchronous, tamper=redirect
    )
    assert ran.got == []
    assert ended.answers[0].error
    assert [(arguments["to"], effect) for _, arguments, effect, _ in guarded.recorded()] == [("attacker", "refused")]


def test_a_body_that_changes_its_arguments_changes_no_record(driver: Driver, guarded: Guarded) -> None:
    def collect(items: list[str]) -> int:
        items.append("added")
        return len(items)

    guarded.by()
    driver.run([driver.tool(collect)], [Call("collect", {"items": ["one"]})], asynchronous=False)
    assert guarded.recorded() == [("collect", {"items": ["one"]}, "run", "success")]


def test_each_try_of_a_retried_call_is_recorded(driver: Driver, guarded: Guarded, asynchronous: bool) -> None:
    ran = Bodies(ConnectionError("first"), ConnectionError("second"))
    tool = driver.tool(body_of(asynchronous, ran))
    guarded.by()
    call = Call("transfer", {"to": "x", "amount": 1.0})
    ended = driver.run([tool], [call], asynchronous=asynchronous, retries=2, thread="t")
    assert len(ran.got) == 3
    assert [outcome for *_, outcome in guarded.recorded()] == ["error", "error", "success"]
    assert guarded.call_ids() == [driver.call_id("t", call)] * 3
    assert (ended.answers[0].text, ended.said) == ("sent", FINAL)


def test_a_refusal_is_not_retried(driver: Driver, guarded: Guarded, asynchronous: bool) -> None:
    ran = Bodies()
    tool = driver.tool(body_of(asynchronous, ran))
    guarded.by(refuse("transfer"))
    ended = driver.run([tool], [Call("transfer", {"to": "x", "amount": 1.0})], asynchronous=asynchronous, retries=2)
    assert len(guarded.recorded()) == 1
    assert ended.said == FINAL


def test_a_body_that_asks_a_person_and_is_resumed(driver: Driver, guarded: Guarded) -> None:
    """The body runs from its beginning again: two runs, each recorded. What ran to its end beside it does not run again."""
    ran: list[str] = []

    def risky(amount: float) -> str:
        ran.append("entered")
        ran.append(str(driver.ask({"amount": amount})))
        return "done"

    def safe() -> str:
        ran.append("safe")
        return "fine"

    guarded.by()
    first = Call("risky", {"amount": 5.0}, "r")
    waiting = driver.run(
        [driver.tool(risky), driver.tool(safe)], [first, Call("safe", {}, "s")], asynchronous=False, thread="t"
    )
    assert (waiting.said, [question for question, _ in waiting.asked]) == (None, [{"amount": 5.0}])
    assert sorted((name, outcome) for name, _, _, outcome in guarded.recorded()) == [
        ("risky", "interrupted"),
        ("safe", "success"),
    ]
    ended = driver.resume("yes", waiting.asked[0][1])
    assert ended.said == FINAL
    assert sorted(ran) == ["entered", "entered", "safe", "yes"]
    assert sorted((name, outcome) for name, _, _, outcome in guarded.recorded()) == [
        ("risky", "interrupted"),
        ("risky", "success"),
        ("safe", "success"),
    ]
    assert cs.current_session().tool_calls == 2, "resumed it is the same call"
    assert guarded.call_ids().count(driver.call_id("t", first)) == 2


def test_an_agent_as_a_tool_and_a_guarded_function_inside_one(driver: Driver, guarded: Guarded) -> None:
    @cs.guard(name="deepest")
    def deepest(value: int) -> int:
        return value + 1

    def inner(value: int) -> int:
        return deepest(value)

    inside = type(driver)()

    def outer(value: int) -> str:
        ended = inside.run([inside.tool(inner)], [Call("inner", {"value": value})], asynchronous=False)
        return ended.answers[0].text

    guarded.by()
    ended = driver.run([driver.tool(outer)], [Call("outer", {"value": 1})], asynchronous=False)
    assert ended.answers[0].text == "2"
    assert guarded.recorded() == [(name, {"value": 1}, "run", "success") for name in ("outer", "inner", "deepest")]


def test_a_function_that_is_guarded_already_is_decided_once(
    driver: Driver, guarded: Guarded, asynchronous: bool
) -> None:
    ran = Bodies()
    guarded.by(refuse("transfer", "args.amount > 100.0"))
    tool = driver.tool(cs.guard(body_of(asynchronous, ran)))
    small, large = Call("transfer", {"to": "x", "amount": 1}, "a"), Call("transfer", {"to": "x", "amount": 1e3}, "b")
    ended = driver.run([tool], [small], [large], asynchronous=asynchronous)
    assert ran.got == [("x", 1.0, "none")]
    assert [effect for _, _, effect, _ in guarded.recorded()] == ["run", "refused"]
    assert (ended.answers[1].error, ended.said) == (True, FINAL)
    assert "the test says no" in ended.answers[1].text


def test_calls_of_one_turn_run_beside_each_other(driver: Driver, guarded: Guarded, asynchronous: bool) -> None:
    ran = Bodies()
    tool = driver.tool(body_of(asynchronous, ran))
    guarded.by(refuse("transfer", "args.amount > 4.0"))
    turn = [Call("transfer", {"to": str(number), "amount": number}, f"c{number}") for number in range(8)]
    ended = driver.run([tool], turn, asynchronous=asynchronous, thread="t")
    assert sorted(to for to, _, _ in ran.got) == ["0", "1", "2", "3", "4"]
    assert sorted((arguments["to"], effect, outcome) for _, arguments, effect, outcome in guarded.recorded()) == [
        (str(number), *(("run", "success") if number <= 4 else ("refused", None))) for number in range(8)
    ]
    assert sorted(filter(None, guarded.call_ids())) == sorted(driver.call_id("t", one) for one in turn)
    assert {one.id: one.error for one in ended.answers} == {f"c{number}": number > 4 for number in range(8)}


def test_a_model_can_read_a_refusal_and_the_run_goes_on(driver: Driver, guarded: Guarded, asynchronous: bool) -> None:
    ran = Bodies()
    tool = driver.tool(body_of(asynchronous, ran))
    guarded.by(refuse("transfer", 'string(args.to) == "x"', reason_for_agent="ask a colleague; do not split it"))
    refused, honest = Call("transfer", {"to": "x", "amount": 1}, "a"), Call("transfer", {"to": "y", "amount": 1}, "b")
    ended = driver.run([tool], [refused], [honest], asynchronous=asynchronous)
    assert ran.got == [("y", 1.0, "none")]
    assert [(one.id, one.error) for one in ended.answers] == [("a", True), ("b", False)]
    assert "`transfer` was not run" in ended.answers[0].text
    assert "ask a colleague; do not split it" in ended.answers[0].text
    assert "the test says no" not in ended.answers[0].text, "what is for people is not for the model"
    assert ended.said == FINAL


def test_a_call_is_held_where_nobody_can_be_asked(driver: Driver, guarded: Guarded, asynchronous: bool) -> None:
    ran = Bodies()
    tool = driver.tool(body_of(asynchronous, ran))
    guarded.by({"id": "ask", "tools": ["transfer"], "decision": "require_approval", "reason": "a person decides"})
    ended = driver.run([tool], [Call("transfer", {"to": "x", "amount": 1})], asynchronous=asynchronous)
    assert ran.got == []
    assert ended.answers[0].error
    assert ended.said == FINAL
    assert [effect for _, _, effect, _ in guarded.recorded()] == ["refused"]


@pytest.mark.parametrize("yes", [True, False], ids=["yes", "no"])
def test_a_person_decides_and_the_run_goes_on(driver: Driver, guarded: Guarded, asynchronous: bool, yes: bool) -> None:
    ran = Bodies()
    tool = driver.tool(body_of(asynchronous, ran))
    asked: list[tuple[str, Any]] = []

    def approver(call: cs.ApprovalCall) -> cs.Approved | cs.Denied:
        asked.append((call.tool_name, call.arguments))
        return cs.Approved(by="bob") if yes else cs.Denied(by="bob", note="ask on Monday")

    guarded.approver = approver
    guarded.by({"id": "ask", "tools": ["transfer"], "decision": "require_approval", "reason_for_agent": "be patient"})
    ended = driver.run([tool], [Call("transfer", {"to": "x", "amount": "1"})], asynchronous=asynchronous)
    assert asked == [("transfer", {"to": "x", "amount": 1, "note": "none"})]
    assert ran.got == ([("x", 1.0, "none")] if yes else [])
    no = "`transfer` was not run: be patient. A person was asked and said no: ask on Monday"
    assert [(one.text, one.error) for one in ended.answers] == [("sent", False) if yes else (no, True)]
    assert ended.said == FINAL
    assert [(effect, outcome) for _, _, effect, outcome in guarded.recorded()] == [
        ("run", "success") if yes else ("refused", "denied")
    ]


def test_a_call_is_held_until_its_record_is_on_the_disk(driver: Driver, guarded: Guarded, asynchronous: bool) -> None:
    found: list[int] = []

    def on_disk(*_: Any) -> str:
        # what another process would read: nothing is flushed here
        found.append(sum(record["kind"] == "decided" for record in cs.Ledger(guarded.home)))
        return "sent"

    tool = driver.tool(body_of(asynchronous, on_disk))
    guarded.by(record={"sync": "durable"})
    driver.run([tool], [Call("transfer", {"to": "x", "amount": 1})], asynchronous=asynchronous)
    assert found == [1]


def test_the_bodys_own_exception_passes_as_without_a_guard(
    driver: Driver, guarded: Guarded, asynchronous: bool
) -> None:
    tool = driver.tool(body_of(asynchronous, Bodies(ZeroDivisionError("own"))))
    guarded.by()
    with pytest.raises(ZeroDivisionError, match="own"):
        driver.run([tool], [Call("transfer", {"to": "x", "amount": 1})], asynchronous=asynchronous)
    assert [outcome for *_, outcome in guarded.recorded()] == ["error"]


def test_session_and_run_reach_the_record(driver: Driver, guarded: Guarded, asynchronous: bool) -> None:
    seen: list[tuple[str, str | None]] = []

    def where(*_: Any) -> str:
        seen.append((threading.current_thread().name, cs.get_session()))
        return "sent"

    tool = driver.tool(body_of(asynchronous, where))
    guarded.by()
    with cs.session("conversation", user="u-7"), cs.run("r-1"):
        driver.run([tool], [Call("transfer", {"to": "x", "amount": 1})], asynchronous=asynchronous)
    assert [session for _, session in seen] == ["conversation"]
    cs.flush()
    decided = [record for record in cs.Ledger(guarded.home) if record["kind"] == "decided"]
    assert [(one["session"], one["run"], one["user"]["id"]) for one in decided] == [("conversation", "r-1", "u-7")]


def test_a_tool_that_the_policy_cannot_have_meant_does_not_run(driver: Driver, guarded: Guarded) -> None:
    ran = Bodies()
    tool = driver.tool(body_of(False, ran))
    guarded.by(refuse("transfer", "args.total > 1.0"))
    with pytest.raises(cs.ConfigurationError, match="total"):
        driver.run([tool], [Call("transfer", {"to": "x", "amount": 1})], asynchronous=False)
    assert ran.got == []


ASK = {"id": "ask", "tools": ["transfer"], "decision": "require_approval", "reason": "a person decides"}


def answered(question: dict[str, Any], decision: str, **more: Any) -> dict[str, Any]:
    """What a screen sends back."""
    return {"id": question["id"], "decision": decision, "by": "ann", "verified_by": "sso"} | more


@pytest.mark.parametrize("decision", ["approve", "deny", "edit"])
def test_the_framework_asks_in_its_own_way_and_goes_on_with_the_answer(
    driver: Driver, guarded: Guarded, asynchronous: bool, decision: str
) -> None:
    ran = Bodies()
    guarded.native = True
    guarded.by(ASK, redact={"keys": ["note"]})
    call = Call("transfer", {"to": "x", "amount": "5", "note": "hunter2"})
    waiting = driver.run([driver.tool(body_of(asynchronous, ran))], [call], asynchronous=asynchronous, thread="t")
    assert (waiting.said, ran.got, guarded.recorded()) == (None, [], [])
    ((question, place),) = waiting.asked
    assert (question["tool_name"], question["reason"], question["rules"]) == ("transfer", ASK["reason"], ["local/ask"])
    assert (question["arguments"]["to"], question["arguments"]["amount"]) == ("x", 5)
    assert "hunter2" not in str(question)
    more = {"arguments": {"amount": 2.5}} if decision == "edit" else {"note": "as agreed"}
    ended = driver.resume(answered(question, decision, **more), place)
    assert ended.said == FINAL
    amount = {"approve": 5.0, "edit": 2.5}
    assert ran.got == ([] if decision == "deny" else [("x", amount[decision], "hunter2")])
    assert [one.error for one in ended.answers] == [decision == "deny"]
    assert [(effect, outcome) for _, _, effect, outcome in guarded.recorded()] == [
        ("refused", "denied") if decision == "deny" else ("run", "success")
    ]
    (said,) = [one for one in guarded.approvals() if one.get("decided_by")]
    assert (said["approval"], said["decided_by"]) == (question["id"], "ann")


def test_calls_of_one_turn_are_asked_about_beside_each_other(
    driver: Driver, guarded: Guarded, asynchronous: bool
) -> None:
    ran = Bodies()
    guarded.native = True
    guarded.by({**ASK, "when": "args.amount > 1.0"})
    turn = [Call("transfer", {"to": str(number), "amount": number}, f"c{number}") for number in range(4)]
    waiting = driver.run([driver.tool(body_of(asynchronous, ran))], turn, asynchronous=asynchronous, thread="t")
    asked = {question["arguments"]["to"]: (question, place) for question, place in waiting.asked}
    assert (sorted(asked), sorted(to for to, _, _ in ran.got)) == (["2", "3"], ["0", "1"])
    question, place = asked["3"]
    waiting = driver.resume(answered(question, "deny"), place)
    assert [(one["arguments"]["to"], one["id"]) for one, _ in waiting.asked] == [("2", asked["2"][0]["id"])]
    ended = driver.resume(answered(asked["2"][0], "approve"), asked["2"][1])
    assert ended.said == FINAL
    assert sorted(to for to, _, _ in ran.got) == ["0", "1", "2"]
    assert sorted((arguments["to"], effect, outcome) for _, arguments, effect, outcome in guarded.recorded()) == [
        ("0", "run", "success"),
        ("1", "run", "success"),
        ("2", "run", "success"),
        ("3", "refused", "denied"),
    ]


def test_an_answer_counts_for_the_question_that_it_names_alone(
    driver: Driver, guarded: Guarded, asynchronous: bool
) -> None:
    ran = Bodies()
    guarded.native = True
    guarded.by(ASK)
    call = Call("transfer", {"to": "x", "amount": 1})
    waiting = driver.run([driver.tool(body_of(asynchronous, ran))], [call], asynchronous=asynchronous, thread="t")
    for wrong in (True, {"decision": "approve"}, {"id": "0" * 32, "decision": "approve"}, {"id": 1}):
        ((question, place),) = waiting.asked
        waiting = driver.resume(wrong, place)
        assert (waiting.said, ran.got) == (None, [])
        assert [one["id"] for one, _ in waiting.asked] == [question["id"]]
    ((question, place),) = waiting.asked
    assert driver.resume(answered(question, "approve"), place).said == FINAL
    assert len(ran.got) == 1
    assert len(guarded.recorded()) == 1


def test_every_yes_that_a_rule_wants_is_asked_for(driver: Driver, guarded: Guarded, asynchronous: bool) -> None:
    ran = Bodies()
    guarded.native = True
    guarded.by({**ASK, "approval": {"quorum": 2, "approvers": ["ann", "bob", "group:risk"]}})
    call = Call("transfer", {"to": "x", "amount": 1})
    waiting = driver.run([driver.tool(body_of(asynchronous, ran))], [call], asynchronous=asynchronous, thread="t")
    for groups in ([], ["risk"]):
        ((question, place),) = waiting.asked
        by = "eve" if groups else "ann"
        waiting = driver.resume(answered(question, "approve", by=by, groups=groups), place)
    assert (waiting.said, len(ran.got)) == (FINAL, 1)
    assert {one["decided_by"] for one in guarded.approvals() if one.get("decided_by")} == {"ann", "eve"}


def test_a_retried_call_is_asked_about_again(driver: Driver, guarded: Guarded, asynchronous: bool) -> None:
    """A yes is good for one run: the second try is a call of its own."""
    ran = Bodies(ConnectionError("first"))
    guarded.native = True
    guarded.by(ASK)
    call = Call("transfer", {"to": "x", "amount": 1})
    tool = driver.tool(body_of(asynchronous, ran))
    waiting = driver.run([tool], [call], asynchronous=asynchronous, thread="t", retries=1)
    ids = []
    while waiting.said is None:
        ((question, place),) = waiting.asked
        ids.append(question["id"])
        assert len(ids) <= 2
        waiting = driver.resume(answered(question, "approve"), place)
    outcomes = [outcome for *_, outcome in guarded.recorded()]
    assert (len(set(ids)), len(ids)) == (len(outcomes), len(outcomes))
    assert outcomes[-1] == "success"
    assert len(ran.got) == len(outcomes)


def test_a_guarded_function_inside_a_tool_asks_in_the_frameworks_way(driver: Driver, guarded: Guarded) -> None:
    got: list[float] = []

    @cs.guard(approval_mode="native")
    def transfer(amount: float) -> str:
        got.append(amount)
        return "sent"

    def outer(amount: float) -> str:
        return transfer(amount)

    guarded.approver = "home"
    guarded.by(ASK)
    waiting = driver.run([driver.tool(outer)], [Call("outer", {"amount": 1.0})], asynchronous=False, thread="t")
    ((question, place),) = waiting.asked
    assert driver.resume(answered(question, "approve"), place).said == FINAL
    assert got == [1.0]
    assert [(name, effect, outcome) for name, _, effect, outcome in guarded.recorded()] == [
        ("outer", "run", "interrupted"),
        ("outer", "run", "success"),
        ("transfer", "run", "success"),
    ]


def test_an_answer_from_another_terminal_holds_too(driver: Driver, guarded: Guarded, asynchronous: bool) -> None:
    ran = Bodies()
    guarded.native = True
    guarded.by(ASK)
    call = Call("transfer", {"to": "x", "amount": 1})
    waiting = driver.run([driver.tool(body_of(asynchronous, ran))], [call], asynchronous=asynchronous, thread="t")
    ((question, place),) = waiting.asked
    guarded.command_line("approvals", "approve", question["id"], "--yes")
    assert driver.resume("go on", place).said == FINAL
    assert len(ran.got) == 1
    assert len(guarded.recorded()) == 1


def test_outside_of_a_run_that_can_stop_the_call_waits(driver: Driver, guarded: Guarded, asynchronous: bool) -> None:
    ran = Bodies()
    guarded.native = True
    guarded.approver = lambda call: True
    guarded.by(ASK)
    call = Call("transfer", {"to": "x", "amount": 1})
    ended = driver.run([driver.tool(body_of(asynchronous, ran))], [call], asynchronous=asynchronous)
    assert (ended.said, len(ran.got)) == (FINAL, 1)


def test_a_recorded_run_is_replayed_and_no_body_runs(driver: Driver, guarded: Guarded, asynchronous: bool) -> None:
    ran = Bodies()

    @cs.guard(name="deepest")
    def deepest(value: int) -> int:
        ran("deepest", value)
        return value + 1

    def outer(value: int) -> str:
        return f"{value}: {deepest(value)}"

    def quiet(value: int) -> None:
        deepest(value)

    guarded.by(refuse("transfer", "args.amount > 4.0", reason_for_agent="ask a colleague"), record={"result": "full"})
    same = [Call("outer", {"value": 1}, f"s{number}") for number in range(3)]
    turn = [Call("transfer", {"to": str(number), "amount": number}, f"c{number}") for number in range(8)]

    def program() -> tuple[set[tuple[str, str, bool]], str | None]:
        fresh = type(driver)()
        tools = [fresh.tool(body_of(asynchronous, ran)), fresh.tool(outer), fresh.tool(quiet)]
        last = [Call("quiet", {"value": 2}, "n")]
        ended = fresh.run(tools, [*turn, *same], last, asynchronous=asynchronous)
        return {(one.id, one.text, one.error) for one in ended.answers}, ended.said

    with cs.run("r-1"):
        seen = program()
    bodies = len(ran.got)
    assert bodies == 5 + 4
    before = len(guarded.recorded())
    for _ in range(5):
        with cs.replay("r-1", home=guarded.home):
            assert program() == seen
    assert (len(ran.got), len(guarded.recorded())) == (bodies, before)


def test_a_divergence_that_the_framework_made_an_answer_of_is_told_at_the_end(
    driver: Driver, guarded: Guarded, asynchronous: bool
) -> None:
    ran = Bodies()
    guarded.by(record={"result": "full"})

    def program(amount: float) -> None:
        fresh = type(driver)()
        call = Call("transfer", {"to": "x", "amount": amount})
        with suppress(cs.ReplayDivergence):
            fresh.run([fresh.tool(body_of(asynchronous, ran))], [call], asynchronous=asynchronous)

    with cs.run("r-1"):
        program(1)
    with pytest.raises(cs.ReplayDivergence, match=r"`amount` was `1` and is `2`"), cs.replay("r-1", home=guarded.home):
        program(2)
    assert len(ran.got) == 1
