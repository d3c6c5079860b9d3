//! Permission that holds once a wait is over, as Python carries it from before the wait to after it.

use crate::by_name;
use crate::declared::Declared;
use crate::errors::{contained, denied};
use crate::outside;
use crate::ticket::{Ticket, forks, of_parent};
use counterseal::Error;
use counterseal::guard::{Admission, PendingSync};
use counterseal::value::Value;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a body waits for its record to reach the disk before it is refused.
const DISK_PATIENCE: Duration = Duration::from_secs(10);

/// A call whose record is on its way to the disk. Afterwards its arguments are captured again: others may have changed them.
#[pyclass(frozen, module = "counterseal._native")]
#[derive(Debug)]
pub(crate) struct Pending {
    tool: String,
    state: Mutex<State>,
    /// How often this process had been forked when it was made: a copy in a child permits nothing.
    forks: u64,
    /// The arguments of a call that was decided by name.
    named: Option<(Arc<Declared>, Py<PyAny>)>,
}

#[derive(Debug)]
struct State {
    /// `None` once the call went on.
    call: Option<PendingSync>,
    waited: Option<Result<(), Error>>,
}

impl Pending {
    pub(crate) fn new(tool: &str, call: PendingSync, named: Option<(Arc<Declared>, Py<PyAny>)>) -> Self {
        let state = Mutex::new(State { call: Some(call), waited: None });
        Self { tool: tool.to_owned(), state, forks: forks(), named }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on after the wait; a ticket, or raises where the call may not run after all. `read` gives the arguments as they
    /// are now.
    pub(crate) fn resumed<'py, 'a>(
        &self,
        py: Python<'py>,
        read: impl FnOnce() -> PyResult<Result<Value<'a>, Error>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.wait(py)?;
        let state = std::mem::replace(&mut *self.state(), State { call: None, waited: None });
        let (Some(call), Some(waited)) = (state.call, state.waited) else { return Err(contained(py, &self.tool)) };
        // Where this raises, the program is interrupted: the call is given up.
        let arguments = read()?;
        let admission = call.resume(waited, arguments.as_ref());
        drop(arguments);
        match admission {
            Admission::Run(ticket) => Ok(Bound::new(py, Ticket::new(ticket))?.into_any()),
            Admission::Refused(refusal) => Err(denied(py, &self.tool, &refusal)),
            Admission::Sync(_) | Admission::Ask(_) => Err(contained(py, &self.tool)),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.forks != forks() {
            // As with a ticket: the call is the parent's, and so is its completion.
            let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(state.call.take());
        }
    }
}

#[pymethods]
impl Pending {
    /// What tells the calls that wait for one disk from those that wait for another.
    #[getter]
    fn queue(&self) -> usize {
        self.state().call.as_ref().map_or(0, |call| call.sync().queue())
    }

    /// Waits for the disk without the interpreter's lock. Whether the call may run is said afterwards, when it goes on.
    pub(crate) fn wait(&self, py: Python<'_>) -> PyResult<()> {
        if self.forks != forks() {
            return Err(of_parent(py));
        }
        let sync = match &*self.state() {
            State { call: Some(call), waited: None } => call.sync().clone(),
            _ => return Ok(()),
        };
        let waited = outside::detached(py, || sync.wait(DISK_PATIENCE));
        self.state().waited = Some(waited);
        Ok(())
    }

    /// For a call that was decided by name: captures its arguments again and goes on.
    fn resume<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let Some((declared, arguments)) = &self.named else { return Err(contained(py, &self.tool)) };
        let arguments = arguments.bind(py);
        self.resumed(py, || by_name::given(declared, arguments))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.named.as_ref().map_or(Ok(()), |(_, arguments)| visit.call(arguments))
    }
}
