"""Proves that the policies know neither the tasks nor the attackers.

The rules (policy.yaml), the code that fills the lists (deployment_lists.py) and each agent's filled-in lists are
searched, word by word and without regard to case, for what the benchmark's authors wrote:

- every string of 4 or more characters that a call of an attack is made with;
- of every text (a goal, a user's prompt, a long argument): each word that names something (it has a digit or one of
  @ . _ - inside, or stands in quotes) and each run of 4 words.

Left out, because any policy for these tools holds them too: names of tools and of their parameters, and the words in
GENERIC. The filled-in lists come from the agents' own data, which users also speak of, so they are searched for
attackers' constants only; a name that an attacker took from the user's own data is not the attacker's constant. That
search alone would say little, so another test shows that nothing an attacker can write changes a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("agentdojo")

from benchmark_suites import Suite, load_suites
from deployment_lists import POLICY_FILE, policy_for

SHORTEST = 4
RUN = 4
GENERIC = {"e-mail", "private"}  # `private` is one of our tags, and also the name of a chat channel
NAMES_SOMETHING = re.compile(r"\w[@._-]\w|\d")
QUOTED = re.compile(r"['\"]([^'\"\n]{4,})['\"]")

SUITES = load_suites()
RULE_SOURCES = [POLICY_FILE, Path(__file__).with_name("deployment_lists.py")]


def test_every_tool_is_classified() -> None:
    classified = yaml.safe_load(POLICY_FILE.read_text(encoding="utf-8"))["tools"].keys()
    assert classified == {tool.name for suite in SUITES for tool in suite.source.tools}


def test_rules_are_the_same_for_all_agents() -> None:
    without_lists = [{**policy_for(suite.honest_environment), "lists": None} for suite in SUITES]
    assert all(policy == without_lists[0] for policy in without_lists)


@pytest.mark.parametrize("source", RULE_SOURCES, ids=lambda source: source.name)
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_rules_hold_no_text_of_tasks_or_attacks(suite: Suite, source: Path) -> None:
    forbidden = attackers_constants(suite) | texts_of_honest_tasks(suite)
    assert found_in(source.read_text(encoding="utf-8"), forbidden) == set()


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_lists_hold_no_constant_of_an_attacker(suite: Suite) -> None:
    entries = "\n".join(
        entry for entries in policy_for(suite.honest_environment)["lists"].values() for entry in entries
    )
    own_data = yaml.safe_dump(suite.honest_environment.model_dump(mode="json"), width=10**6, allow_unicode=True)
    assert found_in(entries, {text for text in attackers_constants(suite) if text not in own_data}) == set()


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_nothing_an_attacker_can_write_changes_a_list(suite: Suite) -> None:
    before_attack = policy_for(suite.honest_environment)["lists"]
    assert all(policy_for(suite.attacked_environment(attack))["lists"] == before_attack for attack in suite.attacks)


def test_the_search_finds_what_it_should() -> None:
    assert found_in("a: evil.example.com", {"evil.example.com"})
    assert found_in("reason: Pay the\n  Landlord now", {"pay the landlord now"})
    assert not found_in("reason: paying", {"pay"})
    assert "x1-99" in set(pieces("please use the code x1-99 today"))
    assert "send it to them" in set(pieces("now send it to them"))


def attackers_constants(suite: Suite) -> set[str]:
    attacks = suite.source.injection_tasks.values()
    texts = [task.GOAL for task in attacks]
    calls = [call for task in attacks for call in task.ground_truth(suite.honest_environment.model_copy(deep=True))]
    arguments = [text for call in calls for text in strings_in([dict(call.args), dict(call.placeholder_args or {})])]
    return significant(suite, {*arguments, *(piece for text in [*texts, *arguments] for piece in pieces(text))})


def texts_of_honest_tasks(suite: Suite) -> set[str]:
    return significant(suite, {piece for task in suite.honest_tasks for piece in pieces(task.task.PROMPT)})


def pieces(text: str) -> Iterator[str]:
    words = [word.strip(".,:;!?()[]'\"`<>") for word in text.split()]
    yield from (word for word in words if NAMES_SOMETHING.search(word))
    yield from QUOTED.findall(text)
    yield from (" ".join(words[start : start + RUN]) for start in range(len(words) - RUN + 1))


def significant(suite: Suite, texts: set[str]) -> set[str]:
    tools = suite.source.tools
    names = {tool.name for tool in tools} | {name for tool in tools for name in tool.parameters.model_fields}
    return {text for text in texts if len(text) >= SHORTEST and text.lower() not in names | GENERIC}


def strings_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield str(value)
    elif isinstance(value, dict):
        yield from (text for item in value.values() for text in strings_in(item))
    elif isinstance(value, list | tuple):
        yield from (text for item in value for text in strings_in(item))


def found_in(text: str, forbidden: set[str]) -> set[str]:
    plain = f" {_plain(text)} "
    return {entry for entry in forbidden if _plain(entry) and f" {_plain(entry)} " in plain}


def _plain(text: str) -> str:
    """Lower case, one blank between words, no punctuation around them; names such as a@b.c stay whole."""
    return " ".join(word for raw in text.lower().split() if (word := raw.strip(".,:;!?()[]{}'\"`<>#-")))
