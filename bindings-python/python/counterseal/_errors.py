"""What can be raised. One class for each kind of error; every one carries its stable code."""

from __future__ import annotations

TYPE_CHECKING = False  # what `typing` calls it: importing that would take longer than all of this package
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._native import Decision


class CountersealError(Exception):
    """Anything this package raises of its own accord.

    None of these is an `OSError`: code that retries those must not swallow a refusal.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "panic",
        kind: str = "internal",
        retry: str = "never",
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        """The stable code."""
        self.kind = kind
        """The group the code belongs to."""
        self.retry = retry
        """Whether asking again can help: `never`, `later` or `exhausted`."""
        self.details: dict[str, str] = dict(details or {})
        """What a program may want of the message, such as `path`, `line` or `suggestion`."""

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (type(self), self.args, self.__dict__)


class ConfigurationError(CountersealError):
    """A setting, an environment variable, a home, a tool's declaration or an argument that cannot be used."""


class PolicyError(ConfigurationError):
    """A policy that was refused."""


class LedgerError(CountersealError):
    """The ledger could not be written or read, does not verify, or does not hold what a replay takes."""


class LimitReachedError(CountersealError):
    """A size, queue or rate bound was reached."""


class LifecycleError(CountersealError):
    """Used at the wrong time: after it was closed, or in a forked child where only the parent may use it."""


class ReplayDivergence(LifecycleError):  # noqa: N818
    """A replayed program made another call than the one that was recorded; the message shows the difference."""

    def __init__(
        self, message: str, *, position: int, expected: dict[str, Any] | None, found: dict[str, Any] | None
    ) -> None:
        super().__init__(message, code="replay_divergence", kind="runtime")
        self.position = position
        """Which call of the run it is, from 1."""
        self.expected = expected
        """The recorded call's `tool` and `arguments`; `None` where the run had ended."""
        self.found = found
        """The same of the call that was made; `None` where the program made none."""


class InternalError(CountersealError):
    """A defect of this package, contained: the tool did not run."""


class PolicyDenied(CountersealError):  # noqa: N818
    """The call was refused and its body did not run."""

    def __init__(self, decision: Decision, tool_name: str) -> None:
        self.decision = decision
        """The whole decision."""
        self.tool_name = tool_name
        self.reason = decision.reason
        """Why, for people."""
        self.reason_code = decision.reason_code
        """Why, as a stable code."""
        self.reason_for_agent = decision.reason_for_agent
        """What the model may be told."""
        self.action_id = decision.action_id
        """The id of the recorded call."""
        self.remediation = _remediation(decision)
        """What can be done about it."""
        why = decision.reason or _WHY.get(decision.reason_code, decision.reason_code)
        if decision.detail:
            why = f"{why}: {decision.detail}"
        super().__init__(f"`{tool_name}` was denied: {why}", code=decision.reason_code, kind="denied")


class BudgetExceeded(PolicyDenied):
    """The call was refused because a budget has not enough left; `decision.limit` says which and how much."""


class RateLimited(PolicyDenied):
    """The call was refused because there were too many calls, or the same one too often; `decision.limit` says when it fits."""


class ApprovalDenied(PolicyDenied):
    """Somebody who was asked said no; the note is in `decision.detail`."""


class ApprovalTimeout(PolicyDenied):
    """Nobody who was asked said yes in time."""


_WHY = {
    "rule": "a rule of the policy asks for it",
    "default": "no rule allows it and the policy's default refuses it",
    "out_of_scope": "the tool is not in the policy's scope",
    "no_approver": "a person has to say yes and nobody can be asked",
    "approval_pending": "people are asked, and the call cannot wait here for their answer",
    "closed": "the engine was closed",
    "internal": "a defect of this package was contained",
}

_REMEDIES = {
    "rule": "call it in a way that the rules named in `decision.rules` do not refuse, or change them",
    "default": "add a rule that allows it",
    "no_policy_configured": "configure a policy",
    "out_of_scope": "add the tool to the policy's `scope`",
    "condition_failed": "give the argument the type its condition expects, or change the condition",
    "malformed_arguments": "give the arguments as one well-formed json object",
    "capture_failed": "give arguments that are plain values",
    "call_changed": "leave the arguments alone while the call waits; call again with those that are meant",
    "unknown_tag": "add the tag to the policy's `tags`, or remove it from the tool",
    "no_approver": 'say who can be asked: `configure(approver="home")`, a function, or `counterseal.terminal_approver()`',
    "approval_denied": "do something else; the note in `decision.detail` may say what",
    "approval_expired": "ask somebody to look at it, and call again; `counterseal approvals list` shows what waits",
    "approval_cancelled": "call again to ask again",
    "approval_pending": "call it from a thread, such as with `asyncio.to_thread`, or guard an `async def`: waiting here would stop the event loop",
    "approval_used": "call again to ask again: a yes is good for one run",
    "approval_outdated": "call again: the policy asks for more than people agreed to",
    "approval_failed": "see `decision.detail`, and `counterseal approvals list`",
    "unbindable": "give arguments that are plain values, or leave them out of the rule's `bind`",
    "budget_exceeded": "see `decision.limit`: raise the budget, or wait until it resets",
    "rate_limited": 'wait until `decision.limit["resets_at"]`',
    "loop_detected": "do something else: the same call was made too often",
    "limit_unknown": "see `counterseal.health()`: what was used so far is not known",
    "limit_failed": "see `decision.detail`: an argument that a limit sums has to be a number that is not negative, one that it is counted `per` a text, a number or a truth",
    "session_unknown": "see `counterseal.health()`: what the session did cannot be remembered",
    "unrecorded": "see `counterseal.health()`: the record could not be written",
    "closed": "call `counterseal.configure()` again before the tool",
    "internal": "report it with the version of counterseal; the tool did not run",
}


def _remediation(decision: Decision) -> str:
    return _REMEDIES.get(decision.reason_code, "see `decision`")


def _rebuilt(kind: type[CountersealError], args: tuple[object, ...], state: dict[str, object]) -> CountersealError:
    """An unpickled error: its attributes as they were, whatever its constructor takes."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


_KINDS: dict[str, type[CountersealError]] = {
    "config": ConfigurationError,
    "policy": PolicyError,
    "integrity": LedgerError,
    "limit": LimitReachedError,
    "runtime": LifecycleError,
    "internal": InternalError,
}


def from_core(code: str, kind: str, retry: str, message: str, details: Mapping[str, str]) -> CountersealError:
    """The exception for an error of the engine."""
    of_ledger = code.startswith("ledger_") or code == "replay_incomplete"
    made = LedgerError if of_ledger else _KINDS.get(kind, CountersealError)
    suggestion = details.get("suggestion")
    if suggestion is not None and suggestion not in message:
        message = f"{message}; {suggestion}"
    return made(message, code=code, kind=kind, retry=retry, details=details)


def diverged(message: str, position: int, expected: str | None, found: str | None) -> ReplayDivergence:
    """The exception for a call that is not the recorded one; both are JSON texts."""
    import json

    shown, made = (None if text is None else json.loads(text) for text in (expected, found))
    return ReplayDivergence(message, position=position, expected=shown, found=made)


def contained(tool_name: str) -> CountersealError:
    """The exception for a defect outside the decision itself."""
    return InternalError(f"a defect of counterseal was contained; `{tool_name}` did not run")
