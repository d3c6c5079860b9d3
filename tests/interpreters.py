"""Runs pytest with the built wheel on every Python 3.10 to 3.14 of this machine; says which are absent."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]


def candidates(version: str) -> list[Path]:
    """Every file of the machine that may be this interpreter, the likeliest first."""
    found = [Path(hit)] if (hit := shutil.which(f"python{version}")) else []
    for root in (Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions",):
        found += sorted(root.glob(f"{version}.*/bin/python{version}"))
    if f"{sys.version_info.major}.{sys.version_info.minor}" == version:
        found.insert(0, Path(sys.executable))
    return found


def interpreter(version: str) -> Path | None:
    """The first candidate that runs and is what its name says (version managers leave shims that do not)."""
    for path in candidates(version):
        probe = [str(path), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        answer = subprocess.run(probe, capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.strip() == version:
            return path
    return None


def run(python: Path, version: str, options: argparse.Namespace) -> int:
    """Makes the interpreter's environment once, puts the wheel in, runs the tests."""
    environment = Path(options.cache) / f"test-{version}"
    uv, target = options.uv, ["--python", str(environment)]
    stamp = environment / ".requirements"
    wanted = Path(options.requirements).read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", str(python), str(environment)], check=True)
        install = [uv, "pip", "install", "--quiet", *target, "--require-hashes", "-r", options.requirements]
        subprocess.run(install, check=True)
        stamp.write_text(wanted)
    wheel = [str(path) for path in Path(options.wheel_dir).glob("*.whl")]
    subprocess.run([uv, "pip", "install", "--quiet", *target, "--no-deps", "--reinstall", *wheel], check=True)
    command = [str(environment / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", *options.tests]
    return subprocess.run(command, check=False).returncode


def main() -> int:
    """0 if every interpreter that is there passed, and at least one was."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--uv", "--cache", "--wheel-dir", "--requirements"):
        parser.add_argument(name, required=True)
    parser.add_argument("tests", nargs="+")
    options = parser.parse_args()
    failed, ran = [], 0
    for version in VERSIONS:
        python = interpreter(version)
        if python is None:
            print(f"python {version}: not on this machine, skipped", flush=True)
            continue
        print(f"python {version}", flush=True)
        ran += 1
        if run(python, version, options) != 0:
            failed.append(version)
    if failed:
        print(f"failed on: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed or ran == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
