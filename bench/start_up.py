"""What a program pays before its first call: import, configure, and the size of the package."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from bench.limits import Limit
from bench.policies.generate import two_terms
from bench.processes import ROOT, MeasurementError, python
from bench.rows import Asked, Group, Row, at_most

if TYPE_CHECKING:
    from pathlib import Path

IMPORT_MS, CONFIGURE_MS, WHEEL_MB = 25.0, 10.0, 4.0
CONDITIONS = 100
STARTS = 15
PEER_IMPORTS = {"agentsentinel-sdk": "agent_sentinel", "agent-governance-toolkit-core": "agentmesh.governance.govern"}
# Nothing else is imported before the clock starts: what a package shares with this one would look free.
IMPORT = "import sys; from time import perf_counter_ns as t; b = t(); __import__(sys.argv[1]); print((t() - b) / 1e6)"
CONFIGURE = """
import sys
from time import perf_counter_ns as t
import counterseal as cs
b = t()
cs.configure(policy=sys.argv[1], home=sys.argv[2])
print((t() - b) / 1e6)
cs.close()
"""
FIRST_CALL = """
import sys
from time import perf_counter_ns as t
import counterseal as cs
cs.configure(policy=sys.argv[1], home=sys.argv[2])
def issue_refund(amount: float, currency: str) -> None: ...
guarded = cs.guard_tool("issue_refund", issue_refund)
b = t()
guarded(amount=42.5, currency="EUR")
print((t() - b) / 1e6)
cs.close()
"""


def started(program: str, *arguments: str | Path) -> float:
    """The milliseconds that a fresh process reports; an isolated one keeps what it compiles, as installers do."""
    return float(python("-I", "-c", program, *arguments))


def starts(count: int, program: str, *arguments: str | Path) -> float:
    """The median of `count` fresh processes, after one that compiles and fills the caches."""
    return median([started(program, *arguments) for _ in range(count + 1)][1:])


def wheel() -> Path:
    wheels = sorted((ROOT / ".cache" / "wheel").glob("counterseal-*.whl"))
    if not wheels:
        raise MeasurementError("there is no wheel in `.cache/wheel`; `make bench` builds it")
    return wheels[-1]


def measure(asked: Asked) -> Group:
    policy, home = asked.scratch / "conditions.yaml", asked.scratch / "start"
    policy.write_text(two_terms(CONDITIONS))
    count = 3 if asked.quick else STARTS
    peers = {name: starts(count, IMPORT, module) for name, module in PEER_IMPORTS.items()}
    best = min(peers, key=peers.__getitem__)
    imported = starts(count, IMPORT, "counterseal")
    cold = starts(count, CONFIGURE, policy, home)
    # Each in a home of its own, which has its keys made and synced first.
    new = median(started(CONFIGURE, policy, asked.scratch / f"new-{number}") for number in range(count))
    first = starts(count, FIRST_CALL, policy, home)
    synced = Limit("one append with fdatasync", asked.limits["durable"].value / 1e3, "ms")
    peer, native = f"{peers[best]:.0f} ms {best}", asked.limits["native_import"]
    what = f"configure() in a fresh process, {CONDITIONS} conditions of two terms"
    rows = [
        Row("import counterseal", imported, "ms", at_most(IMPORT_MS), peer, native),
        Row(what, cold, "ms", at_most(CONFIGURE_MS), limit=synced),
        Row("the same in a home that has to be made first", new, "ms", limit=synced),
        Row("the first guarded call, which makes the process's stream", first, "ms", limit=synced),
        Row("wheel", wheel().stat().st_size / 1e6, "MB", at_most(WHEEL_MB)),
    ]
    return Group("Start", rows, data={"peers_import_ms": peers})
