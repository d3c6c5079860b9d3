"""docs/defects.md says what the peers' packages do: each program of peers/ still prints what stands there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# Made by the Makefile: the peers' packages by hash, apart from what this project's tests run with.
PEERS_PYTHON = ROOT / ".cache" / "peers" / "bin" / "python"
PROBES = sorted((HERE / "peers").glob("*.py"))
SECONDS = 60


def steady(text: str) -> str:
    """Measured seconds differ from run to run."""
    return re.sub(r"\d+\.\d\d s", "0.00 s", text)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.stem)
def test_the_defect_is_still_there_as_the_table_says(probe: Path) -> None:
    run = subprocess.run([PEERS_PYTHON, probe], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert steady(run.stdout.strip()) in steady((ROOT / "docs" / "defects.md").read_text())


def test_every_test_that_the_table_names_is_there() -> None:
    table = (ROOT / "docs" / "defects.md").read_text()
    named = set(re.findall(r"`test_defects\.py::(\w+)`", table))
    written = set(re.findall(r"^def (test_\w+)", (HERE / "test_defects.py").read_text(), re.MULTILINE))
    assert named == written
    assert set(re.findall(r"peers/(\w+)\.py", table)) == {probe.stem for probe in PROBES}
