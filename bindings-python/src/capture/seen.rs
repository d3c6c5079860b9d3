//! What a capture took out of things that can change, to see at its end whether they did.
//!
//! The program's own code may run in the middle of a capture and change an argument that was read already: the decision
//! would be about the old value, and the body would get the new one. Looking again runs none of that code.

use super::Failure;
use crate::outside;
use counterseal::value::MAX_VALUES;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList};

/// Objects in their order.
type Objects<'py> = Vec<Bound<'py, PyAny>>;
/// Keys with their values.
pub(super) type Pairs<'py> = Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>;

/// One thing that can change, with what was in it. Its parts are held, so that none of them can be another one meanwhile.
pub(super) enum Seen<'py> {
    List(Bound<'py, PyList>, Objects<'py>),
    Dict(Bound<'py, PyDict>, Pairs<'py>),
    Set(Bound<'py, PyAny>, Objects<'py>),
    /// A `bytearray`, or a view of one.
    Bytes(Bound<'py, PyAny>, Vec<u8>),
    /// Fields in the dictionary of an instance, where others may come and go.
    Fields(Bound<'py, PyDict>, Pairs<'py>),
    /// A field in a slot, with the slot's descriptor.
    Slot {
        object: Bound<'py, PyAny>,
        slot: Bound<'py, PyAny>,
        value: Bound<'py, PyAny>,
    },
}

impl Seen<'_> {
    /// Whether it still holds the very same objects.
    pub(super) fn holds(&self) -> PyResult<bool> {
        Ok(match self {
            Self::List(list, items) => {
                list.len() == items.len() && list.iter().zip(items).all(|(now, then)| now.is(then))
            }
            Self::Dict(dict, pairs) => dict.len() == pairs.len() && same_pairs(&entries(dict), pairs),
            Self::Set(set, elements) => {
                let now = set_elements(set)?;
                now.len() == elements.len() && now.iter().zip(elements).all(|(now, then)| now.is(then))
            }
            Self::Bytes(object, bytes) => copied(object)?.as_ref() == Some(bytes),
            Self::Fields(own, fields) => {
                for (name, value) in fields {
                    if !own.get_item(name)?.is_some_and(|now| now.is(value)) {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Slot { object, slot, value } => outside::method(slot, "__get__", (object,))?.is(value),
        })
    }
}

fn same_pairs(now: &Pairs<'_>, then: &Pairs<'_>) -> bool {
    now.len() == then.len() && now.iter().zip(then).all(|(now, then)| now.0.is(&then.0) && now.1.is(&then.1))
}

/// The items of a list, whatever a subclass makes of iteration.
pub(super) fn items<'py>(list: &Bound<'py, PyList>) -> Result<Objects<'py>, Failure> {
    if list.len() > MAX_VALUES { Err(Failure::too_many()) } else { Ok(list.iter().collect()) }
}

/// The entries of a dict, whatever a subclass makes of them.
pub(super) fn pairs<'py>(dict: &Bound<'py, PyDict>) -> Result<Pairs<'py>, Failure> {
    if dict.len() > MAX_VALUES { Err(Failure::too_many()) } else { Ok(entries(dict)) }
}

#[expect(unsafe_code, reason = "walks a dict, which runs no code")]
fn entries<'py>(dict: &Bound<'py, PyDict>) -> Pairs<'py> {
    let mut found = Vec::new();
    let mut position: ffi::Py_ssize_t = 0;
    let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: the object is a dict; nothing runs between two steps that could change it, and what is lent is held at once.
    unsafe {
        while ffi::PyDict_Next(dict.as_ptr(), &raw mut position, &raw mut key, &raw mut value) != 0 {
            found.push((Bound::from_borrowed_ptr(dict.py(), key), Bound::from_borrowed_ptr(dict.py(), value)));
        }
    }
    found
}

/// The elements of a set, read from its table, whatever a subclass makes of iteration.
#[expect(unsafe_code, reason = "makes an exact set of a set, which copies the table without asking a subclass")]
pub(super) fn set_elements<'py>(object: &Bound<'py, PyAny>) -> PyResult<Objects<'py>> {
    // SAFETY: returns a new reference, or null with an exception that `from_owned_ptr_or_err` takes away.
    let plain = unsafe { Bound::from_owned_ptr_or_err(object.py(), ffi::PySet_New(object.as_ptr()))? };
    plain.try_iter()?.collect()
}

/// The bytes of a `bytearray` or a `memoryview` now.
pub(super) fn copied(object: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    if let Ok(bytes) = object.cast::<PyByteArray>() {
        return Ok(Some(bytes.to_vec()));
    }
    Ok(object.call_method0("tobytes")?.cast::<PyBytes>().ok().map(|bytes| bytes.as_bytes().to_vec()))
}
