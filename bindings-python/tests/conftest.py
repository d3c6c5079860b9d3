"""What the tests of the package share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import counterseal as cs
import pytest

ALLOW_ALL = {"version": 1, "name": "allow-all", "rules": [{"id": "never", "tools": ["nothing"], "decision": "deny"}]}


def deny_when(tool: str, when: str) -> dict[str, object]:
    rule = {"id": "refused", "tools": [tool], "when": when, "decision": "deny", "reason": "the test says no"}
    return {"version": 1, "name": "deny-when", "rules": [rule]}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home of its own; what was configured in it is closed afterwards."""
    yield tmp_path / "home"
    cs.close()


@pytest.fixture
def allowing(home: Path) -> None:
    """Everything runs and is recorded."""
    cs.configure(policy=ALLOW_ALL, home=home)
