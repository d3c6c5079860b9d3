//! Python objects as values of the one model, read natively and without a detour through JSON.
//!
//! Two passes share one shape. [`exact`] reads trees of built-in types whose type is exactly `str`, `int`, `dict` and so
//! on: nothing in such a tree can run Python code or be freed while it is read, so text is lent without counting a
//! reference. The first object of any other type stops it, and [`held`] starts again from the root, copying what it
//! reads, because from then on the program's own code may run and change what was already read. At its end it looks again
//! ([`seen`]): what changed meanwhile is refused, since the body would get something else than was decided on.

mod exact;
mod failure;
mod held;
mod models;
mod moments;
mod seen;
mod subclasses;
mod text;

pub(crate) use failure::{Failure, Step};
pub(crate) use held::owned_text;

use counterseal::value::{MAX_VALUES, Value, encode, map};
use held::Reading;
use pyo3::ffi;
use pyo3::prelude::*;
use std::borrow::Cow;

/// Levels of lists and maps around a scalar before a value is refused (`docs/formats.md` §1).
const MAX_DEPTH: u32 = 64;

/// How many values may still be read in this capture, shared by all its arguments.
#[derive(Clone, Copy)]
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
pub(crate) fn owned_value(object: &Bound<'_, PyAny>, budget: Budget, depth: u32) -> Result<Value<'static>, Failure> {
    settled(object.py(), budget, |reading| reading.value(object, depth))
}

/// Reads objects of any type under their names.
pub(crate) fn owned_map<'a>(py: Python<'_>, named: &[(Cow<'a, str>, Bound<'_, PyAny>)]) -> Result<Value<'a>, Failure> {
    settled(py, Budget::for_parts_of_a_map(), |reading| {
        let mut entries = Vec::with_capacity(named.len());
        for (name, object) in named {
            reading.begin(name);
            let read = reading.value(object, 1);
            entries.push((name.clone(), read.map_err(|failure| failure.within(|| Step::Name(name.to_string())))?));
        }
        Ok(map(entries)?)
    })
}

/// Reads, and refuses what is not the same any more once the last of the program's code has run. What that code answers
/// itself is asked for twice.
fn settled<'a, 'py>(
    py: Python<'py>,
    budget: Budget,
    read: impl Fn(&mut Reading<'py>) -> Result<Value<'a>, Failure>,
) -> Result<Value<'a>, Failure> {
    let mut reading = Reading::new(py, budget);
    let value = read(&mut reading)?;
    if reading.has_asked() {
        reading = Reading::new(py, budget);
        let again = read(&mut reading)?;
        if !same(&value, &again)? {
            return Err(differing(&value, &again));
        }
    }
    reading.unchanged()?;
    Ok(value)
}

/// Whether two values have the same canonical bytes.
fn same(left: &Value<'_>, right: &Value<'_>) -> Result<bool, Failure> {
    let (mut one, mut other) = (Vec::new(), Vec::new());
    encode(left, &mut one)?;
    encode(right, &mut other)?;
    Ok(one == other)
}

/// The refusal of a value that was another one when it was read again, naming the first part of a map that was.
fn differing(first: &Value<'_>, again: &Value<'_>) -> Failure {
    if let (Value::Map(first), Value::Map(again)) = (first, again) {
        let changed = first
            .iter()
            .zip(again)
            .find(|(one, other)| one.0 != other.0 || !matches!(same(&one.1, &other.1), Ok(true)));
        if let Some(((name, _), _)) = changed {
            return Failure::changed().within(|| Step::Name(name.to_string()));
        }
    }
    Failure::changed()
}

/// As [`owned_value`] for what nobody gets but the reader: there is nothing else that it could differ from.
pub(crate) fn owned_once(object: &Bound<'_, PyAny>) -> Result<Value<'static>, Failure> {
    Reading::new(object.py(), Budget::new()).value(object, 0)
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
        None => owned_value(object, Budget::new(), 0),
    }
}

/// As [`value`] and [`owned_once`].
///
/// # Safety
/// As for [`exact_value`].
#[expect(unsafe_code, reason = "lends text from Python objects without counting references")]
pub(crate) unsafe fn value_once<'a>(object: &Bound<'_, PyAny>) -> Result<Value<'a>, Failure> {
    // SAFETY: the caller's promise is the callee's.
    match unsafe { exact_value(object.as_ptr(), &mut Budget::new(), 0) }? {
        Some(value) => Ok(value),
        None => owned_once(object),
    }
}
