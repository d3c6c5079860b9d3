"""Whether agentsentinel-sdk redacts a secret that a tool returns.

Prints one line of what was observed; exits 0 while the defect is there, 1 when it is gone.
Needs the packages of requirements-peers.txt; no network, files only in a temporary directory.
"""

# The peer is untyped, and is not there where this project's types are checked.
# mypy: disable-error-code="import-not-found,no-untyped-call,untyped-decorator"

import json
import logging
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from agent_sentinel import PolicyEngine, guarded_action

# Put together here, so that no scanner takes this file for a leak.
SECRET = "sk_" + "live_" + "0123456789abcdefghijABCD"


def main() -> int:
    scratch = tempfile.TemporaryDirectory()
    home = Path(scratch.name)
    os.environ["AGENT_SENTINEL_HOME"] = str(home)
    logging.disable(logging.CRITICAL)
    PolicyEngine.configure(denied_actions=[])

    @guarded_action(name="rotate_key")
    def rotate_key(old_key: str) -> dict[str, str]:
        return {"customer": "Ada", "api_key": SECRET}

    rotate_key(old_key=SECRET)
    payload = json.loads((home / "ledger.jsonl").read_text())["payload"]
    given = payload["inputs"]["kwargs"]["old_key"]
    returned = payload["outputs"]["api_key"]
    clear = "in clear" if returned == SECRET else f"as {returned!r}"
    print(
        f"agentsentinel-sdk {version('agentsentinel-sdk')}: the ledger holds the key as {given!r} "
        f"where it was an argument, and {clear} where it was the tool's result"
    )
    return 0 if returned == SECRET else 1


if __name__ == "__main__":
    sys.exit(main())
