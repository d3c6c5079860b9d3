"""What a callable takes, analysed once when it is guarded."""

from __future__ import annotations

import functools
import inspect
import types
import unicodedata
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
        held: Held,
        injected: frozenset[str],
        hidden: frozenset[str],
        receiver: str | None,
        runs: Unfolded,
    ) -> None:
        self.kind = kind
        """`function`, `coroutine`, `generator` or `async_generator`."""
        self.parameters = parameters
        """What the guarded callable takes: exactly what the bare one takes."""
        self.behind = behind
        """The parameters of one that itself takes `*args, **kwargs`, where its `__signature__` says so."""
        self.held = held
        """Arguments that the body gets without the caller's doing."""
        self.injected = injected
        """Parameters that the program passes and that are no arguments."""
        self.hidden = hidden
        """Names among further keyword arguments that are none either."""
        self.receiver = receiver
        """A parameter that looks like the receiver of a method, which nothing bound yet."""
        self.function: types.FunctionType = runs.function
        """The Python function underneath: where globals, names and documentation come from."""
        self.body = runs.callable()
        """What is called: nothing that the program changes later changes which arguments it gets."""


def analysed(body: Callable[..., Any], inject: Sequence[str], *, static: bool = False) -> Analysed | None:
    """What `body` takes; `None` where nothing usable says so, as for many builtins.

    `static` says that it stands in a class and still has no receiver.
    """
    runs = unfolded(body)
    function = runs.function
    if not isinstance(function, types.FunctionType):
        return None
    own = _own_parameters(function)
    behind = _declared_parameters(function) if _takes_anything(own) and _says_otherwise(function) else None
    behind = None if behind == own else behind
    parameters = _left_over(own, runs)
    if parameters is None or not all(_can_be_written(one.name) for one in parameters):
        return None
    receiver = _receiver(behind or own, runs, static)
    return Analysed(
        _kind(function),
        parameters,
        behind,
        _held(own, runs, behind is not None),
        frozenset(inject) | receiver,
        # A keyword that only shares its name with a parameter which cannot be given by keyword is an argument.
        frozenset(inject) - {one.name for one in own} if behind is None else frozenset(inject) | receiver,
        next(iter(receiver - set(inject)), None) if behind is None and not runs.bound else None,
        runs,
    )


class Held(NamedTuple):
    """What partials and methods put among the arguments."""

    constants: list[tuple[str, object]]
    """Arguments that are the same in every call."""
    before: tuple[object, ...]
    """What comes before the caller's part of `*args`; holes are filled with the first of that."""
    keywords: dict[str, object]
    """Keywords that reach `**kwargs` where the caller does not give them."""


class Unfolded(NamedTuple):
    """What a call runs in the end, with what methods, partials and callable objects add to its arguments."""

    function: Any
    arguments: tuple[object, ...] = ()
    keywords: Mapping[str, object] = types.MappingProxyType({})
    bound: bool = False
    """Whether the first argument is what the function is bound to."""

    def callable(self) -> Callable[..., Any]:
        """One object that runs it."""
        if self.bound and len(self.arguments) == 1 and not self.keywords:
            return types.MethodType(self.function, self.arguments[0])
        if self.arguments or self.keywords:
            return functools.partial(self.function, *self.arguments, **self.keywords)
        run: Callable[..., Any] = self.function
        return run


_HOLE: object = getattr(functools, "Placeholder", object())
"""What a partial holds in place of an argument that its caller gives by position; before Python 3.14 there is none."""


def combined(held: tuple[object, ...], given: tuple[object, ...]) -> tuple[object, ...]:
    """The positional arguments of a partial that holds `held` and is called with `given`."""
    left = iter(given)
    return (*(next(left, _HOLE) if one is _HOLE else one for one in held), *left)


def unfolded(body: Any) -> Unfolded:
    """What a call of `body` runs: through methods, partials and objects whose class has a plain `__call__`."""
    found = Unfolded(body)
    for _ in range(64):
        body, arguments = found.function, found.arguments
        # What a call of an object runs: looked up on its type, as Python does.
        called = _class_attribute(type(body), "__call__")
        if isinstance(body, functools.partial) and called is vars(functools.partial)["__call__"]:
            found = Unfolded(body.func, combined(body.args, arguments), {**body.keywords, **found.keywords})
        elif isinstance(body, types.MethodType):
            found = Unfolded(body.__func__, (body.__self__, *arguments), found.keywords, True)
        elif isinstance(body, (types.FunctionType, type)):
            break
        elif isinstance(called, types.FunctionType):
            found = Unfolded(called, (body, *arguments), found.keywords, True)
        elif isinstance(called, staticmethod):
            found = Unfolded(called.__func__, arguments, found.keywords)
        elif isinstance(called, classmethod):
            found = Unfolded(called.__func__, (type(body), *arguments), found.keywords, True)
        else:
            break
    if found.bound and not isinstance(found.function, types.FunctionType):
        return found._replace(bound=False)
    return found


