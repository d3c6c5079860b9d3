"""Times one contender: checks that it does its work, then a block of bare and a block of guarded calls."""

from __future__ import annotations

import gc
import itertools
import logging
import sys
from dataclasses import dataclass, field
from statistics import median, quantiles
from time import perf_counter_ns
from typing import Any

from bench.peers.workload import REFUSED, SAMPLE, Contender, Tool

CHECKED_CALLS = 50
WARM_CALLS = 200
# A block of a slow contender has fewer calls, so that the rounds stay close together in time.
BLOCK_NS = 100_000_000


@dataclass
class Row:
    """What was measured of one contender under one number of rules."""

    contender: Contender
    rules: int
    calls: int
    records_per_call: float = 0.0
    # All guarded calls that were made, refused ones too.
    made: int = 0
    bare: list[float] = field(default_factory=list)
    above: list[float] = field(default_factory=list)
    bare_calls: list[int] = field(default_factory=list)
    guarded_calls: list[int] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        low, _, high = quantiles(self.above, n=4)
        single = sorted(self.guarded_calls)
        bare_call = median(self.bare_calls)
        return {
            "name": self.contender.name,
            "version": self.contender.version,
            "rules": 0 if self.contender.fixed_policy else self.rules,
            "calls_a_block": self.calls,
            "blocks": len(self.above),
            "bare_ns": round(median(self.bare)),
            "above_bare_ns": round(median(self.above)),
            "above_bare_quartiles_ns": [round(low), round(high)],
            "p99_above_bare_ns": round(single[len(single) * 99 // 100] - bare_call),
            "records_per_call": self.records_per_call,
            "record": self.contender.record,
        }


def block(tool: Tool, calls: int) -> float:
    """Nanoseconds of one call, over a block of them."""
    customer_id, amount, currency, memo = SAMPLE.values()
    before = perf_counter_ns()
    for _ in itertools.repeat(None, calls):
        tool(customer_id=customer_id, amount=amount, currency=currency, memo=memo)
    return (perf_counter_ns() - before) / calls


def singles(tool: Tool, calls: int) -> list[int]:
    """Nanoseconds of each call, with the clock's own cost in each."""
    customer_id, amount, currency, memo = SAMPLE.values()
    times = [0] * calls
    for i in range(calls):
        before = perf_counter_ns()
        tool(customer_id=customer_id, amount=amount, currency=currency, memo=memo)
        times[i] = perf_counter_ns() - before
    return times


def check(row: Row) -> None:
    """A contender is timed only if it allows, refuses and records what it should."""
    contender = row.contender
    tool = contender.make_guarded(row.rules)
    # The first call may be what makes its files.
    tool(**SAMPLE)
    row.made += 1
    before = contender.records()
    for _ in range(CHECKED_CALLS):
        if tool(**SAMPLE) != SAMPLE["customer_id"]:
            sys.exit(f"{contender.name} changed the result")
    row.records_per_call = (contender.records() - before) / CHECKED_CALLS
    if not row.records_per_call:
        sys.exit(f"{contender.name} recorded nothing")
    logging.disable(logging.CRITICAL)
    try:
        tool(**REFUSED)
    except contender.refusal:
        pass
    else:
        sys.exit(f"{contender.name} let through what its rule refuses")
    finally:
        logging.disable(logging.NOTSET)
    row.calls = max(CHECKED_CALLS, min(row.calls, int(BLOCK_NS / block(tool, WARM_CALLS))))
    row.made += CHECKED_CALLS + 1 + WARM_CALLS


def measure(row: Row, single_calls: int, *, guarded_first: bool) -> None:
    calls = row.calls
    single_calls = min(single_calls, calls)
    bare = row.contender.make_bare()
    guarded = row.contender.make_guarded(row.rules)
    block(guarded, WARM_CALLS)
    block(bare, WARM_CALLS)
    row.contender.settle()
    gc.collect()
    if guarded_first:
        with_guard = block(guarded, calls)
        row.contender.settle()
        without = block(bare, calls)
    else:
        without = block(bare, calls)
        with_guard = block(guarded, calls)
        row.contender.settle()
    row.bare.append(without)
    row.above.append(with_guard - without)
    row.bare_calls += singles(bare, single_calls)
    row.guarded_calls += singles(guarded, single_calls)
    row.made += WARM_CALLS + calls + single_calls
    row.contender.settle()
