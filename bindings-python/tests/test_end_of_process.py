"""What calls and `close` come to while a process ends: threads that go on, signals, code that runs at the wrong moment."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

BEGINNING = """
import os, signal, sys, threading, time
from collections.abc import Mapping
import counterseal as cs

POLICY = {"version": 1, "name": "p", "record": {"sync": os.environ["SYNC"]}, "rules": [{"id": "no", "tools": ["nothing"], "decision": "deny"}]}
HOME = os.environ["TEST_HOME"]
"""


def ended(program: str, home: Path, sync: str = "timer") -> subprocess.CompletedProcess[str]:
    """The end of a program of its own."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSEAL_")}
    return subprocess.run(
        [sys.executable, "-c", BEGINNING + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**variables, "TEST_HOME": str(home), "SYNC": sync},
    )


@pytest.mark.parametrize(
    ("call", "sync"),
    [
        ("plain(1)", "timer"),
        ("plain(1)", "durable"),
        ("plain(Slow())", "timer"),
        ("builtin(0)", "timer"),
        ("fails(1)", "timer"),
        ("cs.check('plain', Slow())", "timer"),
    ],
)
def test_daemon_threads_in_calls_do_not_abort_the_end_of_the_process(call: str, sync: str, tmp_path: Path) -> None:
    # The interpreter ends such a thread wherever it stands, also below native code.
    program = f"""
    class Slow(Mapping):
        def __iter__(self):
            for _ in range(50):
                pass
            return iter(["a"])
        def __len__(self): return 1
        def __getitem__(self, key): return 1

    cs.configure(policy=POLICY, home=HOME)

    @cs.guard
    def plain(a): return a

    @cs.guard
    def fails(a): raise ValueError(Slow())

    builtin = cs.guard_tool("sleep", time.sleep)
    called = threading.Semaphore(0)

    def work():
        while True:
            try:
                {call}
            except (cs.CountersealError, ValueError):
                pass
            called.release()

    for _ in range(3):
        threading.Thread(target=work, daemon=True).start()
    for _ in range(20):
        called.acquire()
    """
    done = ended(program, tmp_path / "home", sync)
    assert (done.returncode, done.stderr) == (0, "")


def test_close_in_a_signal_handler_ends_the_process_wherever_the_signal_comes(tmp_path: Path) -> None:
    handler = """
    def stop(*_):
        cs.close()
        sys.exit(7)
    signal.signal(signal.SIGTERM, stop)
    """
    while_a_logger_writes = """
    import logging
    class Slow(logging.Handler):
        def emit(self, record): os.kill(os.getpid(), signal.SIGTERM)
    logging.getLogger("counterseal").addHandler(Slow())
    cs.configure(policy={"version": 1, "name": "empty"}, home=HOME)
    """
    while_the_policy_is_read = """
    class Policy(Mapping):
        def keys(self): return POLICY.keys()
        def __iter__(self):
            os.kill(os.getpid(), signal.SIGTERM)
            return iter(POLICY)
        def __len__(self): return len(POLICY)
        def __getitem__(self, key): return POLICY[key]
    cs.configure(policy=Policy(), home=HOME)
    """
    while_it_closes = """
    cs.configure(policy=POLICY, home=HOME)
    @cs.guard
    def tool(a): return a
    for _ in range(500):
        tool("x" * 500)
    sent = threading.Event()
    def send():
        sent.wait()
        os.kill(os.getpid(), signal.SIGTERM)
    sender = threading.Thread(target=send)
    sender.start()
    sent.set()
    cs.close()
    sender.join()  # where the signal did not come before, it has come now
    """
    for place, moment in enumerate((while_a_logger_writes, while_the_policy_is_read, while_it_closes)):
        done = ended(textwrap.dedent(handler) + textwrap.dedent(moment), tmp_path / f"home{place}")
        assert (done.returncode, done.stderr) == (7, ""), moment


def test_a_call_from_code_that_runs_inside_the_first_configure_is_refused(tmp_path: Path) -> None:
    program = """
    @cs.guard
    def tool(a): print("the body ran")

    class Policy(Mapping):
        def keys(self): return POLICY.keys()
        def __iter__(self):
            try:
                tool(1)
            except cs.ConfigurationError as error:
                print(error.code)
            return iter(POLICY)
        def __len__(self): return len(POLICY)
        def __getitem__(self, key): return POLICY[key]

    print(cs.configure(policy=Policy(), home=HOME).rules)
    """
    done = ended(program, tmp_path / "home")
    assert (done.returncode, done.stdout.split()) == (0, ["config_missing", "1"]), done.stderr


def test_one_thread_configures_while_a_logger_of_another_waits_for_a_call(tmp_path: Path) -> None:
    program = """
    import logging
    os.environ["COUNTERSEAL_HOME"] = HOME
    @cs.guard
    def tool(a): return a
    class Elsewhere(logging.Handler):
        def emit(self, record):
            thread = threading.Thread(target=lambda: (cs.configure(policy=POLICY, home=HOME), print(tool(5))))
            if record.levelno == logging.WARNING:
                thread.start()
                thread.join()
    logging.getLogger("counterseal").addHandler(Elsewhere())
    cs.configure(policy={"version": 1, "name": "empty"}, home=HOME)
    """
    done = ended(program, tmp_path / "home")
    assert (done.returncode, done.stdout.split()) == (0, ["5"]), done.stderr
