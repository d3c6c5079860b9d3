"""LangChain and LangGraph: every tool runs through `BaseTool.run` or `BaseTool.arun`, whoever calls it.

Both parse and coerce the input and then call the tool's `_run` or `_arun`. They are left to do so, with a stand-in for the
tool whose `_run` and `_arun` ask for a decision first: it sees exactly the arguments that the body gets. A refusal comes back
as LangChain's own form of a failed tool call.
"""

from __future__ import annotations

import functools
import inspect
import sys
import typing
import weakref
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import _native
from .._errors import ConfigurationError, PolicyDenied
from .._replay import Replayed
from . import armed
from ._call import admitted, admitted_async, tool_behind, words_for_model
from ._turns import current

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

HOW = "`BaseTool.run` and `BaseTool.arun`: every tool, whoever calls it"
NOT_GUARDED = (
    "`tool.func(...)`, `tool.coroutine(...)`, `tool._run(...)`, `tool._arun(...)`: the body called past the tool",
    "tools that the model's provider runs, given to `bind_tools` as a dict",
)
_USED = ("run", "arun", "_run", "_arun", "_filter_injected_args")
"""What is used of `BaseTool`; without one of them its tools cannot be guarded."""
_ENTRIES = ("run", "arun", "invoke", "ainvoke")

_base: ModuleType


def guard_tools(module: ModuleType) -> None:
    """Puts a decision in front of the body of every tool, whether it was made before or is made later."""
    global _base
    base: Any = getattr(module, "BaseTool", None)
    missing = [name for name in _USED if not hasattr(base, name)]
    missing += [
        name for name in ("ToolMessage", "get_fields", "_get_runnable_config_param") if not hasattr(module, name)
    ]
    if missing:
        listed = ", ".join(f"`{name}`" for name in missing)
        raise ConfigurationError(
            f"the tools of this version of langchain-core cannot be guarded, since it lacks {listed}; "
            "use a version that docs/langchain.md names",
            code="config_invalid",
            kind="config",
        )
    if getattr(base.run, "__counterseal__", False):
        return
    _base = module
    base.run = _guarded_run(base.run)
    base.arun = _guarded_arun(base.arun)


def not_guarded() -> list[str]:
    """Ways to a tool's body that no decision stands before, as far as they are known."""
    found, waiting = [], [_base.BaseTool]
    while waiting:
        for one in waiting.pop().__subclasses__():
            waiting.append(one)
            # Those of LangChain itself bring an `ainvoke` that ends in `run`.
            own = (
                [] if one.__module__.startswith("langchain_core.") else [name for name in _ENTRIES if name in vars(one)]
            )
            if own:
                listed = ", ".join(f"`{name}`" for name in own)
                found.append(
                    f"`{one.__module__}.{one.__qualname__}`: its own {listed}, where that does not call the inherited one"
                )
    return [*NOT_GUARDED, *sorted(set(found))]


