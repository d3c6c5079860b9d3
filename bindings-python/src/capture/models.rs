//! Objects with named fields: named tuples, dataclasses, pydantic models, and mappings that are not dicts.

use super::Failure;
use super::held::{Reading, owned_text};
use crate::outside;
use counterseal::value::MAX_VALUES;
use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

/// Fields by name, in their own order.
type Fields<'py> = Vec<(String, Bound<'py, PyAny>)>;

/// Keys with their values.
type Pairs<'py> = Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>;

/// Where pydantic keeps its base class: version 2 and 1, and version 1 inside version 2.
const PYDANTIC_MODULES: [&str; 2] = ["pydantic.main", "pydantic.v1.main"];
/// Where a pydantic model class keeps its fields: since 2.10, before it, and in version 1.
const PYDANTIC_FIELDS: [&str; 3] = ["__pydantic_fields__", "model_fields", "__fields__"];

/// The field names of a named tuple.
pub(super) fn tuple_fields(tuple: &Bound<'_, PyTuple>) -> Result<Option<Vec<String>>, Failure> {
    let kind = tuple.get_type();
    if kind.is(tuple.py().get_type::<PyTuple>()) {
        return Ok(None);
    }
    let Some(names) = type_attribute(&kind, "_fields")?.and_then(|names| names.cast_into::<PyTuple>().ok()) else {
        return Ok(None);
    };
    if names.len() != tuple.len() || !names.iter().all(|name| name.is_instance_of::<PyString>()) {
        return Ok(None);
    }
    names.iter().map(|name| owned_text(&name)).collect::<Result<_, _>>().map(Some)
}

/// The fields of a dataclass or a pydantic model; `None` for anything else.
pub(super) fn fields<'py>(
    reading: &Reading<'py, '_>,
    object: &Bound<'py, PyAny>,
) -> Result<Option<Fields<'py>>, Failure> {
    for module in PYDANTIC_MODULES {
        if reading.is_a(object, module, "BaseModel") {
            return model_fields(object).map(Some);
        }
    }
    let kind = object.get_type();
    let Some(declared) = type_attribute(&kind, "__dataclass_fields__")?.and_then(|all| all.cast_into::<PyDict>().ok())
    else {
        return Ok(None);
    };
    let own = own_dict(object);
    let mut fields = Vec::with_capacity(declared.len());
    for (name, field) in declared.iter() {
        // `ClassVar` and `InitVar` entries are kept in the same dict under another marker.
        let marker = outside::named(&field, "_field_type").and_then(|marker| outside::named(&marker, "name"));
        if marker.is_ok_and(|marker| marker.eq("_FIELD").unwrap_or(false)) {
            fields.push((owned_text(&name)?, field_value(object, own.as_ref(), &name)?));
        }
    }
    Ok(Some(fields))
}

/// A pydantic model's declared fields, and the extra ones it was configured to take.
fn model_fields<'py>(object: &Bound<'py, PyAny>) -> Result<Fields<'py>, Failure> {
    let kind = object.get_type();
    let own = own_dict(object);
    let mut fields = Vec::new();
    for place in PYDANTIC_FIELDS {
        if let Some(declared) = type_attribute(&kind, place)?.and_then(|all| all.cast_into::<PyDict>().ok()) {
            for name in declared.keys() {
                fields.push((owned_text(&name)?, field_value(object, own.as_ref(), &name)?));
            }
            break;
        }
    }
    let extra = outside::named(object, "__pydantic_extra__").ok().and_then(|extra| extra.cast_into::<PyDict>().ok());
    if let Some(extra) = extra {
        for (name, value) in extra.iter() {
            fields.push((owned_text(&name)?, value));
        }
    }
    Ok(fields)
}

/// The value of a field: from the instance's own dictionary, so that no property or `__getattribute__` of the program
/// runs; by attribute where it has none, as with slots.
fn field_value<'py>(
    object: &Bound<'py, PyAny>,
    own: Option<&Bound<'py, PyDict>>,
    name: &Bound<'py, PyAny>,
) -> Result<Bound<'py, PyAny>, Failure> {
    if let Some(value) = own.and_then(|own| own.get_item(name).ok().flatten()) {
        return Ok(value);
    }
    let read = name.cast::<PyString>().map_err(PyErr::from).and_then(|name| outside::attribute(object, name));
    read.map_err(|error| Failure::raised(object.py(), error))
}

/// An attribute from the instance's own dictionary.
pub(super) fn own_attribute<'py>(object: &Bound<'py, PyAny>, name: &str) -> Result<Option<Bound<'py, PyAny>>, Failure> {
    let found = own_dict(object).map(|own| own.get_item(name)).transpose();
    found.map(Option::flatten).map_err(|error| Failure::raised(object.py(), error))
}

/// The instance's own dictionary, without running the program's code.
#[expect(unsafe_code, reason = "the generic getter of `__dict__`, which no class can override")]
fn own_dict<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyDict>> {
    // SAFETY: returns a new reference, or null with an exception that `from_owned_ptr_or_err` takes away.
    let own = unsafe {
        let own = ffi::PyObject_GenericGetDict(object.as_ptr(), std::ptr::null_mut());
        Bound::from_owned_ptr_or_err(object.py(), own)
    };
    own.ok()?.cast_into::<PyDict>().ok()
}

/// The elements of a set, read from its table, whatever a subclass makes of iteration.
#[expect(unsafe_code, reason = "makes an exact set of a set, which copies the table without asking a subclass")]
pub(super) fn set_elements<'py>(object: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    // SAFETY: returns a new reference, or null with an exception that `from_owned_ptr_or_err` takes away.
    let plain = unsafe { Bound::from_owned_ptr_or_err(object.py(), ffi::PySet_New(object.as_ptr()))? };
    plain.try_iter()?.collect()
}

/// The entries of a mapping that is no dict, asked through its own methods.
pub(super) fn mapping_items<'py>(
    reading: &Reading<'py, '_>,
    object: &Bound<'py, PyAny>,
) -> Result<Option<Pairs<'py>>, Failure> {
    let raised = |error| Failure::raised(reading.py, error);
    let Some(mapping) =
        reading.loaded("_collections_abc", "Mapping").or_else(|| reading.loaded("collections.abc", "Mapping"))
    else {
        return Ok(None);
    };
    if !outside::is_instance(object, &mapping).map_err(raised)? {
        return Ok(None);
    }
    let mut pairs = Vec::new();
    for key in outside::elements(object).map_err(raised)? {
        let key = key.map_err(raised)?;
        if pairs.len() >= MAX_VALUES {
            return Err(Failure::too_many());
        }
        let value = outside::item(object, &key).map_err(raised)?;
        pairs.push((key, value));
    }
    Ok(Some(pairs))
}

/// An attribute of a type; absent is no failure.
fn type_attribute<'py>(kind: &Bound<'py, PyType>, name: &str) -> Result<Option<Bound<'py, PyAny>>, Failure> {
    match outside::named(kind, name) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_instance_of::<PyAttributeError>(kind.py()) => Ok(None),
        Err(error) => Err(Failure::raised(kind.py(), error)),
    }
}
