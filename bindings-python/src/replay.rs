//! A recorded run that is replayed: the core says which call is which, and this hands it what only Python knows.

use crate::errors::{denied, diverged, raised};
use crate::outside;
use counterseal::ledger::Home;
use counterseal::replay::{Given, Made, Replay};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A run as its ledger holds it, and how far it was gone through again.
#[pyclass(frozen, module = "counterseal._native")]
#[derive(Debug)]
pub(crate) struct Recording {
    replay: Mutex<Replay>,
}

impl Recording {
    /// Held only while the core looks a call up, which runs nothing of Python.
    fn replay(&self) -> MutexGuard<'_, Replay> {
        self.replay.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Index, JSON of the result, JSON of what was raised, and an exception that says why there is neither.
type Ended = (usize, Option<String>, Option<String>, Option<PyErr>);

#[pymethods]
impl Recording {
    /// The run from the ledger in `home`, or raises at once where it cannot be replayed.
    #[new]
    fn new(py: Python<'_>, home: PathBuf, run: &str, session: Option<&str>) -> PyResult<Self> {
        let found = outside::detached(py, || Home::open(&home).and_then(|home| Replay::of_run(&home, run, session)));
        found.map(|replay| Self { replay: Mutex::new(replay) }).map_err(|error| raised(py, &error))
    }

    /// The recorded call that this one is, by its index, and what it came to: JSON of its result, JSON of what it raised, or the
    /// exception with which it is refused or cannot be given back. Raises `ReplayDivergence` where there is none.
    #[expect(clippy::too_many_arguments, reason = "all that is known of a call; called from one place")]
    fn serve(
        &self,
        py: Python<'_>,
        source: &str,
        name: &str,
        arguments: &[u8],
        call_id: Option<&str>,
        after: Option<usize>,
        alone: bool,
    ) -> PyResult<Ended> {
        let made = Made { source, name, arguments, call_id, after, alone };
        let found = self.replay().serve(&made);
        let served = found.map_err(|divergence| diverged(py, divergence))?;
        let (result, error, refused) = match served.given {
            Ok(Given::Returned(result)) => (result, None, None),
            Ok(Given::Raised(error)) => (None, Some(error), None),
            Ok(Given::Refused(refusal)) => (None, None, Some(denied(py, &served.tool, &refusal))),
            Err(error) => (None, None, Some(raised(py, &error))),
        };
        Ok((served.index, result, error, refused))
    }

    /// Raises `ReplayDivergence` where the program diverged before, or left calls out.
    fn end(&self, py: Python<'_>) -> PyResult<()> {
        let left = self.replay().left();
        left.map_or(Ok(()), |divergence| Err(diverged(py, divergence)))
    }
}
