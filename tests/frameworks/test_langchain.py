"""LangChain in its own ways: kinds of tools, who calls them, what is injected, when it is imported."""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import subprocess
import sys
import textwrap
import weakref
from pathlib import Path
from typing import Annotated, Any

import counterseal as cs
import counterseal.testing
import pytest
from langchain_classic.agents import AgentExecutor, create_tool_calling_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId, StructuredTool, Tool, tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode, ToolRuntime
from pydantic import BaseModel, Field

MADE_BEFORE: list[str] = []


@tool
def made_before(text: str) -> str:
    """A tool of a module that is imported before anything is configured."""
    MADE_BEFORE.append(text)
    return text.upper()


def deny(name: str, when: str | None = None) -> dict[str, Any]:
    rule = {"id": "no", "tools": [name], "decision": "deny", "reason": "the test says no"}
    return {"version": 1, "name": "test", "rules": [rule if when is None else {**rule, "when": when}]}


ALLOW = deny("nothing")


def called(name: str, id: str = "c1", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_call", "name": name, "id": id, "args": arguments}


def both_ways(one: BaseTool, given: Any, **more: Any) -> list[Any]:
    return [one.invoke(given, **more), asyncio.run(one.ainvoke(given, **more))]


def recorded(engine: Any) -> list[tuple[Any, str | None]]:
    return [(one.arguments, one.outcome) for one in engine.decisions]


# the kinds of tools


class Word(BaseModel):
    text: str = Field(alias="word")
    times: int = 2


class Own(BaseTool):
    name: str = "own"
    description: str = "its own body"
    args_schema: Any = Word

    def _run(self, text: str, times: int, ending: str = "!", run_manager: Any = None) -> str:
        assert run_manager is not None
        return text * times + ending


class OwnBothWays(Own):
    async def _arun(self, text: str, times: int, ending: str = "?", run_manager: Any = None) -> str:
        assert run_manager is not None
        return text * times + ending


def test_a_class_with_its_own_body_is_decided_on_what_that_gets() -> None:
    with cs.testing.engine(ALLOW) as engine:
        assert both_ways(Own(), {"word": "a", "times": "3"}) == ["aaa!", "aaa!"]
        assert both_ways(OwnBothWays(), {"word": "a"}) == ["aa!", "aa?"]
        assert recorded(engine) == [
            ({"text": "a", "times": 3, "ending": "!"}, "success"),
            ({"text": "a", "times": 3, "ending": "!"}, "success"),
            ({"text": "a", "times": 2, "ending": "!"}, "success"),
            ({"text": "a", "times": 2, "ending": "?"}, "success"),
        ]


def test_the_single_input_of_a_simple_tool_has_its_parameters_name() -> None:
    simple = Tool("simple", lambda query: query[::-1], description="reverses")
    with cs.testing.engine(deny("simple", 'string(args.query) == "no"')) as engine:
        assert both_ways(simple, "abc") == ["cba", "cba"]
        assert both_ways(simple, {"anything": "abc"}) == ["cba", "cba"]
        assert [type(one) for one in both_ways(simple, "no")] == [str, str]
        assert [one.effect for one in engine.decisions] == ["run"] * 4 + ["refused"] * 2
        assert {json.dumps(one.arguments) for one in engine.decisions} == {'{"query": "abc"}', '{"query": "no"}'}


def test_a_tool_with_two_bodies_is_decided_on_the_one_that_runs() -> None:
    def sync_body(x: int, unit: str = "m") -> str:
        return f"{x}{unit}"

    async def async_body(x: int, unit: str = "km") -> str:
        return f"{x}{unit}"

    class Schema(BaseModel):
        x: int

    both = StructuredTool.from_function(sync_body, async_body, name="both", description="d", args_schema=Schema)
    with cs.testing.engine(ALLOW) as engine:
        assert both_ways(both, {"x": "1"}) == ["1m", "1km"]
        assert recorded(engine) == [({"x": 1, "unit": "m"}, "success"), ({"x": 1, "unit": "km"}, "success")]


def test_a_tool_without_a_body_for_this_way_says_so_itself() -> None:
    async def only_async(x: int) -> int:
        return x

    lonely = StructuredTool.from_function(coroutine=only_async, description="d")
    with cs.testing.engine(ALLOW) as engine:
        with pytest.raises(NotImplementedError):
            lonely.invoke({"x": 1})
        assert recorded(engine) == []


def test_a_schema_that_is_json_leaves_the_arguments_as_they_are() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    loose = StructuredTool.from_function(
        lambda **given: sorted(given), name="loose", description="d", args_schema=schema
    )
    with cs.testing.engine(ALLOW) as engine:
        assert loose.invoke({"x": "1", "more": 2}) == ["more", "x"]
        assert recorded(engine) == [({"x": "1", "more": 2}, "success")]


def test_an_input_that_is_not_valid_reaches_neither_decision_nor_body() -> None:
    with cs.testing.engine(ALLOW) as engine:
        with pytest.raises(ValueError, match="text"):
            made_before.invoke({"text": ["no text"]})
        assert recorded(engine) == []


def test_a_tool_that_is_changed_is_read_anew() -> None:
    changing = StructuredTool.from_function(lambda x: x, name="first", description="d")
    with cs.testing.engine(ALLOW) as engine:
        changing.invoke({"x": 1})
        changing.name = "second"
        changing.invoke({"x": 1})
        changing.func = lambda x, more=5: x
        changing.invoke({"x": 1})
        assert [(one.tool, one.arguments) for one in engine.decisions] == [
            ("first", {"x": 1}),
            ("second", {"x": 1}),
            ("second", {"x": 1, "more": 5}),
        ]


def test_a_body_that_was_put_on_one_tool_alone_is_that_tools_body() -> None:
    class Plain(BaseTool):
        name: str = "plain"
        description: str = "d"

        def _run(self, x: int) -> int:
            return x

    patched = Plain()
    patched._run = lambda x: x + 1  # type: ignore[method-assign]
    with cs.testing.engine(ALLOW) as engine:
        assert patched.invoke({"x": 1}) == 2
        assert Plain().invoke({"x": 1}) == 1
        assert recorded(engine) == [({"x": 1}, "success"), ({"x": 1}, "success")]


# what LangChain and LangGraph inject


def test_what_is_injected_is_no_argument() -> None:
    got: list[Any] = []

    def look(
        query: str,
        call: Annotated[str, InjectedToolCallId],
        state: Annotated[dict[str, Any], InjectedState],
        runtime: ToolRuntime,
        config: RunnableConfig,
        limit: int = 10,
    ) -> str:
        got.append((call, sorted(state), type(runtime).__name__, config["configurable"]["thread_id"]))
        return query

    looking = StructuredTool.from_function(look, name="look", description="d")
    calls = [{"name": "look", "args": {"query": "q"}, "id": "c7"}]
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([looking]))
    graph.add_edge(START, "tools")
    graph.add_edge("tools", END)
    compiled = graph.compile()
    given: Any = {"messages": [AIMessage("", tool_calls=calls)]}
    with cs.testing.engine(ALLOW) as engine:
        for state in (
            compiled.invoke(given, {"configurable": {"thread_id": "t-1"}}),
            asyncio.run(compiled.ainvoke(given, {"configurable": {"thread_id": "t-1"}})),
        ):
            assert state["messages"][-1].content == "q"
        assert got == [("c7", ["messages"], "ToolRuntime", "t-1")] * 2
        assert recorded(engine) == [({"query": "q", "limit": 10}, "success")] * 2
        assert [one.decided["call_id"] for one in engine.decisions] == ["t-1:c7"] * 2


