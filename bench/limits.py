"""The limits of the machine beside which the figures of the benchmarks stand.

    python -m bench.limits

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
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

OUT = Path(__file__).parent / "out"
REPETITIONS = 15
LOOPS = 20_000
CALL = b"x" * 200
# What HMAC-SHA-256 with a kept key hashes of such a call (its prefix, its padding, the outer digest), in blocks of 64.
KEYED_BYTES = 384
RECORD = b"x" * 511 + b"\n"
SYNCS = 300
CHUNK = b"x" * (1 << 20)
WRITTEN_MIB = 256
STARTS = 15


@dataclass(frozen=True)
class Limit:
    """One figure of the machine."""

    what: str
    value: float
    unit: str


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


def hashing() -> Limit:
    times = []
    for _ in range(200):
        before = perf_counter_ns()
        hashlib.sha256(CHUNK).digest()
        times.append(perf_counter_ns() - before)
    return Limit("SHA-256 of 1 MiB, one core", len(CHUNK) / median(times), "GB/s")


def calls(hashed: Limit) -> dict[str, Limit]:
    floor = per_loop(empty)
    native, read = per_loop(native_call) - floor, per_loop(clock) - floor
    # Two native calls (before the body and after it), the time twice, and the digest at the rate of long messages.
    guarded = 2 * native + 2 * read + KEYED_BYTES / hashed.value
    return {
        "python_call": Limit("bare Python call, 4 arguments by name", per_loop(python_call) - floor, "ns"),
        "native_call": Limit("native call that does nothing", native, "ns"),
        "clock": Limit("reading the monotonic clock, from Python", read, "ns"),
        "sha256": Limit("SHA-256 of 200 bytes, from Python", per_loop(sha256) - floor, "ns"),
        "keyed": Limit("HMAC-SHA-256 of 200 bytes, key set up anew, from Python", per_loop(keyed) - floor, "ns"),
        "guarded_call": Limit(
            "2 native calls that do nothing, 2 clock readings, an HMAC-SHA-256 of 200 bytes", guarded / 1e3, "µs"
        ),
    }


def disk(folder: Path) -> dict[str, Limit]:
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
    return {
        "append": Limit("append of 512 bytes with write(2), no sync", median(appends) / 1e3, "µs"),
        "durable": Limit("append of 512 bytes with fdatasync, median", median(syncs) / 1e3, "µs"),
        "durable_p99": Limit("append of 512 bytes with fdatasync, p99", syncs[SYNCS * 99 // 100] / 1e3, "µs"),
        "stream": Limit(f"sequential write of {WRITTEN_MIB} MiB, synced", WRITTEN_MIB * 1.048576e9 / streamed, "MB/s"),
    }


def starting() -> Limit:
    """What a fresh process pays for one native module of the standard library."""
    program = "from time import perf_counter_ns as t; b = t(); import _decimal; print(t() - b)"
    times = []
    for _ in range(STARTS):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        times.append(int(done.stdout))
    return Limit("import of one native module of the standard library", median(times) / 1e6, "ms")


def measure(folder: Path) -> dict[str, Limit]:
    """The machine's limits by a short name; `folder` is on the disk that is measured."""
    hashed = hashing()
    return {"hashing": hashed, **calls(hashed), **disk(folder), "native_import": starting()}


def machine() -> dict[str, Any]:
    """What kind of machine this is."""
    return {
        "cores": os.cpu_count(),
        "processor": processor(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def processor() -> str:
    try:
        listed = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next(
        (line.partition(":")[2].strip() for line in listed if line.startswith("model name")), platform.machine()
    )


def table(limits: Iterable[Limit]) -> str:
    lines = [f"| {limit.what} | {limit.value:.3g} {limit.unit} |" for limit in limits]
    return "\n".join(["| limit of the machine | figure |", "|---|---|", *lines])


def main() -> None:
    parser = argparse.ArgumentParser(description="measure the limits of the machine beside the benchmarks")
    parser.add_argument("--dir", type=Path, default=OUT, help="folder on the disk to write to (default: bench/out)")
    parser.add_argument("--json", type=Path, default=OUT / "limits.json", help="where the figures go")
    chosen = parser.parse_args()
    chosen.dir.mkdir(parents=True, exist_ok=True)
    chosen.json.parent.mkdir(parents=True, exist_ok=True)

    limits = measure(chosen.dir)
    print(table(limits.values()))
    document = {"machine": machine(), "limits": {name: asdict(limit) for name, limit in limits.items()}}
    chosen.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
