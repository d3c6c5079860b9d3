//! The C functions that a guarded function calls before and after its body.
//!
//! They are plain `METH_FASTCALL` functions: under the stable ABI that is the cheapest way from Python into native code
//! with any number of arguments (a native `__call__` costs three times as much). Nothing may unwind out of them.

use crate::errors::{contained, unless_ending};
use crate::pending::Pending;
use crate::ticket::Ticket;
use crate::tool::{FrameworkCall, Tool};
use pyo3::ffi;
use pyo3::prelude::*;
use std::cell::UnsafeCell;
use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A function of the C API that takes its arguments as an array.
type Fast = unsafe extern "C" fn(*mut ffi::PyObject, *mut *mut ffi::PyObject, ffi::Py_ssize_t) -> *mut ffi::PyObject;

/// What the interpreter keeps a pointer to for as long as a function lives.
struct Definition(UnsafeCell<ffi::PyMethodDef>);

// SAFETY: the interpreter only reads it.
#[expect(unsafe_code, reason = "a C structure that is never written")]
unsafe impl Sync for Definition {}

const fn definition(name: &'static CStr, function: Fast) -> Definition {
    Definition(UnsafeCell::new(ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFast: function },
        ml_flags: ffi::METH_FASTCALL,
        ml_doc: std::ptr::null(),
    }))
}

static ADMIT: Definition = definition(c"admit", admit);
static ADMIT_OR_WAIT: Definition = definition(c"admit_or_wait", admit_or_wait);
static RESUME: Definition = definition(c"resume", resume);
static RETURNED: Definition = definition(c"returned", returned);
static EXHAUSTED: Definition = definition(c"exhausted", exhausted);
static FAILED: Definition = definition(c"failed", failed);

/// `admit`, `admit_or_wait` and `resume` of one tool.
pub(crate) fn bound_to<'py>(tool: &Bound<'py, Tool>) -> PyResult<[Bound<'py, PyAny>; 3]> {
    let (py, slf) = (tool.py(), tool.as_ptr());
    Ok([function(py, &ADMIT, slf)?, function(py, &ADMIT_OR_WAIT, slf)?, function(py, &RESUME, slf)?])
}

/// `returned`, `exhausted` and `failed`, which are the same for every tool.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    for (name, definition) in [("returned", &RETURNED), ("exhausted", &EXHAUSTED), ("failed", &FAILED)] {
        module.add(name, function(module.py(), definition, std::ptr::null_mut())?)?;
    }
    Ok(())
}

#[expect(unsafe_code, reason = "makes a C function object")]
fn function<'py>(
    py: Python<'py>,
    definition: &'static Definition,
    slf: *mut ffi::PyObject,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the definition lives as long as the process; `slf` is null or alive, and the function holds it.
    unsafe {
        let made = ffi::PyCFunction_NewEx(definition.0.get(), slf, std::ptr::null_mut());
        Bound::from_owned_ptr_or_err(py, made)
    }
}

/// The arguments of a call as a slice.
///
/// # Safety
/// `given` points to `count` objects, or `count` is 0.
#[expect(unsafe_code, reason = "an array as the C API hands it over")]
unsafe fn slice<'a>(given: *mut *mut ffi::PyObject, count: ffi::Py_ssize_t) -> &'a [*mut ffi::PyObject] {
    match usize::try_from(count) {
        // SAFETY: the caller's promise.
        Ok(count) if count > 0 => unsafe { std::slice::from_raw_parts(given, count) },
        _ => &[],
    }
}

/// Runs `work` for a call before its body: what goes wrong, a panic included, is an exception, and the body does not run.
///
/// # Safety
/// `slf` is a [`Tool`] and alive, and this thread is attached.
#[expect(unsafe_code, reason = "the boundary of a C function")]
unsafe fn before<'py>(
    slf: *mut ffi::PyObject,
    work: impl FnOnce(Python<'py>, &Tool) -> PyResult<Bound<'py, PyAny>>,
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls with the thread attached and `slf` alive; only tools are bound to these functions.
    let (py, tool) = unsafe {
        let py = Python::assume_attached();
        (py, Bound::from_borrowed_ptr(py, slf).cast_into_unchecked::<Tool>())
    };
    let tool = tool.get();
    let done = catch_unwind(AssertUnwindSafe(|| work(py, tool)));
    match done.unwrap_or_else(|_| Err(contained(py, &tool.declared.spec.name))) {
        Ok(object) => object.into_ptr(),
        Err(error) => {
            unless_ending(py, error).restore(py);
            std::ptr::null_mut()
        }
    }
}

/// As the C function `admit`, for objects that the caller holds.
#[expect(unsafe_code, reason = "hands pointers of held objects on")]
pub(crate) fn admit_objects<'py>(tool: &Bound<'py, Tool>, given: &[&Bound<'py, PyAny>]) -> PyResult<Bound<'py, PyAny>> {
    let pointers: Vec<_> = given.iter().map(|object| object.as_ptr()).collect();
    // SAFETY: `given` holds the objects until this returns.
    let decide = || unsafe { waited(tool.py(), tool.get(), &pointers) };
    catch_unwind(AssertUnwindSafe(decide))
        .unwrap_or_else(|_| Err(contained(tool.py(), &tool.get().declared.spec.name)))
        .map_err(|error| unless_ending(tool.py(), error))
}

/// As the C function `admit_or_wait`, for objects that the caller holds and a call that a framework may have named.
#[expect(unsafe_code, reason = "hands pointers of held objects on")]
pub(crate) fn admit_or_wait_objects<'py>(
    tool: &Bound<'py, Tool>,
    call: Option<FrameworkCall<'_>>,
    given: &[&Bound<'py, PyAny>],
) -> PyResult<Bound<'py, PyAny>> {
    let pointers: Vec<_> = given.iter().map(|object| object.as_ptr()).collect();
    // SAFETY: `given` holds the objects until this returns.
    let decide = || unsafe { tool.get().admit(tool.py(), call, &pointers) };
    catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|_| Err(contained(tool.py(), &tool.get().declared.spec.name)))
}

