"""Decisions without a guarded function: looking ahead, and calls that the program runs itself."""

from __future__ import annotations

from . import _native
from ._errors import ConfigurationError, LifecycleError
from ._text import is_text

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Any, Literal, TypeAlias

    _ToolName: TypeAlias = "str | Callable[..., Any]"
    _Arguments: TypeAlias = "Mapping[str, Any] | str | bytes"


def check(tool: _ToolName, arguments: _Arguments) -> _native.Decision:
    """What would be decided of a call. Nothing is recorded, counted or run.

    `tool` is a name or a guarded function; `arguments` are given by name, as a dict or as the text of a JSON object. Malformed text
    is a deny with the reason code `malformed_arguments`.
    """
    return _native.check(_tool(tool), arguments)


def enforce(
    tool: _ToolName,
    arguments: _Arguments,
    *,
    edits: bool = False,
    approval_mode: Literal["wait", "native"] | None = None,
) -> Permit:
    """Decides and records a call that the program runs itself; raises `PolicyDenied` if it may not run.

    Where people are asked, entering the permit waits for them. With `edits` they may change the arguments: the program then
    runs the call with `permit.edited` where that is not `None`; without it, such a yes is refused. `approval_mode` is that of
    `guard_tool`; the program itself goes on meanwhile where it enters the permit later.

    Leaving the permit's `with` block completes the call. A permit that is never entered or never left counts as spent
    and is recorded with the outcome `unknown`.
    """
    if approval_mode not in (None, "wait", "native"):
        raise ConfigurationError(
            f"`approval_mode` of `enforce` is `wait` or `native`, not `{approval_mode!r}`: the program runs the call itself, and"
            " may enter the permit when it likes",
            code="tool_invalid",
            kind="config",
        )
    return Permit(_native.enforce(_tool(tool), arguments), edits, native=approval_mode == "native")


class Permit:
    """Permission for one run of one call: a context manager for `with` and `async with`, entered once.

    Where the policy asks for a record on the disk, entering waits for it, and refuses arguments that are others by then, with
    the reason code `call_changed`.
    """

    __slots__ = ("_edits", "_native", "_pending", "_result", "_ticket", "action_id", "edited")

    def __init__(
        self, admitted: _native.Ticket | _native.Pending, edits: bool = False, *, native: bool = False
    ) -> None:
        self._edits = edits
        self._native = native
        self._pending = admitted if isinstance(admitted, _native.Pending) else None
        self._ticket = admitted if isinstance(admitted, _native.Ticket) else None
        self._result: object = None
        self.action_id: str | None = None if self._ticket is None else self._ticket.action_id
        """The id of the recorded call; `None` until a record that has to reach the disk is there."""
        self.edited: dict[str, Any] | None = None
        """The arguments to run with, by name, where people changed them; `None` where they left them as they were."""

    def set_result(self, result: object) -> None:
        """What the call came to, recorded when the block is left."""
        self._result = result

    def set_cost(self, cost_usd: float) -> None:
        """What the call really cost in US dollars: recorded when the block is left, and taken from budgets in the place of the
        `cost_usd` that its tool was declared with.

        Raises `ConfigurationError` for what is no amount, and `LifecycleError` before the call may run and after the block.
        """
        if self._ticket is None or self._ticket.action_id is None:
            raise LifecycleError(
                "what a call cost is said within the permit's block, before it is left", code="closed", kind="runtime"
            )
        from ._guard import micro_usd

        self._ticket.costs(micro_usd(cost_usd))

    def __enter__(self) -> Permit:
        while self._pending is not None:
            from ._asking import wait

            wait(self._pending, native=self._native)
            self._resume()
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._ticket is not None:
            if error is None:
                self._ticket.returned(self._result)
            else:
                self._ticket.failed(error)
        self._result = None

    async def __aenter__(self) -> Permit:
        while self._pending is not None:
            from ._asking import wait_async

            await wait_async(self._pending, native=self._native)
            self._resume()
        self._begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _begin(self) -> None:
        if self._ticket is None or not self._ticket.begin():
            raise LifecycleError(
                "this permit was entered before, and permits one run; ask `enforce` for each",
                code="closed",
                kind="runtime",
            )

    def _resume(self) -> None:
        pending, self._pending = self._pending, None
        if pending is None:
            return
        if pending.edited is not None:
            if not self._edits:
                pending.refuse(
                    "people changed the arguments; give `edits=True` to `enforce`, and run what `permit.edited` says"
                )
            from ._edits import all_of

            self.edited = all_of(pending)
        found = pending.resume()
        if isinstance(found, _native.Pending):
            self._pending = found
        else:
            self._ticket, self.action_id = found, found.action_id


def _tool(tool: _ToolName) -> str | _native.Tool:
    if is_text(tool):
        return tool
    if isinstance(tool, str):
        raise ConfigurationError(
            f"a tool's name is a text of valid unicode, not `{tool!r}`", code="tool_invalid", kind="config"
        )
    from functools import partial

    from ._shim import tool_of

    found = tool_of(tool)
    if found is not None:
        return found
    if isinstance(tool, partial) and tool_of(tool.func) is not None:
        raise ConfigurationError(
            f"this is a partial of the guarded function `{getattr(tool.func, '__name__', tool.func)!s}`; give that function"
            " itself, and what the partial holds among the arguments",
            code="tool_invalid",
            kind="config",
        )
    raise ConfigurationError(
        f"`{getattr(tool, '__name__', tool)!s}` is not guarded; give the tool's name, or the function that `guard_tool` returned",
        code="tool_invalid",
        kind="config",
    )
