"""What the ledger takes and what its verification reads, sustained on the real disk."""

from __future__ import annotations

import shutil

from bench.limits import Limit
from bench.processes import engine
from bench.rows import Asked, Group, Row, at_least

APPEND, VERIFY, DEEP = 300_000.0, 1_000_000.0, 100_000.0
SMALLEST_RECORD = 450
# Calls in the ledger that is verified: two records each.
CALLS = 500_000


def per_second(bytes_a_second: float, size: float, what: str) -> Limit:
    return Limit(f"{what}, {size:.0f} B a record", bytes_a_second / size, "/s")


def measure(asked: Asked) -> Group:
    stream, hashing = asked.limits["stream"].value, asked.limits["hashing"].value
    taken = engine("ledger", "--home", asked.scratch / "ledger", "--seconds", str(asked.append_seconds))
    shutil.rmtree(asked.scratch / "ledger")
    calls = CALLS // 20 if asked.quick else CALLS
    read = engine("verify", "--home", asked.scratch / "verified", "--calls", str(calls))
    shutil.rmtree(asked.scratch / "verified")
    size = taken["bytes_per_record"]
    written = per_second(stream * 1e6, size, f"the disk at {stream:.0f} MB/s")
    plain, deep = (
        per_second(hashing * 1e9, read[kind]["bytes_per_record"], f"SHA-256 at {hashing:.2g} GB/s")
        for kind in ("plain", "deep")
    )
    seconds = asked.append_seconds
    rows = [
        Row(f"append, {seconds} s sustained", taken["append_per_second"], "/s", at_least(APPEND), limit=written),
        Row("bytes of an appended record, no payload", size, "B", at_least(SMALLEST_RECORD)),
        Row("verify, one core", read["plain"]["records_per_second"], "/s", at_least(VERIFY), limit=plain),
        Row("verify --deep, one core", read["deep"]["records_per_second"], "/s", at_least(DEEP), limit=deep),
        Row("one append into a spool with room", taken["append_ns"], "ns"),
    ]
    return Group("Ledger", rows, data={"append": taken, "verify": read})
