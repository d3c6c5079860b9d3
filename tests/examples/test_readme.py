"""The README's program does what it says, pasted into an empty folder with its policy beside it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_first_program_runs(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(block("python"))
    (tmp_path / "counterseal.yaml").write_text(block("yaml"))
    environment = {"COUNTERSEAL_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "program.py"]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["refunded 40.0 for ord_1", "no_approver Refunds over $100 need a person"]
    assert "Traceback" not in ran.stderr
