//! Permission that holds once a wait is over, as Python carries it from before the wait to after it: for the disk, or for people.

use crate::by_name;
use crate::decision::action_text;
use crate::declared::Declared;
use crate::engine::{self, Engine};
use crate::errors::{contained, denied, raised};
use crate::outside;
use crate::question;
use crate::ticket::{Ticket, forks, of_parent};
use counterseal::approval::desk::Wait;
use counterseal::guard::{Admission, Asking, PendingSync, Resumed};
use counterseal::ledger::ActionId;
use counterseal::ledger::record::scalar::Id;
use counterseal::value::{self, Value};
use counterseal::{Error, ErrorCode};
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::PyDict;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a body waits for its record to reach the disk before it is refused.
const DISK_PATIENCE: Duration = Duration::from_secs(10);
/// How often a thread that waits for people looks whether the program is interrupted.
const LOOK: Duration = Duration::from_millis(50);

/// A call that has to wait. Afterwards its arguments are captured again: others may have changed them. It is false, where a
/// ticket is true.
#[pyclass(frozen, module = "counterseal._native")]
#[derive(Debug)]
pub(crate) struct Pending {
    tool: String,
    state: Mutex<State>,
    /// How often this process had been forked when it was made: a copy in a child permits nothing.
    forks: u64,
    named: Named,
    /// The program's own approver, of a call that waits for people.
    approver: Option<Py<PyAny>>,
    /// The question, of a call that waits for people: for as long as this is there, however the call went on.
    asked: Option<Asked>,
    edited: Option<Edited>,
}

/// What stays of a question.
#[derive(Debug)]
struct Asked {
    wait: Wait,
    action_id: ActionId,
    canonical: Arc<[u8]>,
    native: bool,
}

/// The arguments of a call that was decided by name.
pub(crate) type Named = Option<(Arc<Declared>, Py<PyAny>)>;

#[derive(Debug)]
enum State {
    Disk {
        call: PendingSync,
        waited: Option<Result<(), Error>>,
    },
    People(Box<Asking>),
    /// The call went on.
    Gone,
}

/// The canonical arguments as they were, and as people want them.
#[derive(Debug)]
struct Edited {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Pending {
    pub(crate) fn disk(tool: &str, call: PendingSync, named: Named) -> Self {
        Self {
            tool: tool.to_owned(),
            state: Mutex::new(State::Disk { call, waited: None }),
            forks: forks(),
            named,
            approver: None,
            asked: None,
            edited: None,
        }
    }

    pub(crate) fn people(py: Python<'_>, asking: Box<Asking>, engine: &Engine, named: Named) -> Self {
        Self {
            tool: asking.tool().spec().name.clone(),
            asked: Some(Asked {
                wait: asking.waiting().clone(),
                action_id: asking.action_id(),
                canonical: Arc::clone(asking.canonical()),
                native: engine.native,
            }),
            state: Mutex::new(State::People(asking)),
            forks: forks(),
            named,
            approver: engine.approver.as_ref().map(|approver| approver.clone_ref(py)),
            edited: None,
        }
    }

