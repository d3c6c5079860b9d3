"""Settings, their order, and what happens without any."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import counterseal as cs
import pytest
from conftest import broken_disk

REFUSE = {
    "version": 1,
    "name": "refuse",
    "rules": [{"id": "no", "tools": ["tool"], "decision": "deny", "reason": "no"}],
}
ALLOW = {"version": 1, "name": "allow", "rules": [{"id": "no", "tools": ["other"], "decision": "deny"}]}
TEXT = "version: 1\nname: text\nrules:\n  - {id: no, tools: [tool], decision: deny, reason: no}\n"


def child(program: str, **environment: str) -> str:
    """What a program of its own prints; it fails the test where it fails."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSEAL_")}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        env={**variables, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_policy_is_a_path_a_text_a_dict_or_a_policy(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(TEXT)
    for given in (file, str(file), TEXT, json.dumps(REFUSE), REFUSE, cs.Policy.from_text(TEXT)):
        effective = cs.configure(policy=given, home=home)
        assert effective.rules == 1
        assert cs.check("tool", {}).decision == "deny"
    assert effective.to_dict()["home"] == str(home)


def test_nothing_to_decide_with_is_an_error_that_says_how(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COUNTERSEAL_POLICY", raising=False)
    with pytest.raises(cs.ConfigurationError, match=r"configure\(policy=.*COUNTERSEAL_POLICY") as missing:
        cs.configure(home=home)
    assert missing.value.code == "config_missing"


@pytest.mark.parametrize("setting", ["api_key", "base_url"])
def test_a_server_is_refused_and_never_ignored(home: Path, setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(cs.ConfigurationError, match="does not support") as refused:
        cs.configure(policy=ALLOW, home=home, **{setting: "cs_live_secret"})
    assert "cs_live_secret" not in str(refused.value)
    monkeypatch.setenv(f"COUNTERSEAL_{setting.upper()}", "cs_live_secret")
    with pytest.raises(cs.ConfigurationError, match="does not support"):
        cs.configure(policy=ALLOW, home=home)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("mode", "obsrve"),
        ("mode", 3),
        ("agent_id", ""),
        ("agent_id", 7),
        ("require_policy", "maybe"),
        ("home", 5),
        ("policy", 5),
    ],
)
def test_a_value_that_cannot_be_used_is_named(home: Path, setting: str, value: object) -> None:
    with pytest.raises(cs.ConfigurationError) as refused:
        cs.configure(**{"policy": ALLOW, "home": home, setting: value})  # type: ignore[arg-type]
    assert refused.value.code == "config_invalid"
    assert refused.value.details["setting"] == setting
    assert f"`{setting}` is " in str(refused.value)


def test_an_argument_beats_the_environment(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(TEXT)
    monkeypatch.setenv("COUNTERSEAL_POLICY", str(file))
    monkeypatch.setenv("COUNTERSEAL_AGENT_ID", "from-environment")
    monkeypatch.setenv("COUNTERSEAL_HOME", str(home))
    assert cs.configure().agent_id == "from-environment"
    assert cs.check("tool", {}).decision == "deny"
    effective = cs.configure(policy=ALLOW, agent_id="from-argument", mode="block")
    assert (effective.agent_id, effective.mode, effective.home) == ("from-argument", "block", str(home))
    assert cs.check("tool", {}).decision == "allow"


def test_guarded_functions_follow_a_second_configuration(home: Path) -> None:
    tool = cs.guard_tool("tool", lambda: "ran")
    cs.configure(policy=ALLOW, home=home)
    assert tool() == "ran"
    cs.configure(policy=REFUSE, home=home)
    with pytest.raises(cs.PolicyDenied):
        tool()
    with pytest.raises(cs.PolicyError):
        cs.configure(policy="version: 1\nname: x\nrulez: []\n", home=home)
    with pytest.raises(cs.PolicyDenied):
        tool()


def test_a_policy_is_checked_against_the_tools_that_are_guarded(home: Path) -> None:
    cs.configure(policy=ALLOW, home=home)
    kept = cs.guard_tool("typed", lambda amount: amount)
    wrong = {"id": "r", "tools": ["typed"], "when": "args.amont > 1.0", "decision": "deny"}
    with pytest.raises(cs.ConfigurationError, match="amont"):
        cs.configure(policy={"version": 1, "name": "p", "rules": [wrong]}, home=home)
    assert kept(1) == 1
    cs.configure(policy={"version": 1, "name": "p", "rules": [{**wrong, "tools": ["later"]}]}, home=home)
    with pytest.raises(cs.ConfigurationError, match="amont"):
        cs.guard_tool("later", lambda amount: amount)


def test_one_line_says_what_is_in_force(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="counterseal")
    cs.configure(policy=REFUSE, home=home)
    assert caplog.record_tuples[-1] == ("counterseal", logging.INFO, "policy `refuse`, mode progressive, 1 rule")
    limits = {"version": 1, "name": "limits", "loops": {"same_call": 3, "window": "1m"}, "scope": ["tool"]}
    effective = cs.configure(policy=limits, home=home)
    line = "policy `limits`, mode progressive, 0 rules, 1 limit, a scope"
    assert caplog.record_tuples[-1] == ("counterseal", logging.INFO, line)
    assert (effective.rules, effective.limits, effective.warning) == (0, 1, None)
    cs.configure(policy={"version": 1, "name": "nothing"}, home=home)
    assert caplog.record_tuples[-1][1] == logging.WARNING
    cs.configure(policy={**REFUSE, "enforcement": "observe"}, home=home)
    assert caplog.record_tuples[-1][1] == logging.WARNING
    assert "only observes" in caplog.record_tuples[-1][2]


def test_a_rule_over_several_tools_may_ask_for_what_some_of_them_lack(home: Path) -> None:
    large = {"id": "large", "tools": ["*"], "when": "has(args.amount) && args.amount > 100.0", "decision": "deny"}
    slip = {"id": "slip", "tools": ["pay", "read"], "when": "has(args.amonut) && args.amonut > 1.0", "decision": "deny"}
    cs.configure(policy={"version": 1, "name": "p", "rules": [large, slip]}, home=home)
    assert cs.coverage().findings == []
    read = cs.guard_tool("read", lambda path: path)
    pay = cs.guard_tool("pay", lambda amount: amount)
    assert read("a") == "a"
    assert pay(5.0) == 5.0
    with pytest.raises(cs.PolicyDenied):
        pay(500.0)
    (finding,) = cs.coverage().findings
    assert finding == (
        "rule `local/slip` asks for `args.amonut`, which no guarded tool that it speaks of has (`pay`, `read`); did you mean `amount`"
    )
    assert cs.coverage().to_dict()["findings"] == [finding]
    alone = {**slip, "tools": ["pay"]}
    with pytest.raises(cs.ConfigurationError, match="did you mean `amount`"):
        cs.configure(policy={"version": 1, "name": "p", "rules": [alone]}, home=home)


def test_a_call_before_configure_does_not_run(tmp_path: Path) -> None:
    program = """
        import counterseal as cs
        ran = []
        try:
            cs.guard_tool("tool", ran.append)(1)
        except cs.ConfigurationError as error:
            print(error.code, ran)
        """
    assert child(program, HOME=str(tmp_path)) == "config_missing []"
    assert not list(tmp_path.iterdir())


def test_a_call_before_configure_takes_the_environment(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(TEXT)
    program = """
        import counterseal as cs
        try:
            cs.guard_tool("tool", print)("ran")
        except cs.PolicyDenied as denied:
            print(denied.reason_code, denied.reason)
        """
    told = child(program, COUNTERSEAL_POLICY=str(tmp_path / "p.yaml"), COUNTERSEAL_HOME=str(tmp_path / "home"))
    assert told == "rule no"


def test_importing_starts_nothing(tmp_path: Path) -> None:
    program = """
        import os, sys, threading
        before = set(sys.modules)
        import counterseal
        heavy = {"inspect", "asyncio", "dataclasses", "logging", "json", "ast", "typing", "tempfile"}
        print(len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1, sorted(heavy & (set(sys.modules) - before)))
        """
    assert child(program, HOME=str(tmp_path)) == "1 []"
    assert not list(tmp_path.iterdir())


def test_what_was_recorded_is_on_the_disk_when_the_process_ends(tmp_path: Path) -> None:
    program = f"""
        import counterseal as cs
        cs.configure(policy={ALLOW!r}, home={str(tmp_path / "home")!r})
        tool = cs.guard_tool("tool", lambda n: n)
        for n in range(100):
            tool(n)
        """
    child(program)
    ledger = cs.Ledger(tmp_path / "home")
    kinds = [record["kind"] for record in ledger]
    assert kinds.count("decided") == kinds.count("completed") == 100
    assert kinds[-1] == "closed"
    verified = ledger.verify(deep=True)
    assert verified, str(verified)


def test_after_close_every_call_is_refused(home: Path) -> None:
    cs.configure(policy=ALLOW, home=home)
    tool = cs.guard_tool("tool", lambda: "ran")
    assert tool() == "ran"
    report = cs.flush()
    assert report.complete
    assert cs.health()["rules"] >= 1
    cs.close()
    cs.close()
    with pytest.raises(cs.PolicyDenied) as denied:
        tool()
    assert denied.value.reason_code == "closed"
    cs.configure(policy=ALLOW, home=home)
    assert tool() == "ran"


def test_a_forked_child_records_its_own_calls(tmp_path: Path) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    program = f"""
        import os
        import counterseal as cs
        cs.configure(policy={ALLOW!r}, home={str(tmp_path / "home")!r})
        tool = cs.guard_tool("tool", lambda n: n)
        tool(1)
        child = os.fork()
        if child == 0:
            tool(2)
            cs.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        tool(3)
        """
    child(program)
    decided = [record for record in cs.Ledger(tmp_path / "home") if record["kind"] == "decided"]
    assert len(decided) == 3
    assert len({record["action_id"] for record in decided}) == 3
    assert len({record["session"] for record in decided}) == 2
    assert cs.Ledger(tmp_path / "home").verify().ok


def test_a_fork_while_threads_record_loses_and_doubles_nothing(tmp_path: Path) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    program = f"""
        import os, threading
        import counterseal as cs
        cs.configure(policy={ALLOW!r}, home={str(tmp_path / "home")!r})
        tool = cs.guard_tool("tool", lambda n: n)
        made, stop, started = [], threading.Event(), threading.Semaphore(0)
        def work(who):
            for number in range(5_000):
                if stop.is_set():
                    break
                made.append(tool(f"{{who}}-{{number}}"))
                started.release()
        threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        children = []
        for nth in range(6):
            for _ in range(20):
                started.acquire()
            child = os.fork()
            if child == 0:
                for number in range(20):
                    tool(f"child{{nth}}-{{number}}")
                cs.close()
                os._exit(0)
            children.append(child)
            made += [f"child{{nth}}-{{number}}" for number in range(20)]
        stop.set()
        for thread in threads:
            thread.join()
        for one in children:
            assert os.waitpid(one, 0)[1] == 0
        cs.close()
        print(*made)
        """
    made = child(program).split()
    ledger = cs.Ledger(tmp_path / "home")
    decided = {record["action_id"] for record in ledger if record["kind"] == "decided"}
    sidecars = [file.read_text().splitlines() for file in (tmp_path / "home" / "streams").glob("*/*.side")]
    lines = [json.loads(line) for lines in sidecars for line in lines]
    recorded = [line["payload"]["n"] for line in lines if line["part"] == "arguments" and line["action_id"] in decided]
    assert len(recorded) > 200
    assert sorted(recorded) == sorted(made)
    assert ledger.verify(deep=True).ok


def test_an_engine_that_cannot_be_closed_in_time_does_not_undo_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from counterseal import _configuration

    monkeypatch.setattr(_configuration, "_EXIT_SECONDS", 0.0)
    first = tmp_path / "first"
    cs.configure(policy=ALLOW, home=first)
    cs.guard_tool("tool", len)([1])
    cs.flush()
    with broken_disk(first):
        assert cs.configure(policy=ALLOW, home=tmp_path / "second").home == str(tmp_path / "second")
        with pytest.raises(cs.LedgerError):
            cs.close(0.0)
    cs.close()
    assert cs.Ledger(first).verify().ok


def test_a_call_under_way_is_decided_whole_by_the_configuration_that_comes_during_its_capture(home: Path) -> None:
    other = home.parent / "other"

    class Reconfiguring(Mapping[str, int]):
        """Another thread may configure just as well while an argument is read."""

        def __init__(self, policy: dict[str, object]) -> None:
            self.policy = policy

        def __iter__(self) -> Iterator[str]:
            cs.configure(policy=self.policy, home=other)
            return iter(["a"])

        def __len__(self) -> int:
            return 1

        def __getitem__(self, key: str) -> int:
            return 1

    ran: list[object] = []
    tool = cs.guard_tool("tool", lambda a: ran.append(a))
    for call in (tool, lambda a: cs.enforce("tool", {"a": a}).__enter__().__exit__(None, None, None)):
        cs.configure(policy=REFUSE, home=home)
        call(Reconfiguring(ALLOW))
        cs.configure(policy=ALLOW, home=home)
        with pytest.raises(cs.PolicyDenied) as denied:
            call(Reconfiguring(REFUSE))
        assert denied.value.reason_code == "rule"
    cs.configure(policy=ALLOW, home=home)
    assert cs.check("tool", {"a": Reconfiguring(REFUSE)}).reason_code == "rule"
    cs.close()
    assert len(ran) == 1
    assert [record["decision"] for record in cs.Ledger(other) if record["kind"] == "decided"] == ["allow", "deny"] * 2


def test_checkpoints_held_outside_find_a_ledger_that_was_put_back(home: Path, tmp_path: Path) -> None:
    outside, earlier = tmp_path / "elsewhere" / "checkpoints", tmp_path / "earlier"
    outside.parent.mkdir()

    @cs.guard(name="other_tool")
    def tool(x: int) -> int:
        return x

    for nth in range(2):
        effective = cs.configure(policy=ALLOW, home=home, checkpoints=outside)
        assert effective.checkpoints == str(outside)
        assert tool(nth) == nth
        cs.close()
        if nth == 0:
            shutil.copytree(home, earlier)
    assert cs.Ledger(home).verify(deep=True, outside=outside)
    # whoever can write the home puts the earlier ledger back: a whole one, that proves itself
    shutil.rmtree(home)
    shutil.copytree(earlier, home)
    assert cs.Ledger(home).verify(deep=True)
    found = cs.Ledger(home).verify(deep=True, outside=outside)
    assert not found
    assert "checkpoint_missing" in {problem["code"] for problem in found.problems}


def test_the_file_of_checkpoints_comes_from_the_environment_too(tmp_path: Path) -> None:
    program = f"""
        import counterseal as cs
        cs.configure(policy={TEXT!r}, home={str(tmp_path / "home")!r})
        cs.check("tool", {{}})
        cs.guard(lambda: 1, name="other")()
        cs.close()
    """
    child(program, COUNTERSEAL_CHECKPOINTS=str(tmp_path / "notes"))
    assert (tmp_path / "notes").read_text().startswith("counterseal/")


def test_a_file_of_checkpoints_that_proves_nothing_is_refused(home: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place, said in ((home / "notes", "outside"), (tmp_path / "missing" / "notes", "missing"), (pipe, "named pipe")):
        with pytest.raises(cs.CountersealError, match=said):
            cs.configure(policy=ALLOW, home=home, checkpoints=place)
