"""The wheel's console script is the command line of the binary, run in this process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def counterseal(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "counterseal", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_tells_what_it_can_do() -> None:
    told = counterseal("--help")
    assert told.returncode == 0
    assert "policy" in told.stdout
    assert "ledger" in told.stdout


def test_its_exit_code_is_the_commands(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 1\nname: x\nrulez: []\n")
    refused = counterseal("policy", "check", str(tmp_path / "bad.yaml"))
    assert refused.returncode != 0
    assert "rulez" in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stderr
