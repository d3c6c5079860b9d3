"""What agentsentinel-sdk does with a policy file that has a typo, a syntax error or is not there.

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


def main() -> int:
    scratch = tempfile.TemporaryDirectory()
    home = Path(scratch.name)
    os.environ["AGENT_SENTINEL_HOME"] = str(home)
    logging.disable(logging.CRITICAL)

    @guarded_action(name="read_salaries", impact="low")
    def read_salaries() -> str:
        return "ran"

    @guarded_action(name="wipe", impact="high")
    def wipe() -> str:
        return "ran"

    files: dict[str, bytes | None] = {
        "the right key": b"denied_actions: [wipe, read_salaries]\n",
        "`denied_action`": b"denied_action: [wipe, read_salaries]\n",
        "an unclosed bracket": b"denied_actions: [wipe, read_salaries\n",
        "a byte that is not UTF-8": b"denied_actions: [wipe, read_salaries]  # \xff\n",
        "no file": None,
    }
    observed: dict[str, tuple[bool, str, str]] = {}
    for number, (name, content) in enumerate(files.items()):
        path = home / f"callguard-{number}.yaml"
        if content is not None:
            path.write_bytes(content)
        PolicyEngine.reset()
        PolicyEngine.load_from_yaml(str(path))
        ran = []
        for tool in (wipe, read_salaries):
            try:
                ran.append(tool())
            except AgentSentinelError:
                ran.append("refused")
        observed[name] = (PolicyEngine.is_configured(), ran[0], ran[1])
    print(
        f"agentsentinel-sdk {version('agentsentinel-sdk')}: load_from_yaml() raised nothing; "
        + "; ".join(
            f"{name}: configured={configured}, wipe {wiped}, read_salaries {read}"
            for name, (configured, wiped, read) in observed.items()
        )
    )
    sound = observed.pop("the right key") == (True, "refused", "refused")
    return 0 if sound and all(read == "ran" for _, _, read in observed.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
