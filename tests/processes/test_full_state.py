"""A shared state without room: what asks it is refused, what does not runs, everything is counted, and nothing has to be mended afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts and limits are Linux's")

POLICY = {
    "version": 1,
    "name": "full",
    "tags": ["untrusted", "external"],
    "tools": {"read": {"tags": ["untrusted"]}, "send": {"tags": ["external"]}},
    "rules": [{"id": "after", "tools": ["send"], "when": 'session.saw("untrusted")', "decision": "deny"}],
    "budgets": [{"id": "paid", "per": "session", "tools": ["pay"], "calls": 3}],
}

BEGINNING = """
import json, os, sys
import counterseal as cs
HOME = sys.argv[1]
cs.configure(policy=json.load(sys.stdin), home=HOME)
tools = {name: cs.guard_tool(name, lambda: None) for name in ("note", "pay", "read", "send")}

def call(name, session):
    with cs.session(session):
        try:
            tools[name]()
        except cs.PolicyDenied as denied:
            return denied.reason_code
    return "ran"

def calls(session, names=("note", "pay", "read", "send")):
    return {name: call(name, session) for name in names}

def counted():
    health = cs.health()
    return {name: health[name] for name in ("condition_failed", "forgotten", "limit_unknown", "panics")}
"""


def ran(program: str, home: Path, before: tuple[str, ...] = ()) -> Any:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSEAL_")}
    command = [*before, sys.executable, "-c", BEGINNING + textwrap.dedent(program), str(home)]
    given = json.dumps(POLICY)
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=300, env=variables)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def on_a_small_disk(folder: Path, size: str) -> tuple[str, ...]:
    """What runs a program with a disk of its own in the place of `folder`; skips where nobody may mount one."""
    mount = 'mount -t tmpfs -o size="$1",mode=0700 tmpfs "$2" && shift 2 && exec "$@"'
    before = ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh", size, str(folder))
    try:
        tried = subprocess.run([*before, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no `unshare`")
    if tried.returncode:
        pytest.skip(f"no disk can be mounted here: {tried.stderr.decode().strip()}")
    return before


NEVER = """
first = calls("one")
again = calls("one")
print(json.dumps({"first": first, "again": again, "counted": counted()}))
cs.close()
"""


@pytest.mark.parametrize("why", ["no room", "no file"])
def test_without_a_shared_state_only_what_asks_it_is_refused(tmp_path: Path, why: str) -> None:
    home = tmp_path / "home"
    ran("print(json.dumps(call('note', 'before'))); cs.close()", home)
    state = home / "state"
    if why == "no room":
        # less than an empty table takes
        found = ran(NEVER, home, before=on_a_small_disk(state, "2m"))
    else:
        # as good as one that cannot be mapped
        (state / "table").unlink()
        (state / "table").mkdir()
        found = ran(NEVER, home)
    # a tag that a rule asks for and that cannot be remembered would be missing later; nothing asks for a note
    expected = {"note": "ran", "pay": "limit_unknown", "read": "session_unknown", "send": "condition_failed"}
    assert (found["first"], found["again"]) == (expected, expected)
    assert found["counted"] == {"condition_failed": 2, "forgotten": 4, "limit_unknown": 2, "panics": 0}


FULL = """
assert calls("old", ("note", "pay")) == {"note": "ran", "pay": "ran"}
filler = os.path.join(HOME, "state", "filler")

def fill():
    with open(filler, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            assert error.errno == 28, error

fill()
# sessions of which most have no page in their part of the table yet
new = [calls(f"new-{number}") for number in range(200)]
old = [calls("old", ("note", "pay")) for _ in range(3)]
full = counted()
os.remove(filler)
later = [calls(f"new-{number}") for number in range(200)]
print(json.dumps({"new": new, "old": old, "full": full, "later": later, "after": counted()}))
cs.close()
"""


def test_a_table_that_cannot_grow_refuses_what_it_cannot_hold_and_goes_on_when_it_can(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ran("print(json.dumps(call('note', 'before'))); cs.close()", home)
    found = ran(FULL, home, before=on_a_small_disk(home / "state", "12m"))
    # what the table has room for it goes on counting: one of three was used before
    assert found["old"] == [
        {"note": "ran", "pay": "ran"},
        {"note": "ran", "pay": "ran"},
        {"note": "ran", "pay": "budget_exceeded"},
    ]
    refused = [calls for calls in found["new"] if calls["read"] == "session_unknown"]
    assert len(refused) > 100
    for calls in found["new"]:
        assert calls["note"] == "ran"
        if calls in refused:
            # that the session saw nothing is still known, and that nothing was paid, but not what would be from now on
            assert (calls["pay"], calls["send"]) == ("limit_unknown", "ran")
        else:
            assert (calls["read"], calls["pay"], calls["send"]) == ("ran", "ran", "rule")
    assert found["full"]["limit_unknown"] == len(refused)
    assert found["full"]["forgotten"] >= 2 * len(refused)
    assert found["full"]["panics"] == 0
    # room again, in the same process: nothing was taken for what it was not
    for calls in found["later"]:
        assert calls == {"note": "ran", "pay": "ran", "read": "ran", "send": "rule"}
    assert found["after"] == found["full"]
