"""Times one guarded call above the bare call, side by side with the peers in one process.

    python -m bench.peers.run       (where counterseal and bench/peers/requirements.txt are installed)

Every round takes the contenders in another order and times a block of bare and a block of guarded
calls of each, so that a slower moment of the machine falls on all alike; the figure is the median over
the rounds of guarded less bare. Blocks are short, so that no recorder that works in the background is
outrun: what it sustains is another row's business. At the end every call of ours has to be in the
ledger, decided and completed. Prints a Markdown table and writes JSON.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import limits
from bench.peers.timing import Row, check, measure

if TYPE_CHECKING:
    from collections.abc import Sequence

OUT = Path(__file__).parent.parent / "out"
MODULES = ("counterseal", "agentsentinel", "agt")


def table(figures: Sequence[dict[str, Any]]) -> str:
    ours = next((f["above_bare_ns"] for f in figures if f["name"] == "counterseal"), None)
    lines = [
        "| contender | rules | bare | guarded above bare, median (quartiles) | p99 | times ours | records a call |",
        "|---|---|---|---|---|---|---|",
    ]
    for f in figures:
        low, high = f["above_bare_quartiles_ns"]
        times = f"{f['above_bare_ns'] / ours:.1f}" if ours else "not run"
        lines.append(
            f"| {f['name']} {f['version']} | {f['rules'] or 'its own'} | {f['bare_ns']} ns "
            f"| {f['above_bare_ns'] / 1000:.2f} µs ({low / 1000:.2f} to {high / 1000:.2f}) "
            f"| {f['p99_above_bare_ns'] / 1000:.1f} µs | {times} | {f['records_per_call']:g}, {f['record']} |"
        )
    return "\n".join(lines)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="time one guarded call above the bare call, beside the peers")
    parser.add_argument("--only", default=",".join(MODULES), help="contenders, separated by commas (default: all)")
    parser.add_argument("--rules", default="1,100", help="numbers of rules (default: 1,100)")
    parser.add_argument("--rounds", type=int, default=40, help="blocks of each contender (default: 40)")
    parser.add_argument("--calls", type=int, default=2000, help="calls in a block, at most (default: 2000)")
    parser.add_argument(
        "--single-calls", type=int, default=500, help="calls timed one by one in a round (default: 500)"
    )
    parser.add_argument("--json", type=Path, default=OUT / "peers.json", help="where the figures go")
    return parser.parse_args()


def rows_of(names: Sequence[str], rules: Sequence[int], calls: int, scratch: Path) -> tuple[list[Row], dict[str, str]]:
    """What is timed, and the contenders that cannot be, each with the reason."""
    rows, left_out = [], {}
    for name in names:
        folder = scratch / name
        folder.mkdir()
        try:
            module = importlib.import_module(f"bench.peers.{name}_contender")
        except ModuleNotFoundError as error:
            # One of the peers is not published for Python 3.10.
            left_out[name] = str(error)
            continue
        for contender in module.contenders(folder):
            rows += [Row(contender, number, calls) for number in ([1] if contender.fixed_policy else rules)]
    return rows, left_out


def take_turns(rows: list[Row], rounds: int, single_calls: int) -> None:
    for row in rows:
        check(row)
    # What the imports left behind is no contender's garbage.
    gc.collect()
    gc.freeze()
    for number in range(rounds):
        turn = number % len(rows)
        for row in rows[turn:] + rows[:turn]:
            measure(row, single_calls, guarded_first=number % 2 == 1)


def calls_in_our_ledger(rows: Sequence[Row], scratch: Path) -> dict[str, int]:
    """Every call of ours that was made has both its records, or this ends the run."""
    module = importlib.import_module("bench.peers.counterseal_contender")
    made = sum(row.made for row in rows if isinstance(row.contender, module.Counterseal))
    kinds = module.recorded(scratch / "counterseal")
    found = {"calls": made, "decided": kinds["decided"], "completed": kinds["completed"]}
    # A refused call has nothing to complete.
    refused = sum(isinstance(row.contender, module.Counterseal) for row in rows)
    if found["decided"] != made or not made - refused <= found["completed"] <= made:
        sys.exit(f"the ledger does not hold every call: {found}")
    return found


def main() -> None:
    chosen = options()
    OUT.mkdir(exist_ok=True)
    names, rules = chosen.only.split(","), [int(number) for number in chosen.rules.split(",")]
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        scratch = Path(folder)
        rows, left_out = rows_of(names, rules, chosen.calls, scratch)
        take_turns(rows, chosen.rounds, chosen.single_calls)
        found = calls_in_our_ledger(rows, scratch) if "counterseal" in names and "counterseal" not in left_out else None
    figures = [row.figures() for row in rows]
    print(table(figures))
    for name, why in left_out.items():
        print(f"\n{name} is left out: {why}")
    document = {"machine": limits.machine(), "rows": figures, "left_out": left_out, "ledger": found}
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
