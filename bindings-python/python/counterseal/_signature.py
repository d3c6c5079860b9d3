"""What a callable takes, analysed once when it is guarded."""

from __future__ import annotations

import functools
import inspect
import types
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_METHOD_PARAMETERS = ("self", "cls")


class Parameter(NamedTuple):
    """One parameter. `kind` counts as `inspect` does: positional-only 0, positional 1, `*` 2, keyword-only 3, `**` 4."""

    name: str
    kind: int
    default: tuple[object, ...] = ()
    """The default's object, or nothing."""


class Analysed:
    """How a callable is called, and how its arguments are named."""

    def __init__(
        self,
        kind: str,
        parameters: list[Parameter],
        behind: list[Parameter] | None,
        constants: list[tuple[str, object]],
        injected: frozenset[str],
        function: types.FunctionType,
    ) -> None:
        self.kind = kind
        """`function`, `coroutine`, `generator` or `async_generator`."""
        self.parameters = parameters
        """What the guarded callable takes: exactly what the bare one takes."""
        self.behind = behind
        """The parameters of one that itself takes `*args, **kwargs`, where its `__signature__` says so."""
        self.constants = constants
        """Arguments that are the same in every call, which a partial holds."""
        self.injected = injected
        """Parameters that the program passes and that are no arguments."""
        self.function = function
        """The Python function underneath: where globals, names and documentation come from."""


def analysed(body: Callable[..., Any], inject: Sequence[str], *, static: bool = False) -> Analysed | None:
    """What `body` takes; `None` where nothing usable says so, as for many builtins.

    `static` says that it stands in a class and still has no receiver.
    """
    function = _function_under(body)
    if function is None:
        return None
    kind = _kind(function)
    injected = frozenset(inject) | _receiver(body, function, static)
    if isinstance(body, types.FunctionType):
        own = _own_parameters(body)
        behind = _declared_parameters(body) if _says_otherwise(body) else None
        if behind == own or not _takes_anything(own):
            behind = None
        return Analysed(kind, own, behind, [], injected, function)
    declared = _declared_parameters(body)
    if declared is None:
        return None
    return Analysed(kind, declared, None, _held(body, declared, injected), injected, function)


def declared_parameters(body: Callable[..., Any]) -> list[Parameter] | None:
    """The signature that `inspect` finds, if any. Of wrappers only `lru_cache` is known to pass on what it gets."""
    known = isinstance(body, functools._lru_cache_wrapper)
    if not known and "__wrapped__" in getattr(body, "__dict__", {}):
        return None
    return _declared_parameters(body, follow_wrapped=known)


def cached_receiver(body: object, *, static: bool) -> frozenset[str]:
    """`self` or `cls` of a cached function that was defined in a class."""
    function = getattr(body, "__wrapped__", None) if isinstance(body, functools._lru_cache_wrapper) else None
    return _receiver(function, function, static) if isinstance(function, types.FunctionType) else frozenset()


def _function_under(body: Any) -> types.FunctionType | None:
    """The function that runs in the end: of a method, a partial or a callable object."""
    for _ in range(64):
        if isinstance(body, types.FunctionType):
            return body
        if isinstance(body, functools.partial):
            body = body.func
        elif isinstance(body, types.MethodType):
            body = body.__func__
        elif isinstance(body, (type, types.BuiltinFunctionType)):
            return None
        else:
            # What a call of the object runs: looked up on its type, as Python does.
            called = type(body).__call__ if callable(body) else None
            return called if isinstance(called, types.FunctionType) else None
    return None


def _kind(function: types.FunctionType) -> str:
    if inspect.isasyncgenfunction(function):
        return "async_generator"
    if inspect.iscoroutinefunction(function):
        return "coroutine"
    if inspect.isgeneratorfunction(function):
        return "generator"
    return "function"


def _receiver(body: object, function: types.FunctionType, static: bool) -> frozenset[str]:
    """`self` or `cls` of a function that was defined in a class; a bound method does not take it any more."""
    if not isinstance(body, (types.FunctionType, functools.partial)) or not function.__code__.co_argcount:
        return frozenset()
    outer = function.__qualname__.rpartition(".")[0]
    inside_class = bool(outer) and not outer.endswith("<locals>")
    first = function.__code__.co_varnames[0]
    if static:
        return frozenset()
    return frozenset([first]) if inside_class and first in _METHOD_PARAMETERS else frozenset()


def _own_parameters(function: types.FunctionType) -> list[Parameter]:
    """What the function's own code takes, whatever it says of itself."""
    code = function.__code__
    names = code.co_varnames
    positional, keyword = code.co_argcount, code.co_kwonlyargcount
    defaults = function.__defaults__ or ()
    first_default = positional - len(defaults)
    found = [
        Parameter(
            names[place],
            0 if place < code.co_posonlyargcount else 1,
            () if place < first_default else (defaults[place - first_default],),
        )
        for place in range(positional)
    ]
    after = positional + keyword
    if code.co_flags & inspect.CO_VARARGS:
        found.append(Parameter(names[after], 2))
        after += 1
    by_keyword = function.__kwdefaults__ or {}
    for name in names[positional : positional + keyword]:
        found.append(Parameter(name, 3, (by_keyword[name],) if name in by_keyword else ()))
    if code.co_flags & inspect.CO_VARKEYWORDS:
        found.append(Parameter(names[after], 4))
    return found


def _declared_parameters(body: Callable[..., Any], *, follow_wrapped: bool = False) -> list[Parameter] | None:
    """What `body` says of itself. A wrapper may pass on other arguments than it gets: what it wraps says nothing of it."""
    try:
        signature = inspect.signature(body, follow_wrapped=follow_wrapped)
    except (TypeError, ValueError):
        return None
    return [
        Parameter(one.name, int(one.kind), () if one.default is one.empty else (one.default,))
        for one in signature.parameters.values()
    ]


def _says_otherwise(function: types.FunctionType) -> bool:
    """Whether it carries a signature of its own, not one that `functools.wraps` copied."""
    said = function.__dict__.get("__signature__")
    wrapped = getattr(function.__dict__.get("__wrapped__"), "__dict__", {})
    return said is not None and said is not wrapped.get("__signature__")


def _takes_anything(parameters: list[Parameter]) -> bool:
    return [one.kind for one in parameters] == [2, 4]


def _held(body: object, declared: list[Parameter], injected: frozenset[str]) -> list[tuple[str, object]]:
    """The arguments that a partial fixes by position: its signature no longer names them, but the body gets them."""
    if not isinstance(body, functools.partial) or not body.args:
        return []
    taken = {one.name for one in declared} | injected
    try:
        bound = inspect.signature(body.func, follow_wrapped=False).bind_partial(*body.args)
    except (TypeError, ValueError):
        return []
    return [(name, value) for name, value in bound.arguments.items() if name not in taken]
