"""Programs that try to make a decision see something else than the body gets."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import enum
import functools
import inspect
import os
from pathlib import Path
from typing import Any

import counterseal as cs
import pytest
from conftest import deny_when
from counterseal import _configuration, _contexts, _native, testing

EMPTIED = deny_when("tool", "size(args.items) == 0")


def emptied_by(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, items: list[str]) -> None:
    """Code of Python's that runs within a decision, and lets go of the very text that is decided on."""
    before = getattr(module, name)

    def changed() -> Any:
        items.clear()
        return before()

    monkeypatch.setattr(module, name, changed)


def test_values_are_read_after_the_last_code_that_could_change_them(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = cs.guard_tool("tool", lambda items: None)
    cs.configure(policy=EMPTIED, home=home)
    for decide in (
        lambda items: guarded(items),
        lambda items: cs.enforce("tool", {"items": items}),
        lambda items: cs.check(guarded, {"items": items}).reason_code == "rule" and guarded([]),
    ):
        items = ["x" * 4000]
        _native.forget_process_session()
        with monkeypatch.context() as patch, pytest.raises(cs.PolicyDenied):
            emptied_by(patch, _contexts, "process_session", items)
            decide(items)
        assert items == []


def test_the_environment_is_read_before_the_arguments(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    path = home.parent / "policy.json"
    path.write_text(json.dumps(EMPTIED))
    monkeypatch.setenv("COUNTERSEAL_POLICY", str(path))
    monkeypatch.setenv("COUNTERSEAL_HOME", str(home))
    _native.stand_down()
    items = ["x" * 4000]
    emptied_by(monkeypatch, _configuration, "from_environment", items)
    with pytest.raises(cs.PolicyDenied):
        cs.enforce("tool", {"items": items})


class Changing(collections.abc.Mapping):
    """Puts something else into another argument when it is read."""

    def __init__(self, victim: list[object]) -> None:
        self.victim = victim

    def __getitem__(self, key: str) -> object:
        return 1

    def __iter__(self):
        self.victim[:] = ["/etc"]
        return iter(["k"])

    def __len__(self) -> int:
        return 1


def test_an_argument_that_another_ones_code_changes_is_refused_by_name(home: Path) -> None:
    cs.configure(policy=deny_when("tool", 'args.a.exists(p, string(p) == "/etc")'), home=home)
    guarded = cs.guard_tool("tool", lambda a, b: a)
    victim: list[object] = ["/home"]
    with pytest.raises(cs.PolicyDenied) as denied:
        guarded(victim, Changing(victim))
    assert denied.value.reason_code == "capture_failed"
    assert "`a` changed while it was read" in denied.value.message
    # Now that nothing changes any more the rule sees what the body would get.
    with pytest.raises(cs.PolicyDenied) as denied:
        guarded(victim, Changing(victim))
    assert denied.value.reason_code == "rule"
    native = cs.guard_tool("native", max)
    victim = [1]
    with pytest.raises(cs.PolicyDenied, match="changed while it was read"):
        native(victim, Changing(victim))


def test_a_dataclass_that_is_a_dict_too_hides_no_field(home: Path) -> None:
    @dataclasses.dataclass
    class Order(dict):
        amount: float

    cs.configure(policy=deny_when("tool", "has(args.order.amount) && args.order.amount > 100.0"), home=home)
    guarded = cs.guard_tool("tool", lambda order: order.amount)
    assert guarded(Order(amount=5.0)) == 5.0
    with pytest.raises(cs.PolicyDenied) as denied:
        guarded(Order(amount=9999.0))
    assert denied.value.reason_code == "rule"


def test_a_container_that_reads_as_something_else_fails_conditions_on_it(home: Path) -> None:
    class Sly(list):
        def __iter__(self):
            return iter(["evil"])

    class Odd(str, enum.Enum):
        A = "safe"

        def __new__(cls, value: str):
            made = str.__new__(cls, "/etc")
            made._value_ = value
            return made

    cs.configure(policy=deny_when("tool", 'args.a.exists(i, string(i) == "evil")'), home=home)
    with pytest.raises(cs.PolicyDenied) as denied:
        cs.guard_tool("tool", lambda a: list(a))(Sly(["good"]))
    assert denied.value.reason_code == "condition_failed"
    cs.configure(policy=deny_when("tool", 'string(args.a) == "/etc"'), home=home)
    with pytest.raises(cs.PolicyDenied) as denied:
        cs.guard_tool("tool", lambda a: str.__str__(a))(Odd.A)
    assert denied.value.reason_code == "condition_failed"


def test_a_permit_is_entered_once(allowing: None) -> None:
    permit = cs.enforce("tool", {"a": 1})
    with permit, pytest.raises(cs.LifecycleError, match="entered before"), permit:
        pass
    with pytest.raises(cs.LifecycleError), permit:
        pass


def test_a_keyword_named_like_a_hidden_parameter_is_an_argument(home: Path) -> None:
    class Files:
        def read(self, /, **more: Any) -> None:
            pass

    cs.configure(policy=deny_when("tool", "has(args.self) || has(args.ctx)"), home=home)
    Files.read = cs.guard_tool("tool", Files.read)  # type: ignore[method-assign]
    Files().read(other=1)
    with pytest.raises(cs.PolicyDenied):
        Files().read(**{"self": "/etc"})

    guarded = cs.guard_tool("tool", lambda ctx, /, **more: None, inject=["ctx"])
    guarded(object(), other=1)
    with pytest.raises(cs.PolicyDenied):
        guarded(object(), ctx="/etc")


def test_a_static_methods_self_is_an_argument(home: Path) -> None:
    cs.configure(policy=deny_when("tool", "string(args.self) == '/etc'"), home=home)

    class Files:
        @staticmethod
        def read(self: str) -> None:
            pass

    guarded = cs.guard_tool("tool", Files.__dict__["read"])
    guarded("/home")
    with pytest.raises(cs.PolicyDenied):
        guarded("/etc")


def test_a_bound_builtin_shows_rules_the_arguments_it_gets(home: Path) -> None:
    cs.configure(policy=deny_when("tool", "string(args.path) == '/etc'"), home=home)

    class Files:
        @functools.lru_cache  # noqa: B019
        def read(self, path: str) -> str:
            return path

        guarded = cs.guard_tool("tool", read)
        of_class = cs.guard_tool("tool", classmethod(functools.lru_cache(lambda cls, path: path)))

    assert Files().guarded("/home") == "/home"
    with pytest.raises(cs.PolicyDenied) as denied:
        Files().guarded("/etc")
    assert denied.value.reason_code == "rule"
    assert Files.of_class("/home") == "/home"
    with pytest.raises(cs.PolicyDenied) as denied:
        Files.of_class("/etc")
    assert denied.value.reason_code == "rule"


def test_a_wrapper_that_adds_arguments_does_not_rename_those_it_was_given(home: Path) -> None:
    def query(database: str, statement: str) -> str:
        return f"{database}: {statement}"

    @functools.wraps(query)
    def on_main(*args: Any, **kwargs: Any) -> str:
        return query("main", *args, **kwargs)

    cs.configure(policy=deny_when("tool", "string(args.database) == 'main'"), home=home)
    for wrapper in (on_main, functools.partial(on_main)):
        guarded = cs.guard_tool("tool", wrapper)
        assert inspect.signature(guarded) == inspect.signature(wrapper)
        with pytest.raises(cs.PolicyDenied) as denied:
            guarded("drop")
        assert denied.value.reason_code == "condition_failed"


def test_an_argument_given_twice_in_json_is_malformed(allowing: None) -> None:
    with pytest.raises(cs.PolicyDenied) as denied:
        cs.enforce("tool", '{"a": 1, "a": 2}')
    assert denied.value.reason_code == "malformed_arguments"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
def test_a_forked_child_does_not_complete_its_parents_call(home: Path, allowing: None) -> None:
    def forks() -> int:
        return os.fork()

    child = cs.guard_tool("tool", forks)()
    if child == 0:
        cs.flush()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    cs.close()
    assert [one["kind"] for one in cs.Ledger(home)].count("completed") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
def test_a_forked_child_can_configure_while_its_parent_does(home: Path) -> None:
    with _configuration._lock:
        child = os.fork()
        if child == 0:
            os._exit(0 if _configuration._lock.acquire(False) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("text", ["\ud800", 5])
def test_what_is_no_text_is_refused_by_name(allowing: None, text: Any) -> None:
    for use in (
        lambda: cs.session(text),
        lambda: cs.session("s", user=text),
        lambda: cs.run(text),
        lambda: cs.guard_tool(text, print),
        lambda: cs.guard_tool("tool", print, connector=text),
        lambda: cs.guard_tool("tool", print, description=text),
        lambda: cs.guard_tool("tool", print, tags=[text]),
        lambda: cs.check(text, {}),
        lambda: cs.configure(policy={}, agent_id=text),
        lambda: cs.configure(policy=text),
    ):
        with pytest.raises(cs.ConfigurationError):
            use()


def test_a_policy_that_may_be_text_or_path_says_both_readings() -> None:
    with pytest.raises(cs.ConfigurationError, match=r"path of a file .* as text"):
        cs.configure(policy="version: 1")
    with pytest.raises(cs.ConfigurationError, match="not empty"):
        cs.configure(policy="  ")


def test_a_subclass_of_datetime_cannot_say_another_time() -> None:
    class Sly(datetime.datetime):
        @property
        def year(self) -> int:  # type: ignore[override]
            return 1

        def utcoffset(self) -> datetime.timedelta:  # type: ignore[override]
            return datetime.timedelta(hours=12)

    held = Sly(2026, 11, 21, 8, tzinfo=datetime.timezone.utc)
    assert testing.canonical(held) == b'{"$time":"2026-11-21T08:00:00Z"}'
