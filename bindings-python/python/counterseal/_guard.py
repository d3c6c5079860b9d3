"""Putting a decision in front of functions."""

from __future__ import annotations

import functools
import types

from . import _native
from ._errors import ConfigurationError
from ._text import is_text

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Literal, TypeVar, overload

    from ._modes import Approvals, _ApprovalMode, _Callback
    from ._signature import Analysed, Parameter

    _F = TypeVar("_F", bound="Callable[..., Any]")
    _Risk = Literal["low", "medium", "high"]

_RISKS = ("low", "medium", "high")


def guard_tool(
    name: str,
    function: _F,
    /,
    *,
    description: str | None = None,
    tags: Iterable[str] = (),
    risk: _Risk | None = None,
    cost_usd: float | None = None,
    connector: str | None = None,
    action: str | None = None,
    inject: Iterable[str] = (),
    approval_mode: _ApprovalMode | None = None,
    on_approval: _Callback | None = None,
    on_denial: _Callback | None = None,
) -> _F:
    """A function like `function` that asks for a decision before each call and records how it ended.

    `inject` names parameters that the program or a framework passes: they reach the body, but are no arguments, so neither
    rules nor records see them. `self` and `cls` of methods are left out by themselves.

    A wrapper that takes `*args, **kwargs` may pass on other arguments than it gets, so rules see what it gets: positional
    arguments as the list `args`, keywords by name. Guard the function inside it for rules on its parameters. Of a partial
    they see what it holds too, as it is when it is guarded: changing it later changes nothing.

    `approval_mode` says what a call does while people are asked: `"wait"` (the default, unless `configure` says otherwise);
    `"async"`, which returns a `PendingApproval` at once and runs the body once people have said yes; or `"native"`, which lets
    the framework that runs it stop and come back, and waits where there is none. `on_approval` gets the `ApprovalOutcome` of a
    call that ran after people were asked, `on_denial` of one that did not; each may be `async`, and neither changes anything.

    What is refused raises `PolicyDenied`, and the body does not run. The body's own exceptions pass untouched.
    """
    if isinstance(function, (staticmethod, classmethod)):
        bare, rewrap = function.__func__, type(function)
    else:
        bare, rewrap = function, None
    _check_declaration(name, bare, risk)
    for what, given in (("description", description), ("connector", connector), ("action", action)):
        if given is not None and not is_text(given):
            raise ConfigurationError(
                f"`{what}` of `{name}` is a text of valid unicode, not `{given!r}`", code="tool_invalid", kind="config"
            )
    injected = _texts("inject", name, inject)
    options: dict[str, Any] = {
        "description": _described(bare) if description is None else description,
        "tags": _texts("tags", name, tags),
        "risk_of": risk,
        "connector": connector,
        "action": action,
        "cost_micro_usd": None if cost_usd is None else micro_usd(cost_usd),
    }
    from ._signature import analysed

    found = analysed(bare, injected, static=rewrap is staticmethod)
    approvals = None
    if approval_mode is not None or on_approval is not None or on_denial is not None:
        from ._modes import checked

        approvals = checked(name, None if found is None else found.kind, approval_mode, on_approval, on_denial)
    made: Any = (
        _fallback(name, bare, injected, options, static=rewrap is staticmethod)
        if found is None
        else _real(name, bare, found, injected, options, approvals)
    )
    return made if rewrap is None else rewrap(made)


if TYPE_CHECKING:

    @overload
    def guard(function: _F, /) -> _F: ...
    @overload
    def guard(
        function: None = None,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        tags: Iterable[str] = (),
        risk: _Risk | None = None,
        cost_usd: float | None = None,
        connector: str | None = None,
        action: str | None = None,
        inject: Iterable[str] = (),
        approval_mode: _ApprovalMode | None = None,
        on_approval: _Callback | None = None,
        on_denial: _Callback | None = None,
    ) -> Callable[[_F], _F]: ...


def guard(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    tags: Iterable[str] = (),
    risk: _Risk | None = None,
    cost_usd: float | None = None,
    connector: str | None = None,
    action: str | None = None,
    inject: Iterable[str] = (),
    approval_mode: _ApprovalMode | None = None,
    on_approval: _Callback | None = None,
    on_denial: _Callback | None = None,
) -> Any:
    """`guard_tool` as a decorator, with or without options; the tool's name is the function's unless one is given."""

    if isinstance(function, str):
        raise ConfigurationError(
            f"`guard` takes a function, not the text `{function}`; write `@guard(name=...)` to name the tool",
            code="tool_invalid",
            kind="config",
        )

    def decorate(function: _F) -> _F:
        return guard_tool(
            name if name is not None else _own_name(function),
            function,
            description=description,
            tags=tags,
            risk=risk,
            cost_usd=cost_usd,
            connector=connector,
            action=action,
            inject=inject,
            approval_mode=approval_mode,
            on_approval=on_approval,
            on_denial=on_denial,
        )

    return decorate if function is None else decorate(function)


