"""The limits of the machine beside which the figures of the benchmarks stand.

    python bench/limits.py

Standard library only. Each figure is the median of several repetitions, less the cost of the loop
around it. Prints Markdown rows and writes JSON; --dir names the disk to write to.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import itertools
import json
import operator
import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter_ns

OUT = Path(__file__).parent / "out"
REPETITIONS = 15
LOOPS = 20_000
CALL = b"x" * 200
RECORD = b"x" * 511 + b"\n"
SYNCS = 300
CHUNK = b"x" * (1 << 20)
WRITTEN_MIB = 256


@dataclass
class Limit:
    """One figure and the row of the benchmarks that it bounds."""

    what: str
    value: float
    unit: str
    bounds: str


def nothing(customer_id: str, amount: float, currency: str, memo: str) -> str:
    return customer_id


def per_loop(run: Callable[[itertools.repeat[None]], None]) -> float:
    """Nanoseconds of one turn of the loop that `run` makes over what it is given."""
    times = []
    for _ in range(REPETITIONS):
        loops = itertools.repeat(None, LOOPS)
        before = perf_counter_ns()
        run(loops)
        times.append((perf_counter_ns() - before) / LOOPS)
    return median(times)


# Each is written out, because a call through a variable or a lambda would be timed with it.
def empty(loops: itertools.repeat[None]) -> None:
    for _ in loops:
        pass


def python_call(loops: itertools.repeat[None]) -> None:
    call = nothing
    for _ in loops:
        call(customer_id="c", amount=1.0, currency="EUR", memo="m")


def native_call(loops: itertools.repeat[None]) -> None:
    call = operator.index
    for _ in loops:
        call(1)


def clock(loops: itertools.repeat[None]) -> None:
    call = perf_counter_ns
    for _ in loops:
        call()


def sha256(loops: itertools.repeat[None]) -> None:
    call, data = hashlib.sha256, CALL
    for _ in loops:
        call(data).digest()


def keyed(loops: itertools.repeat[None]) -> None:
    call, data, key = hmac.digest, CALL, b"k" * 32
    for _ in loops:
        call(key, data, "sha256")


def calls() -> list[Limit]:
    floor = per_loop(empty)
    row = "guarded Python call"
    return [
        Limit("bare Python call, 4 arguments by name", per_loop(python_call) - floor, "ns", row),
        Limit("native call that does nothing", per_loop(native_call) - floor, "ns", row),
        Limit("reading the monotonic clock", per_loop(clock) - floor, "ns", row),
        Limit("SHA-256 of 200 bytes, from Python", per_loop(sha256) - floor, "ns", row),
        Limit("HMAC-SHA-256 of 200 bytes, key set up anew, from Python", per_loop(keyed) - floor, "ns", row),
    ]


def hashing() -> list[Limit]:
    times = []
    for _ in range(200):
        before = perf_counter_ns()
        hashlib.sha256(CHUNK).digest()
        times.append(perf_counter_ns() - before)
    return [Limit("SHA-256 of 1 MiB, one core", len(CHUNK) / median(times), "GB/s", "ledger: verify")]


def disk(folder: Path) -> list[Limit]:
    appends, syncs = [], []
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        path = Path(scratch) / "appended"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for _ in range(SYNCS):
            before = perf_counter_ns()
            os.write(file, RECORD)
            written = perf_counter_ns()
            os.fdatasync(file)
            appends.append(written - before)
            syncs.append(perf_counter_ns() - before)
        os.close(file)
        syncs.sort()

        file = os.open(Path(scratch) / "stream", os.O_WRONLY | os.O_CREAT, 0o600)
        before = perf_counter_ns()
        for _ in range(WRITTEN_MIB):
            os.write(file, CHUNK)
        # Without the sync this would be the speed of the memory.
        os.fdatasync(file)
        streamed = perf_counter_ns() - before
        os.close(file)
    return [
        Limit("append of 512 bytes with write(2), no sync", median(appends) / 1e3, "µs", "one write a record"),
        Limit("append of 512 bytes with fdatasync, median", median(syncs) / 1e3, "µs", "durable record"),
        Limit("append of 512 bytes with fdatasync, p99", syncs[SYNCS * 99 // 100] / 1e3, "µs", "durable record"),
        Limit(
            f"sequential write of {WRITTEN_MIB} MiB, synced",
            WRITTEN_MIB * 1.048576e9 / streamed,
            "MB/s",
            "ledger: append",
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="measure the limits of the machine beside the benchmarks")
    parser.add_argument("--dir", type=Path, default=OUT, help="folder on the disk to write to (default: bench/out)")
    parser.add_argument("--json", type=Path, default=OUT / "limits.json", help="where the figures go")
    chosen = parser.parse_args()
    chosen.dir.mkdir(parents=True, exist_ok=True)
    chosen.json.parent.mkdir(parents=True, exist_ok=True)

    limits = calls() + hashing() + disk(chosen.dir)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    print(f"{machine['cores']} cores, Python {machine['python']}\n")
    print("| limit of the machine | figure | bounds |\n|---|---|---|")
    for limit in limits:
        print(f"| {limit.what} | {limit.value:.3g} {limit.unit} | {limit.bounds} |")
    document = {"machine": machine, "limits": [asdict(limit) for limit in limits]}
    chosen.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
