//! Objects with named fields: named tuples, dataclasses, pydantic models, and mappings that are not dicts.

use super::Failure;
use super::held::{Reading, is_of, owned_text};
use super::seen::{Pairs, Seen};
use crate::outside;
use counterseal::value::MAX_VALUES;
use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

/// Fields by name, in their own order.
type Fields<'py> = Vec<(String, Bound<'py, PyAny>)>;

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

/// Where classes that declare fields keep them: dataclasses, those of attrs, and models.
const DECLARED_FIELDS: [&str; 3] = ["__dataclass_fields__", "__attrs_attrs__", "__pydantic_fields__"];

/// Whether the object's class, made by a program, declares fields.
#[expect(unsafe_code, reason = "asks for the flags of a type")]
pub(super) fn declares_fields(object: &Bound<'_, PyAny>) -> Result<bool, Failure> {
    let kind = object.get_type();
    // SAFETY: the type is alive.
    if unsafe { ffi::PyType_GetFlags(kind.as_type_ptr()) } & ffi::Py_TPFLAGS_HEAPTYPE == 0 {
        return Ok(false);
    }
    for place in DECLARED_FIELDS {
        if let Some(declared) = type_attribute(&kind, place)?
            && !declared.len().is_ok_and(|count| count == 0)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The fields of a dataclass or a pydantic model; `None` for anything else.
pub(super) fn fields<'py>(
    reading: &mut Reading<'py>,
    object: &Bound<'py, PyAny>,
) -> Result<Option<Fields<'py>>, Failure> {
    for module in PYDANTIC_MODULES {
        if reading.is_a(object, module, "BaseModel") {
            return model_fields(reading, object).map(Some);
        }
    }
    let kind = object.get_type();
    let Some(declared) = type_attribute(&kind, "__dataclass_fields__")?.and_then(|all| all.cast_into::<PyDict>().ok())
    else {
        return Ok(None);
    };
    let mut names = Vec::with_capacity(declared.len());
    for (name, field) in declared.iter() {
        // `ClassVar` and `InitVar` entries are kept in the same dict under another marker.
        let marker = outside::named(&field, "_field_type").and_then(|marker| outside::named(&marker, "name"));
        if marker.is_ok_and(|marker| marker.eq("_FIELD").unwrap_or(false)) {
            names.push(name);
        }
    }
    let classes = class_dictionaries(&kind).map_err(|error| Failure::raised(reading.py, error))?;
    field_values(reading, object, names, &classes).map(Some)
}

/// A pydantic model's declared fields, and the extra ones it was configured to take.
fn model_fields<'py>(reading: &mut Reading<'py>, object: &Bound<'py, PyAny>) -> Result<Fields<'py>, Failure> {
    let kind = object.get_type();
    let mut fields = Vec::new();
    for place in PYDANTIC_FIELDS {
        if let Some(declared) = type_attribute(&kind, place)?.and_then(|all| all.cast_into::<PyDict>().ok()) {
            // A model's class keeps nothing under the names of its fields.
            fields = field_values(reading, object, declared.keys().iter().collect(), &[])?;
            break;
        }
    }
    let extra = outside::named(object, "__pydantic_extra__").ok().and_then(|extra| extra.cast_into::<PyDict>().ok());
    if let Some(extra) = extra {
        let pairs = super::seen::pairs(&extra)?;
        for (name, value) in &pairs {
            fields.push((owned_text(name)?, value.clone()));
        }
        reading.saw(Seen::Dict(extra, pairs));
    }
    Ok(fields)
}

/// The values of fields as the body gets them: from a slot, from a property that stands over the field, else from the
/// instance's own dictionary, so that no `__getattribute__` of the program runs.
fn field_values<'py>(
    reading: &mut Reading<'py>,
    object: &Bound<'py, PyAny>,
    names: Vec<Bound<'py, PyAny>>,
    classes: &[Bound<'py, PyAny>],
) -> Result<Fields<'py>, Failure> {
    let py = reading.py;
    let raised = |error| Failure::raised(py, error);
    let own = own_dict(object);
    let mut fields = Vec::with_capacity(names.len());
    let mut held = Vec::new();
    for name in names {
        let text = owned_text(&name)?;
        let over = descriptor(classes, &name).map_err(raised)?;
        let in_own = own.as_ref().filter(|_| over.is_none()).map(|own| own.get_item(&name)).transpose();
        if let Some(value) = in_own.map_err(raised)?.flatten() {
            fields.push((text, value.clone()));
            held.push((name, value));
            continue;
        }
        let attribute = name.cast::<PyString>().map_err(PyErr::from).and_then(|name| outside::attribute(object, name));
        let value = attribute.map_err(raised)?;
        let member = reading.loaded("types", "MemberDescriptorType");
        match over.filter(|over| member.is_some_and(|member| is_of(over, &member))) {
            Some(slot) => reading.saw(Seen::Slot { object: object.clone(), slot, value: value.clone() }),
            None => reading.asks(),
        }
        fields.push((text, value));
    }
    if let Some(own) = own.filter(|_| !held.is_empty()) {
        reading.saw(Seen::Fields(own, held));
    }
    Ok(fields)
}

/// The dictionaries of a class and its bases, in the order in which attributes are looked up. `object` has no fields.
fn class_dictionaries<'py>(kind: &Bound<'py, PyType>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let order = outside::named(kind.as_any(), "__mro__")?.cast_into::<PyTuple>()?;
    let classes = order.len().saturating_sub(1);
    order.iter().take(classes).map(|class| outside::named(&class, "__dict__")).collect()
}

/// What the class holds under the name, where that comes before the instance's own dictionary.
#[expect(unsafe_code, reason = "asks a type for a slot")]
fn descriptor<'py>(classes: &[Bound<'py, PyAny>], name: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    for class in classes {
        if class.contains(name)? {
            let found = class.get_item(name)?;
            // SAFETY: the type is alive; the slot is compared with null and not called.
            let sets = unsafe { ffi::PyType_GetSlot(ffi::Py_TYPE(found.as_ptr()), ffi::Py_tp_descr_set) };
            return Ok(Some(found).filter(|_| !sets.is_null()));
        }
    }
    Ok(None)
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

/// The entries of a mapping that is no dict, asked through its own methods.
pub(super) fn mapping_items<'py>(
    reading: &mut Reading<'py>,
    object: &Bound<'py, PyAny>,
) -> Result<Option<Pairs<'py>>, Failure> {
    let py = reading.py;
    let raised = |error| Failure::raised(py, error);
    let Some(mapping) =
        reading.loaded("_collections_abc", "Mapping").or_else(|| reading.loaded("collections.abc", "Mapping"))
    else {
        return Ok(None);
    };
    if !outside::is_instance(object, &mapping).map_err(raised)? {
        return Ok(None);
    }
    reading.asks();
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
