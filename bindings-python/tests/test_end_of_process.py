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
