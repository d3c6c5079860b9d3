"""agentsentinel-sdk as a contender: `guarded_action` under a policy with an allowlist and an argument maximum.

Its policy has one entry a tool, so the further rules of `n_rules` speak of other tools.
"""

# The peer is untyped, and is not there where this project's types are checked.
# mypy: disable-error-code="import-not-found,no-untyped-call"

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING, cast

from agent_sentinel import Ledger, PolicyEngine, guarded_action
from agent_sentinel.errors import AgentSentinelError

from bench.peers.workload import MAXIMUM, TOOL, Contender, Tool, issue_refund

if TYPE_CHECKING:
    from pathlib import Path


class AgentSentinel:
    name = "agentsentinel-sdk"
    version = version("agentsentinel-sdk")
    record = "JSON line appended to a file, no sync"
    fixed_policy = False
    refusal: type[Exception] = AgentSentinelError

    def __init__(self, scratch: Path) -> None:
        self._ledger = scratch / "ledger.jsonl"
        os.environ["AGENT_SENTINEL_HOME"] = str(scratch)
        self._ledger.touch()
        Ledger.reset()

    def make_bare(self) -> Tool:
        return issue_refund

    def make_guarded(self, n_rules: int) -> Tool:
        tools = [f"other_tool_{i}" for i in range(n_rules - 1)] + [TOOL]
        PolicyEngine.reset()
        PolicyEngine.configure(
            allowed_actions=tools,
            argument_constraints={tool: {"properties": {"amount": {"maximum": MAXIMUM}}} for tool in tools},
        )
        return cast("Tool", guarded_action(name=TOOL)(issue_refund))

    def records(self) -> int:
        return len(self._ledger.read_text().splitlines())

    def settle(self) -> None:
        pass


def contenders(scratch: Path) -> list[Contender]:
    return [AgentSentinel(scratch)]
