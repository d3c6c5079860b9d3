"""Times one guarded call above the bare call, side by side with the peers in one process.

    pip install --require-hashes -r bench/peers/requirements.txt    (in a venv that has counterseal)
    python bench/peers/run.py

Every round takes the contenders in another order and times a block of bare and a block of guarded
calls of each, so that a slower moment of the machine falls on all alike; the figure is the median over
the rounds of guarded less bare. Blocks are short, so that no recorder that works in the background is
outrun: what it sustains is another row's business. Prints a Markdown table and writes JSON.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from timing import Row, check, measure

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


def main() -> None:
    chosen = options()
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUT) as scratch:
        rows, left_out = [], {}
        for name in chosen.only.split(","):
            folder = Path(scratch) / name
            folder.mkdir()
            try:
                module = importlib.import_module(f"{name}_contender")
            except ModuleNotFoundError as error:
                # One of the peers is not published for Python 3.10.
                left_out[name] = str(error)
                continue
            for contender in module.contenders(folder):
                numbers = [1] if contender.fixed_policy else map(int, chosen.rules.split(","))
                rows += [Row(contender, rules, chosen.calls) for rules in numbers]
        for row in rows:
            check(row)
        # What the imports left behind is no contender's garbage.
        gc.collect()
        gc.freeze()
        for number in range(chosen.rounds):
            turn = number % len(rows)
            for row in rows[turn:] + rows[:turn]:
                measure(row, chosen.single_calls, guarded_first=number % 2 == 1)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    print(
        f"{machine['cores']} cores, Python {machine['python']}; {chosen.rounds} blocks of up to {chosen.calls} calls\n"
    )
    figures = [row.figures() for row in rows]
    print(table(figures))
    for name, why in left_out.items():
        print(f"\n{name} is left out: {why}")
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(
        json.dumps(
            {
                "machine": machine,
                "rows": figures,
                "left_out": left_out,
            },
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
