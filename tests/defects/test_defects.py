"""Each defect of the peers about deciding in the process, as a test: the same situation, the right outcome.

docs/defects.md says for each what the peer's package does; the programs in peers/ show it.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import counterseal as cs
import pytest

from defects_home import deny, payloads, policy, records, written

CARD = "4111 1111 1111 1111"
# Put together here, so that no scanner takes this file for a leak.
SECRET = "sk_" + "live_" + "0123456789abcdefghijABCD"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    cs.close()


def test_a2_a_guarded_coroutine_stays_one_and_leaves_the_event_loop_free(home: Path) -> None:
    # A durable record is what a decision can wait for at most without people: the sync of a disk.
    cs.configure(policy=policy(deny("fetch", "args.times > 3"), record={"sync": "durable"}), home=home)
    turns = 0

    async def body(times: int) -> int:
        return turns

    fetch = cs.guard_tool("fetch", body)
    assert inspect.iscoroutinefunction(fetch)

    async def main() -> None:
        nonlocal turns

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        turning = asyncio.create_task(turn())
        await asyncio.sleep(0)
        for _ in range(20):
            before = turns
            # The body awaits nothing: what it sees turned while its own call was decided and recorded.
            assert await fetch(2) > before
        turning.cancel()

    asyncio.run(main())
    assert len(records(home, "decided")) == 20


def test_a2_nothing_is_decided_before_the_await_and_nobody_to_ask_is_said_at_once(home: Path) -> None:
    ask = {"id": "ask", "tools": ["refund"], "decision": "require_approval", "reason": "a person decides"}
    cs.configure(policy=policy(ask), home=home)
    ran: list[str] = []

    async def body(customer: str) -> None:
        ran.append(customer)

    refund = cs.guard_tool("refund", body)

    async def main() -> str:
        refund("c-0").close()
        with pytest.raises(cs.PolicyDenied) as denied:
            await refund("c-1")
        return str(denied.value.reason_code)

    assert asyncio.run(main()) == "no_approver"
    assert ran == []
    assert payloads(home, "arguments") == {"refund": {"customer": "c-1"}}
    assert len(records(home, "decided")) == 1


def test_a2_a_coroutine_that_waits_for_a_person_leaves_the_event_loop_free(home: Path) -> None:
    ask = {"id": "ask", "tools": ["refund"], "decision": "require_approval", "reason": "a person decides"}
    turns = 0

    async def approver(call: cs.ApprovalCall) -> bool:
        # The answer comes only after the loop turned a hundred times while the call waited.
        begun = turns
        while turns < begun + 100:
            await asyncio.sleep(0)
        return call.tool_name == "refund"

    cs.configure(policy=policy(ask), home=home, approver=approver)

    async def body(customer: str) -> str:
        return customer

    refund = cs.guard_tool("refund", body)

    async def main() -> None:
        nonlocal turns

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        turning = asyncio.create_task(turn())
        assert await refund("c-1") == "c-1"
        turning.cancel()

    asyncio.run(main())
    assert turns >= 100


def test_a17_names_given_to_kwargs_are_arguments_like_any_other(home: Path) -> None:
    red = deny("label", 'string(args.item) == "safe" || (has(args.colour) && string(args.colour) == "red")')
    cs.configure(policy=policy(red), home=home)

    @cs.guard(name="label")
    def label(item: str, /, **labels: str) -> str:
        return item + labels.get("colour", "")

    assert label("lamp") == "lamp"
    assert label("lamp", colour="blue") == "lampblue"
    for refused in (lambda: label("safe"), lambda: label("lamp", colour="red")):
        with pytest.raises(cs.PolicyDenied):
            refused()
    assert payloads(home, "arguments")["label"] == {"item": "lamp", "colour": "red"}


def test_a17_the_object_of_a_method_is_no_argument(home: Path) -> None:
    fraud = [deny(tool, 'string(args.reason) == "fraud"') for tool in ("freeze", "close")]
    cs.configure(policy=policy(*fraud), home=home)

    class Account:
        def __init__(self, pin: str) -> None:
            self.pin = pin

        @cs.guard(name="freeze")
        def freeze(self, reason: str) -> str:
            return reason

        def close(self, reason: str) -> str:
            return reason

    account = Account("pin-9431")
    unbound = cs.guard_tool("close", Account.close)
    calls: list[Callable[[str], str]] = [
        account.freeze,
        functools.partial(Account.freeze, account),
        functools.partial(unbound, account),
    ]
    for call in calls:
        assert call("moved") == "moved"
        with pytest.raises(cs.PolicyDenied):
            call("fraud")
    assert payloads(home, "arguments") == {"freeze": {"reason": "fraud"}, "close": {"reason": "fraud"}}
    assert b"pin-9431" not in written(home)


PAY_STYLES: dict[str, Callable[[Callable[..., str], float], str]] = {
    "positional": lambda pay, amount: pay(amount),
    "keyword": lambda pay, amount: pay(amount=amount),
    "unpacked list": lambda pay, amount: pay(*[amount]),
    "unpacked dict": lambda pay, amount: pay(**{"amount": amount}),
    "partial": lambda pay, amount: functools.partial(pay, amount)(),
}


@pytest.mark.parametrize("style", PAY_STYLES)
def test_s1_a_limit_holds_however_the_argument_is_given(home: Path, style: str) -> None:
    cs.configure(policy=policy(deny("pay", "args.amount > 100.0")), home=home)
    paid: list[float] = []

    def body(amount: float = 9999.0) -> str:
        paid.append(amount)
        return "paid"

    pay = cs.guard_tool("pay", body)
    assert PAY_STYLES[style](pay, 50.0) == "paid"
    with pytest.raises(cs.PolicyDenied) as denied:
        PAY_STYLES[style](pay, 9999.0)
    assert denied.value.tool_name == "pay"
    # What is left out is its default, which the body would get.
    with pytest.raises(cs.PolicyDenied):
        pay()
    assert paid == [50.0]


@pytest.mark.parametrize("scope", [[], ["search_docs"]], ids=["empty", "another tool"])
def test_s3_a_scope_allows_what_it_names_and_an_empty_one_nothing(home: Path, scope: list[str]) -> None:
    cs.configure(policy=policy(scope=scope), home=home)
    wiped: list[str] = []
    wipe = cs.guard_tool("wipe", wiped.append)

    @cs.guard(name="wipe_too")
    def wipe_too(target: str) -> None:
        wiped.append(target)

    for call in (wipe, wipe_too):
        with pytest.raises(cs.PolicyDenied) as denied:
            call("ALL")
        assert denied.value.reason_code == "out_of_scope"
    decision = cs.check("wipe", {"target": "ALL"})
    assert (decision.decision, decision.reason_code) == ("deny", "out_of_scope")
    assert wiped == []


def test_s7_what_was_refused_for_its_content_is_written_nowhere(home: Path) -> None:
    card = deny("post_note", 'string(args.body).matches("[0-9]{4} ?[0-9]{4} ?[0-9]{4} ?[0-9]{4}")')
    cs.configure(policy=policy(card, redact={"detect": ["credit_card"]}), home=home)

    @cs.guard(name="post_note")
    def post_note(body: str) -> None:
        raise AssertionError("it ran")

    for call in (lambda: post_note(f"card {CARD}"), lambda: post_note(body=f"card {CARD}")):
        with pytest.raises(cs.PolicyDenied) as denied:
            call()
        assert CARD not in str(denied.value)
    assert [record["decision"] for record in records(home, "decided")] == ["deny", "deny"]
    assert CARD.encode() not in written(home)
    assert "credit_card" in json.dumps(payloads(home, "arguments")["post_note"])


@pytest.mark.parametrize("result", ["redacted", "digest"])
def test_s8_a_secret_in_a_result_is_returned_and_not_written(home: Path, result: str) -> None:
    document = policy(
        deny("rotate_key", 'string(args.customer) == ""'), redact={"detect": ["api_key"]}, record={"result": result}
    )
    cs.configure(policy=document, home=home)

    @cs.guard(name="rotate_key")
    def rotate_key(customer: str) -> dict[str, str]:
        return {"customer": customer, "note": f"the new key is {SECRET}"}

    assert rotate_key("Ada")["note"].endswith(SECRET)
    assert [record["outcome"] for record in records(home, "completed")] == ["success"]
    assert SECRET.encode() not in written(home)
    if result == "redacted":
        kept = payloads(home, "result")["rotate_key"]
        assert kept["customer"] == "Ada"
        assert "api_key" in json.dumps(kept["note"])


BROKEN = ["{bad json", '{"target": "/tmp/scr', '{"target": "/tmp/scratch"} x', "{'target': 'ALL'}", ""]


@pytest.mark.parametrize("arguments", BROKEN)
def test_s12_broken_json_is_a_deny_and_never_no_arguments(home: Path, arguments: str) -> None:
    # Under this policy a call without arguments would be allowed: only the broken text can refuse it.
    cs.configure(policy=policy(deny("wipe", 'has(args.target) && string(args.target) == "/etc"')), home=home)
    assert cs.check("wipe", "{}").decision == "allow"
    assert cs.check("wipe", '{"target": "/etc"}').decision == "deny"

    decision = cs.check("wipe", arguments)
    assert (decision.decision, decision.reason_code) == ("deny", "malformed_arguments")
    assert decision.reason
    ran = False
    with pytest.raises(cs.PolicyDenied) as denied, cs.enforce("wipe", arguments):
        ran = True
    assert denied.value.reason_code == "malformed_arguments"
    assert not ran


SEARCH_STYLES: dict[str, Callable[[Callable[..., str], str], str]] = {
    "positional": lambda search, query: search(query),
    "keyword": lambda search, query: search(query=query),
    "with what is the default": lambda search, query: search(query, 10),
    "unpacked dict": lambda search, query: search(**{"query": query, "most": 10}),
    "partial": lambda search, query: functools.partial(search, query)(),
}
QUERIES = ["flights to Rome", "hotels in Rome", "weather in Rome", "museums in Rome", "trains to Naples"]


@pytest.fixture
def searched(home: Path) -> list[str]:
    return []


@pytest.fixture
def search(home: Path, searched: list[str]) -> Callable[..., str]:
    # The fifth of the same call is one too many, as under the package's threshold of 5.
    cs.configure(policy=policy(loops={"same_call": 4, "window": "2m"}), home=home)

    def body(query: str, most: int = 10) -> str:
        searched.append(query)
        return query

    return cs.guard_tool("search", body)


@pytest.mark.parametrize("style", SEARCH_STYLES)
def test_s13_different_calls_are_no_loop_however_the_argument_is_given(
    search: Callable[..., str], searched: list[str], style: str
) -> None:
    for query in QUERIES:
        SEARCH_STYLES[style](search, query)
    for _ in range(3):
        SEARCH_STYLES[style](search, QUERIES[0])
    assert searched == [*QUERIES, *QUERIES[:1] * 3]
    with pytest.raises(cs.RateLimited) as limited:
        SEARCH_STYLES[style](search, QUERIES[0])
    assert limited.value.reason_code == "loop_detected"
    assert len(searched) == 8


def test_s13_the_same_call_is_one_however_it_is_spelled(
    home: Path, search: Callable[..., str], searched: list[str]
) -> None:
    styles = list(SEARCH_STYLES.values())
    for style in styles[:4]:
        style(search, QUERIES[0])
    with pytest.raises(cs.RateLimited) as limited:
        styles[4](search, QUERIES[0])
    assert (limited.value.reason_code, limited.value.tool_name) == ("loop_detected", "search")
    assert "loops" in str(limited.value)
    # Another query is another call.
    styles[4](search, QUERIES[1])
    assert searched == [*QUERIES[:1] * 4, QUERIES[1]]
    assert [record["reason_code"] for record in records(home, "decided")].count("loop_detected") == 1


def test_s17_each_thread_and_task_records_its_own_annotations(home: Path) -> None:
    names = ["alice_thread", "bob_thread", "alice_task", "bob_task", "later"]
    cs.configure(policy=policy(scope=names), home=home)

    def body() -> None:
        pass

    tools = {name: cs.guard_tool(name, body) for name in names}
    together = threading.Barrier(2, timeout=10)
    first_left = threading.Event()

    def in_thread(name: str) -> None:
        # alice speaks first, bob second; alice leaves while bob is still inside.
        if name == "bob_thread":
            together.wait()
        with cs.annotate(rationale=f"reason of {name}"):
            if name == "alice_thread":
                together.wait()
            together.wait()
            if name == "bob_thread":
                first_left.wait(10)
            tools[name]()
        first_left.set()

    threads = [threading.Thread(target=in_thread, args=(name,)) for name in names[:2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def in_task(name: str, wait: float) -> None:
        with cs.annotate(rationale=f"reason of {name}"):
            await asyncio.sleep(wait)
            tools[name]()

    async def overlap() -> None:
        await asyncio.gather(in_task("alice_task", 0.02), in_task("bob_task", 0.05))

    asyncio.run(overlap())
    tools["later"]()

    noted = payloads(home, "annotations")
    assert {name: noted[name]["rationale"] for name in names[:4]} == {name: f"reason of {name}" for name in names[:4]}
    assert "later" not in noted


BAD_POLICIES = {
    "unknown key": b"version: 1\nname: x\nrulez: []\n",
    "unclosed bracket": b"version: 1\nname: x\nscope: [search_docs\n",
    "not utf-8": b"version: 1\nname: \xff\n",
    "no file": None,
}


@pytest.fixture(params=BAD_POLICIES)
def bad_policy(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    content = BAD_POLICIES[request.param]
    if content is not None:
        path.write_bytes(content)
    return path


PROGRAM = """
import sys
from pathlib import Path
import counterseal as cs
try:
    cs.configure(policy=Path(sys.argv[1]), home=Path(sys.argv[2]))
