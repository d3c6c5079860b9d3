"""Files stay short enough to be read in one go; a longer one needs its reason here."""

from __future__ import annotations

import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 600
SUFFIXES = {".rs", ".py", ".pyi", ".ts"}
REASONS: dict[str, str] = {}


def lengths() -> dict[str, int]:
    """Lines of every source file that git knows."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [name for name in listed.splitlines() if Path(name).suffix in SUFFIXES and (ROOT / name).exists()]
    return {name: len((ROOT / name).read_text().splitlines()) for name in files}


def test_no_file_is_too_long() -> None:
    too_long = {name: lines for name, lines in lengths().items() if lines > LIMIT and name not in REASONS}
    assert not too_long, f"over {LIMIT} lines without a reason: {too_long}"


def test_reasons_name_files_that_are_long() -> None:
    known = lengths()
    stale = [name for name in REASONS if known.get(name, 0) <= LIMIT]
    assert not stale, f"no longer long: {stale}"


def test_the_median_file_is_short() -> None:
    shipped = [lines for name, lines in lengths().items() if "/tests/" not in name and not name.startswith("tests/")]
    assert statistics.median(shipped) <= 200
