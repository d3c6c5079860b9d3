//! A policy as Python gives it: a file, a text, or a dict.

use crate::capture;
use crate::errors::{raised, refused_policy};
use counterseal::policy;
use counterseal::{Error, ErrorCode};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;

/// A policy that was read, checked and compiled.
#[pyclass(frozen, module = "counterseal")]
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) inner: Arc<policy::Policy>,
}

#[pymethods]
impl Policy {
    /// Reads a file in YAML or JSON.
    #[staticmethod]
    fn from_file(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let shown = path.display().to_string();
        let bytes = std::fs::read(&path).map_err(|error| {
            let why =
                format!("the policy `{shown}` cannot be read: {error}; give the path of a file, or the policy itself");
            raised(py, &Error::new(ErrorCode::PolicyUnreadable, why).with("path", &shown))
        })?;
        compiled(py, policy::load_bytes(&shown, &bytes))
    }

    /// Reads the bytes of a file in YAML or JSON, which were read before.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, path: PathBuf, bytes: &[u8]) -> PyResult<Self> {
        compiled(py, policy::load_bytes(&path.display().to_string(), bytes))
    }

    /// Reads a text in YAML or JSON.
    #[staticmethod]
    fn from_text(py: Python<'_>, text: &str) -> PyResult<Self> {
        compiled(py, policy::load("policy", text))
    }

    /// Reads a document that the program built.
    #[staticmethod]
    fn from_dict(document: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = document.py();
        let value = capture::owned_once(document);
        let value = crate::tool::refusal(value)?.map_err(|error| raised(py, &error))?;
        compiled(py, policy::load_value("policy", &value))
    }

    /// The policy's name, as it says itself.
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }

    /// How many rules it has.
    #[getter]
    fn rules(&self) -> usize {
        self.inner.rule_count()
    }

    /// Whether it lets every call run: no scope, rule or limit, and a default of `allow` or none.
    #[getter]
    fn refuses_nothing(&self) -> bool {
        self.inner.refuses_nothing()
    }

    fn __repr__(&self) -> String {
        format!("Policy(name='{}', rules={})", self.inner.name(), self.inner.rule_count())
    }
}

fn compiled(py: Python<'_>, loaded: Result<policy::Policy, policy::PolicyErrors>) -> PyResult<Policy> {
    loaded.map(|inner| Policy { inner: Arc::new(inner) }).map_err(|errors| refused_policy(py, errors))
}