def guard_tools(tools: Mapping[str, _F]) -> dict[str, _F]:
    """Each of `tools` guarded under its key."""
    if not hasattr(tools, "items"):
        raise ConfigurationError(
            f"`guard_tools` takes functions by the names of their tools, not a `{type(tools).__name__}`; "
            "write `guard_tools({name: function})`",
            code="tool_invalid",
            kind="config",
        )
    return {name: guard_tool(name, function) for name, function in tools.items()}


def _real(
    name: str,
    function: Callable[..., Any],
    found: Analysed,
    inject: list[str],
    options: dict[str, Any],
    approvals: Approvals | None,
) -> types.FunctionType:
    from ._shim import dressed, generated

    held = found.held
    _check_injected(name, inject, found.behind or found.parameters, held.constants)
    handed = [one.name for one in found.parameters if one.name not in found.injected]
    receiver = found.receiver if any(one.name == found.receiver for one in found.parameters) else None
    rest = next((one.name for one in found.parameters if one.kind == 4 and one.name in handed), None)
    visible = found.behind if found.behind is not None else found.parameters
    constants = [(key, value) for key, value in held.constants if key not in found.injected]
    known = {one.name: one.default[0] for one in visible if one.default} | _rest_held(visible, held.before)
    known = {key: value for key, value in [*known.items(), *constants] if key not in found.injected}
    known |= {key: value for key, value in held.keywords.items() if key not in found.hidden}
    later = approvals is not None and approvals.mode == "async"
    # what the program passes beside the arguments is not in the home, so nobody else can run such a call
    kept = later and not found.injected and not found.hidden and receiver is None
    tool = _native.Tool(
        name,
        parameters=_argument_names(visible, found.injected, constants),
        named=[(one, place) for place, one in enumerate(handed) if one != rest],
        constants=constants,
        rest=handed.index(rest) if rest is not None else None,
        hidden=sorted(found.hidden),
        receiver=None if receiver is None else (receiver, len(handed)),
        behind=None if found.behind is None else [tuple(one) for one in found.behind],
        defaults=[*known.items()],
        keeps_arguments=kept,
        **options,
    )
    handed += [] if receiver is None else [receiver]
    made = generated(found.body, tool, found.kind, found.parameters, handed, held, found.function, approvals)
    if kept and approvals is not None:
        from ._resume import serve

        serve(name, made, tuple(visible), approvals)
    if isinstance(function, types.FunctionType):
        return dressed(made, function)
    made.__defaults__ = tuple(one.default[0] for one in found.parameters if one.kind < 2 and one.default) or None
    made.__kwdefaults__ = {
        one.name: one.default[0] for one in found.parameters if one.kind == 3 and one.default
    } or None
    return _named_after(made, function, found)


def _named_after(made: types.FunctionType, bare: Callable[..., Any], found: Analysed) -> types.FunctionType:
    """Names, documentation and type hints for what stands before a method, a partial or a callable object."""
    from ._shim import annotated_as

    for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
        value = getattr(bare, attribute, None)
        if value is None or (attribute == "__doc__" and isinstance(bare, functools.partial)):
            value = getattr(found.function, attribute, None)
        if value is not None:
            setattr(made, attribute, value)
    made.__wrapped__ = bare  # type: ignore[attr-defined]
    if not isinstance(bare, functools.partial):
        annotated_as(made, found.function)
        # A callable object has no globals to look for names of hints in; the method of it that is called has them.
        made.__wrapped__ = bare if isinstance(bare, types.MethodType) else found.body  # type: ignore[attr-defined]
    return made


def _fallback(
    name: str, function: Callable[..., Any], inject: list[str], options: dict[str, Any], *, static: bool
) -> _native.GuardedCallable:
    from ._signature import cached_receiver, combined, declared_parameters, unfolded

    runs = unfolded(function)
    declared = declared_parameters(runs.function)
    places = [one.name for one in declared or () if one.kind < 2]
    known = {one.name: one.default[0] for one in declared or () if one.default}
    known |= {**dict(zip(places, runs.arguments, strict=False)), **runs.keywords}
    known |= _rest_held(declared or [], runs.arguments[len(places) :])
    if declared is not None:
        _check_injected(name, inject, declared, [])
    hidden = frozenset(inject) | cached_receiver(runs.function, static=static)
    tool = _native.Tool(
        name,
        parameters=None if declared is None else _argument_names(declared, hidden, []),
        named=[("args", 0)],
        constants=[],
        rest=1,
        hidden=sorted(hidden),
        receiver=None,
        behind=None if declared is None else [tuple(one) for one in declared],
        defaults=[(key, value) for key, value in known.items() if key not in hidden],
        **options,
    )
    held = (runs.function, runs.arguments, dict(runs.keywords), combined) if runs.arguments or runs.keywords else None
    made = _native.GuardedCallable(tool, function, held)
    unchecked: Any = made
    # What a class holds is for its instances, and names like `__reduce__` among it would speak of this object.
    functools.update_wrapper(unchecked, function, updated=() if isinstance(function, type) else ("__dict__",))
    if isinstance(function, functools._lru_cache_wrapper):
        for attribute in ("cache_info", "cache_clear", "cache_parameters"):
            setattr(unchecked, attribute, getattr(function, attribute))
    return made


