"""What every adapter needs of a call: the tool behind a body, the decision before it, and the words for a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _native
from .._asking import agreed, agreed_async
from .._guard import _argument_names
from .._shim import is_guarded
from .._signature import analysed, declared_parameters, unfolded
from .._text import is_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._errors import PolicyDenied
    from .._replay import Replayed


def tool_behind(
    body: Callable[..., Any], *, name: str, description: object, injected: frozenset[str]
) -> _native.Tool | None:
    """The tool whose body is called with positional and keyword arguments; `None` where the body asks by itself.

    `injected` names parameters that the framework passes and that are no arguments.
    """
    # What a wrapper does with the guarded function that it wraps, and whether it calls it at all, nobody can say.
    if is_guarded(body) or is_guarded(unfolded(body).function):
        return None
    found = analysed(body, sorted(injected))
    if found is None:
        parameters, constants, hidden = declared_parameters(body), [], injected
    else:
        parameters = found.behind if found.behind is not None else found.parameters
        constants, hidden = found.held.constants, injected | found.injected
    visible = None if parameters is None else [one for one in parameters if one.name not in hidden]
    constants = [(key, value) for key, value in constants if key not in hidden]
    return _native.Tool(
        name,
        description=description if is_text(description) else "",
        parameters=None if visible is None else _argument_names(visible, hidden, constants),
        named=[("args", 0)],
        constants=constants,
        rest=1,
        hidden=sorted(hidden),
        receiver=None,
        behind=None if visible is None else [tuple(one) for one in visible],
        defaults=[(one.name, one.default[0]) for one in visible or () if one.default],
        tags=[],
        risk_of=None,
        connector=None,
        action=None,
        cost_micro_usd=None,
    )


def admitted(
    tool: _native.Tool, call_id: str | None, args: tuple[Any, ...], kwargs: dict[str, Any], turn: list[str] | None
) -> tuple[_native.Ticket | Replayed, tuple[Any, ...], dict[str, Any]]:
    """Permission for one run and the arguments it runs with, which people may have changed, or raises `PolicyDenied`; waits
    where the decision or its record has to be waited for. `turn` is the ids of the calls that the framework makes in one step
    with it and would all make again."""
    found = tool.admit_call(call_id, args, kwargs, turn)
    return agreed(tool, found, args, kwargs) if isinstance(found, _native.Pending) else (found, args, kwargs)


async def admitted_async(
    tool: _native.Tool, call_id: str | None, args: tuple[Any, ...], kwargs: dict[str, Any], turn: list[str] | None
) -> tuple[_native.Ticket | Replayed, tuple[Any, ...], dict[str, Any]]:
    """As `admitted`, without holding up the event loop."""
    found = tool.admit_call(call_id, args, kwargs, turn)
    return (
        await agreed_async(tool, found, args, kwargs) if isinstance(found, _native.Pending) else (found, args, kwargs)
    )


def words_for_model(denied: PolicyDenied) -> str:
    """What a model is told of a refusal: it can go on, and knows that the tool did not run."""
    refused = f"`{denied.tool_name}` was not run"
    asked = _ASKED.get(denied.reason_code)
    if asked is None:
        told = denied.reason_for_agent or denied.reason
        return f"{refused}: {told}" if told else f"{refused}: the policy in force does not allow this call"
    # the reason names who said no, which is for people; the note is for the model too
    note = denied.decision.detail if denied.reason_code == "approval_denied" else None
    answer = f"{asked}: {note}" if note else asked
    told = denied.reason_for_agent
    return f"{refused}: {told.rstrip('.')}. {answer}" if told else f"{refused}. {answer}"


_ASKED = {
    "approval_denied": "A person was asked and said no",
    "approval_expired": "A person was asked and did not answer in time",
}