    /// Whether people are asked.
    pub(crate) const fn is_question(&self) -> bool {
        self.asked.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> State {
        std::mem::replace(&mut *self.state(), State::Gone)
    }

    /// Lends the question, of a call that waits for people.
    fn asked<R>(&self, py: Python<'_>, lend: impl FnOnce(&Asking) -> PyResult<R>) -> PyResult<R> {
        if self.forks != forks() {
            return Err(of_parent(py));
        }
        match &*self.state() {
            State::People(asking) => lend(asking),
            _ => Err(contained(py, &self.tool)),
        }
    }

    /// Goes on after the wait: a ticket, another wait, or raises where the call may not run after all. `read` gives the
    /// arguments as they are now.
    pub(crate) fn resumed<'py, 'a>(
        &self,
        py: Python<'py>,
        read: impl FnOnce() -> PyResult<Result<Value<'a>, Error>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if self.forks != forks() {
            return Err(of_parent(py));
        }
        if self.asked.is_none() {
            self.wait(py)?;
        }
        // Where reading raises, the program is interrupted: the call is given up, and a question is left open.
        let state = self.take();
        let arguments = read()?;
        match state {
            State::Disk { call, waited: Some(waited) } => {
                let admission = call.resume(waited, arguments.as_ref());
                drop(arguments);
                match admission {
                    Admission::Run(ticket) => Ok(Bound::new(py, Ticket::new(ticket))?.into_any()),
                    Admission::Refused(refusal) => Err(denied(py, &self.tool, &refusal)),
                    Admission::Sync(_) | Admission::Ask(_) => Err(contained(py, &self.tool)),
                }
            }
            State::People(asking) => {
                let before = asking.canonical().to_vec();
                let Resumed { admission, edited } = asking.resume(arguments.as_ref());
                drop(arguments);
                match admission {
                    Admission::Run(ticket) if edited.is_none() => Ok(Bound::new(py, Ticket::new(ticket))?.into_any()),
                    Admission::Sync(call) => {
                        let named = self
                            .named
                            .as_ref()
                            .map(|(declared, arguments)| (Arc::clone(declared), arguments.clone_ref(py)));
                        let mut next = Self::disk(&self.tool, call, named);
                        next.edited = edited.map(|after| Edited { before, after });
                        Ok(Bound::new(py, next)?.into_any())
                    }
                    Admission::Refused(refusal) => Err(denied(py, &self.tool, &refusal)),
                    Admission::Run(_) | Admission::Ask(_) => Err(contained(py, &self.tool)),
                }
            }
            State::Disk { waited: None, .. } | State::Gone => Err(contained(py, &self.tool)),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.forks != forks() {
            // As with a ticket: the call is the parent's, and so is its completion.
            let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(std::mem::replace(state, State::Gone));
        }
    }
}

#[pymethods]
impl Pending {
    /// No permission yet.
    #[expect(clippy::unused_self, reason = "a slot of Python's data model")]
    const fn __bool__(&self) -> bool {
        false
    }

    /// Whether people are asked; otherwise the disk is waited for.
    #[getter]
    const fn asks(&self) -> bool {
        self.asked.is_some()
    }

    /// Whether a framework's own way to ask is to be used where the call is made in a run of one.
    #[getter]
    fn native(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.native)
    }

    /// What tells the calls that wait for one disk from those that wait for another.
    #[getter]
    fn queue(&self) -> usize {
        match &*self.state() {
            State::Disk { call, .. } => call.sync().queue(),
            _ => 0,
        }
    }

    /// Waits without the interpreter's lock. Whether the call may run is said afterwards, when it goes on.
    pub(crate) fn wait(&self, py: Python<'_>) -> PyResult<()> {
        if self.forks != forks() {
            return Err(of_parent(py));
        }
        if self.asked.is_some() {
            let wait = match &*self.state() {
                State::People(asking) => asking.waiting().clone(),
                _ => return Ok(()),
            };
            while !outside::detached(py, || wait.wait(LOOK)) {
                py.check_signals()?;
            }
            return Ok(());
        }
        let sync = match &*self.state() {
            State::Disk { call, waited: None } => call.sync().clone(),
            _ => return Ok(()),
        };
        let done = outside::detached(py, || sync.wait(DISK_PATIENCE));
        if let State::Disk { waited, .. } = &mut *self.state() {
            *waited = Some(done);
        }
        Ok(())
    }

    /// Waits until people are asked; whether the question has not ended with that.
    fn wait_asked(&self, py: Python<'_>) -> PyResult<bool> {
        let wait = self.asked(py, |asking| Ok(asking.waiting().clone()))?;
        while !outside::detached(py, || wait.wait_asked(LOOK)) {
            py.check_signals()?;
        }
        Ok(!wait.is_settled())
    }

    /// For a call that was decided by name: captures its arguments again and goes on. What people wrote themselves is nobody
    /// else's to change, and is not captured.
    fn resume<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let Some((declared, arguments)) = &self.named else { return Err(contained(py, &self.tool)) };
        if let Some(edited) = &self.edited {
            return self.resumed(py, || Ok(value::decode(&edited.after)));
        }
        let arguments = arguments.bind(py);
        self.resumed(py, || by_name::given(declared, arguments))
    }

