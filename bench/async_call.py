"""An async guarded function above the bare one.

python -m bench.async_call HOME ROUNDS      prints its figures as JSON, in a fresh process
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
from typing import TYPE_CHECKING

import counterseal as cs

from bench.peers.workload import SAMPLE, TOOL
from bench.processes import python
from bench.rows import Asked, Group, Row, at_most

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TARGET_US = 4.0
CALLS = 2000
FLUSH_SECONDS = 30.0
POLICY = Path(__file__).parent / "policies" / "one_rule.yaml"


async def issue_refund(customer_id: str, amount: float, currency: str, memo: str) -> str:
    return customer_id


async def block(tool: Callable[..., Awaitable[str]], calls: int) -> float:
    """Nanoseconds of one awaited call, over a block of them."""
    customer_id, amount, currency, memo = SAMPLE.values()
    before = perf_counter_ns()
    for _ in itertools.repeat(None, calls):
        await tool(customer_id=customer_id, amount=amount, currency=currency, memo=memo)
    return (perf_counter_ns() - before) / calls


async def above_bare(rounds: int) -> list[float]:
    guarded = cs.guard_tool(TOOL, issue_refund)
    assert asyncio.iscoroutinefunction(guarded), "the guarded function is of another kind than the bare one"
    differences = []
    for number in range(rounds + 1):
        if number % 2:
            without, with_guard = await block(issue_refund, CALLS), await block(guarded, CALLS)
        else:
            with_guard, without = await block(guarded, CALLS), await block(issue_refund, CALLS)
        cs.flush(FLUSH_SECONDS)
        differences.append(with_guard - without)
    # The first round warms both.
    return differences[1:]


def measure(asked: Asked) -> Group:
    rounds = 4 if asked.quick else 40
    document = python("-m", "bench.async_call", asked.scratch / "async", str(rounds))
    what = "async guarded call above bare, one-rule policy"
    row = Row(what, document["above_bare_ns"] / 1e3, "µs", at_most(TARGET_US), limit=asked.limits["guarded_call"])
    return Group("Async function", [row], data=document)


def main() -> None:
    home, rounds = Path(sys.argv[1]), int(sys.argv[2])
    cs.configure(policy=POLICY, home=home)
    gc.collect()
    gc.freeze()
    found = asyncio.run(above_bare(rounds))
    cs.close()
    print(json.dumps({"above_bare_ns": median(found), "blocks": found}))


if __name__ == "__main__":
    main()
