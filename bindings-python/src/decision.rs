//! A decision as Python sees it: values under names, made when they are asked for.

use crate::session;
use counterseal::decide;
use counterseal::ledger::ActionId;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::fmt::Write;

/// What was decided of one call and why.
#[pyclass(frozen, module = "counterseal")]
#[derive(Debug)]
pub(crate) struct Decision {
    inner: decide::Decision,
    action_id: Option<String>,
}

impl Decision {
    pub(crate) const fn new(inner: decide::Decision, action_id: Option<String>) -> Self {
        Self { inner, action_id }
    }
}

#[pymethods]
impl Decision {
    /// `allow`, `deny` or `require_approval`: what the policy says.
    #[getter]
    fn decision<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        word(py, "Verdict", self.inner.verdict.as_str())
    }

    /// `run`, `refused` or `asked`: what the enforcement mode made of it.
    #[getter]
    fn effect<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        word(py, "Effect", self.inner.effect.as_str())
    }

    /// Why, for people.
    #[getter]
    fn reason(&self) -> Option<&str> {
        self.inner.reason.as_deref()
    }

    /// Why, as a stable code.
    #[getter]
    const fn reason_code(&self) -> &'static str {
        self.inner.reason_code.as_str()
    }

    /// What the model is told.
    #[getter]
    fn reason_for_agent(&self) -> Option<&str> {
        self.inner.reason_for_agent.as_deref()
    }

    /// Ids of the rules that asked for it, layer first.
    #[getter]
    fn rules<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.inner.rules.iter().map(|rule| &**rule))
    }

    /// The policy's version, 64 hex characters.
    #[getter]
    fn policy(&self) -> String {
        hex(&self.inner.policy)
    }

    /// The mode that was in force.
    #[getter]
    fn enforcement<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        word(py, "Enforcement", self.inner.enforcement.as_str())
    }

    /// The part of a condition that failed, or what could not be captured.
    #[getter]
    fn detail(&self) -> Option<&str> {
        self.inner.detail.as_deref()
    }

    /// The limit that has not enough left, where that is why: `id`, `used`, `left`, `max`, and `resets_at` in seconds since 1970.
    #[getter]
    fn limit<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.inner.limit.as_deref().map(|limit| session::limit_state(py, limit)).transpose()
    }

    /// The id of the recorded call; `None` for `check` and where even the refusal could not be recorded.
    #[getter]
    fn action_id(&self) -> Option<&str> {
        self.action_id.as_deref()
    }

    /// Everything above by name, ready for JSON.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        all.set_item("decision", self.inner.verdict.as_str())?;
        all.set_item("effect", self.inner.effect.as_str())?;
        all.set_item("reason", self.reason())?;
        all.set_item("reason_code", self.reason_code())?;
        all.set_item("reason_for_agent", self.reason_for_agent())?;
        all.set_item("rules", self.rules(py)?.to_list())?;
        all.set_item("policy", self.policy())?;
        all.set_item("enforcement", self.inner.enforcement.as_str())?;
        all.set_item("detail", self.detail())?;
        all.set_item("limit", self.limit(py)?)?;
        all.set_item("action_id", self.action_id())?;
        Ok(all)
    }

    fn __repr__(&self) -> String {
        let (verdict, code) = (self.inner.verdict.as_str(), self.reason_code());
        format!("Decision(decision='{verdict}', effect='{}', reason_code='{code}')", self.inner.effect.as_str())
    }
}

/// A member of one of the package's enumerations, which are `str`.
fn word<'py>(py: Python<'py>, class: &str, text: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("counterseal._words")?.getattr(class)?.call1((text,))
}

/// 32 hex characters.
pub(crate) fn action_text(id: ActionId) -> String {
    hex(&id.0)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
