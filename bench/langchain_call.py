"""A guarded LangChain tool above the same tool without the guard.

.cache/langchain/bin/python -m bench.langchain_call HOME ROUNDS      prints its figures as JSON, in a fresh process
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import sys
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import counterseal as cs

from bench.peers.workload import SAMPLE, TOOL, issue_refund
from bench.processes import ROOT, MeasurementError, python
from bench.rows import Asked, Group, Row, at_most

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET_US = 10.0
CALLS = 500
FLUSH_SECONDS = 30.0
POLICY = Path(__file__).parent / "policies" / "one_rule.yaml"
# LangChain has an environment of its own: see the Makefile.
INTERPRETER = ROOT / ".cache" / "langchain" / "bin" / "python"
WAYS = {
    "by_hand": "LangChain tool above bare, `invoke` with a dict",
    "as_agents_do": "LangChain tool above bare, `invoke` with a tool call",
    "async": "LangChain async tool above bare, `ainvoke` with a tool call",
}


async def issue_refund_async(customer_id: str, amount: float, currency: str, memo: str) -> str:
    return customer_id


def tool_call() -> dict[str, Any]:
    return {"type": "tool_call", "name": TOOL, "id": "call_1", "args": SAMPLE}


def sync_block(tool: Any, given: Any) -> float:
    """Nanoseconds of one call, over a block of them."""
    before = perf_counter_ns()
    for _ in itertools.repeat(None, CALLS):
        tool.invoke(given)
    return (perf_counter_ns() - before) / CALLS


async def awaited_block(tool: Any, given: Any) -> float:
    before = perf_counter_ns()
    for _ in itertools.repeat(None, CALLS):
        await tool.ainvoke(given)
    return (perf_counter_ns() - before) / CALLS


def async_block(tool: Any, given: Any) -> float:
    return asyncio.run(awaited_block(tool, given))


def paired(
    base: Any, guarded: dict[str, Any], block: Callable[..., float], tool: Any, given: Any
) -> tuple[float, float]:
    """A block without the guard and one with it, next to each other; `BaseTool`'s own methods are put back for the first."""
    try:
        for name, function in guarded.items():
            setattr(base, name, function.__wrapped__)
        bare = block(tool, given)
    finally:
        for name, function in guarded.items():
            setattr(base, name, function)
    above = block(tool, given)
    cs.flush(FLUSH_SECONDS)
    return bare, above


def figures(rounds: int) -> dict[str, Any]:
    from langchain_core.tools import BaseTool, StructuredTool

    guarded = {name: getattr(BaseTool, name) for name in ("run", "arun")}
    sync_tool = StructuredTool.from_function(issue_refund, name=TOOL, description="pays back")
    async_tool = StructuredTool.from_function(coroutine=issue_refund_async, name=TOOL, description="pays back")
    subjects: dict[str, tuple[Callable[..., float], Any, Any]] = {
        "by_hand": (sync_block, sync_tool, SAMPLE),
        "as_agents_do": (sync_block, sync_tool, tool_call()),
        "async": (async_block, async_tool, tool_call()),
    }
    blocks: dict[str, list[tuple[float, float]]] = {name: [] for name in subjects}
    for _ in range(rounds + 1):
        for name, (block, tool, given) in subjects.items():
            blocks[name].append(paired(BaseTool, guarded, block, tool, given))
    # The first round warms all.
    return {
        name: {
            "bare_ns": median(bare for bare, _ in pairs[1:]),
            "above_bare_ns": median(with_guard - bare for bare, with_guard in pairs[1:]),
        }
        for name, pairs in blocks.items()
    }


def measure(asked: Asked) -> Group:
    if not INTERPRETER.exists():
        raise MeasurementError("LangChain is not installed; `make framework-test` does that")
    rounds = 4 if asked.quick else 60
    document = python("-m", "bench.langchain_call", asked.scratch / "langchain", str(rounds), interpreter=INTERPRETER)
    rows = []
    for name, what in WAYS.items():
        found = document[name]
        rows.append(Row(what, found["above_bare_ns"] / 1e3, "µs", at_most(TARGET_US)))
        rows.append(Row(f"the bare one: {what.partition(', ')[2]}", found["bare_ns"] / 1e3, "µs"))
    return Group("LangChain tool", rows, data=document)


def main() -> None:
    home, rounds = Path(sys.argv[1]), int(sys.argv[2])
    cs.configure(policy=POLICY, home=home)
    found = figures(1)
    gc.collect()
    gc.freeze()
    found = figures(rounds)
    cs.close()
    recorded = sum(record["kind"] == "completed" for record in cs.Ledger(home))
    expected = CALLS * len(WAYS) * (rounds + 1 + 2)
    assert recorded == expected, f"{recorded} of {expected} calls were completed in the ledger"
    print(json.dumps(found))


if __name__ == "__main__":
    main()
