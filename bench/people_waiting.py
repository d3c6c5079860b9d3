"""How punctual an event loop stays while a thousand of its calls wait for people, and what a wait takes.

python -m bench.people_waiting HOME SECONDS      prints its figures as JSON, in a fresh process
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time
from typing import TYPE_CHECKING, Any

import counterseal as cs

from bench.processes import python
from bench.rows import Asked, Group, Row, at_most

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CALLS = 1_000
# how many of them a loop that does other things too makes in one turn
TOGETHER = 10
BEAT = 0.005
LATE_MS, WAIT_KB = 5.0, 20.0
POLICY = {"version": 1, "rules": [{"id": "all", "tools": ["issue_refund"], "decision": "require_approval"}]}


async def issue_refund(customer_id: str, amount: float) -> str:
    return customer_id


class Beat:
    """A task that wants to run every few milliseconds, and how late it was."""

    def __init__(self) -> None:
        self._late: list[float] = []
        self._task = asyncio.ensure_future(self._tick())

    async def _tick(self) -> None:
        while True:
            before = perf_counter()
            await asyncio.sleep(BEAT)
            self._late.append((perf_counter() - before - BEAT) * 1e3)

    def since(self) -> dict[str, float]:
        """Milliseconds since this was asked the last time."""
        late, self._late = sorted(self._late), []
        return {"median": median(late), "p99": late[int(len(late) * 0.99)], "latest": late[-1]}

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def resident() -> int:
    """Bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def questions(home: Path) -> int:
    return sum(name.endswith(".json") for name in os.listdir(home / "approvals"))


async def asked(home: Path, wanted: int) -> None:
    # looks seldom: it is this program's own work on the loop
    while await asyncio.to_thread(questions, home) < wanted:
        await asyncio.sleep(0.1)


async def waiting(home: Path, seconds: float) -> dict[str, Any]:
    tool: Callable[[str, float], Awaitable[str]] = cs.guard_tool("issue_refund", issue_refund)
    calls = [asyncio.ensure_future(tool("first", 1.0))]
    # the thread that looks, and everything that the first question starts
    await asyncio.sleep(0.5)
    await asked(home, 1)
    gc.collect()
    beat = Beat()
    await asyncio.sleep(seconds)
    figures: dict[str, Any] = {"alone": beat.since()}
    threads_before, resident_before = threads(), resident()
    spent = thread_time()
    for number in range(CALLS):
        calls.append(asyncio.ensure_future(tool("c", float(number))))
        if number % TOGETHER == TOGETHER - 1:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    figures["ask_us"] = (thread_time() - spent) / CALLS * 1e6
    await asked(home, CALLS + 1)
    figures["asking"] = beat.since()
    figures["wait_kb"] = (resident() - resident_before) / CALLS / 1024
    figures["threads"] = threads() - threads_before
    await asyncio.sleep(seconds)
    figures["waiting"] = beat.since()
    await beat.stop()
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    return figures


def measure(asked: Asked) -> Group:
    document = python("-m", "bench.people_waiting", asked.scratch / "people", "2" if asked.quick else "10")
    late, kb = "a task that wants to run every 5 ms, latest of all,", at_most(WAIT_KB)
    rows = [
        Row(f"{late} while {CALLS:,} calls wait for people", document["waiting"]["latest"], "ms", at_most(LATE_MS)),
        Row(
            f"{late} while they ask, {TOGETHER} a turn of the loop",
            document["asking"]["latest"],
            "ms",
            at_most(LATE_MS),
        ),
        Row(f"{late} while nothing waits", document["alone"]["latest"], "ms"),
        Row("asking, of the loop's own processor time", document["ask_us"], "µs"),
        Row("memory of a call that waits", document["wait_kb"], "KB", kb),
        Row(f"threads more for {CALLS:,} calls that wait", document["threads"], "", at_most(0)),
    ]
    return Group("Waiting for people", rows, data=document)


def main() -> None:
    home, seconds = Path(sys.argv[1]), float(sys.argv[2])
    cs.configure(policy=POLICY, home=home, approver="home")
    found = asyncio.run(waiting(home, seconds))
    cs.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
