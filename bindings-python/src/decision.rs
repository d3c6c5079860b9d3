//! A decision as Python sees it: values under names, made when they are asked for.

use crate::session;
use counterseal::decide::{self, Effect, Enforcement, ReasonCode, RecordSettings, Verdict};
use counterseal::ledger::ActionId;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

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

    /// The limit that has not enough left, where that is why: `id`, `unit` (`usd`, `tokens`, `calls` or `sum`), `used`, `left`, `max`,
    /// and `resets_at` in seconds since 1970.
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

    /// What pickle and copy keep: everything that can be asked of it.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyDict>,))> {
        Ok((py.import("counterseal._native")?.getattr("restored_decision")?, (self.to_dict(py)?,)))
    }

    /// Decisions are equal where everything that can be asked of them is.
    fn __eq__(&self, other: &Self, py: Python<'_>) -> PyResult<bool> {
        self.to_dict(py)?.eq(other.to_dict(py)?)
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.inner.verdict.as_str(), self.reason_code(), self.inner.policy, self.action_id()).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        let (verdict, code) = (self.inner.verdict.as_str(), self.reason_code());
        format!("Decision(decision='{verdict}', effect='{}', reason_code='{code}')", self.inner.effect.as_str())
    }
}

/// The decision that `to_dict` gave this of.
#[pyfunction]
pub(crate) fn restored_decision(state: &Bound<'_, PyDict>) -> PyResult<Decision> {
    let optional = |name: &str| Ok::<_, PyErr>(text(state, name)?.map(Arc::from));
    let rules: Vec<String> = state.get_item("rules")?.map_or_else(|| Ok(Vec::new()), |rules| rules.extract())?;
    let limit = match state.get_item("limit")?.filter(|limit| !limit.is_none()) {
        Some(limit) => Some(session::restored_limit(limit.cast()?)?.ok_or_else(|| unfit("limit"))?),
        None => None,
    };
    let inner = decide::Decision {
        verdict: one_of(state, "decision", [Verdict::Allow, Verdict::RequireApproval, Verdict::Deny], Verdict::as_str)?,
        effect: one_of(state, "effect", [Effect::Run, Effect::Refused, Effect::Asked], Effect::as_str)?,
        reason_code: one_of(state, "reason_code", ReasonCode::ALL.iter().copied(), ReasonCode::as_str)?,
        reason: optional("reason")?,
        reason_for_agent: optional("reason_for_agent")?,
        rules: rules.into_iter().map(Arc::from).collect(),
        policy: text(state, "policy")?.and_then(|digits| unhex(&digits)).ok_or_else(|| unfit("policy"))?,
        enforcement: one_of(
            state,
            "enforcement",
            [Enforcement::Observe, Enforcement::StepUp, Enforcement::Progressive, Enforcement::Block],
            Enforcement::as_str,
        )?,
        detail: optional("detail")?,
        // the call is recorded by now, and nobody can ask a decision how
        record: RecordSettings::default(),
        limit: limit.map(Arc::new),
    };
    Ok(Decision::new(inner, text(state, "action_id")?))
}

fn text(state: &Bound<'_, PyDict>, name: &str) -> PyResult<Option<String>> {
    state.get_item(name)?.map_or(Ok(None), |text| text.extract())
}

fn one_of<T: Copy>(
    state: &Bound<'_, PyDict>,
    name: &str,
    all: impl IntoIterator<Item = T>,
    written: fn(T) -> &'static str,
) -> PyResult<T> {
    let given = text(state, name)?.unwrap_or_default();
    all.into_iter().find(|one| written(*one) == given).ok_or_else(|| unfit(name))
}

fn unfit(name: &str) -> PyErr {
    PyValueError::new_err(format!(
        "this is no decision of this version of counterseal: `{name}` is missing or not known; restore it with the version that made it"
    ))
}

/// The package's enumerations, kept from its import on: an end of the interpreter imports nothing any more.
static WORDS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// Keeps the enumerations, when the package is imported.
pub(crate) fn keep(py: Python<'_>) -> PyResult<()> {
    WORDS.get_or_try_init(py, || py.import("counterseal._words").map(Bound::unbind)).map(drop)
}

/// A member of one of the package's enumerations, which are `str`.
fn word<'py>(py: Python<'py>, class: &str, text: &str) -> PyResult<Bound<'py, PyAny>> {
    keep(py)?;
    let words = WORDS.get(py).ok_or_else(|| PyValueError::new_err("the words of decisions are gone"))?;
    words.bind(py).getattr(class)?.call1((text,))
}

/// 32 hex characters.
pub(crate) fn action_text(id: ActionId) -> String {
    hex(&id.0)
}

fn unhex(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(place * 2..place * 2 + 2)?, 16).ok()?;
    }
    (digits.len() == 64).then_some(bytes)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
