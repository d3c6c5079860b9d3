"""Inputs that must be refused, each with the committed text that says what is wrong, where, and what to do.

A case is a directory `<group>/<name>/` with its input and `expected.txt`: a policy for the groups of policies, a
`case.yaml` for `cases`, a `case.py` for the others. `COUNTERSEAL_BLESS=1` rewrites the expectations, which are then reviewed by hand.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "ledger"))
POLICIES = ("policy", "conditions", "limits", "approvals")
GROUPS = (*POLICIES, "cases", "arguments", "ledger", "home", "commands", "program")
LEAST_IN_EACH = 10
LEAST = 50
INSIDES = re.compile(r"Traceback|panicked at|\.rs:\d|\.py\", line|RUST_BACKTRACE|thread '")


def cases(*groups):
    found = [path.parent for group in groups for path in (HERE / group).glob("*/*") if path.stem in ("policy", "case")]
    return [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in sorted(set(found))]


def command_line():
    """The command line that is tested: the one installed beside this interpreter, else the one that cargo built."""
    installed = Path(sys.executable).parent / "counterseal"
    built = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parents[1] / "target")) / "debug/counterseal"
    return [str(installed if installed.exists() else built)]


def run(command, directory, home):
    environment = {**os.environ, "COUNTERSEAL_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    for unwanted in ("COUNTERSEAL_POLICY", "PYTHONWARNINGS"):
        environment.pop(unwanted, None)
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )


def transcript(shown, finished, replaced):
    """What a person would have seen, without what differs from machine to machine."""
    text = f"$ {shown}\n{finished.stdout}{finished.stderr}exit code {finished.returncode}\n"
    for real, name in replaced:
        text = text.replace(str(real), name)
    return re.sub(rf"\buser {os.geteuid()}\b", "user <me>", text)


def compare(case, text):
    assert not INSIDES.search(text), f"the insides show:\n{text}"
    expected = case / "expected.txt"
    if os.environ.get("COUNTERSEAL_BLESS"):
        expected.write_text(text)
    assert expected.exists(), f"no expectation; COUNTERSEAL_BLESS=1 writes it:\n{text}"
    assert text == expected.read_text()


def loaded(case):
    spec = importlib.util.spec_from_file_location(f"bad_{case.parent.name}_{case.name}", case / "case.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def guarded_call(*arguments, home):
    """One guarded call in a process of its own."""
    return run([sys.executable, str(HERE / "guarded_call.py"), *map(str, arguments)], HERE, home)


def test_there_are_enough_of_each_kind():
    counts = {group: len(cases(group)) for group in GROUPS}
    assert all(count >= LEAST_IN_EACH for count in counts.values()), counts
    assert sum(counts.values()) >= LEAST, counts


@pytest.mark.parametrize("case", cases(*POLICIES))
def test_policy_is_refused(case, tmp_path):
    (policy,) = case.glob("policy.*")
    finished = run([*command_line(), "policy", "check", policy.name], case, tmp_path / "home")
    assert finished.returncode == 1
    compare(case, transcript(f"counterseal policy check {policy.name}", finished, []))


@pytest.mark.parametrize("case", cases(*POLICIES))
def test_policy_that_is_refused_lets_no_call_through(case, tmp_path):
    (policy,) = case.glob("policy.*")
    finished = guarded_call("--policy", policy, home=tmp_path / "home")
    assert finished.returncode == 1, finished
    assert "the body did not run" in finished.stdout
    assert not INSIDES.search(finished.stdout + finished.stderr)


@pytest.mark.parametrize("case", cases("cases"))
def test_cases_of_a_policy_are_refused(case, tmp_path):
    command = ["policy", "test", "../policy.yaml", "case.yaml"]
    finished = run([*command_line(), *command], case, tmp_path / "home")
    assert finished.returncode == 1, finished
    assert not (tmp_path / "home").exists()
    compare(case, transcript(f"counterseal {' '.join(command)}", finished, [(tmp_path, "<tmp>")]))


@pytest.mark.parametrize("case", cases("arguments"))
def test_arguments_are_refused(case, tmp_path):
    finished = guarded_call(
        "--policy", HERE / "arguments/policy.yaml", "--case", case / "case.py", home=tmp_path / "home"
    )
    assert finished.returncode == 1, finished
    assert "the body did not run" in finished.stdout
    compare(case, transcript(loaded(case).__doc__.splitlines()[0], finished, [(tmp_path, "<tmp>")]))


@pytest.mark.parametrize("case", cases("ledger"))
def test_ledger_is_refused(case, tmp_path):
    shutil.copytree(HERE / "ledger/whole", tmp_path, dirs_exist_ok=True)
    home = tmp_path / "home"
    # git keeps no modes
    for path in (home, *home.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    module = loaded(case)
    module.damage(home)
    finished = run([*command_line(), *module.COMMAND], tmp_path, home)
    assert finished.returncode in (1, 3)
    compare(case, transcript(f"counterseal {' '.join(module.COMMAND)}", finished, [(tmp_path, "<tmp>")]))


def test_the_whole_ledger_is_fine(tmp_path):
    shutil.copytree(HERE / "ledger/whole", tmp_path, dirs_exist_ok=True)
    finished = run(
        [*command_line(), "ledger", "verify", "--deep", "--checkpoints", "outside"], tmp_path, tmp_path / "home"
    )
    assert finished.returncode == 0, finished


@pytest.mark.parametrize("case", cases("home"))
def test_home_is_refused(case, tmp_path):
    module = loaded(case)
    if getattr(module, "NEEDS_ROOT", False) and os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    home = tmp_path / "home"
    module.prepare(home)
    finished = run([*command_line(), *module.COMMAND], tmp_path, home)
    assert finished.returncode in (1, 3)
    compare(case, transcript(f"counterseal {' '.join(module.COMMAND)}", finished, [(tmp_path, "<tmp>")]))
    if getattr(module, "GUARDS", True):
        finished = guarded_call("--policy", HERE / "arguments/policy.yaml", home=home)
        assert finished.returncode == 1, finished
        assert "the body did not run" in finished.stdout
        assert not INSIDES.search(finished.stdout + finished.stderr)


def prepared(module, directory):
    """Makes what the commands of a case need; gives what stands in them for what differs from run to run."""
    home = directory / getattr(module, "MADE", "home")
    if hasattr(module, "MADE"):
        made = run(
            [*command_line(), "init", "--home", str(home), "--policy", str(directory / "starter.yaml")], directory, home
        )
        assert made.returncode == 0, made
    if hasattr(module, "prepare"):
        module.prepare(directory)
    if not hasattr(module, "ASKED"):
        return {}
    asked = run([sys.executable, str(HERE / "commands/asked.py"), str(home), json.dumps(module.ASKED)], directory, home)
    assert asked.returncode == 0, asked
    return {"{id}": asked.stdout.strip()}


@pytest.mark.parametrize("case", cases("commands"))
def test_commands_are_refused(case, tmp_path):
    module = loaded(case)
    directory = tmp_path / "work"
    directory.mkdir()
    stand_ins = prepared(module, directory)
    seen, codes = [], []
    for command in module.COMMANDS:
        given = [stand_ins.get(word, word) for word in command]
        finished = run([*command_line(), *given], directory, directory / "home")
        replaced = [(directory, "<tmp>"), *((real, name) for name, real in stand_ins.items())]
        seen.append(transcript(shlex.join(["counterseal", *command]), finished, replaced))
        codes.append(finished.returncode)
    mistakes = codes[getattr(module, "FINE", 0) :]
    assert mistakes
    assert set(mistakes) <= {1, 2, 3}, codes
    compare(case, "\n".join(seen))


@pytest.mark.parametrize("case", cases("program"))
def test_misuse_by_a_program_is_refused(case, tmp_path):
    finished = run(
        [sys.executable, str(HERE / "program/attempted.py"), str(case / "case.py")], tmp_path, tmp_path / "home"
    )
    assert finished.returncode == 1, finished
    compare(case, transcript(loaded(case).__doc__.splitlines()[0], finished, [(tmp_path, "<tmp>")]))


COMMANDS_OF_A_HOME = [
    ["approvals", "list"],
    ["approvals", "watch", "--seconds", "0"],
    ["ledger", "report"],
    ["policy", "backtest", "policy.yaml"],
    ["policy", "test", "policy.yaml", "cases.yaml"],
    ["policy", "fit", "--json"],
]


@pytest.fixture
def used(tmp_path):
    """A directory with a home in which a call ran, a policy and its cases."""
    finished = guarded_call("--policy", HERE / "arguments/policy.yaml", home=tmp_path / "home")
    assert "not refused" in finished.stdout, finished
    (tmp_path / "policy.yaml").write_text("version: 1\nname: p\n")
    (tmp_path / "cases.yaml").write_text("version: 1\ncases: [{name: c, steps: [{tool: f, expect: allow}]}]\n")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS_OF_A_HOME, ids=" ".join)
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_an_answer_that_cannot_be_written_is_said_so_and_one_nobody_reads_ends_quietly(used, command, form):
    command = [*command_line(), *command, *(form if "--json" not in command else [])]
    environment = {**os.environ, "COUNTERSEAL_HOME": str(used / "home")}
    reading, writing = os.pipe()
    os.close(reading)
    with open("/dev/full", "wb") as full, os.fdopen(writing, "wb") as unread:
        said = []
        for output in (full, unread):
            done = subprocess.run(
                command,
                cwd=used,
                env=environment,
                stdout=output,
                stderr=subprocess.PIPE,
                text=True,
                timeout=60,
                stdin=subprocess.DEVNULL,
                check=False,
            )
            assert not INSIDES.search(done.stderr)
            said.append((done.returncode, done.stderr))
    # a watch that shows nothing has nothing to write in JSON
    if "watch" not in command or form == []:
        assert said[0][0] == 3
        assert said[0][1].startswith("counterseal: the output could not be written: ")
    assert said[1] == (0, "")
