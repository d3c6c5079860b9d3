"""Reading a ledger that is damaged: an error that says where, never a traceback from inside."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import counterseal as cs
import pytest
from conftest import ALLOW_ALL


@pytest.fixture
def written(home: Path) -> Path:
    """A home in which a call was recorded."""
    cs.configure(policy=ALLOW_ALL, home=home)
    cs.guard_tool("tool", len)([1])
    cs.close()
    return home


def read(home: Path) -> None:
    ledger = cs.Ledger(home)
    for record in list(ledger):
        ledger.payloads(record.get("action_id", ""))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "no unicode": lambda line: line[:10] + b"\xff" + line[11:],
    "no json": lambda line: line[:-2] + b"\n",
    "another line before it": lambda line: b"{}\n" + line,
    "a list": lambda _: b"[1]\n",
    "nested": lambda _: b"[" * 100_000 + b"\n",
    "other kinds of values": lambda line: json.dumps(dict.fromkeys(json.loads(line), [])).encode() + b"\n",
    "a number too long to read": lambda _: b'{"kind":' + b"1" * 5_000 + b"}\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", ["index", "streams/*/000001.jsonl", "streams/*/000001.side"])
def test_a_damaged_line_is_named(written: Path, file: str, damage: str) -> None:
    path = next(written.glob(file))
    first, *others = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"".join(others[:-1]) + DAMAGES[damage](others[-1]) if others else DAMAGES[damage](first))
    with pytest.raises(cs.LedgerError) as damaged:
        read(written)
    assert damaged.value.code == "ledger_corrupt"
    assert damaged.value.details == {"path": str(path), "line": str(len(others) + 1)}
    for said in (str(path), f"line {len(others) + 1} ", "`counterseal ledger verify`"):
        assert said in str(damaged.value)
    assert not cs.Ledger(written).verify(deep=True).ok


def test_a_file_that_cannot_be_read_is_named(written: Path) -> None:
    path = next(written.glob("streams/*/000001.jsonl"))
    path.unlink()
    path.mkdir()
    with pytest.raises(cs.LedgerError) as unreadable:
        read(written)
    assert (unreadable.value.code, unreadable.value.details) == ("ledger_io", {"path": str(path)})


def test_a_home_is_a_path_and_stays_the_same_one_wherever_the_program_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = cs.configure(policy=ALLOW_ALL, home="relative")
    cs.guard_tool("tool", len)([1])
    cs.flush()
    ledger = cs.Ledger("relative")
    monkeypatch.chdir("/")
    assert configuration.home == ledger.home == str(tmp_path / "relative")
    assert [record["kind"] for record in ledger].count("decided") == 1
    cs.close()
    for wrong in ("~/home", "~nobody", b"relative", 5, ""):
        for use in (cs.Ledger, lambda home: cs.configure(policy=ALLOW_ALL, home=home)):
            with pytest.raises(cs.ConfigurationError) as refused:
                use(wrong)  # type: ignore[operator]
            assert refused.value.code == "config_invalid"
            assert "`home`" in str(refused.value)
    assert not os.path.exists("~")
