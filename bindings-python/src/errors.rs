//! What the engine says, as the exceptions of the package: their classes are Python's, in `counterseal/_errors.py`.

use crate::decision::Decision;
use crate::outside;
use counterseal::Error;
use counterseal::decide::RefusalKind;
use counterseal::guard::Refusal;
use counterseal::policy::PolicyErrors;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

const MODULE: &str = "counterseal._errors";

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
    made(py, "from_core", arguments)
}

/// The exception for a policy with problems: the first one's code and place, and the text of all.
pub(crate) fn refused_policy(py: Python<'_>, errors: PolicyErrors) -> PyErr {
    raised(py, &Error::from(errors))
}

/// The `PolicyDenied` for a call that may not run.
pub(crate) fn denied(py: Python<'_>, tool: &str, refusal: &Refusal) -> PyErr {
    let action_id = refusal.action_id.map(crate::decision::action_text);
    let class = match refusal.decision.reason_code.refusal() {
        RefusalKind::Policy => "PolicyDenied",
        RefusalKind::Budget => "BudgetExceeded",
        RefusalKind::Rate => "RateLimited",
        RefusalKind::SaidNo => "ApprovalDenied",
        RefusalKind::TimedOut => "ApprovalTimeout",
    };
    match Py::new(py, Decision::new(refusal.decision.clone(), action_id)) {
        Ok(decision) => made(py, class, (decision, tool)),
        Err(error) => error,
    }
}

fn made<'py>(
    py: Python<'py>,
    name: &str,
    arguments: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>,
) -> PyErr {
    let exception = py.import(MODULE).and_then(|errors| outside::method(&errors, name, arguments));
    match exception {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// What is raised where a panic was contained outside the guard: the tool does not run.
pub(crate) fn contained(py: Python<'_>, tool: &str) -> PyErr {
    let error = made(py, "contained", (tool,));
    if error.is_instance_of::<pyo3::exceptions::PyException>(py) {
        return error;
    }
    PyRuntimeError::new_err("a defect of counterseal was contained; the tool did not run")
}
