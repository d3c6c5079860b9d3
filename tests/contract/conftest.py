"""The adapters that the contract is asked of: `--adapter NAME`, each in an environment that has its framework."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import counterseal as cs
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.insert(0, str(Path(__file__).parent))

DRIVERS = {"langchain": ("langchain_driver", "LangChain")}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--adapter", action="append", choices=sorted(DRIVERS), default=[], help="may be given again")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    chosen = metafunc.config.getoption("--adapter")
    if not chosen:
        raise pytest.UsageError(f"name the adapters of this environment: --adapter {'|'.join(sorted(DRIVERS))}")
    if "driver" in metafunc.fixturenames:
        metafunc.parametrize("driver", chosen, indirect=True)
    if "asynchronous" in metafunc.fixturenames:
        metafunc.parametrize("asynchronous", [False, True], ids=["sync", "async"])


@pytest.fixture
def driver(request: pytest.FixtureRequest) -> Any:
    module, name = DRIVERS[request.param]
    return getattr(importlib.import_module(module), name)()


class Guarded:
    """A home of its own: puts policies in force and reads what was recorded."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.approver: Any = None
        self.native = False

    def by(self, *rules: dict[str, Any], **more: Any) -> None:
        never = {"id": "never", "tools": ["nothing"], "decision": "deny"}
        policy = {"version": 1, "name": "contract", "rules": [*rules, never], **more}
        mode: Any = "native" if self.native else None
        cs.configure(policy=policy, home=self.home, approver=self.approver, approval_mode=mode)

    def recorded(self) -> list[tuple[str, Any, str, str | None]]:
        """Each decided call in order: tool, arguments, effect, and how it ended."""
        cs.flush()
        ledger = cs.Ledger(self.home)
        records = list(ledger)
        ended: dict[str, list[str]] = {}
        for record in records:
            if record["kind"] == "completed":
                ended.setdefault(record["action_id"], []).append(record["outcome"])
        found = []
        for record in records:
            if record["kind"] == "decided":
                outcomes: list[str | None] = [*ended.pop(record["action_id"], [])]
                assert len(outcomes) <= 1, "one call was completed twice"
                arguments = ledger.payloads(record["action_id"]).get("arguments")
                found.append((record["tool"]["name"], arguments, record["effect"], *(outcomes or [None])))
        assert not ended, "a call was completed that nothing decided"
        return found

    def approvals(self) -> list[dict[str, Any]]:
        cs.flush()
        return [record for record in cs.Ledger(self.home) if record["kind"] == "approval"]

    def command_line(self, *words: str) -> None:
        """As another terminal of the same user."""
        command = [sys.executable, "-m", "counterseal", *words, "--home", str(self.home)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr

    def call_ids(self) -> list[str | None]:
        cs.flush()
        return [record["call_id"] for record in cs.Ledger(self.home) if record["kind"] == "decided"]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    yield Guarded(tmp_path / "home")
    cs.close()
