"""What the tests of tests/defects/ share: policies in short, and everything that was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import counterseal as cs

FLUSH_SECONDS = 10.0


def policy(*rules: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"version": 1, "name": "defects", **({"rules": list(rules)} if rules else {}), **members}


def deny(tool: str, when: str) -> dict[str, Any]:
    return {"id": f"no-{tool.replace('_', '-')}", "tools": [tool], "when": when, "decision": "deny", "reason": "no"}


def records(home: Path, kind: str) -> list[Any]:
    cs.flush(FLUSH_SECONDS)
    return [record for record in cs.Ledger(home) if record["kind"] == kind]


def written(home: Path) -> bytes:
    """Every byte that was written anywhere under the home, the spool's included."""
    cs.flush(FLUSH_SECONDS)
    return b"".join(path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file())


def payloads(home: Path, part: str) -> dict[str, Any]:
    """What the sidecars hold of one part, by the name of the tool it was recorded for."""
    tools = {record["action_id"]: record["tool"]["name"] for record in records(home, "decided")}
    found: dict[str, Any] = {}
    for sidecar in home.rglob("*.side"):
        for line in map(json.loads, sidecar.read_text().splitlines()):
            if line["part"] == part:
                found[tools[line["action_id"]]] = line["payload"]
    return found