def test_what_the_program_injects_is_no_argument() -> None:
    def look(query: str, secret: Annotated[str, InjectedToolArg]) -> str:
        return query + secret

    class Looking(BaseTool):
        name: str = "looking"
        description: str = "d"

        def _run(self, query: str, secret: Annotated[str, InjectedToolArg]) -> str:
            return query + secret

    for one in (StructuredTool.from_function(look, name="look", description="d"), Looking()):
        with cs.testing.engine(ALLOW) as engine:
            assert both_ways(one, {"query": "q", "secret": "s"}) == ["qs"] * 2
            assert recorded(engine) == [({"query": "q"}, "success")] * 2


def test_callbacks_and_a_config_of_another_name_are_no_arguments() -> None:
    def body(x: int, settings: RunnableConfig, callbacks: Any = None) -> str:
        return f"{x} {callbacks is not None} {settings['tags']}"

    one = StructuredTool.from_function(body, name="one", description="d")
    with cs.testing.engine(ALLOW) as engine:
        assert both_ways(one, {"x": 1}, config={"tags": ["tag"]}) == ["1 True ['tag']"] * 2
        assert recorded(engine) == [({"x": 1}, "success")] * 2


def test_a_model_cannot_hide_an_argument_behind_a_name_that_langchain_uses() -> None:
    class Open(BaseTool):
        name: str = "open"
        description: str = "d"

        def _run(self, **given: Any) -> list[str]:
            return sorted(given)

    schema = {"type": "object", "properties": {}}
    loose = StructuredTool.from_function(
        lambda **given: sorted(given), name="loose", description="d", args_schema=schema
    )
    given = {"callbacks": "a", "run_manager": "b", "config": "c", "x": 1}
    for one, seen in ((Open(), given), (loose, {"callbacks": "a", "x": 1})):
        with cs.testing.engine(ALLOW) as engine:
            assert one.invoke(dict(given)) == sorted(seen)
            assert recorded(engine) == [(seen, "success")]


