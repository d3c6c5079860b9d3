"""What calls and `close` come to while a process ends: threads that go on, signals, code that runs at the wrong moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import counterseal as cs
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


@pytest.mark.parametrize("configured", [True, False])
@pytest.mark.parametrize("kept_by", ["builtins", "sys", "__main__"])
def test_a_finalizer_that_calls_a_tool_while_the_interpreter_ends_is_refused(
    configured: bool, kept_by: str, tmp_path: Path
) -> None:
    program = f"""
    import functools
    if {configured}:
        cs.configure(policy=POLICY, home=HOME)

    def body(a, write=os.write): write(1, b"the body ran\\n")

    class Late:
        def __init__(self):
            tool, builtin = cs.guard_tool("tool", body), cs.guard_tool("builtin", functools.partial(os.write, 1))
            check, enforce, self.write = cs.check, cs.enforce, os.write
            self.calls = [tool, lambda _: builtin(b"the body ran"), lambda a: check("tool", {{"a": a}})]
            self.calls += [lambda a: check(tool, {{"a": a}}), lambda a: enforce("tool", {{"a": a}}).__enter__()]
            self.refusals = (cs.PolicyDenied, cs.LifecycleError)
        def __del__(self):
            for call in self.calls:
                try:
                    came = call(1)
                    said = getattr(came, "reason_code", "returned")
                except self.refusals as error:
                    said = error.code
                except BaseException as error:
                    said = repr(error)
                self.write(1, said.encode() + b"\\n")

    import {kept_by}
    {kept_by}.late = Late()
    """
    done = ended(program, tmp_path / "home")
    assert (done.returncode, done.stderr) == (0, "")
    guarded, by_name = done.stdout.split("\n")[:2], done.stdout.split("\n")[2:]
    assert guarded == ["closed"] * 2
    # These are Python functions, whose module may be taken down by then: they raise something, and permit nothing.
    assert len(by_name) == 4
    assert by_name[-1] == ""
    assert all(said == "closed" or "Error" in said for said in by_name[:3])


@pytest.mark.parametrize("end", ["", "cs.close()"], ids=["at its end", "by close"])
def test_a_program_that_calls_nothing_takes_over_what_a_killed_one_left(end: str, tmp_path: Path) -> None:
    killed = """
    cs.configure(policy=POLICY, home=HOME)
    cs.guard_tool("tool", len)([1])
    os.kill(os.getpid(), signal.SIGKILL)
    """
    assert ended(killed, tmp_path / "home").returncode == -signal.SIGKILL
    (spool,) = (tmp_path / "home" / "streams").glob("*/spool")
    done = ended(f"cs.configure(policy=POLICY, home=HOME)\n{end}", tmp_path / "home")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not spool.exists()
    kinds = [line["kind"] for line in cs.Ledger(tmp_path / "home")]
    assert kinds[-2:] == ["recovered", "closed"]
    assert "decided" in kinds


@pytest.mark.parametrize("isolated", [True, False])
def test_another_interpreter_of_the_process_is_refused_and_told_what_to_do(isolated: bool, tmp_path: Path) -> None:
    program = f"""
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    cs.configure(policy=POLICY, home=HOME)
    kinds = {{True: "isolated", False: "legacy"}}
    made = interpreters.create(kinds[{isolated}]) if sys.version_info >= (3, 13) else interpreters.create(isolated={isolated})
    code = "try:\\n import counterseal\\nexcept ImportError as error:\\n print(error, flush=True)"
    for _ in range(2):
        interpreters.run_string(made, f"import sys\\nsys.path[:] = {{sys.path!r}}\\n" + code)
    print(cs.guard_tool("tool", len)([1]))
    """
    done = ended(program, tmp_path / "home")
    said = done.stdout.splitlines()
    assert (done.returncode, done.stderr, len(said), said[-1]) == (0, "", 3, "1")
    for refusal in said[:2]:
        assert refusal.startswith("counterseal cannot be imported here: ")
        assert refusal.endswith("start a process for each")


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
