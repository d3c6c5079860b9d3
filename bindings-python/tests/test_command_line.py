"""The wheel's console script is the command line of the binary, run in this process."""

from __future__ import annotations

import array
import fcntl
import signal
import subprocess
import sys
import termios
from pathlib import Path


def counterseal(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "counterseal", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_tells_what_it_can_do() -> None:
    told = counterseal("--help")
    assert told.returncode == 0
    assert "policy" in told.stdout
    assert "ledger" in told.stdout


def test_its_exit_code_is_the_commands(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 1\nname: x\nrulez: []\n")
    refused = counterseal("policy", "check", str(tmp_path / "bad.yaml"))
    assert refused.returncode != 0
    assert "rulez" in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_interrupt_ends_it_while_it_reads() -> None:
    # The handler is set as the interpreter sets it, which a test run in the background would have it leave out.
    program = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv[1:] = ["policy", "check", "-"]
from counterseal._cli import main
main()
"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0) as reading:
        assert reading.stdin is not None
        reading.stdin.write(b"version: 1\n")
        unread = array.array("i", [1])
        while unread[0]:  # once it has taken this, it waits for more
            fcntl.ioctl(reading.stdin, termios.FIONREAD, unread)
        try:
            reading.send_signal(signal.SIGINT)
            assert reading.wait(20) == -signal.SIGINT
        finally:
            reading.kill()