def test_what_a_partial_holds_is_an_argument() -> None:
    def pay(account: str, amount: float, currency: str) -> str:
        return f"{account} {amount} {currency}"

    class Amount(BaseModel):
        amount: float

    partial = functools.partial(pay, "acc-1", currency="EUR")
    held = StructuredTool.from_function(partial, name="pay", description="d", args_schema=Amount)
    with cs.testing.engine(ALLOW) as engine:
        assert held.invoke({"amount": "2"}) == "acc-1 2.0 EUR"
        assert recorded(engine) == [({"account": "acc-1", "amount": 2, "currency": "EUR"}, "success")]


def test_what_wraps_a_guarded_function_is_decided_on_by_itself() -> None:
    guarded = cs.guard_tool("inner", lambda x: x)

    @functools.wraps(guarded)
    def past(x: int) -> str:
        return "ran without asking"

    with counterseal.testing.engine(deny("outer")) as engine:
        outer = StructuredTool.from_function(past, name="outer", description="d")
        assert all("was not run" in text for text in both_ways(outer, {"x": 1}))
        assert [one.effect for one in engine.decisions] == ["refused"] * 2


def test_tools_that_are_let_go_leave_nothing_behind() -> None:
    from counterseal._adapters import langchain as adapter

    def once() -> weakref.ref[Any]:
        class Passing(BaseTool):
            name: str = "passing"
            description: str = "d"

            def _run(self, x: int) -> int:
                return x if super() else 0

        Passing().invoke({"x": 1})
        return weakref.ref(Passing)

    with cs.testing.engine(ALLOW):
        gc.collect()
        plans, classes = len(adapter._plans), len(adapter._stand_in_classes)
        gone = once()
        gc.collect()
        assert gone() is None
        assert (len(adapter._plans), len(adapter._stand_in_classes)) == (plans, classes)


# the forms of a refusal


def test_a_refusal_is_a_message_where_the_call_has_an_id_and_else_a_text() -> None:
    with cs.testing.engine(deny("made_before")) as engine:
        for message in both_ways(made_before, called("made_before", text="a")):
            assert isinstance(message, ToolMessage)
            assert (message.status, message.tool_call_id, message.name) == ("error", "c1", "made_before")
            assert message.content == "`made_before` was not run: the test says no"
        assert both_ways(made_before, {"text": "a"}) == ["`made_before` was not run: the test says no"] * 2
        assert {one.outcome for one in engine.decisions} == {None}
    assert MADE_BEFORE == []


def test_tracers_see_a_refusal_as_a_failed_tool() -> None:
    from langchain_core.callbacks import BaseCallbackHandler

    events: list[str] = []

    class Handler(BaseCallbackHandler):
        def on_tool_start(self, *args: Any, **kwargs: Any) -> None:
            events.append("start")

        def on_tool_end(self, *args: Any, **kwargs: Any) -> None:
            events.append("end")

        def on_tool_error(self, error: BaseException, **kwargs: Any) -> None:
            events.append(type(error).__name__)

    with cs.testing.engine(deny("made_before")):
        made_before.invoke({"text": "a"}, {"callbacks": [Handler()]})
    assert events == ["start", "PolicyDenied"]


