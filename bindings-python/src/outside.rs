//! Calls out of here into code of the program, from which a thread may never come back.
//!
//! A daemon thread that asks for the interpreter's lock while the interpreter is being finalised is ended there and then
//! (before Python 3.14, which parks it): its stack is unwound by force. Native code cannot be unwound so, and the process
//! would abort. Every way into Python code that a guarded call has goes through here: such a thread is parked for ever
//! in the frame that called out, holding nothing, and ends with the process.
//!
//! Invariant: the functions are called through pointers that the compiler knows nothing of, so that it keeps the guard.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use std::cell::Cell;
use std::ffi::c_int;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

type Object = *mut ffi::PyObject;

#[expect(
    unsafe_code,
    reason = "functions of the stable ABI, declared as those that unwind, which the same in `ffi` are not"
)]
unsafe extern "C-unwind" {
    fn PyObject_Call(callable: Object, args: Object, kwargs: Object) -> Object;
    fn PyObject_GetAttr(object: Object, name: Object) -> Object;
    fn PyObject_GetItem(object: Object, key: Object) -> Object;
    fn PyObject_GetIter(object: Object) -> Object;
    fn PyIter_Next(iterator: Object) -> Object;
    fn PyObject_IsInstance(object: Object, class: Object) -> c_int;
    fn PyEval_RestoreThread(state: *mut ffi::PyThreadState);
}

thread_local! {
    /// Whether this thread has given the interpreter's lock up.
    static DETACHED: Cell<bool> = const { Cell::new(false) };
}

/// Threads of this process that gave it up in the middle of a call, which nothing else shows yet: it may be in whatever engine.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Whether a call waits without the interpreter's lock before it has its ticket. Where none does, a caller that holds the lock
/// knows that no other thread is inside a decision.
pub(crate) fn anybody_waits() -> bool {
    WAITING.load(Ordering::SeqCst) > 0
}

/// In a forked child there is no thread but the one that forked.
pub(crate) fn forget_waiting() {
    WAITING.store(0, Ordering::SeqCst);
}

/// Dropped only while the thread is unwound by force: what comes back forgets it.
struct Parked;

impl Drop for Parked {
    fn drop(&mut self) {
        loop {
            std::thread::sleep(Duration::from_secs(3_600));
        }
    }
}

fn parked_if_ended<T>(call: impl FnOnce() -> T) -> T {
    let guard = Parked;
    let came_back = call();
    std::mem::forget(guard);
    came_back
}

/// Runs `work`, which waits, without the interpreter's lock, so that other threads run meanwhile.
pub(crate) fn detached<T: Send>(_py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    let mut work = Some(work);
    let mut outcome = None;
    without_lock(&mut || outcome = work.take().map(|work| work()));
    match outcome {
        Some(outcome) => outcome,
        // `without_lock` has run it.
        None => std::process::abort(),
    }
}

/// Runs the ledger's wait for room without the interpreter's lock.
pub(crate) fn while_waiting(wait: &mut dyn FnMut()) {
    struct Waiting;
    impl Drop for Waiting {
        fn drop(&mut self) {
            WAITING.fetch_sub(1, Ordering::SeqCst);
        }
    }
    WAITING.fetch_add(1, Ordering::SeqCst);
    // dropped by a thread that is attached again
    let _waiting = Waiting;
    without_lock(wait);
}

/// Runs a wait without the interpreter's lock. Only the ledger's and that of `detached`: neither touches a Python object.
///
/// Invariant: guards and ledgers are asked by threads that are attached, or within `detached`, or by threads of the engine's own,
/// which the interpreter knows nothing of.
#[expect(unsafe_code, reason = "gives the interpreter's lock up and takes it again")]
fn without_lock(wait: &mut dyn FnMut()) {
    // SAFETY: it may be called by any thread of a process with an interpreter.
    if unsafe { ffi::PyGILState_GetThisThreadState() }.is_null() || DETACHED.replace(true) {
        return wait();
    }
    let restore: unsafe extern "C-unwind" fn(*mut ffi::PyThreadState) = black_box(PyEval_RestoreThread);
    // SAFETY: this thread is attached, see above, and is again with the same state before anything else of Python runs.
    unsafe {
        let state = ffi::PyEval_SaveThread();
        let waited = catch_unwind(AssertUnwindSafe(wait));
        parked_if_ended(|| restore(state));
        DETACHED.set(false);
        if let Err(panic) = waited {
            resume_unwind(panic);
        }
    }
}

