"""The programs in the documents print what the documents say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENTS = Path(__file__).resolve().parents[2] / "docs"


def block(text: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("document", ["sessions.md"])
def test_the_example_prints_what_the_document_says(document: str, tmp_path: Path) -> None:
    text = (DOCUMENTS / document).read_text()
    (tmp_path / "program.py").write_text(block(text, "python"))
    (tmp_path / "counterseal.yaml").write_text(block(text, "yaml"))
    environment = {"COUNTERSEAL_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "program.py"]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == block(text, "text")
