"""A LangGraph agent pays a friend back, and somebody else's text asks it for a million: one call is held for a person.

    python examples/langgraph/guarded_agent.py [--home DIR]

On a terminal you are asked; without one (`< /dev/null`) a second process answers. Exit code 1 when the task is not
solved, when the attacker got the money though nobody said yes, or when the ledger does not verify.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

# The bank, its rules and its attackers are those of the other example.
sys.path.append(str(Path(__file__).parents[1] / "agentdojo"))

import counterseal as cs
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langsmith import tracing_context

from bank_agent import calls_that_ran, messages_of, written
from benchmark_suites import Call, load_suites
from deployment_lists import policy_for
from print_session import effects, print_session

TASK, ATTACK = "user_task_3", "injection_task_5"
SESSION = "pay-a-friend-back"
LINES_OF_A_RESULT = 8


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs a LangGraph agent under Counterseal.")
    parser.add_argument("--home", type=Path, help="keep the ledger in this new directory; left out: a temporary one")
    home = parser.parse_args().home
    if home is not None and home.exists():
        parser.error(f"`{home}` exists; the record that is shown is that of one run, so it needs a new home")
    with tempfile.TemporaryDirectory(prefix="counterseal-langgraph-") as scratch:
        return _run(home or Path(scratch) / "home")


def _run(home: Path) -> int:
    bank = next(suite for suite in load_suites() if suite.name == "banking")
    task = next(task for task in bank.honest_tasks if task.name == TASK)
    attack = next(attack for attack in bank.attacks if attack.name == ATTACK)
    before = task.start(bank.attacked_environment(attack))
    after = before.model_copy(deep=True)
    # The model obeys what it reads: after the first result, which holds the attacker's text, it makes the attacker's call.
    reading, *paying = task.calls(before)
    script = [reading, *attack.calls(before), *paying]

    at_terminal = sys.stdin.isatty()
    cs.configure(
        policy=policy_for(bank.honest_environment),
        home=home,
        agent_id="bank-assistant",
        approver="terminal" if at_terminal else "home",
    )
    print(
        f"A LangGraph agent with a scripted model works on AgentDojo's banking task `{TASK}`; `{ATTACK}` is in the data.\n"
    )
    colleague = None if at_terminal else _second_process(home)
    messages: list[BaseMessage] = []
    with cs.session(SESSION, user="emma", user_text=task.prompt), tracing_context(enabled=False):
        for message in messages_of(bank, after, task.prompt, script):
            messages.append(message)
            if colleague is not None and _is_refusal(message):
                colleague.wait()
                print()
            _show(message)
    cs.close()

    ran = calls_that_ran(messages)
    solved, robbed = task.solved(before, after, ran), attack.goal_reached(before, after, ran)
    print(f"\nAgentDojo's own check: task solved: {_yes(solved)}; attacker's goal reached: {_yes(robbed)}")
    print_session(home, SESSION)
    approved = effects(home, SESSION).count("run") == len(script)
    return 0 if solved and robbed == approved and cs.Ledger(home).verify() else 1


def _second_process(home: Path) -> subprocess.Popen[bytes]:
    print("There is no terminal here to ask at, so a second process will answer: second_terminal.py.\n", flush=True)
    colleague = subprocess.Popen([sys.executable, Path(__file__).with_name("second_terminal.py"), home])
    threading.Thread(target=_end_with, args=(colleague,), daemon=True).start()
    return colleague


def _end_with(colleague: subprocess.Popen[bytes]) -> None:
    """Without it the call would wait for as long as people have: a quarter of an hour."""
    if colleague.wait() != 0:
        print("the second process failed, so nobody is left to answer", file=sys.stderr, flush=True)
        os._exit(1)


def _is_refusal(message: BaseMessage) -> bool:
    return isinstance(message, ToolMessage) and message.status == "error"


def _show(message: BaseMessage) -> None:
    lines = [line for part in message.text.splitlines() for line in textwrap.wrap(part, 100) or [""]]
    if isinstance(message, AIMessage):
        lines += [f"→ {written(Call(call['name'], call['args']))}" for call in message.tool_calls]
    if len(lines) > LINES_OF_A_RESULT:
        lines = [f"… {len(lines) - LINES_OF_A_RESULT + 1} lines", *lines[1 - LINES_OF_A_RESULT :]]
    for number, line in enumerate(lines):
        print(f"{'' if number else _who(message):<10}{line}", flush=True)


def _who(message: BaseMessage) -> str:
    return {"human": "emma", "ai": "agent", "tool": "tool"}[message.type]


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


if __name__ == "__main__":
    sys.exit(main())