    /// Goes on with arguments that cannot be given: raises the refusal, with `why` in it.
    fn refuse<'py>(&self, py: Python<'py>, why: &str) -> PyResult<Bound<'py, PyAny>> {
        self.resumed(py, || Ok(Err(Error::new(ErrorCode::ValueUnreadable, why))))
    }

    /// The arguments as JSON texts in canonical form: as they were, and as people want them. `None` where they left them.
    #[getter]
    fn edited(&self) -> Option<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.edited.as_ref().map(|edited| (text(&edited.before), text(&edited.after)))
    }

    /// The program's own approver.
    #[getter]
    fn approver(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.approver.as_ref().map(|approver| approver.clone_ref(py))
    }

    /// Stops waiting. A question stays open, and the next like call takes it up; a call that waits for the disk is cancelled.
    fn leave(&self) {
        if self.forks == forks() {
            drop(self.take());
        }
    }

    /// Takes the question back.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        self.asked(py, |asking| {
            asking.cancel();
            Ok(())
        })
    }

    /// Whether the question has ended.
    #[getter]
    fn settled(&self) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.wait.is_settled())
    }

    /// Whether it is one of several calls that a framework makes in one step.
    #[getter]
    fn in_turn(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.wait.turn().is_some())
    }

    /// Whether people have answered, and it has to be asked once more: when all others of its turn are answered too.
    #[getter]
    fn held(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.wait.is_held())
    }

    /// The approval's id; `None` until the home has it.
    #[getter]
    fn approval(&self) -> Option<String> {
        self.asked.as_ref().and_then(|asked| asked.wait.id()).map(|id| id.to_string())
    }

    /// The id of the call in the ledger; `None` where nobody is asked.
    #[getter]
    fn action_id(&self) -> Option<String> {
        self.asked.as_ref().map(|asked| action_text(asked.wait.action_id().unwrap_or(asked.action_id)))
    }

    /// How the question ended, by name; `None` until it has, and where it could not be asked.
    fn ended<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(asked) = &self.asked else { return Ok(None) };
        let Some(settled) = asked.wait.settled() else { return Ok(None) };
        question::ended(py, &settled, &asked.canonical)
    }

    /// What people are asked, by name.
    fn question<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.asked(py, |asking| question::described(py, asking))
    }

    /// Has `woken` give `number` out once the question has ended, or as soon as people are asked.
    #[pyo3(signature = (number, *, when_asked))]
    fn wake(&self, py: Python<'_>, number: u64, when_asked: bool) -> PyResult<()> {
        self.asked(py, |asking| {
            question::wake(asking, number, when_asked);
            Ok(())
        })
    }

    /// What the program itself answers; too late, once the question has ended or nobody waits, that changes nothing. Raises where the
    /// answer makes no sense; nothing is answered then.
    #[pyo3(signature = (yes, *, by, groups, verified_by, note, edit, grant))]
    #[expect(clippy::too_many_arguments, reason = "by keyword, from one place")]
    fn answer(
        &self,
        py: Python<'_>,
        yes: bool,
        by: &str,
        groups: Vec<String>,
        verified_by: Option<&str>,
        note: Option<&str>,
        edit: Option<&str>,
        grant: Option<&str>,
    ) -> PyResult<()> {
        let person = question::person(by, groups, verified_by);
        let answer = question::answer(yes, edit, grant).map_err(|error| raised(py, &error))?;
        if self.forks != forks() {
            return Err(of_parent(py));
        }
        if let State::People(asking) = &*self.state() {
            asking.answer(person, answer, note.map(Arc::from));
        }
        Ok(())
    }

    /// Raises where the question `id` of this home could not take that answer; nothing is answered.
    #[pyo3(signature = (id, yes, *, by, groups, verified_by, edit, grant))]
    #[expect(clippy::too_many_arguments, reason = "by keyword, from one place")]
    fn must_take(
        &self,
        py: Python<'_>,
        id: &str,
        yes: bool,
        by: &str,
        groups: Vec<String>,
        verified_by: Option<&str>,
        edit: Option<&str>,
        grant: Option<&str>,
    ) -> PyResult<()> {
        let person = question::person(by, groups, verified_by);
        let answer = question::answer(yes, edit, grant).map_err(|error| raised(py, &error))?;
        let Ok(ActionId(id)) = id.parse() else { return Ok(()) };
        let engine = engine::required(py)?;
        outside::detached(py, || question::must_be_usable(engine.guard.home(), Id(id), person, answer))
            .map_err(|error| raised(py, &error))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(approver) = &self.approver {
            visit.call(approver)?;
        }
        self.named.as_ref().map_or(Ok(()), |(_, arguments)| visit.call(arguments))
    }
}