except cs.ConfigurationError as error:
    print("refused:", error)
try:
    cs.guard_tool("wipe", lambda target: print("it ran"))("ALL")
except cs.CountersealError as error:
    print("held:", type(error).__name__)
"""


def test_s22_a_policy_that_cannot_be_used_stops_the_program_and_no_tool_runs(bad_policy: Path, home: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSEAL_")}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(bad_policy), str(home)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=bare,
    )
    said = run.stdout.splitlines()
    assert run.returncode == 0, run.stderr
    assert [line.partition(":")[0] for line in said] == ["refused", "held"]
    assert "policy.yaml" in said[0]


def test_s22_a_typo_is_named_with_what_was_meant(home: Path) -> None:
    with pytest.raises(cs.ConfigurationError, match=r"rulez.*\brules\b"):
        cs.configure(policy="version: 1\nname: x\nrulez: []\n", home=home)


def test_s22_the_policy_in_force_stays_when_its_successor_cannot_be_used(bad_policy: Path, home: Path) -> None:
    cs.configure(policy=policy(deny("pay", "args.amount > 100.0")), home=home)
    pay = cs.guard_tool("pay", lambda amount: amount)
    with pytest.raises(cs.ConfigurationError):
        cs.configure(policy=bad_policy, home=home)
    assert pay(50.0) == 50.0
    with pytest.raises(cs.PolicyDenied):
        pay(9999.0)
