"""What a measurement gives: rows of the report, each beside its target, the peers and the limit of the machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from bench.limits import Limit


class Bound(Enum):
    """On which side of the target the figure has to be."""

    AT_MOST = "≤"
    AT_LEAST = "≥"


@dataclass(frozen=True)
class Target:
    """What a figure has to reach, in the unit of its row."""

    bound: Bound
    value: float

    def met_by(self, figure: float) -> bool:
        return figure <= self.value if self.bound is Bound.AT_MOST else figure >= self.value


def at_most(value: float) -> Target:
    return Target(Bound.AT_MOST, value)


def at_least(value: float) -> Target:
    return Target(Bound.AT_LEAST, value)


@dataclass(frozen=True)
class Row:
    """One figure. Rows without a target explain those that have one."""

    what: str
    figure: float
    unit: str
    target: Target | None = None
    # The best of the peers in the same run, for people.
    peers: str = ""
    limit: Limit | None = None

    @property
    def met(self) -> bool | None:
        return self.target.met_by(self.figure) if self.target else None

    @property
    def times_limit(self) -> float | None:
        """How many times the machine's limit the figure is away from it; 1 would be the machine itself."""
        if self.limit is None or not self.figure or not self.limit.value:
            return None
        best = self.target is not None and self.target.bound is Bound.AT_LEAST
        return self.limit.value / self.figure if best else self.figure / self.limit.value


@dataclass
class Group:
    """The rows of one measurement, what else it saw, and what went wrong while it was made."""

    title: str
    rows: list[Row] = field(default_factory=list)
    # Markdown below the rows: tables that explain them.
    notes: str = ""
    data: Any = None
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Asked:
    """How the measurements are to be made."""

    # A folder on the disk that is measured, removed afterwards.
    scratch: Path
    # Fewer repetitions: to see that everything runs, not for figures.
    quick: bool
    limits: dict[str, Limit]
    # Seconds for which the ledger is appended to.
    append_seconds: int
