"""Decisions as values and as exceptions; permits; contexts; declarations that cannot be used."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import functools
import gc
import json
import pickle
import re
import typing
from collections.abc import Callable
from pathlib import Path

import counterseal as cs
import pytest
from conftest import deny_when
from counterseal.testing import engine

REFUND = {
    "version": 1,
    "name": "refunds",
    "rules": [
        {
            "id": "big",
            "tools": ["refund"],
            "when": "args.amount > 100.0",
            "decision": "deny",
            "reason": "too big",
            "reason_for_agent": "ask a colleague",
        },
        {"id": "ask", "tools": ["mail"], "decision": "require_approval", "reason": "a person looks first"},
    ],
}


def refund(amount: float, note: str = "") -> str:
    return f"refunded {amount}"


def test_a_denied_call_says_everything() -> None:
    with engine(REFUND) as test:
        with pytest.raises(cs.PolicyDenied) as denied:
            cs.guard_tool("refund", refund)(amount=500.0)
        error = denied.value
        assert error.tool_name == "refund"
        assert (error.reason, error.reason_code, error.reason_for_agent) == ("too big", "rule", "ask a colleague")
        assert error.decision.decision == "deny"
        assert error.decision.decision is cs.Verdict.DENY
        assert f"{error.decision.decision}" == "deny"
        assert error.decision.rules == ("local/big",)
        assert error.decision.enforcement == "progressive"
        assert error.action_id == test.decisions[-1].decided["action_id"]
        assert (error.code, error.kind, error.retry) == ("rule", "denied", "never")
        assert error.remediation
        assert str(error) == "`refund` was denied: too big"
        assert not isinstance(error, OSError)
        assert json.dumps(error.decision.to_dict())
        assert test.decisions[-1].outcome is None


def test_an_argument_that_a_limit_is_counted_by_is_spoken_of_as_that() -> None:
    policy = {"version": 1, "budgets": [{"id": "b", "tools": ["pay"], "per": "args.to", "calls": 5}]}
    with engine(policy):
        pay = cs.guard_tool("pay", lambda to=None: to)
        for to, why in [(None, "`args.to` is null"), ([], "`args.to` is no text and no number")]:
            with pytest.raises(cs.PolicyDenied, match=re.escape(why)) as denied:
                pay(to)
            assert denied.value.reason_code == "limit_failed"
            assert "`per` a text" in denied.value.remediation


def test_an_error_survives_pickling() -> None:
    with engine(REFUND):
        with pytest.raises(cs.PolicyDenied) as denied:
            cs.guard_tool("refund", refund)(amount=500.0)
    back = pickle.loads(pickle.dumps(denied.value))
    assert isinstance(back, cs.PolicyDenied)
    assert (str(back), back.reason_code, back.tool_name) == (str(denied.value), "rule", "refund")


def test_a_decision_is_pickled_and_copied_whole_alone_and_in_its_error() -> None:
    with engine(REFUND):
        with pytest.raises(cs.PolicyDenied) as denied:
            cs.guard_tool("refund", refund)(amount=500.0)
        looked_ahead = [cs.check("mail", {}), cs.check("refund", {"amount": "many"}), cs.check("other", {})]
    copies = [copy.copy, copy.deepcopy, *(functools.partial(repickled, protocol) for protocol in range(6))]
    for again in copies:
        for decision in [denied.value.decision, *looked_ahead]:
            back = again(decision)
            assert type(back) is cs.Decision
            assert back.to_dict() == decision.to_dict()
            assert back == decision
            assert hash(back) == hash(decision)
            assert (back.decision, back.effect, back.enforcement) == (
                decision.decision,
                decision.effect,
                decision.enforcement,
            )
        error = again(denied.value)
        assert error.decision.to_dict() == denied.value.decision.to_dict()
        assert vars(error).keys() == vars(denied.value).keys()


def test_decisions_are_equal_where_all_that_can_be_asked_of_them_is() -> None:
    with engine(REFUND):
        small, again, other = (cs.check("refund", {"amount": amount}) for amount in (5.0, 5.0, 500.0))
        with pytest.raises(cs.PolicyDenied) as recorded:
            cs.guard_tool("refund", refund)(amount=500.0)
    assert small == again
    assert len({small, again, other, recorded.value.decision}) == 3
    assert small != other
    assert other != recorded.value.decision, "only one of them has the id of a record"
    assert small != "allow"
    assert small.decision == "allow"


def repickled(protocol: int, value: typing.Any) -> typing.Any:
    return pickle.loads(pickle.dumps(value, protocol))


@pytest.mark.parametrize("budget", [{"calls": 1}, {"usd": 0.3}, {"sum": "args.amount", "max": 7.25, "window": "1d"}])
def test_a_pickled_decision_keeps_the_limit_that_was_why(budget: dict[str, typing.Any]) -> None:
    with engine({"version": 1, "budgets": [{"id": "small", "tools": ["metered"], **budget}]}):
        guarded = cs.guard_tool("metered", refund, cost_usd=0.2)
        guarded(amount=5.0)
        with pytest.raises(cs.BudgetExceeded) as denied:
            guarded(amount=5.0)
    limit = denied.value.decision.limit
    assert limit is not None
    assert limit["unit"] == next(iter(budget))
    assert pickle.loads(pickle.dumps(denied.value)).decision.to_dict() == denied.value.decision.to_dict()
    restore, (state,) = denied.value.decision.__reduce__()
    with pytest.raises(ValueError, match="`limit` is missing or not known"):
        restore({**state, "limit": {**limit, "unit": "unheard of"}})


@pytest.mark.parametrize("missing", ["decision", "effect", "reason_code", "policy", "enforcement"])
def test_what_is_no_decision_is_not_restored_as_one(missing: str) -> None:
    with engine(REFUND):
        restore, (state,) = cs.check("refund", {"amount": 5.0}).__reduce__()
    for wrong in ({**state, missing: "unheard of"}, {**state, missing: None}, {}):
        with pytest.raises(ValueError, match="no decision of this version"):
            restore(wrong)


def test_a_partial_of_a_guarded_function_is_told_what_to_look_ahead_with() -> None:
    with engine(REFUND):
        guarded = cs.guard_tool("refund", refund)
        for ask in (cs.check, cs.enforce):
            with pytest.raises(cs.ConfigurationError, match="a partial of the guarded function `refund`; give that"):
                ask(functools.partial(guarded, 500.0), {})


def test_require_approval_without_anybody_to_ask_is_refused() -> None:
    with engine(REFUND):
        with pytest.raises(cs.PolicyDenied) as denied:
            cs.guard_tool("mail", lambda to: to)("x")
        assert denied.value.reason_code == "no_approver"
        assert denied.value.decision.decision == "require_approval"


def test_check_decides_and_records_nothing() -> None:
    with engine(REFUND) as test:
        guarded = cs.guard_tool("refund", refund)
        assert cs.check("refund", {"amount": 5.0}).decision == "allow"
        assert cs.check(guarded, '{"amount": 500.0}').decision == "deny"
        assert cs.check("never heard of", {}).decision == "allow"
        for malformed in ('{"amount": 5', "[1]", "", b"\xff", 5, None, ["amount"]):
            decision = cs.check("refund", malformed)  # type: ignore[arg-type]
            assert (decision.decision, decision.reason_code) == ("deny", "malformed_arguments"), malformed
        assert cs.check("refund", '{"amount": 1, "amount": 2}').decision == "deny"
        assert cs.check("refund", {"amount": 5.0}).action_id is None
        with pytest.raises(cs.ConfigurationError, match="not guarded"):
            cs.check(refund, {})
        assert test.decisions == []


def test_what_a_call_really_cost_takes_the_place_of_what_it_was_said_to_cost() -> None:
    with engine({"version": 1, "budgets": [{"id": "spend", "usd": 1.0}]}) as test:
        model = cs.guard_tool("model", refund, cost_usd=0.6)
        with cs.enforce(model, {"amount": 5.0}) as permit:
            permit.set_cost(0.25)
        assert cs.current_session().budgets["local/spend"].used == 0.25
        assert test.decisions[-1].completed["cost"] == 250_000
        with cs.enforce(model, {"amount": 5.0}) as permit:
            for wrong in (-1.0, float("nan"), "1", None):
                with pytest.raises(cs.ConfigurationError, match="an amount of at least 0"):
                    permit.set_cost(wrong)  # type: ignore[arg-type]
        assert cs.current_session().budgets["local/spend"].used == 0.85
        with pytest.raises(cs.LifecycleError, match="within the permit's block"):
            permit.set_cost(1.0)


def test_a_permit_completes_when_it_is_left() -> None:
    with engine(REFUND) as test:
        with cs.enforce("refund", {"amount": 5.0}) as permit:
            assert permit.action_id == test.decisions[-1].decided["action_id"]
            permit.set_result("done")
        assert test.decisions[-1].outcome == "success"
        with pytest.raises(ZeroDivisionError), cs.enforce("refund", {"amount": 5.0}):
            raise ZeroDivisionError
        assert test.decisions[-1].outcome == "error"
        with pytest.raises(cs.PolicyDenied):
            cs.enforce("refund", {"amount": 500.0})
        abandoned = cs.enforce("refund", {"amount": 5.0})
        del abandoned
        gc.collect()
        assert test.decisions[-1].outcome == "unknown"


@pytest.mark.parametrize("sync", ["timer", "durable"])
def test_a_permit_is_an_async_context_manager_too(sync: str) -> None:
    async def main() -> None:
        with engine({**REFUND, "record": {"sync": sync}}) as test:
            async with cs.enforce("refund", {"amount": 5.0}) as permit:
                assert permit.action_id
            assert test.decisions[-1].outcome == "success"

    asyncio.run(main())


def test_a_durable_record_is_on_the_disk_before_the_body_runs(home: Path) -> None:
    cs.configure(policy={**REFUND, "record": {"sync": "durable"}}, home=home)

    def body(amount: float) -> int:
        return [record["kind"] for record in cs.Ledger(home)].count("decided")

    assert cs.guard_tool("refund", body)(1.0) == 1

    async def later(amount: float) -> int:
        return body(amount)

    assert asyncio.run(cs.guard_tool("refund", later)(1.0)) == 2


def test_context_reaches_the_record() -> None:
    with engine(agent_id="agent-1") as test:
        tool = cs.guard_tool("tool", lambda: None)
        tool()
        with cs.session("conv-1", user="u-7", verified_by="sso"), cs.run("r-1"), cs.annotate(rationale="because"):
            tool()
            with cs.annotate(confidence=0.5):
                tool()
            with cs.session("conv-2"):
                tool()
        tool()
        first, second, third, fourth, last = test.decisions
        assert {one.decided["agent"] for one in test.decisions} == {"agent-1"}
        assert first.decided["implicit"]
        assert last.decided["session"] == first.decided["session"]
        assert (second.decided["session"], second.decided["run"]) == ("conv-1", "r-1")
        assert second.decided["user"] == {"id": "u-7", "verified_by": "sso"}
        assert not second.decided["implicit"]
        assert second.payloads["annotations"] == {"rationale": "because"}
        assert third.payloads["annotations"] == {"rationale": "because", "confidence": 0.5}
        assert (fourth.decided["session"], fourth.decided["user"], fourth.decided["run"]) == ("conv-2", None, None)
        assert "annotations" not in fourth.payloads


def test_tasks_carry_their_own_context() -> None:
    with engine() as test:

        @cs.guard
        async def tool(name: str) -> None:
            await asyncio.sleep(0)

        async def one(name: str) -> None:
            async with cs.session(name), cs.annotate(rationale=name):
                await asyncio.sleep(0)
                await tool(name)

        async def main() -> None:
            await asyncio.gather(*(one(f"s{n}") for n in range(20)))

        asyncio.run(main())
        for decided in test.decisions:
            name = decided.arguments["name"]
            assert (decided.decided["session"], decided.payloads["annotations"]) == (name, {"rationale": name})


def test_a_session_can_be_set_without_a_block() -> None:
    def inside() -> None:
        assert cs.get_session() is None
        cs.set_session("s-1", user="u")
        assert cs.get_session() == cs.current_session().session_id == "s-1"
        with cs.session("s-2"):
            assert cs.get_session() == "s-2"
        assert cs.get_session() == "s-1"
        cs.clear_session()
        assert cs.get_session() is None

    contextvars.copy_context().run(inside)


@pytest.mark.parametrize(
    "declare",
    [
        lambda: cs.guard_tool("", refund),
        lambda: cs.guard_tool("x", 5),  # type: ignore[type-var]
        lambda: cs.guard_tool("x", property(refund)),  # type: ignore[type-var]
        lambda: cs.guard_tool("x", refund, risk="extreme"),  # type: ignore[arg-type]
        lambda: cs.guard_tool("x", refund, cost_usd=-1),
        lambda: cs.guard_tool("x", refund, cost_usd=float("nan")),
        lambda: cs.guard_tool("x", refund, tags="private"),
        lambda: cs.guard_tool("x", refund, inject="note"),
        lambda: cs.guard_tool("x", cs.guard_tool("x", refund)),
        lambda: cs.guard_tool("x", cs.guard_tool("x", len)),
        lambda: cs.session(""),
        lambda: cs.session("s", verified_by="sso"),
        lambda: cs.run(5),  # type: ignore[arg-type]
    ],
)
def test_a_declaration_that_cannot_be_used_is_refused(declare: typing.Callable[[], object]) -> None:
    with engine(REFUND), pytest.raises(cs.ConfigurationError) as refused:
        declare()
    message = str(refused.value)
    assert message[0] in "`abcdefghijklmnopqrstuvwxyz"
    assert not message.endswith(".")


def test_a_tag_outside_the_vocabulary_is_refused_when_guarding() -> None:
    with engine({**REFUND, "tags": ["private"]}):
        cs.guard_tool("x", refund, tags=["private"])
        with pytest.raises(cs.ConfigurationError, match="privat"):
            cs.guard_tool("y", refund, tags=["privat"])


def test_guard_tools_guards_each_under_its_key() -> None:
    with engine(REFUND) as test:
        tools = cs.guard_tools({"refund": refund, "other": len})
        assert tools["refund"](1.0) == "refunded 1.0"
        assert tools["other"]("ab") == 2
        assert [one.tool for one in test.decisions] == ["refund", "other"]


def test_the_clock_of_a_test_stands_still() -> None:
    with engine(REFUND) as test:
        tool = cs.guard_tool("tool", lambda: None)
        tool()
        test.advance(3600)
        tool()
        assert [one.decided["time"] for one in test.decisions] == [
            "2026-01-01T00:00:00.000000000Z",
            "2026-01-01T01:00:00.000000000Z",
        ]


def test_what_a_policy_says_wrong_is_told_with_its_place() -> None:
    with pytest.raises(cs.PolicyError) as refused:
        cs.Policy.from_text("version: 1\nname: x\nrulez: []\n")
    assert refused.value.details["line"] == "3"
    assert "rules" in str(refused.value)
    with pytest.raises(cs.PolicyError, match="cannot be read"):
        cs.Policy.from_file("/nowhere/policy.yaml")


class Desk:
    @cs.guard(name="desk_refund")
    def refund(self, order: str, amount: float = 1.0) -> str:
        return order

    @classmethod
    @cs.guard(name="desk_refund")
    def of_class(cls, order: str, amount: float = 1.0) -> str:
        return order


def test_methods_that_are_guarded_are_tools(home: Path) -> None:
    cs.configure(policy=deny_when("desk_refund", "args.amount > 100.0"), home=home)
    for method in (Desk().refund, Desk.of_class, Desk.refund):
        assert cs.check(method, {"order": "o"}).decision == "allow"
        assert cs.check(method, {"order": "o", "amount": 500.0}).decision == "deny"
        with pytest.raises(cs.PolicyDenied):
            cs.enforce(method, {"order": "o", "amount": 500.0})
    with pytest.raises(cs.ConfigurationError, match="`append` is not guarded"):
        cs.check([].append, {})
    with pytest.raises(cs.ConfigurationError, match="guarded already"):
        cs.guard_tool("again", Desk().refund)


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda: cs.guard("issue_refund"), r"not the text `issue_refund`; write `@guard\(name=\.\.\.\)`"),
        (lambda: cs.guard_tools([print]), r"not a `list`; write `guard_tools\(\{name: function\}\)`"),
        (lambda: cs.guard_tool("x", print, tags=None), r"`tags` of `x` is a list of texts, not `None`"),
        (lambda: cs.guard_tool("x", print, tags=5), r"`tags` of `x` is a list of texts, not `5`"),
        (lambda: cs.guard_tool("x", print, tags="private"), r"`tags` of `x` is a list of texts, not `'private'`"),
        (lambda: cs.guard_tool("x", print, inject=None), r"`inject` of `x` is a list of texts, not `None`"),
        (lambda: cs.annotate(lineage=5), r"`lineage` is a list, not `5`; write `lineage=\[\.\.\.\]`"),
        (lambda: cs.annotate(lineage="abc"), r"`lineage` is a list, not `'abc'`"),
    ],
)
def test_what_is_given_wrongly_is_refused_saying_what_to_write(use: Callable[[], object], said: str) -> None:
    with pytest.raises(cs.ConfigurationError, match=said):
        use()


class GuardedCall:
    @cs.guard(name="inner")
    def __call__(self, x: int) -> int:
        return x


def test_an_object_whose_call_is_guarded_is_guarded_already(allowing: None) -> None:
    for bare in (GuardedCall(), functools.partial(GuardedCall(), 1)):
        with pytest.raises(cs.ConfigurationError, match="guarded already"):
            cs.guard_tool("tool", bare)
