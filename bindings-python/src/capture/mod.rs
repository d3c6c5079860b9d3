//! Python objects as values of the one model, read natively and without a detour through JSON.
//!
//! Two passes share one shape. [`exact`] reads trees of built-in types whose type is exactly `str`, `int`, `dict` and so
//! on: nothing in such a tree can run Python code or be freed while it is read, so text is lent without counting a
//! reference. The first object of any other type stops it, and [`held`] starts again from the root, copying what it
//! reads, because from then on the program's own code may run and change what was already read.

mod exact;
mod failure;
mod held;
mod models;
mod moments;
mod text;

pub(crate) use failure::{Failure, Step};
pub(crate) use held::owned_text;

use counterseal::value::{MAX_VALUES, Value};
use pyo3::ffi;
use pyo3::prelude::*;

/// Levels of lists and maps around a scalar before a value is refused (`docs/formats.md` §1).
const MAX_DEPTH: u32 = 64;

/// How many values may still be read in this capture, shared by all its arguments.
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    /// The whole limit.
    pub(crate) const fn new() -> Self {
        Self { left: MAX_VALUES }
    }

    /// What is left once the map that holds the parts is counted.
    pub(crate) const fn for_parts_of_a_map() -> Self {
        Self { left: MAX_VALUES - 1 }
    }

    /// Counts one value.
    fn spend(&mut self) -> Result<(), Failure> {
        self.left = self.left.checked_sub(1).ok_or_else(Failure::too_many)?;
        Ok(())
    }
}

/// Reads an exact tree that `depth` lists and maps are around, or says that it is none (`Ok(None)`).
///
/// # Safety
/// `object` must be alive, and it and everything reachable from it unchanged, for `'a`: the caller keeps a reference
/// and lets no Python code run while the value lives.
#[expect(unsafe_code, reason = "lends text from Python objects without counting references")]
pub(crate) unsafe fn exact_value<'a>(
    object: *mut ffi::PyObject,
    budget: &mut Budget,
    depth: u32,
) -> Result<Option<Value<'a>>, Failure> {
    // SAFETY: the caller's promise is the callee's.
    match unsafe { exact::value(object, budget, depth) } {
        Ok(value) => Ok(Some(value)),
        Err(exact::Stop::NotExact) => Ok(None),
        Err(exact::Stop::Failed(failure)) => Err(failure),
    }
}

/// Whether an object is of an exact built-in type of data, which no class of a program makes.
///
/// # Safety
/// `object` is alive.
#[expect(unsafe_code, reason = "compares the pointer of a type")]
pub(crate) unsafe fn is_plain(object: *mut ffi::PyObject) -> bool {
    // SAFETY: the caller's promise is the callee's.
    unsafe { exact::is_data(object) }
}

/// Reads any object, which `depth` lists and maps are around, into a value that owns all it holds.
pub(crate) fn owned_value(
    object: &Bound<'_, PyAny>,
    budget: &mut Budget,
    depth: u32,
) -> Result<Value<'static>, Failure> {
    held::Reading::new(object.py(), budget).value(object, depth)
}

/// Reads any object by the cheaper pass that can read it.
///
/// # Safety
/// As for [`exact_value`].
#[expect(unsafe_code, reason = "lends text from Python objects without counting references")]
pub(crate) unsafe fn value<'a>(object: &Bound<'_, PyAny>) -> Result<Value<'a>, Failure> {
    // SAFETY: the caller's promise is the callee's.
    match unsafe { exact_value(object.as_ptr(), &mut Budget::new(), 0) }? {
        Some(value) => Ok(value),
        None => owned_value(object, &mut Budget::new(), 0),
    }
}
