"""Decides whether an agent's tool call may run before it runs, and keeps a record that nobody can change unnoticed.

import counterseal as cs

cs.configure(policy="counterseal.yaml")

@cs.guard
def issue_refund(order_id: str, amount: float) -> str: ...

One interpreter of a process can import it, the first that does: not subinterpreters beside it. While the interpreter ends,
a tool that a finalizer calls does not run.
"""

from __future__ import annotations

try:
    from . import _native as _native
except ImportError as _refused:
    if "subinterpreters" not in str(_refused):
        raise
    raise ImportError(
        "counterseal cannot be imported here: one engine decides for the whole process, and serves the interpreter alone"
        " that imported it first, not subinterpreters beside it; guard tools in that one, or start a process for each"
    ) from None

from ._answers import ApprovalCall, Approved, Denied, Grant
from ._configuration import Configuration, FlushReport, close, configure, flush, health
from ._contexts import annotate, clear_session, get_session, run, session, set_session
from ._coverage import Coverage, CoveredFramework, coverage
from ._decide import Permit, check, enforce
from ._errors import (
    ApprovalDenied,
    ApprovalTimeout,
    BudgetExceeded,
    ConfigurationError,
    CountersealError,
    InternalError,
    LedgerError,
    LifecycleError,
    LimitReachedError,
    PolicyDenied,
    PolicyError,
    RateLimited,
    ReplayDivergence,
)
from ._guard import guard, guard_tool, guard_tools
from ._ledger import Ledger, Verification
from ._native import Context, Decision, Policy, __version__
from ._pending import ApprovalOutcome, PendingApproval, resume_pending
from ._replay import ReplayedError, replay
from ._session import BudgetState, Session, current_session, log_token_usage
from ._terminal import terminal_approver
from ._words import Effect, Enforcement, Verdict

__all__ = [
    "ApprovalCall",
    "ApprovalDenied",
    "ApprovalOutcome",
    "ApprovalTimeout",
    "Approved",
    "BudgetExceeded",
    "BudgetState",
    "Configuration",
    "ConfigurationError",
    "Context",
    "CountersealError",
    "Coverage",
    "CoveredFramework",
    "Decision",
    "Denied",
    "Effect",
    "Enforcement",
    "FlushReport",
    "Grant",
    "InternalError",
    "Ledger",
    "LedgerError",
    "LifecycleError",
    "LimitReachedError",
    "PendingApproval",
    "Permit",
    "Policy",
    "PolicyDenied",
    "PolicyError",
    "RateLimited",
    "ReplayDivergence",
    "ReplayedError",
    "Session",
    "Verdict",
    "Verification",
    "__version__",
    "annotate",
    "check",
    "clear_session",
    "close",
    "configure",
    "coverage",
    "current_session",
    "enforce",
    "flush",
    "get_session",
    "guard",
    "guard_tool",
    "guard_tools",
    "health",
    "log_token_usage",
    "replay",
    "resume_pending",
    "run",
    "session",
    "set_session",
    "terminal_approver",
]
