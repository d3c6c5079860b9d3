"""What agentsentinel-sdk runs when a model's tool call carries broken JSON.

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
from types import SimpleNamespace

from agent_sentinel import PolicyEngine
from agent_sentinel.integrations.openai import OpenAISentinelTools

CONSTRAINTS = {
    "required": ["target"],
    "properties": {"target": {"type": "string", "enum": ["/tmp/scratch"]}},
}


def main() -> int:
    home = tempfile.TemporaryDirectory()
    os.environ["AGENT_SENTINEL_HOME"] = home.name
    logging.disable(logging.CRITICAL)
    PolicyEngine.configure(argument_constraints={"wipe": CONSTRAINTS})
    wiped: list[str] = []

    def wipe(target: str = "ALL") -> str:
        wiped.append(target)
        return "ran"

    tools = OpenAISentinelTools({"wipe": (wipe, {"argument_constraints": CONSTRAINTS})})

    def call(arguments: str) -> bool:
        function = SimpleNamespace(name="wipe", arguments=arguments)
        return bool(tools.execute(SimpleNamespace(id="call-1", function=function)).blocked)

    other_blocked = call('{"target": "/etc"}')
    broken_blocked = call('{"target": "/tmp/scr')
    what = f"ran with target={wiped[0]!r}, its default" if wiped else "did not run"
    print(
        f"agentsentinel-sdk {version('agentsentinel-sdk')}: with target required and one of "
        f"['/tmp/scratch'], wipe with '/etc' has blocked={other_blocked}; the arguments "
        f'\'{{"target": "/tmp/scr\' have blocked={broken_blocked}: wipe {what}'
    )
    return 0 if not broken_blocked and wiped == ["ALL"] else 1


if __name__ == "__main__":
    sys.exit(main())
