"""What people may answer, what they are shown, and that no answer is lost."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import counterseal as cs
import pytest
from counterseal.testing import engine
from test_asking import POLICY, called, open_questions
from test_asking_ends import terminal


def test_a_grant_serves_the_user_it_was_given_for_alone() -> None:
    asked: list[str | None] = []

    def approver(call: cs.ApprovalCall) -> cs.Approved:
        asked.append(call.user_id)
        return cs.Approved(by="ann", grant=cs.Grant(when="double(args.amount) < 500.0", count=5))

    with engine(POLICY, approver=approver):
        for user in ("bob", "bob", "mallory"):
            with cs.session("conv", user=user, verified_by="sso"):
                called("function", 400.0)
    assert asked == ["bob", "mallory"]


@pytest.mark.parametrize(
    ("grant", "edit", "said"),
    [
        (cs.Grant(count=5), {"amount": 180.0}, "give the grant a condition"),
        (cs.Grant(when="args.amuont < 200", count=5), None, "names the argument `amuont`"),
        (cs.Grant(when="!session.saw('untrusted')", count=5), None, "asks about the session"),
        (cs.Grant(until=datetime(2001, 1, 1, tzinfo=timezone.utc)), None, "is over already"),
    ],
)
def test_a_grant_that_could_not_do_what_it_says_is_no_answer(
    grant: cs.Grant, edit: dict[str, object] | None, said: str
) -> None:
    with (
        engine(POLICY, approver=lambda call: cs.Approved(grant=grant, edit=edit)),
        pytest.raises(cs.PolicyDenied) as denied,
    ):
        called("function", 4000.0)
    assert said in str(denied.value.decision.detail)


def test_nothing_that_an_approver_is_shown_can_be_changed() -> None:
    tried: list[object] = []

    def approver(call: cs.ApprovalCall) -> bool:
        arguments: Any = call.arguments
        changes: list[Callable[[], object]] = [
            lambda: arguments.__setitem__("amount", 1),
            lambda: arguments.update(amount=1),
            lambda: arguments["rest"].append(1),
            lambda: arguments["rest"][0].pop("to"),
        ]
        for change in changes:
            with pytest.raises(TypeError, match="fixed"):
                change()
        own = copy.deepcopy(arguments)
        own["rest"][0]["to"] = "b"
        tried.append((json.loads(json.dumps(arguments)), own["rest"]))
        return True

    with engine(POLICY, approver=approver):
        called("function", 400.0, "r", {"to": "a"})
    ((shown, own),) = tried
    assert (shown["rest"], own) == ([{"to": "a"}], [{"to": "b"}])


OUT_OF_FILES = """
import os, resource, sys, threading, time
import counterseal as cs
home = sys.argv[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
cs.configure(policy="version: 1\\nrules: [{id: big, tools: [pay], decision: require_approval}]\\n", home=home, approver="home")
tool = cs.guard_tool("pay", lambda amount: amount)
def call():
    with cs.session("c"):
        print("ran", tool(1), flush=True)
thread = threading.Thread(target=call)
thread.start()
while not os.path.isdir(home + "/approvals") or not any(name.endswith(".json") for name in os.listdir(home + "/approvals")):
    pass
taken = []
try:
    while True:
        taken.append(os.dup(0))
except OSError:
    pass
os.utime(home + "/approvals")
time.sleep(0.5)
for one in taken:
    os.close(one)
print("again", flush=True)
thread.join()
"""


def test_a_process_out_of_file_descriptors_for_a_moment_loses_no_question(home: Path) -> None:
    arguments = [sys.executable, "-c", OUT_OF_FILES, str(home)]
    with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "again\n"
        (question,) = open_questions(home)
        terminal(home, "approve", question["request"]["id"], "--yes")
        assert process.stdout.readline() == "ran 1\n"
