//! Permission for one run, as Python carries it from before the body to after it.

use crate::capture;
use crate::errors::raised;
use crate::outside;
use counterseal::guard::{self, Captured};
use counterseal::ledger::Outcome;
use counterseal::value::{Value, encode};
use counterseal::{Error, ErrorCode};
use pyo3::exceptions::{PyBaseException, PyGeneratorExit, PyKeyboardInterrupt, PyOSError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString, PyTuple, PyType};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Characters of a raised exception's message that are recorded.
const MESSAGE: usize = 2_000;

/// How many of the values that an exception was made with are recorded; of more than that none is.
const ARGUMENTS: usize = 8;

/// What is recorded in the place of the values that an exception was made with, where they are too many or not plain.
const NOT_PLAIN: &str = "…";

/// One that is never given back is recorded as `unknown` when Python lets go of it.
#[pyclass(frozen, module = "counterseal._native")]
#[derive(Debug)]
pub(crate) struct Ticket {
    inner: Mutex<Option<guard::Ticket>>,
    used: AtomicBool,
    /// How often this process had been forked when it was made: a copy in a child completes nothing.
    forks: u64,
}

/// How many forks lie between this process and the one that imported the package.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// Says that this process is a forked child.
#[pyfunction]
pub(crate) fn forked() {
    FORKS.fetch_add(1, Ordering::AcqRel);
    crate::question::forget_ended();
    outside::forget_waiting();
}

/// How often this process was forked since the package was imported.
pub(crate) fn forks() -> u64 {
    FORKS.load(Ordering::Acquire)
}

/// What is raised where a forked child would run a call that its parent may run.
pub(crate) fn of_parent(py: Python<'_>) -> PyErr {
    let why = "this permission is the parent process's; ask for one in this process";
    raised(py, &Error::new(ErrorCode::Forked, why))
}

impl Ticket {
    pub(crate) fn new(inner: guard::Ticket) -> Self {
        Self { inner: Mutex::new(Some(inner)), used: AtomicBool::new(false), forks: forks() }
    }

    fn take(&self) -> Option<guard::Ticket> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner).take();
        if self.forks == forks() {
            return inner;
        }
        // The call is the parent's, and so is its completion: dropping it here would record one more.
        std::mem::forget(inner);
        None
    }

    /// The body returned `result`.
    #[expect(unsafe_code, reason = "lends the result's text for as long as it takes to record it")]
    pub(crate) fn returned(&self, result: &Bound<'_, PyAny>) {
        let Some(ticket) = self.take() else { return };
        // SAFETY: the caller holds the result; no Python code runs while its value lives.
        match unsafe { capture::value_once(result) } {
            Ok(Value::Opaque(_)) => ticket.complete(Outcome::Success, &Captured::Uncaptured),
            Ok(value) => ticket.complete(Outcome::Success, &Captured::Value(&value)),
            Err(failure) => {
                ticket.complete(Outcome::Success, &Captured::Uncaptured);
                keep_interrupt(result.py(), failure);
            }
        }
    }

    /// The body gave out everything it had; what it gave is not recorded.
    pub(crate) fn exhausted(&self) {
        if let Some(ticket) = self.take() {
            ticket.complete(Outcome::Success, &Captured::Uncaptured);
        }
    }

    /// The body ended with an exception.
    pub(crate) fn failed(&self, error: &Bound<'_, PyAny>) {
        let Some(mut ticket) = self.take() else { return };
        let ended = outcome(error);
        if ended == Outcome::Interrupted && is_control_flow(error) {
            ticket.suspends();
        }
        ticket.complete(ended, &Captured::Error(&described(error)));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        drop(self.take());
    }
}

#[pymethods]
impl Ticket {
    /// Uses the permission; `False` where it was used before, in any thread. Raises in a forked child: the parent may use it.
    fn begin(&self, py: Python<'_>) -> PyResult<bool> {
        if self.forks != forks() {
            return Err(of_parent(py));
        }
        Ok(!self.used.swap(true, Ordering::AcqRel))
    }

    /// The id of the decided call; `None` once it is given back.
    #[getter]
    fn action_id(&self) -> Option<String> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.as_ref().map(|ticket| crate::decision::action_text(ticket.action_id()))
    }

    /// Says what the call cost, in millionths of a US dollar; nothing once it is given back.
    fn costs(&self, micro_usd: i64) {
        if let Some(ticket) = self.inner.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            ticket.costs(micro_usd);
        }
    }

    /// Completes the call with what came back.
    #[pyo3(name = "returned")]
    fn complete_returned(&self, result: &Bound<'_, PyAny>) {
        self.returned(result);
    }

    /// Completes the call with the exception that ended it.
    #[pyo3(name = "failed")]
    fn complete_failed(&self, error: &Bound<'_, PyBaseException>) {
        self.failed(error.as_any());
    }

    /// Gives the call up: nobody knows how it ended.
    fn abandon(&self) {
        drop(self.take());
    }
}

