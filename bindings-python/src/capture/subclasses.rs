//! Containers of a class that derives from a built-in one and says for itself how it is read.
//!
//! The body may ask the class or, through functions of C, what the built-in type stored. Where both say the same that is
//! the value; where they differ neither is, and the object is opaque: a condition on it fails, which only tightens.

use super::held::{Reading, opaque};
use super::{Failure, same};
use crate::outside;
use counterseal::value::{MAX_VALUES, Value};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};
use std::ffi::c_int;

/// How a class derived from a built-in sequence, set or dict may change what is read, by the C slots of it.
const SEQUENCE: &[c_int] = &[ffi::Py_tp_iter, ffi::Py_sq_item, ffi::Py_mp_subscript];
const SET: &[c_int] = &[ffi::Py_tp_iter];
const DICT: &[c_int] = &[ffi::Py_tp_iter, ffi::Py_mp_subscript];
/// The methods of a dict that read it, which have no slots.
const DICT_METHODS: [&str; 3] = ["keys", "items", "get"];

/// What is read out of an object in one way.
type Elements<'py> = Vec<Bound<'py, PyAny>>;

impl<'py> Reading<'py> {
    /// `stored`, the items of a list or tuple, if iterating and indexing give the same.
    pub(super) fn agreed_sequence(
        &mut self,
        object: &Bound<'py, PyAny>,
        base: &Bound<'py, PyType>,
        stored: Value<'static>,
        depth: u32,
    ) -> Result<Value<'static>, Failure> {
        if !differs(object, base, SEQUENCE) {
            return Ok(stored);
        }
        let count = if let Value::List(items) = &stored { items.len() } else { 0 };
        let iterated = self.asked(|reading| reading.items(iterated(object)?.into_iter(), depth))?;
        let indexed = self.asked(|reading| {
            let index = |index: usize| outside::item(object, index.into_pyobject(reading.py)?.as_any());
            let all = (0..count).map(index).collect::<PyResult<Elements<'_>>>();
            reading.items(all.map_err(|error| Failure::raised(reading.py, error))?.into_iter(), depth)
        })?;
        agreed(object, stored, &[iterated, indexed])
    }

    /// `stored`, the elements of a set, if iterating gives the same.
    pub(super) fn agreed_set(
        &mut self,
        object: &Bound<'py, PyAny>,
        base: &Bound<'py, PyType>,
        stored: Value<'static>,
        depth: u32,
    ) -> Result<Value<'static>, Failure> {
        if !differs(object, base, SET) {
            return Ok(stored);
        }
        let iterated = self.asked(|reading| reading.unordered(&iterated(object)?, depth))?;
        agreed(object, stored, &[iterated])
    }

    /// `stored`, the entries of a dict, if every method that reads them gives the same.
    pub(super) fn agreed_dict(
        &mut self,
        object: &Bound<'py, PyAny>,
        stored: Value<'static>,
        depth: u32,
    ) -> Result<Value<'static>, Failure> {
        let py = self.py;
        let ordered = self.loaded("collections", "OrderedDict").filter(|ordered| super::held::is_of(object, ordered));
        let base = ordered.unwrap_or_else(|| py.get_type::<PyDict>());
        let raised = |error| Failure::raised(py, error);
        if !differs(object, &base, DICT) && !other_methods(object, &base).map_err(raised)? {
            return Ok(stored);
        }
        let subscribed = self.asked(|reading| {
            let read = iterated(object)?.into_iter().map(|key| outside::item(object, &key).map(|value| (key, value)));
            reading.entries(read.collect::<PyResult<Vec<_>>>().map_err(raised)?.into_iter(), depth)
        })?;
        let given_out = self.asked(|reading| {
            let items = outside::method(object, "items", ()).map_err(raised)?;
            let read = iterated(&items)?.into_iter().map(|pair| pair.extract());
            reading.entries(read.collect::<PyResult<Vec<_>>>().map_err(raised)?.into_iter(), depth)
        })?;
        let got = self.asked(|reading| {
            let keys = outside::method(object, "keys", ()).map_err(raised)?;
            let got = |key: Bound<'py, PyAny>| outside::method(object, "get", (&key,)).map(|value| (key, value));
            let read = iterated(&keys)?.into_iter().map(got);
            reading.entries(read.collect::<PyResult<Vec<_>>>().map_err(raised)?.into_iter(), depth)
        })?;
        agreed(object, stored, &[subscribed, given_out, got])
    }
}

fn agreed(
    object: &Bound<'_, PyAny>,
    stored: Value<'static>,
    others: &[Value<'static>],
) -> Result<Value<'static>, Failure> {
    for other in others {
        if !same(&stored, other)? {
            return Ok(opaque(object));
        }
    }
    Ok(stored)
}

/// What `iter(object)` gives out.
fn iterated<'py>(object: &Bound<'py, PyAny>) -> Result<Elements<'py>, Failure> {
    let mut found = Vec::new();
    for one in outside::elements(object).map_err(|error| Failure::raised(object.py(), error))? {
        if found.len() >= MAX_VALUES {
            return Err(Failure::too_many());
        }
        found.push(one.map_err(|error| Failure::raised(object.py(), error))?);
    }
    Ok(found)
}

/// Whether the object's type has other functions than `base` in one of these slots.
#[expect(unsafe_code, reason = "compares slots of two types")]
fn differs(object: &Bound<'_, PyAny>, base: &Bound<'_, PyType>, slots: &[c_int]) -> bool {
    // SAFETY: both are types and alive; a slot is compared, not called.
    slots.iter().any(|slot| unsafe {
        ffi::PyType_GetSlot(ffi::Py_TYPE(object.as_ptr()), *slot) != ffi::PyType_GetSlot(base.as_type_ptr(), *slot)
    })
}

fn other_methods(object: &Bound<'_, PyAny>, base: &Bound<'_, PyType>) -> PyResult<bool> {
    for name in DICT_METHODS {
        if !outside::named(object.get_type().as_any(), name)?.is(&outside::named(base.as_any(), name)?) {
            return Ok(true);
        }
    }
    Ok(false)
}