def _guarded_run(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def run(self: Any, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        if not armed():
            return original(self, tool_input, *args, **kwargs)
        call = _stand_in(self, kwargs)
        try:
            return original(call, tool_input, *args, **kwargs)
        except PolicyDenied as denied:
            return _refusal(denied, self, kwargs)

    run.__counterseal__ = True  # type: ignore[attr-defined]
    return run


def _guarded_arun(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def arun(self: Any, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        if not armed():
            return await original(self, tool_input, *args, **kwargs)
        call = _stand_in(self, kwargs)
        try:
            return await original(call, tool_input, *args, **kwargs)
        except PolicyDenied as denied:
            return _refusal(denied, self, kwargs)

    return arun


def _refusal(denied: PolicyDenied, tool: Any, kwargs: dict[str, Any]) -> Any:
    """As LangChain itself formats a tool's handled error."""
    text = words_for_model(denied)
    tool_call_id = kwargs.get("tool_call_id")
    if tool_call_id is None:
        return text
    return _base.ToolMessage(text, tool_call_id=tool_call_id, name=tool.name, status="error")


class _StandIn:
    """One call of a tool: the tool in everything but its body. A class of its own for each class of tools."""

    __slots__ = ("counterseal_call_id", "counterseal_tool", "counterseal_turn")

    counterseal_call_id: str | None
    counterseal_turn: list[str] | None
    counterseal_tool: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.counterseal_tool, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return self.counterseal_tool.__class__


def _stand_in(tool: Any, kwargs: dict[str, Any]) -> Any:
    own = tool.__dict__
    kind = type(tool)
    if "_run" in own or "_arun" in own:
        # A body that was put on this one tool: what LangChain reads of its signature is not the class's.
        made = _stand_in_class(tool._run, tool._arun, bound=True)()
    else:
        made_class = _stand_in_classes.get(kind)
        if made_class is None:
            made_class = _stand_in_classes[kind] = _stand_in_class(kind._run, kind._arun, bound=False)
        made = made_class()
    made.counterseal_tool = tool
    config, turn = kwargs.get("config"), current.get()
    made.counterseal_call_id = _call_id(kwargs.get("tool_call_id"), config)
    # a tool that a body of the turn calls is none of it
    ids = turn.ids if turn is not None and kwargs.get("tool_call_id") in turn.ids else ()
    made.counterseal_turn = [_named(one, config) for one in ids] or None
    return made


_stand_in_classes: weakref.WeakKeyDictionary[type, type[_StandIn]] = weakref.WeakKeyDictionary()


def _call_id(tool_call_id: object, config: Any) -> str | None:
    """The framework's id of the call, within its thread: ids of different conversations may be equal."""
    return _named(tool_call_id, config) if isinstance(tool_call_id, str) else None


def _named(tool_call_id: str, config: Any) -> str:
    thread = ((config or {}).get("configurable") or {}).get("thread_id")
    return tool_call_id if thread is None else f"{thread}:{tool_call_id}"


def _stand_in_class(run: Callable[..., Any], arun: Callable[..., Any], *, bound: bool) -> type[_StandIn]:
    def _run(self: Any, *args: Any, **kwargs: Any) -> Any:
        tool = self.counterseal_tool
        plan = _plan(tool, asynchronous=False)
        if plan.tool is None:
            return tool._run(*args, **kwargs)
        hidden = plan.hidden
        given = {name: value for name, value in kwargs.items() if name not in hidden}
        ticket, args, agreed = admitted(plan.tool, self.counterseal_call_id, args, given, self.counterseal_turn)
        if isinstance(ticket, Replayed):
            return _as_returned(tool, ticket.result)
        if agreed is not given:
            kwargs = {**{name: value for name, value in kwargs.items() if name in hidden}, **agreed}
        try:
            result = tool._run(*args, **kwargs)
        except BaseException as error:
            _native.failed(ticket, error)
            raise
        _native.returned(ticket, result)
        return result

    async def _arun(self: Any, *args: Any, **kwargs: Any) -> Any:
        tool = self.counterseal_tool
        plan = _plan(tool, asynchronous=True)
        if plan.tool is None:
            return await tool._arun(*args, **kwargs)
        hidden = plan.hidden
        given = {name: value for name, value in kwargs.items() if name not in hidden}
        call_id, turn = self.counterseal_call_id, self.counterseal_turn
        ticket, args, agreed = await admitted_async(plan.tool, call_id, args, given, turn)
        if isinstance(ticket, Replayed):
            return _as_returned(tool, ticket.result)
        if agreed is not given:
            kwargs = {**{name: value for name, value in kwargs.items() if name in hidden}, **agreed}
        try:
            result = await tool._arun(*args, **kwargs)
        except BaseException as error:
            _native.failed(ticket, error)
            raise
        _native.returned(ticket, result)
        return result

    members = {"__slots__": (), "_run": _looks_like(_run, run, bound), "_arun": _looks_like(_arun, arun, bound)}
    return type("_StandIn", (_StandIn,), members)


def _as_returned(tool: Any, result: Any) -> Any:
    """A recorded result as LangChain takes it: what was a pair comes out of a record as a list."""
    pair = tool.response_format == "content_and_artifact" and isinstance(result, list)
    return tuple(result) if pair else result


def _looks_like(made: Callable[..., Any], body: Callable[..., Any], bound: bool) -> Callable[..., Any]:
    """LangChain reads from the signature and the types of `_run` what it has to pass beside the arguments."""
    made = functools.wraps(body)(made)
    try:
        signature = inspect.signature(body)
        if bound:
            receiver = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
            signature = signature.replace(parameters=[receiver, *signature.parameters.values()])
        made.__signature__ = signature  # type: ignore[attr-defined]
        made.__annotations__ = typing.get_type_hints(body)
    except Exception:
        # As LangChain: what cannot be read names nothing. It then reads the body itself, behind `__wrapped__`.
        return made
    # The stand-in must not keep the class of tools alive that it is kept for.
    del made.__wrapped__
    return made


class _Plan(NamedTuple):
    """What is known of a tool's body."""

    name: str
    description: str
    body: object
    tool: _native.Tool | None
    """`None` where the body asks for its decision itself."""
    hidden: frozenset[str]
    """Parameters that LangChain or the program passes to the body and that are no arguments."""


_plans: dict[tuple[int, bool], tuple[weakref.ref[Any], _Plan]] = {}
"""By the tool's identity, since tools can be compared but not hashed, and by whether it runs asynchronously."""


def _plan(tool: Any, *, asynchronous: bool) -> _Plan:
    key = (id(tool), asynchronous)
    body, called, outer = _body(tool, asynchronous=asynchronous)
    known = _plans.get(key)
    if known is not None:
        held, plan = known
        same = held() is tool
        # A tool can be changed after it was made.
        if same and plan.body is body and plan.name == tool.name and plan.description is tool.description:
            return plan
    plan = _planned(tool, body, called, outer)
    try:
        _plans[key] = (weakref.ref(tool, lambda _: _plans.pop(key, None)), plan)
    except TypeError:
        # One that nothing can refer to weakly is planned anew for each call.
        return plan
    return plan


def _body(tool: Any, *, asynchronous: bool) -> tuple[Any, Any, Any]:
    """What runs in the end: its identity, how it is called, and the method of the tool that LangChain calls."""
    own = tool.__dict__
    kind = type(tool)
    if asynchronous:
        method = own.get("_arun", kind._arun)
        if not _hands_on(method):
            if method is not _base.BaseTool._arun:
                called = tool._arun
                return method, called, called
        elif tool.coroutine:
            return tool.coroutine, tool.coroutine, tool._arun
    method = own.get("_run", kind._run)
    if _hands_on(method):
        return tool.func, tool.func, tool._run
    called = tool._run
    return method, called, called


_CALLING = ("langchain_core.tools.structured", "langchain_core.tools.simple")


def _hands_on(method: object) -> bool:
    """Whether it is the method of `Tool` or `StructuredTool`, which calls the tool's function. What wraps one may bear all of its
    names, but was not made in its module."""
    return type(method) is FunctionType and any(
        method.__globals__ is vars(sys.modules[name]) for name in _CALLING if name in sys.modules
    )


def _planned(tool: Any, body: Any, called: Any, outer: Any) -> _Plan:
    if body is None:
        # LangChain says itself that such a tool cannot be called in this way.
        return _Plan(tool.name, tool.description, body, None, frozenset())
    parameters = set(_parameter_names(called))
    names = parameters | set(_field_names(tool.args_schema))
    hidden = names - tool._filter_injected_args(dict.fromkeys(names)).keys()
    if called is outer:
        # LangChain passes its callbacks to functions only; to any other body it is whoever calls that gives them.
        hidden -= {"callbacks"}
    # These two LangChain passes itself, over anything of that name that the model gave.
    hidden |= {_base._get_runnable_config_param(called), _base._get_runnable_config_param(outer)} - {None}
    hidden |= {"run_manager"} & set(_parameter_names(outer))
    injected = frozenset(hidden)
    made = tool_behind(called, name=tool.name, description=tool.description, injected=injected)
    return _Plan(tool.name, tool.description, body, made, injected)


def _parameter_names(called: Any) -> list[str]:
    try:
        return list(inspect.signature(called).parameters)
    except (TypeError, ValueError):
        return []


def _field_names(schema: Any) -> list[str]:
    return list(_base.get_fields(schema)) if isinstance(schema, type) else []
