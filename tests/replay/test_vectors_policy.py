"""Replays tests/vectors/policy.json: which policies load, as which version, and where and with which advice the others do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import counterseal as cs
import pytest
from replaying import REPLAYED, Case, expect, replay_all, vectors

CASES = vectors("policy")["cases"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_policies(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"

    def replay(case: Case) -> str:
        assert "op" not in case, f"unknown operation `{case['op']}`"
        file.write_text(case["text"], encoding="utf-8", newline="")
        for load, given in ((cs.Policy.from_text, case["text"]), (cs.Policy.from_file, str(file))):
            try:
                policy = load(given)
            except cs.PolicyError as refused:
                compare_refusal(case, refused)
            else:
                compare(case, policy, home)
        return REPLAYED

    assert replay_all(CASES, replay) == {REPLAYED: len(CASES)}
    cs.close()


def compare_refusal(case: Case, refused: cs.PolicyError) -> None:
    assert "error" in case, f"it is refused: {refused}"
    said: dict[str, Any] = {"code": refused.code, "suggestion": refused.details.get("suggestion")}
    said |= {name: int(refused.details[name]) for name in ("line", "column", "problems")}
    expect("refusal", said, case["error"])
    place = f":{said['line']}:{said['column']}: "
    first = refused.message.splitlines()[0]
    assert place in first, f"{first} does not say {place}"
    assert said["suggestion"] is None or said["suggestion"] in refused.message


def compare(case: Case, policy: cs.Policy, home: Path) -> None:
    assert "expect" in case, "it loads"
    configuration = cs.configure(policy=policy, home=home)
    decision = cs.check("a tool that no policy names", {})
    said: dict[str, Any] = {
        "version": decision.policy,
        # their ids are seen where they decide
        "rules": [None] * policy.rules,
        "name": policy.name,
        "default": decision.decision.value,
        "enforcement": configuration.enforcement,
        "decides": decision.reason_code != "no_policy_configured",
    }
    expected = {**case["expect"], "rules": [None] * len(case["expect"]["rules"])}
    for member, value in expected.items():
        expect(member, said[member], value)


def test_a_dict_is_the_policy_of_its_text(home: Path) -> None:
    """What a program builds has the version of the text that says the same."""
    texts = [case for case in CASES if "version" in case.get("expect", ()) and case["text"].startswith("{")]
    assert len(texts) == 3
    for case in texts:
        cs.configure(policy=json.loads(case["text"]), home=home)
        assert cs.check("tool", {}).policy == case["expect"]["version"], case["name"]
    cs.close()
