"""What the ledger takes and what its verification reads, sustained on the real disk."""

from __future__ import annotations

from bench.limits import Limit
from bench.processes import engine
from bench.rows import Asked, Group, Row, at_least

APPEND, VERIFY, DEEP = 300_000.0, 1_000_000.0, 100_000.0
SMALLEST_RECORD = 450


def measure(asked: Asked) -> Group:
    home = asked.scratch / "ledger"
    found = engine("ledger", "--home", home, "--seconds", str(asked.append_seconds))
    size = found["bytes_per_record"]
    stream, hashing = asked.limits["stream"].value, asked.limits["hashing"].value
    written = Limit(f"the disk at {stream:.0f} MB/s, {size:.0f} B a record", stream * 1e6 / size, "/s")
    hashed = Limit(f"SHA-256 at {hashing:.2g} GB/s, {size:.0f} B a record", hashing * 1e9 / size, "/s")
    rows = [
        Row(
            f"append, {asked.append_seconds} s sustained",
            found["append_per_second"],
            "/s",
            at_least(APPEND),
            limit=written,
        ),
        Row("verify, one core", found["verify_per_second"], "/s", at_least(VERIFY), limit=hashed),
        Row("verify --deep, one core", found["deep_per_second"], "/s", at_least(DEEP), limit=hashed),
        Row("bytes of a record", size, "B", at_least(SMALLEST_RECORD)),
    ]
    return Group("Ledger", rows, data=found)
