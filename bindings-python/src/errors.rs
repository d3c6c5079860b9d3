//! What the engine says, as the exceptions of the package: their classes are Python's, in `counterseal/_errors.py`.

use crate::decision::Decision;
use crate::outside;
use counterseal::Error;
use counterseal::decide::RefusalKind;
use counterseal::guard::Refusal;
use counterseal::policy::PolicyErrors;
use counterseal::replay::Divergence;
use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

/// The exceptions of the package and what makes them, kept from its import on: while the interpreter ends, nothing can be
/// imported any more, and a finalizer may still call a tool.
struct Kept {
    from_core: Py<PyAny>,
    denied: Py<PyAny>,
    budget_exceeded: Py<PyAny>,
    rate_limited: Py<PyAny>,
    approval_denied: Py<PyAny>,
    approval_timeout: Py<PyAny>,
    contained: Py<PyAny>,
    diverged: Py<PyAny>,
    lifecycle: Py<PyAny>,
    any: Py<PyAny>,
}

static KEPT: PyOnceLock<Kept> = PyOnceLock::new();

fn kept(py: Python<'_>) -> PyResult<&Kept> {
    KEPT.get_or_try_init(py, || {
        let errors = py.import("counterseal._errors")?;
        let named = |name: &str| errors.getattr(name).map(Bound::unbind);
        Ok(Kept {
            from_core: named("from_core")?,
            denied: named("PolicyDenied")?,
            budget_exceeded: named("BudgetExceeded")?,
            rate_limited: named("RateLimited")?,
            approval_denied: named("ApprovalDenied")?,
            approval_timeout: named("ApprovalTimeout")?,
            contained: named("contained")?,
            diverged: named("diverged")?,
            lifecycle: named("LifecycleError")?,
            any: named("CountersealError")?,
        })
    })
}

/// Keeps what is raised, when the package is imported.
pub(crate) fn keep(py: Python<'_>) -> PyResult<()> {
    kept(py).map(drop)
}

/// What a call that did not run raises. While the interpreter ends, what is missing by then raises anything; the package
/// says what it means.
#[cold]
pub(crate) fn unless_ending(py: Python<'_>, error: PyErr) -> PyErr {
    let ours = kept(py).is_ok_and(|kept| error.value(py).is_instance(kept.any.bind(py)).unwrap_or(false));
    if ours || !error.is_instance_of::<PyException>(py) || !is_ending(py) {
        return error;
    }
    let why = "the interpreter is ending; the tool did not run";
    let options = PyDict::new(py);
    let named = options.set_item("code", "closed").and_then(|()| options.set_item("kind", "runtime"));
    let made = named.and_then(|()| outside::call(kept(py)?.lifecycle.bind(py), (why,), Some(&options)));
    made.map_or_else(|_| PyRuntimeError::new_err(why), PyErr::from_value)
}

/// Whether the interpreter has begun to take its modules down.
fn is_ending(py: Python<'_>) -> bool {
    py.import("sys").and_then(|sys| sys.getattr("meta_path")).map_or(true, |finders| finders.is_none())
}

/// The exception for an error of the engine.
pub(crate) fn raised(py: Python<'_>, error: &Error) -> PyErr {
    let details = PyDict::new(py);
    for (name, text) in error.details() {
        if let Err(error) = details.set_item(name, text) {
            return error;
        }
    }
    let code = error.code();
    let arguments = (code.as_str(), code.kind().as_str(), code.retry().as_str(), error.message(), details);
    made(py, |kept| &kept.from_core, arguments)
}

/// The exception for a policy with problems: the first one's code and place, and the text of all.
pub(crate) fn refused_policy(py: Python<'_>, errors: PolicyErrors) -> PyErr {
    raised(py, &Error::from(errors))
}

/// The `PolicyDenied` for a call that may not run.
pub(crate) fn denied(py: Python<'_>, tool: &str, refusal: &Refusal) -> PyErr {
    let action_id = refusal.action_id.map(crate::decision::action_text);
    let class: fn(&Kept) -> &Py<PyAny> = match refusal.decision.reason_code.refusal() {
        RefusalKind::Policy => |kept: &Kept| &kept.denied,
        RefusalKind::Budget => |kept: &Kept| &kept.budget_exceeded,
        RefusalKind::Rate => |kept: &Kept| &kept.rate_limited,
        RefusalKind::SaidNo => |kept: &Kept| &kept.approval_denied,
        RefusalKind::TimedOut => |kept: &Kept| &kept.approval_timeout,
    };
    match Py::new(py, Decision::new(refusal.decision.clone(), action_id)) {
        Ok(decision) => made(py, class, (decision, tool)),
        Err(error) => error,
    }
}

/// The `ReplayDivergence` for a call that is not the recorded one.
pub(crate) fn diverged(py: Python<'_>, diverged: Divergence) -> PyErr {
    made(py, |kept| &kept.diverged, (diverged.message, diverged.position, diverged.expected, diverged.found))
}

fn made<'py>(
    py: Python<'py>,
    maker: impl FnOnce(&Kept) -> &Py<PyAny>,
    arguments: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>,
) -> PyErr {
    let exception = kept(py).and_then(|kept| outside::call(maker(kept).bind(py), arguments, None));
    match exception {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// What is raised where a panic was contained outside the guard: the tool does not run.
pub(crate) fn contained(py: Python<'_>, tool: &str) -> PyErr {
    let error = made(py, |kept| &kept.contained, (tool,));
    if error.is_instance_of::<PyException>(py) {
        return error;
    }
    PyRuntimeError::new_err("a defect of counterseal was contained; the tool did not run")
}
