"""The demo: AgentDojo's honest tasks and attacks, call by call, through the guard.

    python examples/agentdojo/demo.py [--json] [--home DIR] [--show-policy NAME]

Exit code 1 when an honest task is broken or comes out otherwise though no call was stopped, when a decision is missing
from the ledger, or when a changed byte is not noticed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import counterseal as cs
import yaml

from benchmark_suites import HELD_OUT, WRITTEN_ON, Suite, load_suites
from deployment_lists import policy_for
from guarded_runtime import LoneCalls, bare_runtime, guarded_runtime
from print_report import Replay, print_json, print_text
from replay_tasks import replay_attacks, replay_honest_tasks, without_session
from tamper_ledger import LedgerProof, prove


def main() -> int:
    options = _options()
    if options.show_policy:
        suite = next(suite for suite in load_suites() if suite.name == options.show_policy)
        yaml.safe_dump(policy_for(suite.honest_environment), sys.stdout, sort_keys=False, width=120)
        return 0
    with tempfile.TemporaryDirectory(prefix="counterseal-agentdojo-") as scratch:
        home = options.home or Path(scratch) / "home"
        started = time.monotonic()
        replay = _replay(load_suites(), home, Path(scratch) / "alone")
        ledger = prove(home)
        (print_json if options.json else print_text)(replay, ledger, time.monotonic() - started)
    return 0 if _sound(replay, ledger) else 1


def _replay(suites: list[Suite], home: Path, alone: Path) -> Replay:
    replay = Replay()
    for suite in suites:
        bare = bare_runtime(suite)
        replay.bare_honest += replay_honest_tasks(suite, bare, without_session)
        replay.bare_attacks += replay_attacks(suite, bare, without_session)
        # One agent after the other, each under its own deployer's policy, all in one home: one ledger.
        cs.configure(policy=policy_for(suite.honest_environment), home=home, agent_id=f"{suite.name}-assistant")
        guarded = guarded_runtime(suite)
        replay.honest += replay_honest_tasks(suite, guarded)
        replay.attacks += replay_attacks(suite, guarded)
        # The same rules once more, for comparison only: what they could tell if every call were the first.
        cs.configure(policy=policy_for(suite.honest_environment), home=alone, agent_id=f"{suite.name}-assistant")
        lone = LoneCalls(guarded)
        replay.alone_honest += replay_honest_tasks(suite, lone, without_session)
        replay.alone_attacks += replay_attacks(suite, lone, without_session)
    cs.flush(10)
    cs.close()
    return replay


def _sound(replay: Replay, ledger: LedgerProof) -> bool:
    return (
        replay.scores()["all four"].broken == 0
        and all(run.solved for run in replay.honest if run.outcome == "untouched")
        and ledger.untouched_ok
        and not ledger.tampered_ok
        and ledger.decided_records == replay.decided_calls()
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Replays AgentDojo's honest tasks and attacks through Counterseal.")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--home", type=Path, help="keep the ledger in this new directory; left out: a temporary one")
    parser.add_argument(
        "--show-policy", metavar="SUITE", choices=(*WRITTEN_ON, *HELD_OUT), help="print a suite's policy with its lists"
    )
    options = parser.parse_args()
    if options.home and options.home.exists():
        parser.error(f"`{options.home}` exists; the demo counts the records of one run, so it needs a new home")
    return options


if __name__ == "__main__":
    sys.exit(main())
