"""Writes what was measured: Markdown for people, JSON for machines."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench import limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.limits import Limit
    from bench.rows import Group, Row

COLUMNS = ("what", "target", "figure", "met", "best of the peers", "limit of the machine", "away from it")
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"


def number(value: float) -> str:
    """Three digits that count, thousands apart."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def cells(row: Row) -> list[str]:
    target = f"{row.target.bound.value} {number(row.target.value)} {row.unit}" if row.target else ""
    limit = f"{number(row.limit.value)} {row.limit.unit}: {row.limit.what}" if row.limit else ""
    away = f"{number(row.times_limit)} times" if row.times_limit else ""
    met = {True: "met", False: "**missed**", None: ""}[row.met]
    return [row.what, target, f"{number(row.figure)} {row.unit}", met, row.peers, limit, away]


def table(rows: Sequence[Row]) -> str:
    return "\n".join([HEAD, *("| " + " | ".join(cells(row)) + " |" for row in rows)])


def markdown(machine: dict[str, Any], measured: dict[str, Group], bounds: dict[str, Limit], *, quick: bool) -> str:
    rows = [row for group in measured.values() for row in group.rows]
    with_target = [row for row in rows if row.target]
    met = sum(row.met is True for row in with_target)
    parts = [
        "# Figures\n",
        f"{machine['cores']} cores, {machine['processor']}; {machine['system']}, Python {machine['python']}. "
        f"{met} of {len(with_target)} targets met.\n",
    ]
    if quick:
        parts.append("Too few repetitions for figures: this run only shows that every measurement works.\n")
    for failure in (failure for group in measured.values() for failure in group.failures):
        parts.append(f"**Not whole:** {failure}\n")
    for group in measured.values():
        parts += [f"## {group.title}\n", f"{table(group.rows)}\n"] if group.rows else [f"## {group.title}\n"]
        if group.notes:
            parts.append(f"{group.notes}\n")
    parts += ["## The machine\n", f"{limits.table(bounds.values())}\n"]
    return "\n".join(parts)


def document(
    machine: dict[str, Any], measured: dict[str, Group], bounds: dict[str, Limit], *, quick: bool
) -> dict[str, Any]:
    return {
        "machine": machine,
        "quick": quick,
        "limits": {name: asdict(limit) for name, limit in bounds.items()},
        "groups": {
            name: {
                "title": group.title,
                "rows": [as_json(row) for row in group.rows],
                "failures": group.failures,
                "data": group.data,
            }
            for name, group in measured.items()
        },
    }


def as_json(row: Row) -> dict[str, Any]:
    target = {"bound": row.target.bound.value, "value": row.target.value} if row.target else None
    return {
        "what": row.what,
        "figure": row.figure,
        "unit": row.unit,
        "target": target,
        "met": row.met,
        "peers": row.peers or None,
        "limit": asdict(row.limit) if row.limit else None,
        "times_limit": row.times_limit,
    }