def _rest_held(parameters: list[Parameter], before: tuple[object, ...]) -> dict[str, object]:
    """What `*args` is where the caller adds nothing to it."""
    return {one.name: list(before) for one in parameters if one.kind == 2 and before}


def _argument_names(
    parameters: list[Parameter], injected: frozenset[str], constants: list[tuple[str, object]]
) -> list[str] | None:
    """Every argument the tool can have; `None` where it takes any name."""
    if any(one.kind == 4 for one in parameters):
        return None
    return [one.name for one in parameters if one.name not in injected] + [key for key, _ in constants]


def _check_declaration(name: object, function: object, risk: object) -> None:
    if not is_text(name) or not name:
        raise ConfigurationError(
            f"a tool's name is a text of valid unicode that is not empty, not `{name!r}`",
            code="tool_invalid",
            kind="config",
        )
    if not callable(function):
        kind = type(function).__name__
        raise ConfigurationError(
            f"`{name}` is a `{kind}`, which cannot be called; guard the function inside it",
            code="tool_invalid",
            kind="config",
        )
    if risk is not None and risk not in _RISKS:
        raise ConfigurationError(
            f"`{name}` has the risk `{risk}`; write one of `low`, `medium`, `high`", code="tool_invalid", kind="config"
        )
    if _already_guarded(function):
        raise ConfigurationError(
            f"`{name}` is guarded already; a second guard would decide and record each call twice",
            code="tool_invalid",
            kind="config",
        )


def _already_guarded(function: object) -> bool:
    """Whether a call of `function` asks for a decision already, at any depth of wrappers, methods and partials."""
    from ._shim import is_guarded
    from ._signature import unfolded

    for _ in range(64):
        if is_guarded(function) or is_guarded(unfolded(function).function):
            return True
        inner = getattr(function, "__dict__", {}).get("__wrapped__")
        if inner is None and isinstance(function, functools.partial):
            inner = function.func
        if inner is None and isinstance(function, types.MethodType):
            inner = function.__func__
        if inner is None:
            return False
        function = inner
    return False


def _check_injected(
    name: str, inject: list[str], parameters: list[Parameter], constants: list[tuple[str, object]]
) -> None:
    if any(one.kind == 4 for one in parameters):
        return
    known = [one.name for one in parameters] + [key for key, _ in constants]
    for one in inject:
        if one not in known:
            listed = ", ".join(f"`{known_name}`" for known_name in known) or "none"
            raise ConfigurationError(
                f"`{name}` has no parameter `{one}` to inject; it has {listed}", code="tool_invalid", kind="config"
            )


def _texts(what: str, tool: str, given: Iterable[str]) -> list[str]:
    try:
        listed = None if isinstance(given, (str, bytes)) else list(given)
    except TypeError:
        listed = None
    if listed is None or not all(is_text(one) for one in listed):
        raise ConfigurationError(
            f"`{what}` of `{tool}` is a list of texts, not `{given!r}`; leave it out where there is none",
            code="tool_invalid",
            kind="config",
        )
    return listed


def micro_usd(cost_usd: float) -> int:
    """Whole millionths of a US dollar, or raises `ConfigurationError`."""
    if isinstance(cost_usd, bool) or not isinstance(cost_usd, (int, float)) or not 0 <= cost_usd < 1e12:
        raise ConfigurationError(
            f"`cost_usd` is an amount of at least 0, not `{cost_usd!r}`", code="tool_invalid", kind="config"
        )
    return round(cost_usd * 1_000_000)


def _described(function: object) -> str:
    documentation = getattr(function, "__doc__", None)
    return documentation if is_text(documentation) else ""


def _own_name(function: object) -> str:
    inner = getattr(function, "func", function) if isinstance(function, functools.partial) else function
    name = getattr(inner, "__name__", None)
    return name if isinstance(name, str) else type(inner).__name__
