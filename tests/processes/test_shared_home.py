"""One home under many processes: limits and sessions are as exact as within one, across threads, forks, kills and restarts."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import textwrap
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import counterseal as cs
import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")

NEVER = {"id": "never", "tools": ["nothing"], "decision": "deny"}

WHOLE = os.environ.get("COUNTERSEAL_TRIALS") == "whole"

BEGINNING = """
import gc, json, os, random, signal, sys, threading, time, warnings
import counterseal as cs

# forking with threads about is what is tried here
warnings.simplefilter("ignore", DeprecationWarning)
HOME, GIVEN = sys.argv[1], json.load(sys.stdin)

def forked(work):
    child = os.fork()
    if child == 0:
        code = 70
        try:
            work()
            code = 0
        except BaseException as error:
            sys.stderr.write(repr(error))
        finally:
            os._exit(code)
    return child
"""


def ran(program: str, home: Path, given: object, timeout: float = 300) -> str:
    """What a program of its own prints; it must end well and complain about nothing."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSEAL_")}
    done = subprocess.run(
        [sys.executable, "-c", BEGINNING + textwrap.dedent(program), str(home)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env=variables,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


WORKERS = """
THREADS, WORKERS, VICTIM = 8, 4, "victim"
cs.configure(policy=GIVEN["policy"], home=HOME)
ready, start = os.pipe(), os.pipe()
bodies = os.open(GIVEN["bodies"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

def work(name, dies_after=None):
    run = [0]

    @cs.guard
    def pay(worker, number, amount):
        os.write(bodies, f"{worker} {number}\\n".encode())
        run[0] += 1
        if run[0] == dies_after:
            # the other threads are wherever they are
            os.kill(os.getpid(), signal.SIGKILL)
        # long enough for every thread of every worker to get its share of the budget
        time.sleep(0.002)

    def pays(thread):
        for count in range(1000):
            try:
                pay(worker=name, number=f"{thread}.{count}", amount=random.choice(GIVEN["amounts"]))
            except cs.BudgetExceeded:
                if GIVEN["amounts"] == [1]:
                    return
                try:
                    pay(worker=name, number=f"{thread}.{count}'", amount=1)
                except cs.BudgetExceeded:
                    return
        raise AssertionError("the budget never ended")

    failed = []
    threading.excepthook = lambda args: failed.append(args.exc_value)
    threads = [threading.Thread(target=pays, args=(number,)) for number in range(THREADS)]
    os.write(ready[1], b".")
    os.read(start[0], 1)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed
    cs.close()

victim = forked(lambda: work(VICTIM, GIVEN["dies_after"]))
others = [forked(lambda name=f"worker-{number}": work(name)) for number in range(1, WORKERS)]
for _ in range(WORKERS):
    os.read(ready[0], 1)
os.write(start[1], b"." * (WORKERS + 1))
_, status = os.waitpid(victim, 0)
killed = os.WIFSIGNALED(status)
assert killed or os.WEXITSTATUS(status) == 0, status
others.append(forked(lambda: work("restarted")))
for child in others:
    assert os.waitpid(child, 0)[1] == 0
with cs.session("afterwards"):
    left = {id: budget.left for id, budget in cs.current_session().budgets.items()}
cs.close()
print(json.dumps({"killed": killed, "left": left}))
"""


def payments(home: Path) -> dict[str, dict[str, Any]]:
    """The arguments of every payment that the ledger says may run, by worker and number: each once."""
    found: dict[str, dict[str, Any]] = {}
    ledger = cs.Ledger(home)
    for record in ledger:
        if record["kind"] == "decided" and record["effect"] == "run":
            arguments = ledger.payloads(record["action_id"])["arguments"]
            name = f"{arguments['worker']} {arguments['number']}"
            assert name not in found
            found[name] = arguments
    return found


@pytest.mark.parametrize("counts", ["calls", "sum"])
def test_a_budget_holds_across_threads_processes_a_kill_and_a_restart(counts: str, tmp_path: Path) -> None:
    kills, wanted = 0, 20 if WHOLE else 2
    # a trial in which the others spent everything before the worker came to die, or with a midnight in it, is no trial
    for attempt in range(10 * wanted):
        today = datetime.now(timezone.utc).date()
        home = tmp_path / str(attempt)
        seen = spend(counts, home, dies_after=random.Random(attempt).randrange(1, 9))
        if datetime.now(timezone.utc).date() == today:
            adds_up(counts, home, seen)
            kills += seen["killed"]
        if kills == wanted:
            return
    pytest.fail(f"only {kills} workers were killed half-way")


AMOUNTS = {"calls": [1], "sum": [1, 2, 3]}


def spend(counts: str, home: Path, dies_after: int) -> dict[str, Any]:
    of = {"calls": 100} if counts == "calls" else {"sum": "args.amount", "max": 100}
    budget = {"id": "day", "tools": ["pay"], "calendar": "day", **of}
    policy = {"version": 1, "name": "shared", "rules": [NEVER], "budgets": [budget], "record": {"args": "full"}}
    bodies = home.with_suffix(".bodies")
    given = {"policy": policy, "bodies": str(bodies), "amounts": AMOUNTS[counts], "dies_after": dies_after}
    return {"bodies": bodies, **json.loads(ran(WORKERS, home, given))}


def adds_up(counts: str, home: Path, seen: dict[str, Any]) -> None:
    decided = payments(home)
    run = seen["bodies"].read_text().splitlines()
    assert len(set(run)) == len(run)
    assert seen["left"] == {"local/day": 0}
    # what no record tells of was reserved by the killed worker: at most one call of each of its threads
    lost = 100 - sum(paid["amount"] for paid in decided.values())
    assert 0 <= lost <= (8 * max(AMOUNTS[counts]) if seen["killed"] else 0)
    # what ran was recorded before; what was recorded ran, but for what was in flight when the worker was killed
    assert set(run) <= set(decided)
    in_flight = set(decided) - set(run)
    assert len(in_flight) <= 8
    assert all(name.startswith("victim ") for name in in_flight)
    assert not in_flight or seen["killed"]
    assert cs.Ledger(home).verify(deep=True).ok


SPREAD = """
POLICY, PROGRAMS, WORKERS = GIVEN["policy"], GIVEN["programs"], GIVEN["workers"]
cs.configure(policy=POLICY, home=HOME)

def calls(program, steps):
    with cs.session(f"conversation-{program}", user="u-1", user_text="please pay 12 to bob"):
        for step in steps:
            if "mark" in step:
                cs.current_session().mark(step["mark"])
                yield None
                continue
            try:
                tools[step["tool"]](**step["args"])
                yield ["ran"]
            except cs.PolicyDenied as denied:
                # when there is room again is no matter of the session
                yield [denied.reason_code, denied.reason.partition("; room again")[0]]

def tool(name, result):
    def body(**arguments):
        return result
    return cs.guard_tool(name, body)

tools = {name: tool(name, result) for name, result in GIVEN["tools"].items()}
decisions = []
if WORKERS == 0:
    for program, steps in enumerate(PROGRAMS):
        decisions.append(list(calls(program, steps)))
else:
    def serve(asked, answers):
        for line in asked:
            program, step = json.loads(line)
            answers.write(json.dumps(list(calls(program, [step]))[0]) + "\\n")
            answers.flush()
        cs.close()

    workers = []
    for _ in range(WORKERS):
        (asked, ask), (answer, answered) = os.pipe(), os.pipe()

        def worker():
            for other, _, _ in workers:
                other.close()
            os.close(ask)
            serve(os.fdopen(asked), os.fdopen(answered, "w"))

        child = forked(worker)
        os.close(asked)
        os.close(answered)
        workers.append((os.fdopen(ask, "w"), os.fdopen(answer), child))
    chosen = random.Random(7)
    for program, steps in enumerate(PROGRAMS):
        decided = []
        for step in steps:
            ask, answer, _ = chosen.choice(workers)
            ask.write(json.dumps([program, step]) + "\\n")
            ask.flush()
            decided.append(json.loads(answer.readline()))
        decisions.append(decided)
    for ask, _, _ in workers:
        ask.close()
    for _, _, child in workers:
        assert os.waitpid(child, 0)[1] == 0
cs.close()
print(json.dumps(decisions))
"""

SESSION_POLICY = {
    "version": 1,
    "name": "spread",
    "tags": ["private", "untrusted", "external"],
    "tools": {
        "read": {"tags": ["private"]},
        "browse": {"tags": ["untrusted"]},
        "contacts": {"facts_from_result": ["email"]},
        "send": {"tags": ["external"]},
    },
    "rules": [
        {
            "id": "trifecta",
            "tags": ["external"],
            "when": 'session.saw("private") && session.saw("untrusted")',
            "unless": "session.known(args.to)",
            "decision": "deny",
            "reason": "it saw both",
        },
        {"id": "often", "tools": ["read"], "when": 'session.calls("read") >= 9', "decision": "deny", "reason": "often"},
        {
            "id": "unsaid",
            "tools": ["pay"],
            "unless": "session.said(args.amount)",
            "decision": "deny",
            "reason": "nobody said so",
        },
    ],
    "budgets": [
        {"id": "calls", "per": "session", "calls": 40},
        {"id": "paid", "per": "args.to", "tools": ["pay"], "sum": "args.amount", "max": 300},
    ],
    "rate_limits": [{"id": "sends", "per": "session", "tools": ["send"], "calls": 6, "window": "365d"}],
    "loops": {"same_call": 4, "window": "365d"},
}


def programs(count: int) -> list[list[dict[str, Any]]]:
    chance = random.Random(4)

    def step() -> dict[str, Any]:
        if chance.random() < 0.03:
            return {"mark": chance.choice(["private", "untrusted"])}
        name = chance.choices(["read", "browse", "contacts", "send", "pay"], [6, 1, 2, 5, 5])[0]
        of: dict[str, dict[str, Any]] = {
            "read": {"page": chance.randrange(6)},
            "browse": {"url": f"https://{chance.randrange(9)}.example"},
            "contacts": {"of": chance.randrange(9)},
            "send": {"to": chance.choice(["bob@example.com", "eve@example.net"])},
            "pay": {"to": chance.choice(["bob", "eve"]), "amount": chance.choice([12, 12, 13])},
        }
        return {"tool": name, "args": of[name]}

    return [[step() for _ in range(50)] for _ in range(count)]


def test_a_session_over_forked_workers_decides_as_in_one_process(tmp_path: Path) -> None:
    tools = dict.fromkeys(["read", "browse", "send", "pay"], "") | {"contacts": "bob@example.com"}
    given = {"policy": SESSION_POLICY, "programs": programs(200 if WHOLE else 20), "tools": tools}
    one = json.loads(ran(SPREAD, tmp_path / "one", {**given, "workers": 0}))
    four = json.loads(ran(SPREAD, tmp_path / "four", {**given, "workers": 4}))
    for program, (alone, spread) in enumerate(zip(one, four, strict=True)):
        assert spread == alone, f"program {program}"
    codes = Counter(decision[0] for decided in one for decision in decided if decision)
    assert set(codes) == {"ran", "rule", "budget_exceeded", "rate_limited", "loop_detected"}, codes


FORKS = """
cs.configure(policy=GIVEN["policy"], home=HOME)

@cs.guard
def tool(number): return number

def call(number):
    with cs.run(str(number)):
        assert tool(number) == number

def child(number):
    call(number)
    if number % 3 == 0:
        cs.close()
    elif number % 3 == 1:
        os.kill(os.getpid(), signal.SIGKILL)

for number in range(GIVEN["forks"]):
    status = os.waitpid(forked(lambda: child(number)), 0)[1]
    assert status == (signal.SIGKILL if number % 3 == 1 else 0), status
call(-1)
cs.close()
cs.configure(policy=GIVEN["policy"], home=HOME)
call(-2)
cs.close()
"""


def test_many_forks_neither_hang_nor_record_twice_nor_swell_the_index(tmp_path: Path) -> None:
    # a disk's syncs would be most of the time, and are not what is tried here
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as directory:
        many_forks(Path(directory) / "home")


def many_forks(home: Path) -> None:
    forks = 10_000 if WHOLE else 1_000
    policy = {
        "version": 1,
        "name": "forks",
        "rules": [NEVER],
        "budgets": [{"id": "all", "tools": ["tool"], "calls": forks + 2}],
    }
    ran(FORKS, home, {"policy": policy, "forks": forks}, timeout=3600)
    ledger = cs.Ledger(home)
    records = [record for record in ledger if "action_id" in record]
    kinds = Counter((record["kind"], record["action_id"]) for record in records)
    assert set(kinds.values()) == {1}
    decided = sorted(int(record["run"]) for record in records if record["kind"] == "decided")
    assert decided == list(range(-2, forks))
    lines = (home / "index").read_bytes().count(b"\n")
    assert lines <= 4 * (forks + 2), "an opening, two seals and an end for each"
    assert ledger.verify().ok
