"""Replays tests/vectors/ledger.json against the oracle, on the committed ledgers."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import ed25519
from ledger import Broken, Ledger, root

VECTORS = Path(__file__).parents[1] / "vectors"
CASES = json.loads((VECTORS / "ledger.json").read_text(encoding="utf-8"))["cases"]


def mutate(home: Path, mutation: dict[str, Any]) -> None:
    file = home / mutation["file"]
    operation = mutation["op"]
    if operation == "remove":
        file.unlink()
        return
    content = bytearray(file.read_bytes())
    lines = bytes(content).splitlines(keepends=True)
    if operation == "flip":
        content[mutation["offset"]] ^= 1
    elif operation == "cut":
        del content[mutation["length"] :]
    elif operation == "drop":
        del lines[mutation["line"] - 1]
        content = bytearray(b"".join(lines))
    elif operation == "double":
        lines.insert(mutation["line"], lines[mutation["line"] - 1])
        content = bytearray(b"".join(lines))
    elif operation == "swap":
        first = mutation["line"] - 1
        lines[first], lines[first + 1] = lines[first + 1], lines[first]
        content = bytearray(b"".join(lines))
    else:
        pytest.fail(f"unknown mutation {operation}")
    file.write_bytes(content)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_ledger(case: dict[str, Any], tmp_path: Path) -> None:
    assert case["op"] == "verify", f"unknown operation {case['op']}"
    folder = tmp_path / "ledger"
    shutil.copytree(VECTORS / "ledgers" / case["ledger"], folder)
    home = folder / "home"
    if "mutation" in case:
        mutate(home, case["mutation"])
    expect = case["expect"]
    ledger = Ledger(home, folder / "outside")
    if expect["holds"]:
        assert {"holds": True, **dataclasses.asdict(ledger.verify())} == expect
        return
    with pytest.raises(Broken) as found:
        ledger.verify()
    if expect["code"] in {"record_changed", "record_malformed", "record_missing", "record_moved"}:
        assert (found.value.file, found.value.line) == (expect["file"], expect["line"])


def test_ed25519_by_rfc_8032() -> None:
    """Section 7.1, tests 1 and 2."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = bytes.fromhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert ed25519.public_key(seed) == public
    assert ed25519.verify(public, b"", signature)
    assert not ed25519.verify(public, b"x", signature)
    assert not ed25519.verify(public, b"", signature[:-1] + b"\0")


def test_merkle_root_by_definition() -> None:
    """RFC 9162 section 2.1.1, against the recursion it is written as."""

    def recursive(leaves: list[bytes]) -> bytes:
        if len(leaves) <= 1:
            return root(leaves)
        split = 1 << ((len(leaves) - 1).bit_length() - 1)
        return ledger_node(recursive(leaves[:split]), recursive(leaves[split:]))

    for size in range(40):
        leaves = [bytes([nth]) * nth for nth in range(size)]
        assert root(leaves) == recursive(leaves)


def ledger_node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()