def test_an_artifact_stays_an_artifact() -> None:
    @tool(response_format="content_and_artifact")
    def draw(size: int) -> tuple[str, list[int]]:
        """Draws."""
        return "drawn", [size]

    with cs.testing.engine(deny("draw", "int(args.size) > 5")) as engine:
        message = draw.invoke(called("draw", size=1))
        assert (message.content, message.artifact, message.status) == ("drawn", [1], "success")
        assert draw.invoke(called("draw", size=6)).status == "error"
        assert [one.outcome for one in engine.decisions] == ["success", None]


# who calls


class Scripted(GenericFakeChatModel):
    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self


def executor(*tools: BaseTool) -> AgentExecutor:
    prompt = ChatPromptTemplate.from_messages([("human", "{input}"), ("placeholder", "{agent_scratchpad}")])
    script = [
        AIMessage("", tool_calls=[{"name": "shout", "args": {"text": text}, "id": text}]) for text in ("a", "secret")
    ]
    agent = create_tool_calling_agent(Scripted(messages=iter([*script, AIMessage("over")])), list(tools), prompt)
    return AgentExecutor(agent=agent, tools=list(tools), return_intermediate_steps=True, stream_runnable=False)


def shout(text: str) -> str:
    """Shouts."""
    return text.upper()


async def shout_async(text: str) -> str:
    """Shouts."""
    return text.upper()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_agent_executor_goes_on_after_a_refusal(asynchronous: bool) -> None:
    guarded = StructuredTool.from_function(shout, shout_async, name="shout")
    with cs.testing.engine(deny("shout", 'string(args.text) == "secret"')) as engine:
        agent = executor(guarded)
        ended = asyncio.run(agent.ainvoke({"input": "go"})) if asynchronous else agent.invoke({"input": "go"})
        observed = [observation for _, observation in ended["intermediate_steps"]]
        assert observed == ["A", "`shout` was not run: the test says no"]
        assert ended["output"] == "over"
        assert [one.effect for one in engine.decisions] == ["run", "refused"]


def test_a_runnable_and_an_agent_made_into_a_tool_are_tools() -> None:
    chain = RunnableLambda(lambda given: made_before.invoke({"text": given["text"]}))
    as_tool = chain.as_tool(name="chain", description="d", arg_types={"text": str})
    with cs.testing.engine(ALLOW) as engine:
        assert as_tool.invoke({"text": "a"}) == "A"
        assert [(one.tool, one.outcome) for one in engine.decisions] == [
            ("chain", "success"),
            ("made_before", "success"),
        ]


def test_cancelled_calls_are_interrupted() -> None:
    async def slow(x: int) -> int:
        await asyncio.Event().wait()
        return x

    async def cancelled() -> None:
        task = asyncio.create_task(StructuredTool.from_function(coroutine=slow, description="d").ainvoke({"x": 1}))
        while not cs.coverage().tools.count("slow"):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with cs.testing.engine(ALLOW) as engine:
        asyncio.run(cancelled())
        assert recorded(engine) in ([({"x": 1}, "interrupted")], [])


# when the framework is imported

PROGRAM = """
import sys
{first}
{second}
{third}
import counterseal.testing
print(json.dumps([guarded.invoke({{"text": "secret"}}), guarded.invoke({{"text": "a"}})]))
print(json.dumps(cs.coverage().to_dict()))
"""
CONFIGURE = """
import json, os, counterseal as cs
cs.configure(policy={"version": 1, "name": "p", "rules": [{"id": "no", "tools": ["shout"],
    "when": 'string(args.text) == "secret"', "decision": "deny", "reason": "no"}]}, home=os.environ["TEST_HOME"])
"""
IMPORT = "import langchain_core.tools.base"
MAKE = """
from langchain_core.tools import tool
@tool
def guarded_(text: str) -> str:
    "Shouts."
    return text.upper()
guarded = guarded_
guarded.name = "shout"
"""


