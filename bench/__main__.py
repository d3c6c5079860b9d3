"""Measures everything and writes bench/out/report.md and bench/out/report.json.

    make bench                                  builds and measures all
    python -m bench --only call,start --quick   in an environment with counterseal and the peers

A missed target stands in the report; the exit code is 1 only where something could not be measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench import (
    async_call,
    core_decision,
    guarded_call,
    langchain_call,
    ledger_speed,
    limits,
    many_rules,
    people_waiting,
    report,
    start_up,
)
from bench.processes import MeasurementError
from bench.rows import Asked, Group

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.limits import Limit

OUT = Path(__file__).parent / "out"
GROUPS: dict[str, Callable[[Asked], Group]] = {
    "call": guarded_call.measure_call,
    "async": async_call.measure,
    "langchain": langchain_call.measure,
    "curve": guarded_call.measure_curve,
    "many": many_rules.measure,
    "core": core_decision.measure,
    "ledger": ledger_speed.measure,
    "start": start_up.measure,
    "people": people_waiting.measure,
}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="measure every figure of the report")
    parser.add_argument("--only", default=",".join(GROUPS), help=f"groups, separated by commas: {', '.join(GROUPS)}")
    parser.add_argument("--quick", action="store_true", help="few repetitions: whether it runs, not how fast")
    parser.add_argument("--seconds", type=int, default=30, help="how long the ledger is appended to (default: 30)")
    chosen = parser.parse_args()
    if unknown := set(chosen.only.split(",")) - GROUPS.keys():
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    return chosen


def write(measured: dict[str, Group], bounds: dict[str, Limit], *, quick: bool) -> str:
    """Writes the report of what is measured so far, so that nothing is lost where a later measurement fails."""
    machine = limits.machine()
    text = report.markdown(machine, measured, bounds, quick=quick)
    (OUT / "report.md").write_text(text)
    figures = report.document(machine, measured, bounds, quick=quick)
    (OUT / "report.json").write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    return text


def main() -> None:
    chosen = options()
    OUT.mkdir(exist_ok=True)
    measured: dict[str, Group] = {}
    text = ""
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        # A home is refused where others could write to it.
        Path(folder).chmod(0o700)
        print("limits of the machine", file=sys.stderr)
        bounds = limits.measure(OUT)
        asked = Asked(Path(folder), chosen.quick, bounds, 3 if chosen.quick else chosen.seconds)
        for name in chosen.only.split(","):
            print(name, file=sys.stderr)
            try:
                measured[name] = GROUPS[name](asked)
            except MeasurementError as failed:
                measured[name] = Group(name, failures=[str(failed)])
            text = write(measured, bounds, quick=chosen.quick)
    print(text)
    if failures := [failure for group in measured.values() for failure in group.failures]:
        sys.exit("not everything could be measured:\n" + "\n".join(failures))


if __name__ == "__main__":
    main()
