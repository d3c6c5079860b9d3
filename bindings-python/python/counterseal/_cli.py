"""The console script: the same command line as the binary's, run in this process."""

from __future__ import annotations

import sys

from . import _native


def main() -> int:
    """Runs the command line of this process and returns its exit code."""
    return _native.command_line(["counterseal", *sys.argv[1:]])
