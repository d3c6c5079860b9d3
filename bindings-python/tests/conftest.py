"""What the tests of the package share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import counterseal as cs
import pytest

ALLOW_ALL = {"version": 1, "name": "allow-all", "rules": [{"id": "never", "tools": ["nothing"], "decision": "deny"}]}


def deny_when(tool: str, when: str) -> dict[str, object]:
    rule = {"id": "refused", "tools": [tool], "when": when, "decision": "deny", "reason": "the test says no"}
    return {"version": 1, "name": "deny-when", "rules": [rule]}


@contextmanager
def broken_disk(home: Path) -> Iterator[None]:
    """Nothing of a stream that begins or ends in the block can be written in it. Both changes are of one step, as the writer
    may look at any moment."""
    index, kept, wrong = home / "index", home.parent / "kept", home.parent / "wrong"
    os.link(index, kept)
    wrong.symlink_to(home, target_is_directory=True)
    wrong.replace(index)
    try:
        yield
    finally:
        kept.replace(index)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home of its own; what was configured in it is closed afterwards."""
    yield tmp_path / "home"
    cs.close()


@pytest.fixture
def allowing(home: Path) -> None:
    """Everything runs and is recorded."""
    cs.configure(policy=ALLOW_ALL, home=home)
