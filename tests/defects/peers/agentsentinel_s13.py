"""Which calls agentsentinel-sdk takes for a loop, by how their arguments were given.

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
from agent_sentinel.guardrails import LoopRule
from agent_sentinel.policy import PolicyConfig

QUERIES = ["flights to Rome", "hotels in Rome", "weather in Rome", "museums in Rome", "trains to Naples"]


def refused_at(search: Callable[[str], object]) -> str | None:
    """The reason code and the number of the first call that was refused."""
    for number, query in enumerate(QUERIES, 1):
        try:
            search(query)
        except Exception as error:
            return f"{getattr(error, 'details', {}).get('reason_code')} at call {number}"
    return None


def outcome(refused: str | None) -> str:
    return f"is refused: {refused}" if refused else "runs each time"


def main() -> int:
    home = tempfile.TemporaryDirectory()
    os.environ["AGENT_SENTINEL_HOME"] = home.name
    logging.disable(logging.CRITICAL)
    rule = LoopRule(threshold=5, window_seconds=120.0)
    PolicyEngine.apply_config(PolicyConfig(loop_rules={"search": rule, "search_by_name": rule, "search_again": rule}))

    @guarded_action(name="search")
    def search(query: str) -> str:
        return query

    @guarded_action(name="search_by_name")
    def search_by_name(query: str) -> str:
        return query

    @guarded_action(name="search_again")
    def search_again(query: str) -> str:
        return query

    by_place = refused_at(search)
    by_name = refused_at(lambda query: search_by_name(query=query))
    # Four times by name, then once by place: the same call five times.
    spellings: list[Callable[[str], object]] = [lambda query: search_again(query=query)] * 4 + [search_again]
    same_call = refused_at(lambda _: spellings.pop(0)(QUERIES[0]))
    print(
        f"agentsentinel-sdk {version('agentsentinel-sdk')}: with a loop rule of 5 and five different queries, "
        f"search(query=q) {outcome(by_name)} and search(q) {outcome(by_place)}; with one query, "
        f"four times by name and then by place, it {outcome(same_call)}"
    )
    return 0 if by_place and by_name is None and same_call is None else 1


if __name__ == "__main__":
    sys.exit(main())