def child(program: str, home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env={"TEST_HOME": str(home)}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "order",
    [(CONFIGURE, IMPORT, MAKE), (IMPORT, CONFIGURE, MAKE), (IMPORT, MAKE, CONFIGURE)],
    ids=["first", "between", "last"],
)
def test_the_order_of_importing_making_and_configuring_does_not_matter(order: tuple[str, ...], tmp_path: Path) -> None:
    first, second, third = order
    printed = child(PROGRAM.format(first=first, second=second, third=third), tmp_path / "home").splitlines()
    assert json.loads(printed[0]) == ["`shout` was not run: no", "A"]
    coverage = json.loads(printed[1])
    assert coverage["tools"] == ["shout"]
    assert [(one["name"], one["guarded"]) for one in coverage["frameworks"]] == [("langchain", True)]


def test_nothing_is_imported_that_the_program_has_not_imported(tmp_path: Path) -> None:
    program = (
        textwrap.dedent("""
        import sys
    """)
        + CONFIGURE
        + textwrap.dedent("""
        cs.check("anything", {})
        cs.coverage()
        print([name for name in sys.modules if name.startswith(("lang", "pydantic"))])
        import langchain_core.tools.base as base
        print(base.__loader__ is base.__spec__.loader, type(base.__loader__).__name__)
    """)
    )
    assert child(program, tmp_path / "home").splitlines() == ["[]", "True SourceFileLoader"]


def test_a_module_that_is_loaded_anew_is_guarded_anew(tmp_path: Path) -> None:
    program = CONFIGURE + textwrap.dedent("""
        import importlib, langchain_core.tools.base as base
        before = base.BaseTool
        importlib.reload(base)
        assert base.BaseTool is not before
        print(base.BaseTool.run.__module__, hasattr(base.BaseTool.run, "__wrapped__"))
    """)
    assert child(program, tmp_path / "home").split() == ["langchain_core.tools.base", "True"]


def test_a_version_that_cannot_be_guarded_is_an_error_and_not_a_gap(tmp_path: Path) -> None:
    package = tmp_path / "langchain_core" / "tools"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "base.py").write_text("class BaseTool:\n    def run(self): ...\n")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        + CONFIGURE
        + textwrap.dedent("""
        try:
            import langchain_core.tools.base
        except cs.ConfigurationError as error:
            print(error)
    """)
    )
    printed = child(program, tmp_path / "home")
    assert "cannot be guarded, since it lacks `arun`, `_run`" in printed


# what is covered


def test_coverage_names_what_gets_past() -> None:
    class Bypass(BaseTool):
        name: str = "bypass"
        description: str = "d"

        def run(self, *args: Any, **kwargs: Any) -> Any:
            return "past"

        def _run(self) -> None: ...

    with cs.testing.engine(ALLOW):
        assert Bypass().invoke({}) == "past"
        (langchain,) = [one for one in cs.coverage().frameworks if one.name == "langchain"]
    assert langchain.guarded
    assert any("Bypass`: its own `run`" in one for one in langchain.not_guarded)


def test_without_an_engine_of_a_test_tools_run_bare_again(tmp_path: Path) -> None:
    program = (
        "import json, counterseal as cs, counterseal.testing"
        + MAKE
        + textwrap.dedent("""
        def standing():
            (langchain,) = [one for one in cs.coverage().frameworks if one.name == "langchain"]
            return langchain.guarded, guarded.invoke({"text": "a"})
        rule = {"id": "no", "tools": ["shout"], "decision": "deny"}
        found = [standing()]
        with cs.testing.engine({"version": 1, "rules": [rule]}):
            found.append(standing())
        print(json.dumps([*found, standing()]))
    """)
    )
    before, within, after = json.loads(child(program, tmp_path / "home"))
    assert (before, after) == ([False, "A"], [False, "A"])
    assert within[0]
    assert "was not run" in within[1]


def test_a_closed_engine_runs_no_tool(tmp_path: Path) -> None:
    program = (
        CONFIGURE
        + MAKE
        + textwrap.dedent("""
        cs.close()
        print(guarded.invoke({"text": "a"}))
    """)
    )
    assert "was not run" in child(program, tmp_path / "home")
