//! A policy as Python gives it: a file, a text, or a dict.

use crate::capture;
use crate::errors::{raised, refused_policy};
use counterseal::policy;
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
        let bytes = std::fs::read(&path)
            .map_err(|error| raised(py, &policy::reload::unreadable(&shown, &error.to_string())))?;
        compiled(py, policy::load_bytes(&shown, &bytes))
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

    fn __repr__(&self) -> String {
        format!("Policy(name='{}', rules={})", self.inner.name(), self.inner.rule_count())
    }
}

fn compiled(py: Python<'_>, loaded: Result<policy::Policy, policy::PolicyErrors>) -> PyResult<Policy> {
    loaded.map(|inner| Policy { inner: Arc::new(inner) }).map_err(|errors| refused_policy(py, errors))
}
