"""What the tests of the package share."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import counterseal as cs
import pytest

PATIENCE = 60.0
"""Seconds that a test waits for what has to come; a run of tests must end whatever it finds."""

ALLOW_ALL = {"version": 1, "name": "allow-all", "rules": [{"id": "never", "tools": ["nothing"], "decision": "deny"}]}


def deny_when(tool: str, when: str) -> dict[str, object]:
    rule = {"id": "refused", "tools": [tool], "when": when, "decision": "deny", "reason": "the test says no"}
    return {"version": 1, "name": "deny-when", "rules": [rule]}


def until(done: Callable[[], object]) -> Any:
    """Looks again and again, and fails where it never comes."""
    end = time.monotonic() + PATIENCE
    while not (found := done()):
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s in vain"
        time.sleep(0)
    return found


async def until_async(done: Callable[[], object]) -> Any:
    """As `until`, on an event loop."""
    end = time.monotonic() + PATIENCE
    while not (found := done()):
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s in vain"
        await asyncio.sleep(0)
    return found


@pytest.fixture(autouse=True)
def _ends() -> Iterator[None]:
    """A test that waits where nothing can look, in a join or an event loop, ends the run and shows where every thread stands."""
    faulthandler.dump_traceback_later(5 * PATIENCE, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


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
