"""Every row of the threat model names a test that is there, or says that nothing detects it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def rows() -> list[list[str]]:
    lines = (ROOT / "docs" / "threat-model.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("|") and not re.match(r"\|[-| ]+\|$", line)]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table]
    return [row for row in cells if row[-1].strip("| ") != "held by"]


def test_every_row_is_held_or_says_that_it_is_not() -> None:
    assert len(rows()) > 30
    for row in rows():
        held = re.findall(r"`([^`]+)`", row[-1])
        assert len(row) == 3, row
        assert held, row
        for name in held:
            if name == "not detected":
                continue
            path, _, test = name.partition("::")
            assert (ROOT / path).is_file(), name
            assert test in (ROOT / path).read_text(), name
