"""What a yes promises whatever happens: one run, by those who may say it, for as long as the policy is the same."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import counterseal as cs
import pytest
from conftest import PATIENCE, until_async
from counterseal.testing import TestEngine, engine


def policy(**approval: Any) -> dict[str, Any]:
    rule = {"id": "ask", "tools": ["refund"], "decision": "require_approval", "approval": approval}
    return {"version": 1, "name": "shop", "rules": [rule if approval else {**rule, "approval": {"timeout": "15m"}}]}


def refund(amount: float) -> float:
    return amount


KILLED = """
import os, sys, json, counterseal as cs
cs.configure(policy=json.loads(sys.argv[1]), home=sys.argv[2], approver=lambda call: True)
def refund(amount):
    print("ran", flush=True)
    os.kill(os.getpid(), 9)
with cs.session("conv"):
    cs.guard_tool("refund", refund)(400.0)
"""


def test_killed_in_the_body_after_a_yes_the_call_is_asked_about_again(home: Path) -> None:
    command = [sys.executable, "-c", KILLED, json.dumps(policy()), str(home)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (killed.returncode, killed.stdout) == (-9, "ran\n")
    asked: list[str] = []

    def approver(call: cs.ApprovalCall) -> bool:
        asked.append(call.action_id)
        return False

    cs.configure(policy=policy(), home=home, approver=approver)
    with cs.session("conv"), pytest.raises(cs.ApprovalDenied):
        cs.guard_tool("refund", refund)(400.0)
    assert len(asked) == 1, "the yes permitted one run, and that has begun"
    cs.flush()
    decided = [one for one in cs.Ledger(home) if one["kind"] == "decided"]
    assert sorted(one["effect"] for one in decided) == ["refused", "run"]
    assert len({one["approval"] for one in decided}) == 2


@pytest.mark.parametrize(
    ("requester", "by", "may"),
    [
        ({"user": "u-7", "verified_by": "sso"}, {"by": "ann", "verified_by": "sso"}, True),
        ({"user": "u-7", "verified_by": "sso"}, {"by": "u-7", "verified_by": "sso"}, False),
        ({"user": "u-7", "verified_by": "sso"}, {"by": "ann"}, False),
        ({"user": "u-7"}, {"by": "ann", "verified_by": "sso"}, False),
        ({}, {"by": "ann", "verified_by": "sso"}, False),
    ],
    ids=["another", "the requester", "an approver of nobody's word", "a requester of nobody's word", "nobody"],
)
def test_the_requester_cannot_say_yes_to_the_own_call(requester: dict[str, str], by: dict[str, str], may: bool) -> None:
    with engine(policy(not_by=["requester"]), approver=lambda call: cs.Approved(**by)) as test:  # type: ignore[arg-type]
        with cs.session("conv", **requester):  # type: ignore[arg-type]
            tool = cs.guard_tool("refund", refund)
            if may:
                assert tool(400.0) == 400.0
            else:
                with pytest.raises(cs.PolicyDenied):
                    tool(400.0)
        assert [one.effect for one in test.decisions] == ["run" if may else "refused"]


def test_one_yes_of_two_runs_nothing() -> None:
    async def program(test: TestEngine) -> None:
        calling = asyncio.ensure_future(cs.guard_tool("refund", refund_async)(400.0))
        files = Path(test.home) / "approvals"
        await until_async(lambda: [one for one in files.glob("*.json") if '"answered"' in one.read_text()])
        assert not calling.done()
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)

    async def refund_async(amount: float) -> float:
        return amount

    with engine(policy(quorum=2), approver=lambda call: cs.Approved(by="ann")) as test:
        asyncio.run(program(test))
        assert test.decisions == []


def test_a_grant_ends_with_the_policy_that_it_was_given_under(home: Path) -> None:
    asked: list[float] = []

    def approver(call: cs.ApprovalCall) -> cs.Approved:
        asked.append(call.arguments["amount"])
        return cs.Approved(grant=cs.Grant(when="double(args.amount) < 500.0", count=10))

    tool = cs.guard_tool("refund", refund)
    with cs.session("conv"):
        cs.configure(policy=policy(), home=home, approver=approver)
        assert [tool(400.0), tool(300.0)] == [400.0, 300.0]
        assert asked == [400]
        cs.configure(policy=policy(timeout="20m"), home=home, approver=approver)
        assert tool(300.0) == 300.0
        assert asked == [400, 300]
