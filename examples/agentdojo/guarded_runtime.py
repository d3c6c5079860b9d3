"""Puts a Counterseal decision in front of every tool function of a suite, and nothing else.

AgentDojo parses a call's arguments before it calls the tool's body. The guard sits at the body, so it decides on what
the body gets: parsed, coerced, defaults filled in. What AgentDojo itself passes to the body (parameters annotated with
`Depends`: the bank account, the inbox) is injected: no argument of the call, and not visible to rules.
"""

from __future__ import annotations

import itertools
from typing import Any

import counterseal as cs
from agentdojo.functions_runtime import FunctionsRuntime, make_function

from benchmark_suites import Call, Environment, Suite


class ToolRuntime:
    """Runs calls the way AgentDojo's own runtime does."""

    def __init__(self, functions: list[Any]) -> None:
        self._runtime = FunctionsRuntime(functions)

    def run(self, environment: Environment, call: Call) -> None:
        self._runtime.run_function(environment, call.tool, call.args, raise_on_error=True)


class LoneCalls(ToolRuntime):
    """The same tools, each call in a session of its own: nothing is known of the calls before, or of the user's words."""

    def __init__(self, tools: ToolRuntime) -> None:
        self._tools = tools
        self._numbers = itertools.count()

    def run(self, environment: Environment, call: Call) -> None:
        with cs.session(f"alone-{next(self._numbers)}"):
            self._tools.run(environment, call)


def guarded_runtime(suite: Suite) -> ToolRuntime:
    # AgentDojo reads name, signature, annotations and docstring again: the guarded function's equal the bare one's.
    return ToolRuntime(
        [
            make_function(cs.guard_tool(tool.name, tool.run, inject=list(tool.dependencies)))
            for tool in suite.source.tools
        ]
    )


def bare_runtime(suite: Suite) -> ToolRuntime:
    return ToolRuntime(list(suite.source.tools))
