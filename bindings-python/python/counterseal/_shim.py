"""The guarded function: a real function of the same kind and signature, generated once when a tool is guarded.

It calls one native function before the body and one after it, and decides nothing itself. Its source has no default values:
they are the body's own objects, set on the function afterwards.
"""

from __future__ import annotations

import ast
import types
from typing import TYPE_CHECKING, Any

from . import _native
from ._asking import passed, passed_async, passed_natively, passed_natively_async
from ._modes import taking_up, unasked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ._modes import Approvals
    from ._signature import Held, Parameter

_ITERABLE_COROUTINE = 0x100
"""`inspect.CO_ITERABLE_COROUTINE`: set by `types.coroutine`, kept for the guarded function."""

_SYNC = """
        {result} = {body}({call})
    except {base} as {error}:
        {failed}({ticket}, {error})
        raise
    {returned}({ticket}, {result})
    return {result}
"""

_COROUTINE = """
        {result} = await {body}({call})
    except {base} as {error}:
        {failed}({ticket}, {error})
        raise
    {returned}({ticket}, {result})
    return {result}
"""

_GENERATOR = """
        {result} = yield from {body}({call})
    except {base} as {error}:
        {failed}({ticket}, {error})
        raise
    {exhausted}({ticket})
    return {result}
"""

# What `yield from` does for a generator, spelled out: values, exceptions and the end go both ways.
_ASYNC_GENERATOR = """
        {iterator} = {body}({call})
        try:
            {result} = await {iterator}.__anext__()
            while True:
                try:
                    {sent} = yield {result}
                except {closing}:
                    await {iterator}.aclose()
                    raise
                except {base} as {error}:
                    {result} = await {iterator}.athrow({error})
                else:
                    {result} = await {iterator}.asend({sent})
        except {ended}:
            pass
    except {base} as {error}:
        {failed}({ticket}, {error})
        raise
    {exhausted}({ticket})
"""

_KINDS = {
    "function": ("def", _SYNC),
    "coroutine": ("async def", _COROUTINE),
    "generator": ("def", _GENERATOR),
    "async_generator": ("async def", _ASYNC_GENERATOR),
}

_WAITS = {
    (False, False): passed,
    (False, True): passed_async,
    (True, False): passed_natively,
    (True, True): passed_natively_async,
}
"""By whether a framework's own way to ask people is used, and whether it awaits."""

_PREFIX = "_cs"
_INSIDE = ("ticket", "result", "error", "iterator", "sent", "finish")
_OUTSIDE = (
    "body",
    "admit",
    "wait",
    "resume",
    "parameters",
    "pending",
    "failed",
    "returned",
    "exhausted",
    "base",
    "closing",
    "ended",
    "held",
    "taking_up",
    "unasked",
)
_HELD = ("combined", "before", "keywords")


def generated(
    body: Callable[..., Any],
    tool: _native.Tool,
    kind: str,
    parameters: Sequence[Parameter],
    handed: Sequence[str],
    held: Held,
    underneath: types.FunctionType,
    approvals: Approvals | None = None,
) -> types.FunctionType:
    """A function with `parameters` that hands the arguments named in `handed` to `tool`, then calls `body`.

    Where `body` adds to `*args` and `**kwargs` what is `held`, the tool gets them with it, as the function underneath does.
    """
    from ._signature import combined

    # Where a call may go on later, what follows the decision is a function of its own.
    later = approvals is not None and (approvals.mode == "async" or approvals.on_approval or approvals.on_denial)
    native = approvals is not None and approvals.mode == "native"
    names = _unused_names({parameter.name for parameter in parameters})
    keyword, template = _KINDS[kind]
    waits = kind in ("coroutine", "async_generator")
    whole = {one.name: _whole(one, held, names) for one in parameters}
    given = ", ".join(whole[name] for name in handed)
    lines = [f"def make({', '.join(names[name] for name in _OUTSIDE + _HELD)}):"]
    # What waits is false. People may have the call run with other arguments: those of the parameters are set anew.
    values = ", ".join(parameter.name for parameter in parameters)
    admitted = f"    {names['ticket']} = {names['admit']}({given})"
    if later:
        lines.append(f" {keyword} {names['finish']}({', '.join([names['ticket'], values])}):")
    else:
        lines += [f" {keyword} guarded({_declared(parameters)}):", admitted]
    waited = f"{names['wait']}({names['ticket']}, {names['parameters']}, {values})"
    lines.append(f"    while not {names['ticket']}:")
    if kind in ("function", "coroutine"):
        # A replay gives the recorded result. Generators are never recorded whole, so that none is replayed.
        lines.append(f"        if {names['ticket']}.__class__ is not {names['pending']}:")
        lines.append(f"            return {names['ticket']}.result")
    lines.append(f"        [{values}] = {'await ' if waits else ''}{waited}")
    lines.append(f"        {names['ticket']} = {names['resume']}({', '.join([names['ticket'], given])})")
    lines.append("    try:" + template.format(call=_passed(parameters), **names).rstrip())
    if later:
        lines += [f" {keyword} guarded({_declared(parameters)}):", admitted]
        awaited = "await " if waits else ""
        lines.append(f"    if {names['ticket']}:")
        lines.append(f"        if {names['taking_up']}(): {names['unasked']}({names['ticket']})")
        lines.append(f"        return {awaited}{names['finish']}({', '.join([names['ticket'], values])})")
        rest = ", ".join([names["ticket"], names["finish"], values])
        lines.append(f"    return {awaited}{names['held']}({rest})")
    lines.append(" return guarded")
    namespace: dict[str, Any] = {}
    # Built from identifiers of the body's own code object and fixed text alone.
    exec(_compiled("\n".join(lines), underneath), namespace)  # noqa: S102
    admit, admit_or_wait, resume = tool.hooks()
    made = namespace["make"](
        body,
        admit_or_wait if waits else admit,
        _WAITS[native, waits],
        resume,
        tuple(parameters),
        _native.Pending,
        _native.failed,
        _native.returned,
        _native.exhausted,
        BaseException,
        GeneratorExit,
        StopAsyncIteration,
        (approvals.held_async if waits else approvals.held) if approvals is not None else None,
        taking_up.get,
        unasked,
        combined,
        held.before,
        held.keywords,
    )
    return types.FunctionType(made.__code__, underneath.__globals__, "guarded", None, made.__closure__)


