"""Sessions of more than one agent: what is shared, what is charged to whom, and calls that lost theirs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import counterseal as cs
from counterseal import testing

BUDGETS: dict[str, Any] = {
    "version": 1,
    "budgets": [
        {"id": "session", "per": "session", "tokens": 100},
        {"id": "user", "per": "user", "tokens": 100},
        {"id": "run", "per": "run", "tokens": 100},
    ],
}


def used() -> dict[str, float]:
    return {id.removeprefix("local/"): state.used for id, state in cs.current_session().budgets.items()}


def test_usage_in_a_session_of_the_family_is_charged_to_the_user_in_force() -> None:
    with testing.engine(policy=BUDGETS):
        with cs.session("top", user="ann"), cs.run("r"):
            with cs.session("helper", parent="top"):
                cs.current_session().mark("seen")
            cs.log_token_usage("m", 10, 0, session_id="helper")
            assert used() == {"session": 10, "user": 10, "run": 10}
        with cs.session("helper", parent="top", user="bob"):
            cs.log_token_usage("m", 5, 0, session_id="top")
            assert used() == {"session": 15, "user": 5, "run": 5}


def test_usage_in_another_session_is_its_own() -> None:
    with testing.engine(policy=BUDGETS):
        with cs.session("one", user="ann"):
            cs.log_token_usage("m", 10, 0, session_id="two")
            assert used() == {"session": 0, "user": 0, "run": 0}
        with cs.session("two", user="bob"):
            assert used() == {"session": 10, "user": 0, "run": 10}
        with cs.session("two"):
            assert used() == {"session": 10, "user": 10, "run": 10}


def test_the_sessions_around_are_told_first_however_they_were_set() -> None:
    policy = {
        "version": 1,
        "rules": [{"id": "unsaid", "tools": ["send"], "unless": "session.said(args.to)", "decision": "deny"}],
    }
    with testing.engine(policy=policy):
        with cs.session("top", user_text="to ann"), cs.run("r"), cs.session("middle", parent="top"):
            with cs.session("deep", parent="middle"):
                assert cs.check("send", {"to": "ann"}).decision == "allow"
            with cs.session("other"):
                assert cs.check("send", {"to": "ann"}).decision == "deny"
        cs.set_session("first", user_text="to bob")
        cs.set_session("second", parent="first")
        assert cs.check("send", {"to": "bob"}).decision == "allow"
        cs.clear_session()


PROGRAM = """
import logging
import threading

import counterseal as cs

logging.basicConfig(format="%(name)s %(levelname)s %(message)s")
cs.configure(policy={"version": 1, "name": "none"})

@cs.guard
def tool():
    return 1

tool()
print("before")
with cs.session("a"):
    tool()
    for _ in range(2):
        thread = threading.Thread(target=tool)
        thread.start()
        thread.join()
"""


def test_a_call_that_lost_its_session_is_a_warning_once(tmp_path: Any) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"COUNTERSEAL_HOME": str(tmp_path / "home"), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("a call was made in no session") == 1, ran.stderr