/// As the C function `resume`, for objects that the caller holds.
#[expect(unsafe_code, reason = "hands pointers of held objects on")]
pub(crate) fn resume_objects<'py>(
    tool: &Bound<'py, Tool>,
    pending: &Bound<'py, Pending>,
    given: &[&Bound<'py, PyAny>],
) -> PyResult<Bound<'py, PyAny>> {
    let pointers: Vec<_> = given.iter().map(|object| object.as_ptr()).collect();
    // SAFETY: `given` holds the objects until this returns.
    let resume = || unsafe { tool.get().resume(tool.py(), pending.get(), &pointers) };
    catch_unwind(AssertUnwindSafe(resume)).unwrap_or_else(|_| Err(contained(tool.py(), &tool.get().declared.spec.name)))
}

/// A ticket, however long the disk takes; a [`Pending`] where people are asked.
///
/// # Safety
/// As [`Tool::admit`].
#[expect(unsafe_code, reason = "hands pointers of held objects on")]
unsafe fn waited<'py>(py: Python<'py>, tool: &Tool, given: &[*mut ffi::PyObject]) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the caller's promise.
    let admitted = unsafe { tool.admit(py, None, given) }?;
    if admitted.is_exact_instance_of::<Ticket>() {
        return Ok(admitted);
    }
    match admitted.cast::<Pending>() {
        // SAFETY: the same.
        Ok(pending) if !pending.get().is_question() => unsafe { tool.resume(py, pending.get(), given) },
        _ => Ok(admitted),
    }
}

/// Decides; returns a ticket, a `Pending` where people are asked, or raises.
#[expect(unsafe_code, reason = "a C function")]
unsafe extern "C" fn admit(
    slf: *mut ffi::PyObject,
    given: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: as the interpreter calls it: the caller's frame holds the arguments.
    unsafe { before(slf, |py, tool| waited(py, tool, slice(given, count))) }
}

/// As `admit`, but returns a `Pending` where a record has to reach the disk first too: a coroutine awaits that elsewhere.
#[expect(unsafe_code, reason = "a C function")]
unsafe extern "C" fn admit_or_wait(
    slf: *mut ffi::PyObject,
    given: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: as the interpreter calls it: the caller's frame holds the arguments.
    unsafe { before(slf, |py, tool| tool.admit(py, None, slice(given, count))) }
}

/// `resume(pending, …)`: as `admit` for a call that was waited for elsewhere.
#[expect(unsafe_code, reason = "a C function")]
unsafe extern "C" fn resume(
    slf: *mut ffi::PyObject,
    given: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: as the interpreter calls it: the caller's frame holds the arguments.
    unsafe {
        before(slf, |py, tool| {
            let Some((pending, given)) = slice(given, count).split_first() else {
                return Err(contained(py, &tool.declared.spec.name));
            };
            let pending = Bound::from_borrowed_ptr(py, *pending);
            tool.resume(py, pending.cast::<Pending>()?.get(), given)
        })
    }
}

/// Runs `work` for a call after its body. Never raises: the body's own outcome reaches the caller.
///
/// # Safety
/// `given` points to `count` objects that are alive, and this thread is attached.
#[expect(unsafe_code, reason = "the boundary of a C function")]
unsafe fn after(
    given: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    work: impl FnOnce(&Ticket, Option<&Bound<'_, PyAny>>),
) -> *mut ffi::PyObject {
    // SAFETY: the interpreter calls with the thread attached; the caller's frame holds the objects.
    unsafe {
        let py = Python::assume_attached();
        let given = slice(given, count);
        if let Some(ticket) = given.first() {
            let ticket = Bound::from_borrowed_ptr(py, *ticket);
            let outcome = given.get(1).map(|object| Bound::from_borrowed_ptr(py, *object));
            if let Ok(ticket) = ticket.cast::<Ticket>() {
                // A panic loses this call's outcome, which the guard counts; the body has run either way.
                let _ = catch_unwind(AssertUnwindSafe(|| work(ticket.get(), outcome.as_ref())));
            }
        }
        let none = ffi::Py_None();
        ffi::Py_IncRef(none);
        none
    }
}

/// `returned(ticket, result)`.
#[expect(unsafe_code, reason = "a C function")]
unsafe extern "C" fn returned(
    _module: *mut ffi::PyObject,
    given: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: as the interpreter calls it.
    unsafe {
        after(given, count, |ticket, result| {
            if let Some(result) = result {
                ticket.returned(result);
            }
        })
    }
}

/// `exhausted(ticket)`.
#[expect(unsafe_code, reason = "a C function")]
unsafe extern "C" fn exhausted(
    _module: *mut ffi::PyObject,
    given: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: as the interpreter calls it.
    unsafe { after(given, count, |ticket, _| ticket.exhausted()) }
}

/// `failed(ticket, exception)`.
#[expect(unsafe_code, reason = "a C function")]
unsafe extern "C" fn failed(
    _module: *mut ffi::PyObject,
    given: *mut *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
) -> *mut ffi::PyObject {
    // SAFETY: as the interpreter calls it.
    unsafe {
        after(given, count, |ticket, error| {
            if let Some(error) = error {
                ticket.failed(error);
            }
        })
    }
}
