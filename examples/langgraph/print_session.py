"""Prints what the ledger says of one session: every decision, who answered, and how each call ended."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import counterseal as cs

from bank_agent import written
from benchmark_suites import Call


def print_session(home: Path, session: str) -> None:
    ledger = cs.Ledger(home)
    print(f"\nThe record of session `{session}`, as the ledger has it")
    for record in _of_session(ledger, session):
        print(f"  {record['time'][11:23]}  {_line(record)}")
        if record["kind"] == "decided":
            arguments = ledger.payloads(record["action_id"])["arguments"]
            _under(written(Call(record["tool"]["name"], arguments)))
            _under(f"rules: {', '.join(record['rules'])}")
    print(textwrap.fill(str(ledger.verify()), 118, initial_indent="  ", subsequent_indent="  "))


def effects(home: Path, session: str) -> list[str]:
    return [record["effect"] for record in _of_session(cs.Ledger(home), session) if record["kind"] == "decided"]


def _of_session(ledger: cs.Ledger, session: str) -> Iterator[dict[str, Any]]:
    """In the order of time: the answer was recorded by the process that gave it, in a stream of its own."""
    records = list(ledger)
    calls = {record["action_id"] for record in records if record.get("session") == session}
    return iter(sorted((one for one in records if one.get("action_id") in calls), key=lambda one: one["time"]))


def _line(record: dict[str, Any]) -> str:
    if record["kind"] == "decided":
        return f"decided    {record['decision']}, {record['effect']} ({record['reason_code']})"
    if record["kind"] == "approval":
        by = f" by {record['decided_by']}" if record["decided_by"] else ""
        return f"approval   {record['state']}{by}"
    return f"completed  {record['outcome']}"


def _under(text: str) -> None:
    print(textwrap.fill(text, 118, initial_indent=" " * 27, subsequent_indent=" " * 29))
