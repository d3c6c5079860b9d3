"""A policy file that is changed while the program runs."""

from __future__ import annotations

import logging
import os
import threading

import counterseal
import pytest
from counterseal import _configuration, _reload

ALLOWS = "version: 1\nrules: [{id: other, tools: [other], decision: deny}]\n"
DENIES = "version: 1\nrules: [{id: no, tools: [reloaded_tool], decision: deny}]\n"


class Listener(logging.Handler):
    """Waits for what is logged."""

    def __init__(self, text):
        super().__init__()
        self.text = text
        self.heard = threading.Event()

    def emit(self, record):
        if self.text in record.getMessage():
            self.heard.set()


@pytest.fixture
def policy(tmp_path, monkeypatch):
    # The tests look themselves: the thread's looks would come between theirs.
    monkeypatch.setattr(_reload, "_SECONDS", 3600.0)
    file = tmp_path / "policy.yaml"
    file.write_text(ALLOWS)
    counterseal.configure(policy=file, home=tmp_path / "home", reload=True)
    yield file
    counterseal.close()
    counterseal._native.stand_down()


def replaced(file, text):
    """Another file in its place, as editors do: also where the clock of the disk is coarse, it is another one."""
    other = file.with_suffix(".new")
    other.write_text(text)
    os.replace(other, file)


def looked(watch=None):
    """Looks as often as it takes for a change to be taken up."""
    watch = watch or _configuration._watch
    watch.look()
    watch.look()


def tool():
    @counterseal.guard(name="reloaded_tool")
    def reloaded_tool():
        return "ran"

    return reloaded_tool


def test_a_changed_file_is_put_in_force(policy):
    reloaded_tool = tool()
    assert reloaded_tool() == "ran"
    replaced(policy, DENIES)
    looked()
    with pytest.raises(counterseal.PolicyDenied) as denied:
        reloaded_tool()
    assert denied.value.decision.rules == ("local/no",)
    assert counterseal.health()["reload"] == {"file": str(policy), "reloaded": 1, "refused": 0, "problem": None}


def test_the_thread_looks_by_itself(policy, tmp_path, monkeypatch):
    monkeypatch.setattr(_reload, "_SECONDS", 0.05)
    counterseal.configure(policy=policy, home=tmp_path / "home", reload=True)
    logger, listener = logging.getLogger("counterseal"), Listener("is refused")
    logger.addHandler(listener)
    try:
        replaced(policy, "version: 2\n")
        assert listener.heard.wait(60)
    finally:
        logger.removeHandler(listener)


@pytest.mark.parametrize("text", ["version: 2\n", "", None])
def test_a_file_that_cannot_be_used_leaves_the_one_before(policy, caplog, text):
    reloaded_tool = tool()
    replaced(policy, DENIES)
    looked()
    if text is None:
        policy.unlink()
    else:
        replaced(policy, text)
    with caplog.at_level(logging.WARNING, logger="counterseal"):
        looked()
    with pytest.raises(counterseal.PolicyDenied):
        reloaded_tool()
    state = counterseal.health()["reload"]
    assert (state["reloaded"], state["refused"]) == (1, 1)
    assert str(policy) in state["problem"]
    assert "the one before stays in force" in caplog.text
    looked()
    assert caplog.text.count("the one before stays in force") == 1
    replaced(policy, ALLOWS)
    looked()
    assert reloaded_tool() == "ran"
    assert counterseal.health()["reload"]["problem"] is None


def test_a_policy_that_does_not_fit_a_guarded_tool_is_refused(policy):
    @counterseal.guard(name="pays")
    def pays(amount: float):
        return amount

    replaced(policy, "version: 1\nrules: [{id: no, tools: [pays], when: args.amonut > 1.0, decision: deny}]\n")
    looked()
    assert pays(1.0) == 1.0
    assert "amonut" in counterseal.health()["reload"]["problem"]


def test_a_problem_is_over_when_the_file_is_again_what_is_in_force(policy):
    replaced(policy, "version: 2\n")
    looked()
    assert counterseal.health()["reload"]["problem"] is not None
    replaced(policy, ALLOWS)
    looked()
    assert counterseal.health()["reload"] == {"file": str(policy), "reloaded": 0, "refused": 1, "problem": None}


