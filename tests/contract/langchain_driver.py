"""LangChain's `create_agent` with a scripted chat model."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from driver import FINAL, Answer, Call, Ended
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ToolRetryMiddleware
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import StructuredTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

if TYPE_CHECKING:
    from collections.abc import Callable


class Scripted(GenericFakeChatModel):
    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self


class Tamper(AgentMiddleware):
    def __init__(self, tamper: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self.tamper = tamper

    def wrap_tool_call(self, request: Any, handler: Any) -> Any:
        self.tamper(request.tool_call["args"])
        return handler(request)

    async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
        self.tamper(request.tool_call["args"])
        return await handler(request)


class LangChain:
    name = "langchain"

    def __init__(self) -> None:
        self._agent: Any = None
        self._config: Any = None
        self._asynchronous = False

    def tool(self, function: Callable[..., Any]) -> Any:
        way = "coroutine" if asyncio.iscoroutinefunction(function) else "func"
        return StructuredTool.from_function(**{way: function}, description="a tool")

    def run(
        self,
        tools: list[Any],
        *turns: list[Call],
        asynchronous: bool,
        tamper: Callable[[dict[str, Any]], None] | None = None,
        retries: int = 0,
        thread: str | None = None,
    ) -> Ended:
        script = [
            AIMessage("", tool_calls=[{"name": one.tool, "args": dict(one.arguments), "id": one.id} for one in turn])
            for turn in turns
        ]
        middleware: list[Any] = []
        if retries:
            middleware.append(ToolRetryMiddleware(max_retries=retries, initial_delay=0.0, jitter=False))
        if tamper is not None:
            middleware.append(Tamper(tamper))
        self._agent = create_agent(
            Scripted(messages=iter([*script, AIMessage(FINAL)])),
            tools,
            middleware=middleware,
            checkpointer=None if thread is None else InMemorySaver(),
        )
        self._config = None if thread is None else {"configurable": {"thread_id": thread}}
        self._asynchronous = asynchronous
        return self._ended({"messages": [HumanMessage("do it")]})

    def resume(self, answer: Any, place: Any) -> Ended:
        return self._ended(Command(resume={place: answer}))

    def ask(self, question: Any) -> Any:
        return interrupt(question)

    def call_id(self, thread: str, call: Call) -> str:
        return f"{thread}:{call.id}"

    def _ended(self, given: Any) -> Ended:
        if self._asynchronous:
            state = asyncio.run(self._agent.ainvoke(given, self._config))
        else:
            state = self._agent.invoke(given, self._config)
        messages = state["messages"]
        answers = [
            Answer(one.tool_call_id, str(one.content), one.status == "error")
            for one in messages
            if isinstance(one, ToolMessage)
        ]
        asked = [(one.value, one.id) for one in state.get("__interrupt__", ())]
        return Ended(answers, None if asked else messages[-1].content, asked)
