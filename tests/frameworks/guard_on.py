"""A pytest plugin that runs somebody else's tests with every tool guarded by a policy that allows all.

python -m pytest -p guard_on …      with this folder on PYTHONPATH

The tests have to pass as they do without it. At the end the ledger has to hold each call that was decided, completed once.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import counterseal as cs

if TYPE_CHECKING:
    import pytest

# A rule, since a policy without any would say that nothing is configured.
ALLOW_ALL = {"version": 1, "name": "allow-all", "rules": [{"id": "never", "tools": ["nothing"], "decision": "deny"}]}

_home = tempfile.TemporaryDirectory(prefix="counterseal-guard-on-")


def pytest_configure() -> None:
    cs.configure(policy=ALLOW_ALL, home=Path(_home.name) / "home")


def pytest_sessionfinish(session: pytest.Session) -> None:
    cs.close()
    counts: Counter[str] = Counter()
    completed: Counter[str] = Counter()
    for record in cs.Ledger(Path(_home.name) / "home"):
        counts[record["kind"]] += 1
        if record["kind"] == "completed":
            completed[record["action_id"]] += 1
    _home.cleanup()
    print(f"\nguarded: {counts['decided']} calls decided, {counts['completed']} completed")
    if not counts["decided"] or counts["decided"] != len(completed) or set(completed.values()) != {1}:
        print("not every call was decided and completed once")
        session.exitstatus = 1
