"""The project speaks of itself alone: no path of a machine, no registry's host, unsafe code only where it belongs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# a program of the trials that forks as host programs do; it is not shipped
NOT_SHIPPED = ("bench/engine/src/crash.rs",)
BINARY = {".jsonl", ".side", ".spool", ".png"}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]


def texts() -> dict[str, str]:
    return {
        str(path.relative_to(ROOT)): path.read_text(errors="replace") for path in tracked() if path.suffix not in BINARY
    }


def test_no_machine_paths_or_registry_hosts() -> None:
    marks = re.compile(
        "|".join(
            [
                "/" + "work/",
                "/" + "root/",
                "pypi" + r"\.org",
                "files\\.python" + "hosted",
                "index\\.crates" + r"\.io",
                "registry\\.npm" + "js",
            ]
        )
    )
    # cargo writes its one public registry into every lock file by itself
    found = {
        name: hit.group() for name, text in texts().items() if name != "Cargo.lock" and (hit := marks.search(text))
    }
    assert not found


def test_unsafe_only_in_the_spool_and_the_bindings() -> None:
    opened = re.compile(r"\bunsafe\s*(\{|fn|impl|extern)|allow\(unsafe_code|expect\(unsafe_code|expect\(\s*unsafe_code")
    places = {name for name, text in texts().items() if name.endswith(".rs") and opened.search(text)}
    outside = {name for name in places if not name.startswith(("core/spool/", "bindings-python/", *NOT_SHIPPED))}
    assert not outside
