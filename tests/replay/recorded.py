"""What a home recorded, read as docs/formats.md says: payloads byte by byte, and digests made again without our code."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import counterseal as cs

_LINE = re.compile(
    rb'\{"action_id":"([0-9a-f]{32})","part":"([a-z]+)","salt":"([0-9a-f]{64})","payload":(.*)\}\n', re.S
)


def home_with_key(home: Path, key: str) -> Path:
    """A new home whose digest key is this one, in hex."""
    cs.configure(policy={"version": 1}, home=home)
    cs.close()
    (home / "digest.key").write_text(key + "\n")
    return home


class Recorded:
    """Every record and payload of a home, by the id of its call."""

    def __init__(self, home: Path) -> None:
        self.decided: dict[str, dict[str, Any]] = {}
        self.completed: dict[str, dict[str, Any]] = {}
        for record in cs.Ledger(home):
            if record["kind"] in ("decided", "completed"):
                getattr(self, record["kind"])[record["action_id"]] = record
        self.payloads: dict[tuple[str, str], bytes] = {}
        for file in sorted(home.glob("streams/*/*.side")):
            for line in file.read_bytes().splitlines(keepends=True):
                self._hold(line)

    def _hold(self, line: bytes) -> None:
        found = _LINE.fullmatch(line)
        assert found, line[:200]
        action_id, part = found[1].decode(), found[2].decode()
        record = self.completed[action_id] if part == "result" else self.decided[action_id]
        salted = hashlib.sha256(bytes.fromhex(found[3].decode()) + found[4]).hexdigest()
        assert record["payload"][part] == salted
        json.loads(found[4])
        self.payloads[action_id, part] = found[4]


def call_digest(key: str, tool: dict[str, str], canonical: bytes) -> str:
    head = json.dumps(["counterseal.call.v1", tool["source"], tool["name"]], separators=(",", ":"))
    return _keyed(key, head.encode()[:-1] + b"," + canonical + b"]")


def result_digest(key: str, canonical: bytes) -> str:
    """Of a long result its first 65,536 bytes, with nothing after them."""
    return _keyed(
        key, b'["counterseal.result.v1",' + (canonical[:65_536] if len(canonical) > 65_536 else canonical + b"]")
    )


def _keyed(key: str, message: bytes) -> str:
    return hmac.new(bytes.fromhex(key), message, hashlib.sha256).hexdigest()
