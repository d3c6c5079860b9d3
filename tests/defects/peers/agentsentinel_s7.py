"""Whether agentsentinel-sdk writes down in clear the personal data it has just blocked.

Prints one line of what was observed; exits 0 while the defect is there, 1 when it is gone.
Needs the packages of requirements-peers.txt; no network, files only in a temporary directory.
"""

# The peer is untyped, and is not there where this project's types are checked.
# mypy: disable-error-code="import-not-found,no-untyped-call,untyped-decorator"

import logging
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from agent_sentinel import PolicyEngine, guarded_action
from agent_sentinel.errors import AgentSentinelError
from agent_sentinel.policy import PolicyConfig

CARD = "4111 1111 1111 1111"


def main() -> int:
    scratch = tempfile.TemporaryDirectory()
    home = Path(scratch.name)
    os.environ["AGENT_SENTINEL_HOME"] = str(home)
    logging.disable(logging.CRITICAL)
    PolicyEngine.apply_config(PolicyConfig(pii_default_enabled=True))

    @guarded_action(name="post_note")
    def post_note(body: str) -> str:
        return "ran"

    try:
        result = post_note(body=f"card {CARD}")
    except AgentSentinelError:
        result = "refused"
    holding = sorted(path.name for path in home.iterdir() if CARD in path.read_text())
    print(
        f"agentsentinel-sdk {version('agentsentinel-sdk')}: post_note(body=CARD) {result} "
        f"by its PII guard, and the whole number stands in {' and '.join(holding) or 'no file'}"
    )
    return 0 if result == "refused" and holding else 1


if __name__ == "__main__":
    sys.exit(main())
