"""Policies of any size, the same on every machine and in every run.

    python -m bench.policies.generate many 10000 > many.yaml

Text and not a dict: a person's policy is a file, and what reading it costs is measured with it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.peers.workload import MAXIMUM, TOOL

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = "version: 1\nname: {name}\ndefault: deny\n"
ON_THE_TOOL = 5
GLOB_SHARE, TAG_SHARE = 0.3, 0.2
TAGS = 50
# Of every shape a person writes, none of which reaches the measured tool.
GLOBS = ("service_{}.*", "*.delete_{}", "team_{}_*_report", "issue_ref*_{}", "?ssue_refund_{}")


def rule(number: int, selector: str, condition: str, decision: str) -> str:
    return f"- id: rule-{number}\n  {selector}\n  when: {condition}\n  decision: {decision}\n"


def allow(number: int) -> str:
    """The rule that lets the measured call through."""
    return rule(number, f"tools: [{TOOL}]", f"args.amount <= {MAXIMUM}", "allow")


def deny(number: int, selector: str) -> str:
    """A rule of two terms that the measured call does not meet; the first one holds, so that both are evaluated."""
    condition = f'string(args.currency) != "X{number}" && args.amount > {1000.0 + number}'
    return rule(number, selector, condition, "deny")


def document(name: str, rules: list[str], tags: str = "") -> str:
    return HEAD.format(name=name) + tags + "rules:\n" + "".join(rules)


def on_one_tool(count: int) -> str:
    """`count` rules on the measured tool: one that allows it, the others denies of one term that do not match."""
    denies = [
        rule(number, f"tools: [{TOOL}]", f"args.amount > {1000.0 + number}", "deny") for number in range(1, count)
    ]
    return document(f"{count}-on-one-tool", [*denies, allow(0)])


def many(count: int) -> str:
    """`count` rules, five of them on the measured tool, 30% by glob, 20% by tag, the rest on other tools by name."""
    globs, tagged = round(count * GLOB_SHARE), round(count * TAG_SHARE)
    selectors = [f"tools: ['{GLOBS[number % len(GLOBS)].format(number)}']" for number in range(globs)]
    selectors += [f"tags: [tag-{number % TAGS}]" for number in range(tagged)]
    selectors += [f"tools: [tool_{number}]" for number in range(count - globs - tagged - ON_THE_TOOL)]
    # Scattered, so that the tool's own rules are not found at one end.
    step = max(1, len(selectors) // ON_THE_TOOL)
    for at in range(ON_THE_TOOL - 1):
        selectors.insert(at * (step + 1), f"tools: [{TOOL}]")
    rules = [deny(number, selector) for number, selector in enumerate(selectors, start=1)]
    tags = f"tags: [{', '.join(f'tag-{number}' for number in range(TAGS))}]\n"
    return document(f"{count}-rules", [*rules, allow(0)], tags)


def two_terms(count: int) -> str:
    """`count` rules with conditions of two terms on twenty tools, one of which allows the measured call."""
    names = [TOOL, *(f"tool_{number}" for number in range(19))]
    rules = [deny(number, f"tools: [{names[number % len(names)]}]") for number in range(1, count)]
    return document(f"{count}-conditions", [*rules, allow(0)])


KINDS: dict[str, Callable[[int], str]] = {"one-tool": on_one_tool, "many": many, "two-terms": two_terms}


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] not in KINDS or not sys.argv[2].isdigit():
        sys.exit(f"usage: python -m bench.policies.generate {{{','.join(KINDS)}}} RULES")
    sys.stdout.write(KINDS[sys.argv[1]](int(sys.argv[2])))


if __name__ == "__main__":
    main()
