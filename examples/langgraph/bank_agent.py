"""A bank's assistant: AgentDojo's banking tools as LangChain tools, and a LangGraph agent that uses them.

Nothing here knows of Counterseal: `configure()` guards every LangChain tool of the process.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Iterator, Sequence
from typing import Any

from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import BaseTool, StructuredTool

from benchmark_suites import Call, Environment, Suite


class ScriptedModel(BaseChatModel):
    """Stands for a chat model that obeys whatever it reads: it makes the calls of its script, one a turn, then reports."""

    script: list[Call]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> ScriptedModel:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        turn = sum(isinstance(message, AIMessage) for message in messages)
        if turn < len(self.script):
            call = self.script[turn]
            said = AIMessage("", tool_calls=[ToolCall(name=call.tool, args=dict(call.args), id=f"call-{turn + 1}")])
        else:
            said = AIMessage(" ".join(_reported(messages)))
        return ChatResult(generations=[ChatGeneration(message=said)])


def messages_of(suite: Suite, environment: Environment, prompt: str, script: list[Call]) -> Iterator[BaseMessage]:
    """Runs the agent and gives each message as it comes."""
    agent = create_agent(ScriptedModel(script=script), [_tool(one, environment) for one in suite.source.tools])
    seen = 0
    for state in agent.stream({"messages": [HumanMessage(prompt)]}, stream_mode="values"):
        yield from state["messages"][seen:]
        seen = len(state["messages"])


def calls_that_ran(messages: Sequence[BaseMessage]) -> list[Call]:
    return [call for call, answer in _answered(messages) if answer.status != "error"]


def written(call: Call) -> str:
    return f"{call.tool}({', '.join(f'{name}={json.dumps(value)}' for name, value in call.args.items())})"


def _answered(messages: Sequence[BaseMessage]) -> Iterator[tuple[Call, ToolMessage]]:
    asked = {one["id"]: one for message in messages if isinstance(message, AIMessage) for one in message.tool_calls}
    for message in messages:
        if isinstance(message, ToolMessage):
            call = asked[message.tool_call_id]
            yield Call(call["name"], call["args"]), message


def _reported(messages: Sequence[BaseMessage]) -> Iterator[str]:
    for call, answer in _answered(messages):
        if "recipient" in call.args:
            payment = f"{call.args['amount']} to {call.args['recipient']}"
            yield f"I was not allowed to send {payment}." if answer.status == "error" else f"I sent {payment}."


def _tool(source: Any, environment: Environment) -> BaseTool:
    """One of AgentDojo's tool functions, working on this account. The model sees its arguments, but not the account."""
    account = {name: each.extract_dep_from_env(environment) for name, each in source.dependencies.items()}

    @functools.wraps(source.run)
    def body(**arguments: Any) -> str:
        # as AgentDojo shows results to its models
        return str(tool_result_to_str(source.run(**account, **arguments)))

    signature = inspect.signature(source.run)
    shown = [parameter for name, parameter in signature.parameters.items() if name not in account]
    body.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    return StructuredTool.from_function(
        body, name=source.name, description=source.description, args_schema=source.parameters
    )
