"""agent-governance-toolkit-core as a contender: its two-line wrapper `agentmesh.governance.govern()`.

Its rules have no tool selector; the further rules of `n_rules` are denies on the same argument that do not match.
"""

# The peer is not there where this project's types are checked.
# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from agentmesh.governance.govern import GovernanceDenied, GovernedCallable, govern

from bench.peers.workload import MAXIMUM, Contender, Tool, issue_refund

if TYPE_CHECKING:
    from pathlib import Path


def policy(n_rules: int) -> str:
    """Its own YAML: an argument is seen as `<name>.value`, and only where it was given by name."""
    lines = ["apiVersion: governance.toolkit/v1", "name: bench", "default_action: deny", "rules:"]
    for i in range(n_rules - 1):
        lines += [f"  - name: deny-{i}", f"    condition: amount.value > {1000 + i}", "    action: deny"]
    lines += ["  - name: small-refunds", f"    condition: amount.value <= {MAXIMUM}", "    action: allow"]
    return "\n".join(lines)


class GovernanceToolkit:
    name = "agent-governance-toolkit-core"
    version = version("agent-governance-toolkit-core")
    record = "hash-chained list in memory"
    fixed_policy = False
    refusal: type[Exception] = GovernanceDenied

    def __init__(self) -> None:
        self._governed: GovernedCallable | None = None

    def make_bare(self) -> Tool:
        return issue_refund

    def make_guarded(self, n_rules: int) -> Tool:
        # A new one has a new audit log, so the memory of earlier blocks does not weigh on this one.
        self._governed = govern(issue_refund, policy=policy(n_rules))
        tool: Tool = self._governed
        return tool

    def records(self) -> int:
        log = self._governed.audit_log if self._governed else None
        return len(log.query(limit=10**9)) if log else 0

    def settle(self) -> None:
        pass


def contenders(scratch: Path) -> list[Contender]:
    return [GovernanceToolkit()]
