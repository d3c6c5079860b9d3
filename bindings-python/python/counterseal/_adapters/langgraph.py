"""LangGraph: interrupts leave a body and come back to it, and people are asked by them where that is wanted."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from .. import _native
from .._interrupting import Way, ways
from ._turns import Held, Stopped, Turn, Waiting, attempted, attempted_async, current, made

if TYPE_CHECKING:
    from types import ModuleType

_USED = ("_parse_input", "_run_one", "_arun_one", "_combine_tool_outputs")
"""What is used of `ToolNode`; without one of them each of its calls runs by a yes of its own, and may be asked about again."""

_types: ModuleType


def let_interrupts_pass(module: ModuleType) -> None:
    """An interrupt leaves a body and comes back to it: the call is neither over nor failed."""
    _native.leaves_a_body(module.GraphBubbleUp)


def ask_by_interrupt(module: ModuleType) -> None:
    """Where people are asked natively, the graph stops with an interrupt, and its resumption brings the answer."""
    global _types
    _types = module
    if _interrupt not in ways:
        ways.append(_interrupt)


def go_through_whole_turns(module: ModuleType) -> None:
    """A `ToolNode` makes all calls of a turn as one task. It goes through all of them before it stops for a question, and makes none
    that people are asked about before all of those are answered."""
    node: Any = getattr(module, "ToolNode", None)
    if not all(hasattr(node, name) for name in _USED) or getattr(node._run_one, "__counterseal__", False):
        return
    parse, run_one, arun_one, combine = (getattr(node, name) for name in _USED)

    @functools.wraps(parse)
    def _parse_input(self: Any, *args: Any, **kwargs: Any) -> Any:
        parsed = parse(self, *args, **kwargs)
        ids = [call.get("id") for call in parsed[0]]
        # one that cannot be stopped is gone through once, and each of its calls waits for its own answer
        is_turn = len(ids) > 1 and all(isinstance(id, str) for id in ids) and _interrupt() is not None
        current.set(Turn(ids) if is_turn else None)
        return parsed

    @functools.wraps(run_one)
    def _run_one(self: Any, *args: Any, **kwargs: Any) -> Any:
        turn, outcome = current.get(), attempted(run_one, self, *args, **kwargs)
        if turn is not None:
            outcome, due = turn.through(outcome, args, kwargs)
            for one in due:
                one.outcome = attempted(run_one, self, *one.args, **one.kwargs)
        return made(outcome)

    @functools.wraps(arun_one)
    async def _arun_one(self: Any, *args: Any, **kwargs: Any) -> Any:
        turn, outcome = current.get(), await attempted_async(arun_one, self, *args, **kwargs)
        if turn is not None:
            outcome, due = turn.through(outcome, args, kwargs)
            for one in due:
                one.outcome = await attempted_async(arun_one, self, *one.args, **one.kwargs)
        return made(outcome)

    @functools.wraps(combine)
    def _combine_tool_outputs(self: Any, outputs: list[Any], *args: Any, **kwargs: Any) -> Any:
        outputs = [made(one.outcome) if isinstance(one, Held) else one for one in outputs]
        stopped = [one.by for one in outputs if isinstance(one, Stopped)]
        for error in stopped:
            if not isinstance(error, Waiting):
                raise error
        while stopped:
            # what it waits for was not asked about this time: the graph stops all the same, and goes through the turn again
            _stop(stopped[0].args[0])
        return combine(self, outputs, *args, **kwargs)

    _run_one.__counterseal__ = True  # type: ignore[attr-defined]
    for name, wrapped in zip(_USED, (_parse_input, _run_one, _arun_one, _combine_tool_outputs), strict=True):
        setattr(node, name, wrapped)


def _interrupt() -> Way | None:
    """LangGraph's `interrupt`, in a run of a graph that can be resumed. Both keys are in the config of each of its tasks."""
    from langgraph.config import get_config

    try:
        config = get_config()
    except RuntimeError:  # no run of anything
        return None
    inside = config.get("configurable") or {}
    if inside.get("__pregel_scratchpad") is None or not inside.get("__pregel_checkpointer"):
        return None
    # a task is gone through again from its start; its place in the graph is a name of its own
    step = f"{inside.get('thread_id')}|{inside.get('checkpoint_ns')}"
    return Way(step, _stop, _wait, list(getattr(inside["__pregel_scratchpad"], "resume", None) or ()))


def _stop(payload: dict[str, Any]) -> object:
    """LangGraph's `interrupt`, which leaves by an exception that is told from those of the program's own."""
    try:
        return _types.interrupt(payload)
    except Exception as error:
        error.__counterseal__ = True  # type: ignore[attr-defined]
        raise


def _wait(payload: dict[str, Any]) -> object:
    raise Waiting(payload)
