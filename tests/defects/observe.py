"""Runs every probe of tests/defects/peers/ and prints, as Markdown, what the peers' packages do.

    pip install --require-hashes -r tests/defects/requirements-peers.txt    (in a venv of its own)
    python tests/defects/observe.py

Exits 1 when a probe says that a defect is gone (docs/defects.md is then out of date) or breaks.
"""

import subprocess
import sys
from pathlib import Path

PROBES = Path(__file__).parent / "peers"
SECONDS = 60


def main() -> int:
    gone = 0
    print("| probe | observed |\n|---|---|")
    for probe in sorted(PROBES.glob("*.py")):
        run = subprocess.run(
            [sys.executable, str(probe)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        observed = run.stdout.strip() or run.stderr.strip().rpartition("\n")[2]
        if run.returncode:
            gone += 1
            observed = f"**not observed (exit {run.returncode})** {observed}"
        print(f"| `{probe.name}` | {observed} |")
    return 1 if gone else 0


if __name__ == "__main__":
    sys.exit(main())