/// Exceptions with which a framework leaves a body, such as to ask a person and come back.
static CONTROL_FLOW: Mutex<Vec<Py<PyType>>> = Mutex::new(Vec::new());

/// Says that exceptions of `class` leave a body without being a failure of it.
#[pyfunction]
#[pyo3(signature = (class, /))]
pub(crate) fn leaves_a_body(class: &Bound<'_, PyType>) {
    let mut known = CONTROL_FLOW.lock().unwrap_or_else(PoisonError::into_inner);
    if !known.iter().any(|one| one.is(class)) {
        known.push(class.clone().unbind());
    }
}

/// An exception that ends a body from outside is no failure of the tool.
fn outcome(error: &Bound<'_, PyAny>) -> Outcome {
    let outside = error.is_instance_of::<PyGeneratorExit>()
        || error.is_instance_of::<PyKeyboardInterrupt>()
        || is_cancellation(error)
        || is_control_flow(error);
    if outside { Outcome::Interrupted } else { Outcome::Error }
}

/// Whether it left the body to come back to it.
fn is_control_flow(error: &Bound<'_, PyAny>) -> bool {
    control_flow(error.py()).iter().any(|class| error.is_instance(class).unwrap_or(false))
}

/// A copy: asking whether an exception is of a class may run Python code, which must not find the list locked.
fn control_flow(py: Python<'_>) -> Vec<Bound<'_, PyType>> {
    let known = CONTROL_FLOW.lock().unwrap_or_else(PoisonError::into_inner);
    known.iter().map(|class| class.bind(py).clone()).collect()
}

/// The modules, and the exceptions in them, with which a body is cancelled.
const CANCELLATIONS: [(&str, &str); 2] = [("asyncio.exceptions", "CancelledError"), ("trio", "Cancelled")];

/// Whether an event loop cancelled it, of those that the program has imported.
fn is_cancellation(error: &Bound<'_, PyAny>) -> bool {
    let Ok(modules) = error.py().import("sys").and_then(|sys| sys.getattr("modules")) else { return false };
    CANCELLATIONS.iter().any(|(module, name)| {
        let class = modules.get_item(module).and_then(|module| module.getattr(*name));
        class.and_then(|class| error.is_instance(&class)).unwrap_or(false)
    })
}

/// The exception's type, and what it was made with: one plain text as it is, anything else that is plain as a JSON list, which a
/// text that looks like one becomes too. None of its code runs.
fn described(error: &Bound<'_, PyAny>) -> String {
    let kind = error.get_type().fully_qualified_name().map_or_else(|_| "unknown".to_owned(), |name| name.to_string());
    let Some(args) = given(error).filter(|args| args.len() <= ARGUMENTS) else { return format!("{kind}: {NOT_PLAIN}") };
    if args.is_empty() {
        return kind;
    }
    if let [Value::Str(text)] = &*args
        && !text.starts_with('[')
    {
        return format!("{kind}: {text}");
    }
    let mut json = Vec::new();
    match encode(&Value::List(args), &mut json).ok().and_then(|()| String::from_utf8(json).ok()) {
        Some(listed) => format!("{kind}: {listed}"),
        None => format!("{kind}: {NOT_PLAIN}"),
    }
}

/// What an exception was made with, each text cut to its bound; `None` where that is not plain.
fn given(error: &Bound<'_, PyAny>) -> Option<Vec<Value<'static>>> {
    let py = error.py();
    let args = outside::named(error, "args").ok()?.cast_into::<PyTuple>().ok()?;
    let mut all = args.iter().map(|one| plain(&one)).collect::<Option<Vec<_>>>()?;
    // an `OSError` keeps the names of files apart
    if error.is_instance_of::<PyOSError>() && all.len() == 2 {
        let name = py.get_type::<PyOSError>().getattr("filename").ok()?;
        let name = outside::method(&name, "__get__", (error,)).ok().and_then(|name| plain(&name));
        all.extend(name.filter(|name| !matches!(name, Value::Null)));
    }
    Some(all)
}

/// A text, number, truth or nothing, of exactly these types.
fn plain(object: &Bound<'_, PyAny>) -> Option<Value<'static>> {
    let is_plain = object.is_none()
        || object.is_exact_instance_of::<PyString>()
        || object.is_exact_instance_of::<PyInt>()
        || object.is_exact_instance_of::<PyFloat>()
        || object.is_exact_instance_of::<PyBool>();
    if !is_plain {
        return None;
    }
    match capture::owned_once(object).ok()? {
        Value::Str(text) => Some(Value::Str(text.chars().take(MESSAGE).collect::<String>().into())),
        value => Some(value),
    }
}

/// An interrupt that came while a result was read must not be lost, and must not replace the result.
#[expect(unsafe_code, reason = "asks the interpreter to raise the interrupt again, later")]
fn keep_interrupt(py: Python<'_>, failure: capture::Failure) {
    if let Err(error) = failure.into_error()
        && error.is_instance_of::<PyKeyboardInterrupt>(py)
    {
        // SAFETY: this thread is attached.
        unsafe { ffi::PyErr_SetInterrupt() };
    }
}
