"""Counterseal as a contender: a policy of `n_rules` rules, and the standard policies of bench/policies as they stand."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import counterseal as cs

from bench.peers.workload import MAXIMUM, TOOL, Contender, Tool, issue_refund

if TYPE_CHECKING:
    from collections.abc import Callable

POLICIES = Path(__file__).parent.parent / "policies"
FLUSH_SECONDS = 30.0


def rules(n_rules: int) -> dict[str, Any]:
    """One rule that matches and allows; the others are denies on the same tool that do not match."""
    small = {"id": "small-refunds", "tools": [TOOL], "when": f"args.amount <= {MAXIMUM}", "decision": "allow"}
    denies = [
        {"id": f"deny-{i}", "tools": [TOOL], "when": f"args.amount > {1000.0 + i}", "decision": "deny", "reason": "no"}
        for i in range(n_rules - 1)
    ]
    return {"version": 1, "name": "bench", "default": "deny", "rules": [*denies, small]}


def standard(n_rules: int) -> Path:
    """The standard policy has its own rules, whatever `n_rules` says."""
    return POLICIES / "standard.yaml"


def whole(n_rules: int) -> Path:
    """The standard policy with its budget, rate limit and loop rule."""
    return POLICIES / "standard_whole.yaml"


class Counterseal:
    version = version("counterseal")
    record = "hash-chained on disk, synced by timer"
    refusal: type[Exception] = cs.PolicyDenied

    def __init__(
        self, name: str, policy: Callable[[int], dict[str, Any] | Path], home: Path, *, fixed_policy: bool
    ) -> None:
        self.name = name
        self.fixed_policy = fixed_policy
        self._policy = policy
        self._home = home

    def make_bare(self) -> Tool:
        return issue_refund

    def make_guarded(self, n_rules: int) -> Tool:
        cs.configure(policy=self._policy(n_rules), home=self._home)
        return cs.guard_tool(TOOL, issue_refund)

    def records(self) -> int:
        self.settle()
        return sum(record["kind"] in {"decided", "completed"} for record in cs.Ledger(self._home))

    def settle(self) -> None:
        cs.flush(FLUSH_SECONDS)


def recorded(scratch: Path) -> Counter[str]:
    """How many records of each kind the ledger of `contenders(scratch)` holds."""
    cs.flush(FLUSH_SECONDS)
    return Counter(record["kind"] for record in cs.Ledger(scratch / "home"))


def contenders(scratch: Path) -> list[Contender]:
    return [
        Counterseal("counterseal", rules, scratch / "home", fixed_policy=False),
        Counterseal("counterseal, standard policy", standard, scratch / "home", fixed_policy=True),
        Counterseal("counterseal, standard policy whole", whole, scratch / "home", fixed_policy=True),
    ]