def declared_parameters(body: Callable[..., Any]) -> list[Parameter] | None:
    """The signature that `inspect` finds, if any. Of wrappers only `lru_cache` is known to pass on what it gets."""
    known = isinstance(body, functools._lru_cache_wrapper)
    if not known and "__wrapped__" in getattr(body, "__dict__", {}):
        return None
    if not isinstance(body, type) and not isinstance(
        _class_attribute(type(body), "__call__"), types.WrapperDescriptorType
    ):
        # Python code of its class runs, in a way that is not known here: which of its parameters are given neither is.
        return None
    return _declared_parameters(body, follow_wrapped=known)


def cached_receiver(body: object, *, static: bool) -> frozenset[str]:
    """`self` or `cls` of a cached function that was defined in a class."""
    function = getattr(body, "__wrapped__", None) if isinstance(body, functools._lru_cache_wrapper) else None
    if not isinstance(function, types.FunctionType):
        return frozenset()
    return _receiver(_own_parameters(function), Unfolded(function), static)


def _class_attribute(kind: type, name: str) -> object:
    """What the class or one of its bases holds under `name`, unbound."""
    return next((vars(one)[name] for one in kind.__mro__ if name in vars(one)), None)


def _can_be_written(name: str) -> bool:
    """Whether source code that uses the name means that very name: it folds some letters into others."""
    return (
        name.isidentifier() and not iskeyword(name) and (name.isascii() or unicodedata.normalize("NFKC", name) == name)
    )


def _kind(function: types.FunctionType) -> str:
    if inspect.isasyncgenfunction(function):
        return "async_generator"
    if inspect.iscoroutinefunction(function):
        return "coroutine"
    if inspect.isgeneratorfunction(function):
        return "generator"
    return "function"


def _receiver(parameters: list[Parameter], runs: Unfolded, static: bool) -> frozenset[str]:
    """The parameter of what a function is bound to, or `self` or `cls` of one that was defined in a class."""
    if not parameters or parameters[0].kind > 1 or (static and not runs.bound):
        return frozenset()
    first = parameters[0].name
    if runs.bound:
        return frozenset([first])
    outer = runs.function.__qualname__.rpartition(".")[0]
    inside_class = bool(outer) and not outer.endswith("<locals>")
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


def _left_over(own: list[Parameter], runs: Unfolded) -> list[Parameter] | None:
    """The parameters that are left to the caller, as `inspect` says it of a partial; `None` where no call could succeed."""
    if not runs.arguments and not runs.keywords:
        return own
    by_name = {name: value for name, value in runs.keywords.items() if _by_keyword(own, name)}
    if len(by_name) < len(runs.keywords) and not any(one.kind == 4 for one in own):
        return None

    def declared() -> None: ...

    declared.__signature__ = _signature(own)  # type: ignore[attr-defined]
    return _declared_parameters(functools.partial(declared, *runs.arguments, **by_name))


def _held(own: list[Parameter], runs: Unfolded, behind: bool) -> Held:
    """The arguments that the function gets without the caller's doing, by how it gets them."""
    constants: list[tuple[str, object]] = []
    places = [one.name for one in own if one.kind < 2]
    for place, value in enumerate(runs.arguments[: len(places)]):
        if value is not _HOLE and not (runs.bound and place == 0):
            constants.append((places[place], value))
    before = runs.arguments[len(places) :]
    if runs.bound and not places and not behind:
        # The receiver is no argument, though the function takes it among any others.
        before = before[1:]
    return Held(constants, before, {name: value for name, value in runs.keywords.items() if not _by_keyword(own, name)})


def _by_keyword(parameters: list[Parameter], name: str) -> bool:
    return any(one.name == name and one.kind in (1, 3) for one in parameters)


def _signature(parameters: list[Parameter]) -> inspect.Signature:
    kinds = list(inspect._ParameterKind)
    empty = inspect.Parameter.empty
    return inspect.Signature(
        [
            inspect.Parameter(one.name, kinds[one.kind], default=one.default[0] if one.default else empty)
            for one in parameters
        ]
    )
