"""What a colleague types in a second terminal: waits for a call that needs a person, looks at it and says no.

python examples/langgraph/second_terminal.py HOME
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

COUNTERSEAL = (sys.executable, "-m", "counterseal", "approvals")
NOTE = "nobody here knows this account; go on without this payment"


def main(home: str) -> None:
    os.environ["COUNTERSEAL_HOME"] = home
    with subprocess.Popen([*COUNTERSEAL, "watch", "--json"], stdout=subprocess.PIPE) as watch:
        assert watch.stdout is not None
        approval = json.loads(watch.stdout.readline())["id"]
        watch.terminate()
    print(f"\n  $ export COUNTERSEAL_HOME={shlex.quote(home)}", flush=True)
    _typed("show", approval[:8])
    _typed("deny", approval[:8], "--note", NOTE)


def _typed(*command: str) -> None:
    print(f"  $ counterseal approvals {shlex.join(command)}", flush=True)
    ran = subprocess.run([*COUNTERSEAL, *command], check=True, capture_output=True, text=True)
    print("".join(f"  {line}\n" for line in ran.stdout.splitlines()), end="", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