def dressed(made: types.FunctionType, body: types.FunctionType) -> types.FunctionType:
    """Makes the generated function look like the function it stands before."""
    changes: dict[str, Any] = {"co_name": body.__code__.co_name}
    if hasattr(made.__code__, "co_qualname"):
        changes["co_qualname"] = getattr(body.__code__, "co_qualname")  # noqa: B009
    if body.__code__.co_flags & _ITERABLE_COROUTINE:
        changes["co_flags"] = made.__code__.co_flags | _ITERABLE_COROUTINE
    made.__code__ = made.__code__.replace(**changes)
    made.__defaults__ = body.__defaults__
    made.__kwdefaults__ = None if body.__kwdefaults__ is None else dict(body.__kwdefaults__)
    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(made, name, getattr(body, name))
    annotated_as(made, body)
    made.__dict__.update(body.__dict__)
    made.__wrapped__ = body  # type: ignore[attr-defined]
    return made


def annotated_as(made: types.FunctionType, function: types.FunctionType) -> None:
    """Gives it the type hints of the function it stands before."""
    if hasattr(function, "__annotate__"):
        # Evaluated when they are asked for, not here: a name in them may not exist yet.
        made.__annotate__ = function.__annotate__  # type: ignore[attr-defined]
    else:
        made.__annotations__ = dict(function.__annotations__)
    if hasattr(function, "__type_params__"):
        made.__type_params__ = function.__type_params__  # type: ignore[attr-defined]


def is_guarded(function: object) -> bool:
    """Whether `function` itself, or what it is a method of, was made here."""
    return tool_of(function) is not None


def tool_of(function: object) -> _native.Tool | None:
    """The tool a guarded callable asks for."""
    if isinstance(function, types.MethodType):
        function = function.__func__
    if isinstance(function, _native.GuardedCallable):
        return function.tool
    if not isinstance(function, types.FunctionType):
        return None
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if name.startswith(_PREFIX) and name.endswith("_admit"):
            owner = getattr(cell.cell_contents, "__self__", None)
            return owner if isinstance(owner, _native.Tool) else None
    return None


def _compiled(source: str, underneath: types.FunctionType) -> types.CodeType:
    """The code, said to stand where the function underneath begins: that is the line a traceback shows for it."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.stmt, ast.expr, ast.excepthandler, ast.arg, ast.keyword)):
            node.lineno = node.end_lineno = underneath.__code__.co_firstlineno
            node.col_offset = node.end_col_offset = 0
    return compile(tree, underneath.__code__.co_filename, "exec", dont_inherit=True)


def _unused_names(taken: set[str]) -> dict[str, str]:
    """Names for what the generated code needs, none of which a parameter has."""
    prefix = _PREFIX
    while any(name.startswith(prefix) for name in taken):
        prefix += "_"
    return {name: f"{prefix}_{name}" for name in _INSIDE + _OUTSIDE + _HELD}


def _whole(parameter: Parameter, held: Held, names: dict[str, str]) -> str:
    """What the function underneath gets for the parameter."""
    if parameter.kind == 2 and held.before:
        return f"{names['combined']}({names['before']}, {parameter.name})"
    if parameter.kind == 4 and held.keywords:
        return f"{{**{names['keywords']}, **{parameter.name}}}"
    return parameter.name


def _declared(parameters: Sequence[Parameter]) -> str:
    """The parameters as a `def` lists them, without defaults."""
    parts: list[str] = []
    starred = False
    last_positional_only = max((place for place, one in enumerate(parameters) if one.kind == 0), default=-1)
    for place, one in enumerate(parameters):
        if one.kind == 3 and not starred:
            parts.append("*")
            starred = True
        if one.kind == 2:
            starred = True
        parts.append({2: "*", 4: "**"}.get(one.kind, "") + one.name)
        if place == last_positional_only:
            parts.append("/")
    return ", ".join(parts)


def _passed(parameters: Sequence[Parameter]) -> str:
    """The same parameters as a call passes them on."""
    forms = {0: "{0}", 1: "{0}", 2: "*{0}", 3: "{0}={0}", 4: "**{0}"}
    return ", ".join(forms[one.kind].format(one.name) for one in parameters)
