"""Shows that the ledger notices a change: verifies it, flips one byte in a copy, verifies the copy.

It knows nothing of the ledger's files but that a record is one line of JSON with a `kind`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import counterseal as cs

DECIDED = b'"kind":"decided"'
HELD = b'"decision":"require_approval"'


@dataclass(frozen=True)
class LedgerProof:
    decided_records: int
    untouched: str
    untouched_ok: bool
    changed_file: str
    changed_line: int
    changed_from: str
    changed_to: str
    tampered: str
    tampered_ok: bool


def prove(home: Path) -> LedgerProof:
    untouched = cs.Ledger(home).verify()
    with tempfile.TemporaryDirectory(prefix="counterseal-tampered-") as folder:
        # copytree also carries the modes over: a home that others can write to is refused.
        copied = Path(shutil.copytree(home, Path(folder) / "home"))
        file, line, before, after = _flip_one_byte(copied)
        tampered = cs.Ledger(copied).verify()
        return LedgerProof(
            decided_records=sum(text.count(DECIDED) for _, text in _segments(home)),
            untouched=str(untouched),
            untouched_ok=bool(untouched.ok),
            changed_file=str(file.relative_to(copied)),
            changed_line=line,
            changed_from=before,
            changed_to=after,
            tampered=str(tampered),
            tampered_ok=bool(tampered.ok),
        )


def _flip_one_byte(home: Path) -> tuple[Path, int, str, str]:
    """Changes the last letter of the decision in the record of a held call: the line stays valid JSON."""
    file, text = max(_segments(home), key=lambda segment: segment[1].count(DECIDED))
    lines = text.splitlines(keepends=True)
    held = [number for number, line in enumerate(lines) if DECIDED in line and HELD in line]
    chosen = held[len(held) // 2]
    last_letter = lines[chosen].index(HELD) + len(HELD) - 2
    line = bytearray(lines[chosen])
    line[last_letter] ^= 1
    lines[chosen] = bytes(line)
    file.write_bytes(b"".join(lines))
    member = slice(last_letter + 2 - len(HELD), last_letter + 2)
    return file, chosen + 1, HELD.decode(), line[member].decode()


def _segments(home: Path) -> Iterator[tuple[Path, bytes]]:
    for file in sorted(home.rglob("*")):
        if file.is_file() and DECIDED in (text := file.read_bytes()):
            yield file, text
