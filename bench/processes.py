"""Runs what is measured in a fresh process and reads the JSON that it prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[1]


class MeasurementError(Exception):
    """A process that should have measured something gave no figures."""


def run(command: Sequence[str | Path], *, environment: dict[str, str] | None = None) -> str:
    """What `command` prints, run from the repository's root."""
    changed = {**os.environ, **(environment or {})}
    done = subprocess.run(command, cwd=ROOT, env=changed, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise MeasurementError(f"`{' '.join(map(str, command))}` ended with {done.returncode}:\n{said}")
    return done.stdout


def python(
    *arguments: str | Path, environment: dict[str, str] | None = None, interpreter: str | Path = sys.executable
) -> Any:
    """The JSON that an interpreter, this one unless another is named, prints as its last line in a fresh process."""
    return json.loads(run([interpreter, *arguments], environment=environment).splitlines()[-1])


def built(package: str, name: str) -> Path:
    """The program `name` of the crate `package`, built as it is shipped."""
    command = ["cargo", "build", "--release", "--locked", "--package", package, "--message-format", "json"]
    for line in run(command).splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == name:
            return Path(message["executable"])
    raise MeasurementError(f"cargo built no program `{name}`")


@cache
def engine_program() -> Path:
    return built("counterseal-bench", "counterseal-bench")


def engine(*arguments: str | Path) -> Any:
    """The figures of one subcommand of the engine's own bench."""
    return json.loads(run([engine_program(), *arguments]).splitlines()[-1])
