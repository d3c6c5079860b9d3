"""The console script: the same command line as the binary's, run in this process."""

from __future__ import annotations

import signal
import sys

from . import _native


def main() -> int:
    """Runs the command line of this process and returns its exit code."""
    # The command runs in native code, where an interrupt that Python only notes down would end nothing.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native.command_line(["counterseal", *sys.argv[1:]])
