"""Whether agentsentinel-sdk sees arguments that are given by position.

Prints one line of what was observed; exits 0 while the defect is there, 1 when it is gone.
Needs the packages of requirements-peers.txt; no network, files only in a temporary directory.
"""

# The peer is untyped, and is not there where this project's types are checked.
# mypy: disable-error-code="import-not-found,no-untyped-call,untyped-decorator"

import logging
import os
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version

from agent_sentinel import PolicyEngine, guarded_action
from agent_sentinel.errors import AgentSentinelError
from agent_sentinel.policy import PolicyConfig

CARD = "4111 1111 1111 1111"


def outcome(call: Callable[[], str]) -> str:
    try:
        return call()
    except AgentSentinelError as refusal:
        return f"refused ({type(refusal).__name__})"


def main() -> int:
    home = tempfile.TemporaryDirectory()
    os.environ["AGENT_SENTINEL_HOME"] = home.name
    logging.disable(logging.CRITICAL)
    PolicyEngine.apply_config(
        PolicyConfig(
            argument_constraints={"pay": {"properties": {"amount": {"maximum": 100}}}},
            pii_default_enabled=True,
        )
    )

    @guarded_action(name="pay")
    def pay(amount: float) -> str:
        return "ran"

    @guarded_action(name="post_note")
    def post_note(body: str) -> str:
        return "ran"

    named = outcome(lambda: pay(amount=9999.0)), outcome(lambda: post_note(body=CARD))
    placed = outcome(lambda: pay(9999.0)), outcome(lambda: post_note(CARD))
    print(
        f"agentsentinel-sdk {version('agentsentinel-sdk')}: with a maximum of 100, "
        f"pay(amount=9999) {named[0]} but pay(9999) {placed[0]}; with its PII guard on, "
        f"post_note(body=CARD) {named[1]} but post_note(CARD) {placed[1]}"
    )
    return 0 if placed == ("ran", "ran") else 1


if __name__ == "__main__":
    sys.exit(main())