def test_a_file_that_is_being_written_is_not_taken_up(policy):
    reloaded_tool = tool()
    replaced(policy, DENIES)
    looked()
    whole = DENIES + "budgets: [{id: b, calls: 9}]\n"
    for length in range(0, len(whole), 7):
        with policy.open("r+" if length else "w") as file:
            file.seek(0, os.SEEK_END)
            file.write(whole[length : length + 7])
        _configuration._watch.look()
        with pytest.raises(counterseal.PolicyDenied):
            reloaded_tool()
    assert counterseal.health()["reload"]["reloaded"] == 1
    looked()
    assert counterseal.health()["reload"]["reloaded"] == 2


@pytest.mark.parametrize("text", ["version: 1\nname: x\n", "version: 1\ndefault: allow\n"])
def test_a_policy_that_refuses_nothing_takes_no_other_ones_place(policy, tmp_path, text):
    reloaded_tool = tool()
    replaced(policy, DENIES)
    looked()
    policy.write_text(text)
    looked()
    with pytest.raises(counterseal.PolicyDenied):
        reloaded_tool()
    assert "would let every call run" in counterseal.health()["reload"]["problem"]
    counterseal.configure(policy=policy, home=tmp_path / "home", reload=True)
    assert reloaded_tool() == "ran"
    replaced(policy, text + "enforcement: progressive\n")
    looked()
    assert counterseal.health()["reload"]["problem"] is None


def test_what_changed_while_it_was_compiled_is_seen(tmp_path, monkeypatch):
    file = tmp_path / "policy.yaml"
    file.write_text(ALLOWS)
    engine = counterseal._native.Engine

    def started(**settings):
        replaced(file, DENIES)
        return engine(**settings)

    monkeypatch.setattr(counterseal._native, "Engine", started)
    counterseal.configure(policy=file, home=tmp_path / "home", reload=True)
    monkeypatch.undo()
    reloaded_tool = tool()
    try:
        assert reloaded_tool() == "ran"
        looked()
        with pytest.raises(counterseal.PolicyDenied):
            reloaded_tool()
    finally:
        counterseal.close()
        counterseal._native.stand_down()


def test_a_change_that_the_clock_of_the_disk_does_not_show_is_seen(policy):
    reloaded_tool = tool()
    before = os.stat(policy)
    other = ALLOWS.replace("tools: [other]", "tools: ['*']  ")
    assert len(other) == len(ALLOWS)
    with policy.open("r+") as file:
        file.write(other)
    os.utime(policy, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert os.stat(policy).st_mtime_ns == before.st_mtime_ns
    looked()
    with pytest.raises(counterseal.PolicyDenied):
        reloaded_tool()


def test_the_same_text_again_changes_nothing(policy):
    before = counterseal._native.running_engine().health()
    replaced(policy, ALLOWS)
    looked()
    assert counterseal.health()["reload"]["reloaded"] == 0
    assert counterseal._native.running_engine().health() == before


def test_another_configuration_takes_the_place_of_the_watch(policy, tmp_path):
    watch = _configuration._watch
    counterseal.configure(policy=ALLOWS, home=tmp_path / "home")
    assert _configuration._watch is None
    replaced(policy, DENIES)
    looked(watch)
    assert tool()() == "ran"
    assert "reload" not in counterseal.health()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")
def test_what_is_a_pipe_for_a_moment_holds_up_no_later_change(policy):
    reloaded_tool = tool()
    policy.unlink()
    os.mkfifo(policy)
    looked()
    assert "it is no file" in counterseal.health()["reload"]["problem"]
    policy.unlink()
    replaced(policy, DENIES)
    looked()
    with pytest.raises(counterseal.PolicyDenied):
        reloaded_tool()


def test_only_a_file_can_be_looked_at(tmp_path):
    with pytest.raises(counterseal.ConfigurationError, match="`reload` looks at a file") as raised:
        counterseal.configure(policy=ALLOWS, home=tmp_path / "home", reload=True)
    assert raised.value.code == "config_conflict"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_looks_too(policy, monkeypatch):
    monkeypatch.setattr(_reload, "_SECONDS", 0.05)
    child = os.fork()
    if child == 0:
        reloaded = False
        try:
            replaced(policy, DENIES)
            pause = threading.Event()
            for _ in range(600):
                if counterseal.health()["reload"]["reloaded"] == 1:
                    reloaded = True
                    break
                pause.wait(0.1)
        finally:
            os._exit(0 if reloaded else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
