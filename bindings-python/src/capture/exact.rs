//! The pass over exact built-in types: type pointers are compared, nothing is counted, no Python code can run.

use super::text::{small_integer, text};
use super::{Budget, Failure, MAX_DEPTH, Step};
use counterseal::value::{Value, map as canonical_map};
use pyo3::ffi;
use std::borrow::Cow;

/// Why the pass ended early.
pub(super) enum Stop {
    /// An object of another type: the other pass reads it.
    NotExact,
    /// The value is refused.
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Stop {
    fn within(self, step: impl FnOnce() -> Step) -> Self {
        match self {
            Self::NotExact => Self::NotExact,
            Self::Failed(failure) => Self::Failed(failure.within(step)),
        }
    }
}

/// Reads `object`.
///
/// # Safety
/// As for [`super::exact_value`].
#[expect(unsafe_code, reason = "reads objects by pointer, after comparing the pointer of their type")]
pub(super) unsafe fn value<'a>(object: *mut ffi::PyObject, budget: &mut Budget, depth: u32) -> Result<Value<'a>, Stop> {
    budget.spend()?;
    // SAFETY: the caller's promise; each branch reads the object only as the type that was just compared.
    unsafe {
        let kind = ffi::Py_TYPE(object);
        if kind == &raw mut ffi::PyUnicode_Type {
            Ok(Value::Str(Cow::Borrowed(text(object)?)))
        } else if kind == &raw mut ffi::PyLong_Type {
            // Turning more than 64 bits into digits allocates, and that may run finalizers.
            small_integer(object).map(Value::Int).ok_or(Stop::NotExact)
        } else if object == ffi::Py_None() {
            Ok(Value::Null)
        } else if kind == &raw mut ffi::PyBool_Type {
            Ok(Value::Bool(object == ffi::Py_True()))
        } else if kind == &raw mut ffi::PyFloat_Type {
            Ok(Value::Float(ffi::PyFloat_AsDouble(object)))
        } else if kind == &raw mut ffi::PyDict_Type {
            map(object, budget, depth)
        } else if kind == &raw mut ffi::PyList_Type {
            list(object, ffi::PyList_Size(object), ffi::PyList_GetItem, budget, depth)
        } else if kind == &raw mut ffi::PyTuple_Type {
            list(object, ffi::PyTuple_Size(object), ffi::PyTuple_GetItem, budget, depth)
        } else if kind == &raw mut ffi::PyBytes_Type {
            Ok(Value::Bytes(Cow::Borrowed(bytes(object))))
        } else {
            Err(Stop::NotExact)
        }
    }
}

/// Whether the object is `None`, or of one of the exact types that [`value`] reads.
///
/// # Safety
/// `object` is alive.
#[expect(unsafe_code, reason = "compares the pointer of a type")]
pub(super) unsafe fn is_data(object: *mut ffi::PyObject) -> bool {
    // SAFETY: the caller's promise.
    let kind = unsafe { ffi::Py_TYPE(object) };
    // SAFETY: the singleton is alive as long as the interpreter.
    let none = unsafe { ffi::Py_None() };
    object == none
        || [
            &raw mut ffi::PyUnicode_Type,
            &raw mut ffi::PyLong_Type,
            &raw mut ffi::PyBool_Type,
            &raw mut ffi::PyFloat_Type,
            &raw mut ffi::PyDict_Type,
            &raw mut ffi::PyList_Type,
            &raw mut ffi::PyTuple_Type,
            &raw mut ffi::PyBytes_Type,
        ]
        .contains(&kind)
}

/// The bytes of a `bytes`.
///
/// # Safety
/// `object` is a `bytes` that outlives `'a`.
#[expect(unsafe_code, reason = "lends the buffer of a bytes object")]
pub(super) unsafe fn bytes<'a>(object: *mut ffi::PyObject) -> &'a [u8] {
    // SAFETY: a bytes object owns `size` initialised bytes that never change.
    unsafe {
        let size = usize::try_from(ffi::PyBytes_Size(object)).unwrap_or(0);
        std::slice::from_raw_parts(ffi::PyBytes_AsString(object).cast::<u8>(), size)
    }
}

/// Reads a list or a tuple.
///
/// # Safety
/// As for [`value`]; `item` reads items of the type that `object` has.
#[expect(unsafe_code, reason = "reads items by index from a container that cannot change meanwhile")]
unsafe fn list<'a>(
    object: *mut ffi::PyObject,
    size: ffi::Py_ssize_t,
    item: unsafe extern "C" fn(*mut ffi::PyObject, ffi::Py_ssize_t) -> *mut ffi::PyObject,
    budget: &mut Budget,
    depth: u32,
) -> Result<Value<'a>, Stop> {
    if depth >= MAX_DEPTH {
        return Err(Failure::too_deep().into());
    }
    let mut values = Vec::with_capacity(usize::try_from(size).unwrap_or(0).min(1024));
    for index in 0..size {
        // SAFETY: `index` is within the size, and nothing changed the container since it was asked.
        let read = unsafe { value(item(object, index), budget, depth + 1) };
        values.push(read.map_err(|stop| stop.within(|| Step::Index(usize::try_from(index).unwrap_or(0))))?);
    }
    Ok(Value::List(values))
}

/// Reads a dict whose keys are all exactly `str`; the other pass knows what other keys become.
///
/// # Safety
/// As for [`value`].
#[expect(unsafe_code, reason = "walks a dict that cannot change meanwhile")]
unsafe fn map<'a>(object: *mut ffi::PyObject, budget: &mut Budget, depth: u32) -> Result<Value<'a>, Stop> {
    if depth >= MAX_DEPTH {
        return Err(Failure::too_deep().into());
    }
    // SAFETY: the object is a dict; `PyDict_Next` lends keys and values that stay while the dict does not change.
    unsafe {
        let size = usize::try_from(ffi::PyDict_Size(object)).unwrap_or(0);
        let mut entries: Vec<(Cow<'a, str>, Value<'a>)> = Vec::with_capacity(size.min(1024));
        let mut position: ffi::Py_ssize_t = 0;
        let (mut key, mut item) = (std::ptr::null_mut(), std::ptr::null_mut());
        while ffi::PyDict_Next(object, &raw mut position, &raw mut key, &raw mut item) != 0 {
            if ffi::Py_TYPE(key) != &raw mut ffi::PyUnicode_Type {
                return Err(Stop::NotExact);
            }
            let name = text::<'a>(key)?;
            let read = value(item, budget, depth + 1).map_err(|stop| stop.within(|| Step::Name(name.to_owned())))?;
            entries.push((Cow::Borrowed(name), read));
        }
        Ok(canonical_map(entries).map_err(Failure::from)?)
    }
}
