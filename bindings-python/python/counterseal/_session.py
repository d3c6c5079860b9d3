"""The session in force as an object: how it stands, and what the program says of it."""

from __future__ import annotations

from . import _native
from ._contexts import _text, _variable
from ._errors import ConfigurationError

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from typing import Any


class Session:
    """A conversation. What it says of calls, tags and budgets is read anew each time, over all processes of the home."""

    __slots__ = ("_context", "run_id", "session_id", "user_id")

    def __init__(self, context: _native.Context | None) -> None:
        context = _native.Context(None) if context is None else context
        self._context = context
        self.session_id: str = context.session
        self.run_id: str | None = context.run
        self.user_id: str | None = context.user

    @property
    def agent_id(self) -> str | None:
        """The agent's id, as configured."""
        agent: str | None = self._standing()["agent"]
        return agent

    @property
    def tool_calls(self) -> int:
        """Calls decided to run so far, those of its sub-agents among them."""
        calls: int = self._standing()["tool_calls"]
        return calls

    @property
    def tags(self) -> frozenset[str]:
        """The tags it saw, of those that the policy or this process knows by name."""
        return frozenset(self._standing()["tags"])

    @property
    def token_spend(self) -> int:
        """Tokens of prompts and completions, as logged."""
        standing = self._standing()
        spend: int = standing["prompt_tokens"] + standing["completion_tokens"]
        return spend

    @property
    def cost_usd(self) -> float:
        """What models cost, as logged."""
        cost: float = self._standing()["cost_usd"]
        return cost

    @property
    def budgets(self) -> dict[str, BudgetState]:
        """Every budget its calls take from, by id with its layer, but those kept apart by tool or argument."""
        return {budget.pop("id"): BudgetState(**budget) for budget in self._standing()["budgets"]}

    def mark(self, tag: str) -> None:
        """Marks it with a tag, as if a call of a tool with it had run: `session.saw(tag)` holds from now on."""
        _native.mark_session(self._context, _text("tag", tag))

    def is_in_scope(self, tool: str) -> bool:
        """Whether the policy's `scope` lets a tool of this name run at all: `name`, or `mcp:server/name`."""
        return _native.is_in_scope(_text("tool", tool))

    def _standing(self) -> dict[str, Any]:
        return _native.session_standing(self._context)

    def __repr__(self) -> str:
        return f"Session({self.session_id!r}, run_id={self.run_id!r}, user_id={self.user_id!r})"


class BudgetState:
    """How a budget stands: calls and tokens are whole, dollars and sums have six places."""

    __slots__ = ("left", "max", "resets_at", "unit", "used")

    def __init__(self, unit: str, used: float, left: float, max: float, resets_at: float | None) -> None:
        self.unit = unit
        """What is counted: `usd`, `tokens`, `calls`, or `sum` of an argument."""
        self.used = used
        self.left = left
        self.max = max
        self.resets_at = resets_at
        """When there is room again, in seconds since 1970; `None` where nobody can say, and of a budget over all time."""

    def __repr__(self) -> str:
        amounts = f"used={self.used}, left={self.left}, max={self.max}"
        return f"BudgetState(unit={self.unit!r}, {amounts}, resets_at={self.resets_at})"


def current_session() -> Session:
    """The session in force; the process's own where the program named none."""
    return Session(_variable.get())


def log_token_usage(
    model: str,
    prompt_tokens: int,
    completion_tokens: int,
    session_id: str | None = None,
    *,
    cost_usd: float | None = None,
) -> None:
    """Counts what a model took, in a session (the one in force where left out) and in every budget of tokens or dollars.

    It has happened, so it is counted whether there is room or not; the next call finds the budget used up. Without
    `cost_usd` no money is counted: this package knows no prices. Raises `CountersealError` where it cannot be counted.
    """
    _text("model", model)
    for name, tokens in (("prompt_tokens", prompt_tokens), ("completion_tokens", completion_tokens)):
        if isinstance(tokens, bool) or not isinstance(tokens, int) or not 0 <= tokens < 1 << 53:
            raise _refused(name, "a count of tokens that is not negative", tokens)
    micro = 0
    if cost_usd is not None:
        if isinstance(cost_usd, bool) or not isinstance(cost_usd, (int, float)) or not 0 <= cost_usd < 1e9:
            raise _refused("cost_usd", "an amount of dollars from 0 to a thousand million", cost_usd)
        micro = round(cost_usd * 1_000_000)
    session = None if session_id is None else _text("session_id", session_id)
    _native.log_usage(session, prompt_tokens, completion_tokens, micro)


def _refused(what: str, wanted: str, value: object) -> ConfigurationError:
    return ConfigurationError(f"`{what}` is {wanted}, not `{value!r}`", code="config_invalid", kind="config")
