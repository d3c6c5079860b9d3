"""Whose rationale agentsentinel-sdk records when two calls overlap, in threads and in tasks.

Prints one line of what was observed; exits 0 while the defect is there, 1 when it is gone.
Needs the packages of requirements-peers.txt; no network, files only in a temporary directory.
"""

# The peer is untyped, and is not there where this project's types are checked.
# mypy: disable-error-code="import-not-found,no-untyped-call,untyped-decorator"

import asyncio
import json
import logging
import os
import sys
import tempfile
import threading
from importlib.metadata import version
from pathlib import Path

from agent_sentinel import PolicyEngine, guarded_action
from agent_sentinel.compliance import set_decision_rationale


def main() -> int:
    scratch = tempfile.TemporaryDirectory()
    home = Path(scratch.name)
    os.environ["AGENT_SENTINEL_HOME"] = str(home)
    logging.disable(logging.CRITICAL)
    PolicyEngine.configure(denied_actions=[])
    started = threading.Barrier(2, timeout=10)
    first_left = threading.Event()

    @guarded_action(name="in_thread")
    def in_thread(who: str) -> None:
        # alice speaks first, bob second; alice leaves while bob is still inside.
        if who == "alice":
            set_decision_rationale("alice's reason")
            started.wait()
            started.wait()
        else:
            started.wait()
            set_decision_rationale("bob's reason")
            started.wait()
            first_left.wait(10)

    def alice() -> None:
        in_thread(who="alice")
        first_left.set()

    threads = [
        threading.Thread(target=alice),
        threading.Thread(target=in_thread, kwargs={"who": "bob"}),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    @guarded_action(name="in_task")
    async def in_task(who: str, wait: float) -> None:
        set_decision_rationale(f"{who}'s reason")
        await asyncio.sleep(wait)

    async def overlap() -> None:
        await asyncio.gather(in_task(who="alice", wait=0.05), in_task(who="bob", wait=0.1))

    asyncio.run(overlap())

    recorded: dict[str, str | None] = {}
    for line in (home / "ledger.jsonl").read_text().splitlines():
        entry = json.loads(line)
        who = entry["payload"]["inputs"]["kwargs"]["who"]
        metadata = entry.get("compliance_metadata") or {}
        recorded[f"{entry['action']}/{who}"] = metadata.get("decision_rationale")
    print(
        f"agentsentinel-sdk {version('agentsentinel-sdk')}: two overlapping calls "
        "recorded, in threads, "
        f"alice: {recorded['in_thread/alice']!r}, bob: {recorded['in_thread/bob']!r}; in tasks, "
        f"alice: {recorded['in_task/alice']!r}, bob: {recorded['in_task/bob']!r}"
    )
    return 0 if recorded["in_thread/alice"] == recorded["in_task/alice"] == "bob's reason" else 1


if __name__ == "__main__":
    sys.exit(main())
