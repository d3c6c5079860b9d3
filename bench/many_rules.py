"""Ten thousand rules against ten with the same five on the tool; and what loading them takes.

python -m bench.many_rules ratio HOME TEN MANY ROUNDS     prints figures as JSON, in a fresh process
python -m bench.many_rules load HOME POLICY
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from statistics import median
from time import perf_counter_ns

import counterseal as cs

from bench.limits import Limit
from bench.peers.timing import block
from bench.peers.workload import TOOL, issue_refund
from bench.policies.generate import many
from bench.processes import engine, python
from bench.rows import Asked, Group, Row, at_most

FEW, MANY = 10, 10_000
RATIO, LOAD_S, LOAD_MB = 1.2, 1.0, 50.0
LOADS = 5
CALLS, WARM_CALLS = 2000, 500
FLUSH_SECONDS = 30.0


def kibibytes(what: str) -> int:
    """`VmHWM` (the most it ever was) or `VmRSS` (now) of this process; not getrusage, which inherits the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def load(home: Path, policy: Path) -> dict[str, float]:
    # The home is made before, so that no other file than the policy is read for the first time.
    cs.configure(policy=policy.with_name("few.yaml"), home=home)
    gc.collect()
    resident, before = kibibytes("VmRSS"), perf_counter_ns()
    cs.configure(policy=policy, home=home)
    seconds = (perf_counter_ns() - before) / 1e9
    grown = kibibytes("VmHWM") - resident
    cs.close()
    return {"seconds": seconds, "megabytes": grown * 1024 / 1e6}


def ratio(home: Path, few: Path, much: Path, rounds: int) -> dict[str, object]:
    """Blocks of both in turn. Each ratio is of two blocks that lie next to each other in time."""
    above: dict[Path, list[float]] = {few: [], much: []}
    gc.collect()
    gc.freeze()
    for number in range(rounds):
        for policy in (few, much) if number % 2 else (much, few):
            cs.configure(policy=policy, home=home)
            guarded = cs.guard_tool(TOOL, issue_refund)
            block(guarded, WARM_CALLS)
            block(issue_refund, WARM_CALLS)
            cs.flush(FLUSH_SECONDS)
            bare = block(issue_refund, CALLS)
            above[policy].append(block(guarded, CALLS) - bare)
            cs.flush(FLUSH_SECONDS)
    cs.close()
    ratios = [with_many / with_few for with_few, with_many in zip(above[few], above[much], strict=True)]
    return {"few_ns": median(above[few]), "many_ns": median(above[much]), "ratio": median(ratios), "ratios": ratios}


def measure(asked: Asked) -> Group:
    few, much = asked.scratch / "few.yaml", asked.scratch / "many.yaml"
    few.write_text(many(FEW))
    much.write_text(many(MANY))
    rounds = 2 if asked.quick else 20
    calls = python("-m", "bench.many_rules", "ratio", asked.scratch / "many", few, much, str(rounds))
    loads = [
        python("-m", "bench.many_rules", "load", asked.scratch / f"load-{number}", much)
        for number in range(1 if asked.quick else LOADS)
    ]
    core = engine("rules", few, much)
    same = Limit("a call that costs the same", 1.0, "times")
    text = Limit("the policy's own text", much.stat().st_size / 1e6, "MB")
    rows = [
        Row(f"guarded call, {MANY:,} rules against {FEW}", calls["ratio"], "times", at_most(RATIO), limit=same),
        Row("core decision, the same two policies", core["ratio"], "times", at_most(RATIO), limit=same),
        Row(f"loading {MANY:,} rules from YAML", median(found["seconds"] for found in loads), "s", at_most(LOAD_S)),
        Row(
            "the same, most memory above before",
            median(f["megabytes"] for f in loads),
            "MB",
            at_most(LOAD_MB),
            limit=text,
        ),
        Row(f"guarded call above bare, {FEW} rules", calls["few_ns"] / 1e3, "µs"),
        Row(f"guarded call above bare, {MANY:,} rules", calls["many_ns"] / 1e3, "µs"),
    ]
    return Group("Ten thousand rules", rows, data={"calls": calls, "loads": loads, "core": core})


def main() -> None:
    match sys.argv[1:]:
        case ["ratio", home, few, much, rounds]:
            print(json.dumps(ratio(Path(home), Path(few), Path(much), int(rounds))))
        case ["load", home, policy]:
            print(json.dumps(load(Path(home), Path(policy))))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