/// `callable(*args, **kwargs)`.
#[expect(unsafe_code, reason = "calls a function of the stable ABI")]
pub(crate) fn call<'py>(
    callable: &Bound<'py, PyAny>,
    args: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>,
    kwargs: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = callable.py();
    let args = args.into_pyobject(py).map_err(Into::into)?;
    let kwargs = kwargs.map_or(ptr::null_mut(), |kwargs| kwargs.as_ptr());
    let function: unsafe extern "C-unwind" fn(Object, Object, Object) -> Object = black_box(PyObject_Call);
    // SAFETY: the objects are held; a new reference or null with an exception comes back.
    unsafe {
        let result = parked_if_ended(|| function(callable.as_ptr(), args.as_ptr(), kwargs));
        Bound::from_owned_ptr_or_err(py, result)
    }
}

/// `object.name(*args)`.
pub(crate) fn method<'py>(
    object: &Bound<'py, PyAny>,
    name: &str,
    args: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>,
) -> PyResult<Bound<'py, PyAny>> {
    call(&attribute(object, &PyString::intern(object.py(), name))?, args, None)
}

/// `object.name`.
#[expect(unsafe_code, reason = "calls a function of the stable ABI")]
pub(crate) fn attribute<'py>(object: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    let function: unsafe extern "C-unwind" fn(Object, Object) -> Object = black_box(PyObject_GetAttr);
    // SAFETY: as in `call`.
    unsafe {
        let result = parked_if_ended(|| function(object.as_ptr(), name.as_ptr()));
        Bound::from_owned_ptr_or_err(object.py(), result)
    }
}

/// `object.name`, by the text of the name.
pub(crate) fn named<'py>(object: &Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    attribute(object, &PyString::intern(object.py(), name))
}

/// `object[key]`.
#[expect(unsafe_code, reason = "calls a function of the stable ABI")]
pub(crate) fn item<'py>(object: &Bound<'py, PyAny>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let function: unsafe extern "C-unwind" fn(Object, Object) -> Object = black_box(PyObject_GetItem);
    // SAFETY: as in `call`.
    unsafe {
        let result = parked_if_ended(|| function(object.as_ptr(), key.as_ptr()));
        Bound::from_owned_ptr_or_err(object.py(), result)
    }
}

/// `isinstance(object, class)`.
#[expect(unsafe_code, reason = "calls a function of the stable ABI")]
pub(crate) fn is_instance(object: &Bound<'_, PyAny>, class: &Bound<'_, PyAny>) -> PyResult<bool> {
    let function: unsafe extern "C-unwind" fn(Object, Object) -> c_int = black_box(PyObject_IsInstance);
    // SAFETY: the objects are held; -1 comes with an exception.
    let answer = unsafe { parked_if_ended(|| function(object.as_ptr(), class.as_ptr())) };
    if answer < 0 { Err(PyErr::fetch(object.py())) } else { Ok(answer > 0) }
}

/// What `iter(object)` gives out, one by one; ends after the first exception.
#[expect(unsafe_code, reason = "calls functions of the stable ABI")]
pub(crate) fn elements<'py>(
    object: &Bound<'py, PyAny>,
) -> PyResult<impl Iterator<Item = PyResult<Bound<'py, PyAny>>> + use<'py>> {
    let py = object.py();
    let iter: unsafe extern "C-unwind" fn(Object) -> Object = black_box(PyObject_GetIter);
    // SAFETY: as in `call`.
    let iterator = unsafe {
        let result = parked_if_ended(|| iter(object.as_ptr()));
        Bound::from_owned_ptr_or_err(py, result)?
    };
    let mut ended = false;
    Ok(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let next: unsafe extern "C-unwind" fn(Object) -> Object = black_box(PyIter_Next);
        // SAFETY: `iter()` made it, so it is an iterator; null comes with an exception or means the end.
        let found = unsafe {
            let result = parked_if_ended(|| next(iterator.as_ptr()));
            Bound::from_owned_ptr_or_opt(py, result)
        };
        let outcome = found.map(Ok).or_else(|| PyErr::take(py).map(Err));
        ended = !matches!(outcome, Some(Ok(_)));
        outcome
    }))
}
