//! A policy file that is looked at while the program runs: Python looks, the core says what that leads to.

use crate::errors::raised;
use crate::policy::Policy;
use counterseal::policy::reload::{self, Look, Step};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the looks at one file lead to.
///
/// Invariant: the lock is taken and given back within one call by a thread that is attached, and no Python code runs meanwhile: so
/// no fork finds it taken.
#[pyclass(frozen, module = "counterseal._native")]
#[derive(Debug)]
pub(crate) struct Reload(Mutex<reload::Reload>);

#[pymethods]
impl Reload {
    /// Begins with the bytes that a first look at the file found, or why it cannot be read.
    #[new]
    fn new(py: Python<'_>, path: PathBuf, text: Option<Vec<u8>>, why: String) -> PyResult<Self> {
        let begun = reload::Reload::begin(&path.display().to_string(), text.ok_or(why));
        begun.map(|begun| Self(Mutex::new(begun))).map_err(|error| raised(py, &error))
    }

    /// The policy in force.
    #[getter]
    fn policy(&self) -> Policy {
        Policy { inner: Arc::clone(self.lock().policy()) }
    }

    /// The policy that is to be put in force, if any; raises where a changed one is refused.
    fn look(&self, py: Python<'_>, stamp: String, text: Option<Vec<u8>>, why: String) -> PyResult<Option<Policy>> {
        let step = self.lock().look(Look { stamp, found: text.ok_or(why) });
        match step {
            Step::Keep | Step::Wait => Ok(None),
            Step::Take(inner) => Ok(Some(Policy { inner })),
            Step::Refuse(error) => Err(raised(py, &error)),
        }
    }

    /// The policy of the last look is in force now.
    fn taken(&self) {
        self.lock().taken();
    }

    /// It cannot be put in force.
    fn refused(&self, why: String) {
        self.lock().refused(why);
    }

    /// What came of looking.
    fn standing<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let standing = self.lock().standing().clone();
        let all = PyDict::new(py);
        all.set_item("reloaded", standing.reloaded)?;
        all.set_item("refused", standing.refused)?;
        all.set_item("problem", standing.problem)?;
        Ok(all)
    }
}

impl Reload {
    fn lock(&self) -> MutexGuard<'_, reload::Reload> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
