"""Replays tests/vectors/approvals.json: what the answer of one person comes to. Only frameworks have several answer in one program."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Any

import counterseal as cs
from counterseal import testing
from replaying import REPLAYED, Case, expect, replay_all, vectors

CASES = vectors("approvals")["cases"]
ASKED = datetime.fromisoformat("2090-01-01T00:00:00+00:00")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text[:19] + "+00:00")


def approved(given: dict[str, Any]) -> cs.Approved:
    edit = {change["path"][1:]: change["value"] for change in given.get("edit", ())} or None
    grant = given.get("grant")
    if grant is not None:
        until = grant.get("until")
        grant = cs.Grant(
            when=grant.get("when"), count=grant.get("count"), until=None if until is None else moment(until)
        )
    return cs.Approved(by=given["by"], edit=edit, grant=grant, note=given.get("note"))


def replay(case: Case) -> str:
    assert "op" not in case, f"unknown operation `{case['op']}`"
    if case.get("quorum", 1) > 1:
        return "several people answer"
    (given,) = case["answers"]
    wanted = case["expect"]
    if wanted["state"] == "pending" and "error" not in given:
        return "people are asked on"
    if any("agent" in like for like in wanted["likes"]):
        return "one program is one agent"
    asked: list[dict[str, Any]] = []

    def approver(call: cs.ApprovalCall) -> cs.Approved | cs.Denied:
        asked.append(dict(call.arguments))
        return approved(given) if len(asked) == 1 else cs.Denied()

    def called(of: dict[str, Any]) -> bool:
        """Whether people were asked."""
        before = len(asked)
        with (
            suppress(cs.PolicyDenied),
            cs.session(of.get("session", "s"), user=of.get("user")),
            cs.enforce("t", of["args"], edits=True),
        ):
            pass
        return len(asked) > before

    policy = {"version": 1, "rules": [{"id": "r", "tools": ["t"], "decision": "require_approval"}]}
    if "detect" in case:
        policy["redact"] = {"detect": case["detect"]}
    with testing.engine(policy, approver=approver, start=ASKED.timestamp()) as engine:
        assert called({"args": case["args"]})
        cs.flush()
        approvals = [record for record in cs.Ledger(engine.home) if record["kind"] == "approval"]
        refused = [record for record in cs.Ledger(engine.home) if record["kind"] == "decided"][0]["effect"] != "run"
        expect("refused", refused, "error" in given)
        if "error" not in given:
            expect("state", approvals[-1]["state"], wanted["state"])
        if "notes" in wanted:
            note = cs.Ledger(engine.home).payloads(approvals[-1]["action_id"])["note"]
            expect("notes", [note], wanted["notes"])
        for like in wanted["likes"]:
            if "at" in like:
                engine.set_time(moment(like["at"]).timestamp())
            expect(f"{like} runs", not called(like), like["runs"])
    return REPLAYED


def test_answers() -> None:
    answers = replay_all(CASES, replay)
    assert answers == {REPLAYED: 9, "several people answer": 12, "one program is one agent": 1}
