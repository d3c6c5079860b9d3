"""Programs that try to make a decision see something else than the body gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import counterseal as cs
import pytest
from conftest import deny_when
from counterseal import _configuration, _contexts, _native

EMPTIED = deny_when("tool", "size(args.items) == 0")


def emptied_by(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, items: list[str]) -> None:
    """Code of Python's that runs within a decision, and lets go of the very text that is decided on."""
    before = getattr(module, name)

    def changed() -> Any:
        items.clear()
        return before()

    monkeypatch.setattr(module, name, changed)


def test_values_are_read_after_the_last_code_that_could_change_them(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = cs.guard_tool("tool", lambda items: None)
    cs.configure(policy=EMPTIED, home=home)
    for decide in (
        lambda items: guarded(items),
        lambda items: cs.enforce("tool", {"items": items}),
        lambda items: cs.check(guarded, {"items": items}).reason_code == "rule" and guarded([]),
    ):
        items = ["x" * 4000]
        _native.forget_process_session()
        with monkeypatch.context() as patch, pytest.raises(cs.PolicyDenied):
            emptied_by(patch, _contexts, "process_session", items)
            decide(items)
        assert items == []


def test_the_environment_is_read_before_the_arguments(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    path = home.parent / "policy.json"
    path.write_text(json.dumps(EMPTIED))
    monkeypatch.setenv("COUNTERSEAL_POLICY", str(path))
    monkeypatch.setenv("COUNTERSEAL_HOME", str(home))
    _native.stand_down()
    items = ["x" * 4000]
    emptied_by(monkeypatch, _configuration, "from_environment", items)
    with pytest.raises(cs.PolicyDenied):
        cs.enforce("tool", {"items": items})
