//! The pass over objects of any type: everything read is copied, because the program's code may run in between.

use super::text::{digits, small_integer, text};
use super::{Budget, Failure, MAX_DEPTH, Step, models, moments};
use crate::outside;
use counterseal::ErrorCode;
use counterseal::value::{Value, decimal, key_text, map, sort_as_set};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PyMemoryView, PySet, PyString, PyTuple,
    PyType,
};
use std::borrow::Cow;

/// One capture under way.
pub(super) struct Reading<'py, 'b> {
    pub(super) py: Python<'py>,
    budget: &'b mut Budget,
    modules: Option<Bound<'py, PyDict>>,
}

impl<'py, 'b> Reading<'py, 'b> {
    pub(super) fn new(py: Python<'py>, budget: &'b mut Budget) -> Self {
        let modules = py.import("sys").and_then(|sys| sys.getattr("modules"));
        let modules = modules.ok().and_then(|modules| modules.cast_into::<PyDict>().ok());
        Self { py, budget, modules }
    }

    /// A type of a module that the program has imported; nothing is imported here.
    pub(super) fn loaded(&self, module: &str, name: &str) -> Option<Bound<'py, PyType>> {
        let module = self.modules.as_ref()?.get_item(module).ok()??;
        outside::named(&module, name).ok()?.cast_into::<PyType>().ok()
    }

    /// Whether the object's type derives from that type. Asks the type alone: no `__instancecheck__` runs.
    pub(super) fn is_a(&self, object: &Bound<'py, PyAny>, module: &str, name: &str) -> bool {
        self.loaded(module, name).is_some_and(|kind| is_of(object, &kind))
    }

    /// Reads `object`, which `depth` lists and maps are around.
    pub(super) fn value(&mut self, object: &Bound<'py, PyAny>, depth: u32) -> Result<Value<'static>, Failure> {
        self.budget.spend()?;
        if let Some(value) = self.scalar(object)? {
            return Ok(value);
        }
        if depth >= MAX_DEPTH {
            return Err(Failure::too_deep());
        }
        self.container(object, depth)
    }

    /// Values without parts, and enum members, whose value may have parts.
    fn scalar(&mut self, object: &Bound<'py, PyAny>) -> Result<Option<Value<'static>>, Failure> {
        if object.is_none() {
            return Ok(Some(Value::Null));
        }
        if self.is_a(object, "enum", "Enum") {
            return Ok(None);
        }
        Ok(Some(if object.is_instance_of::<PyString>() {
            Value::Str(Cow::Owned(owned_text(object)?))
        } else if let Ok(truth) = object.cast::<PyBool>() {
            Value::Bool(truth.is_true())
        } else if let Ok(integer) = object.cast::<PyInt>() {
            whole(integer)?
        } else if let Ok(float) = object.cast::<PyFloat>() {
            Value::Float(float.value())
        } else if let Some(bytes) = self.bytes(object)? {
            Value::Bytes(Cow::Owned(bytes))
        } else if let Some(moment) = moments::read(self, object)? {
            Value::Time(Cow::Owned(moment))
        } else if let Some(decimal) = self.loaded("decimal", "Decimal").filter(|kind| is_of(object, kind)) {
            let text = self.text_by(&decimal, object)?;
            Value::Decimal(Cow::Owned(decimal::parse(&text)?))
        } else if let Some(uuid) = self.loaded("uuid", "UUID").filter(|kind| is_of(object, kind)) {
            Value::Str(Cow::Owned(self.text_by(&uuid, object)?))
        } else if let Some(path) = self.loaded("pathlib", "PurePath").filter(|kind| is_of(object, kind)) {
            Value::Str(Cow::Owned(self.text_by(&path, object)?))
        } else {
            return Ok(None);
        }))
    }

    fn bytes(&self, object: &Bound<'py, PyAny>) -> Result<Option<Vec<u8>>, Failure> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Some(bytes.as_bytes().to_vec()));
        }
        if let Ok(bytes) = object.cast::<PyByteArray>() {
            return Ok(Some(bytes.to_vec()));
        }
        if object.is_instance_of::<PyMemoryView>() {
            let copied = object.call_method0("tobytes").map_err(|error| Failure::raised(self.py, error))?;
            return Ok(copied.cast::<PyBytes>().ok().map(|bytes| bytes.as_bytes().to_vec()));
        }
        Ok(None)
    }

    /// `kind.__str__(object)`: the type's own text, whatever a subclass overrides.
    fn text_by(&self, kind: &Bound<'py, PyType>, object: &Bound<'py, PyAny>) -> Result<String, Failure> {
        let text = outside::method(kind, "__str__", (object,)).map_err(|error| Failure::raised(self.py, error))?;
        owned_text(&text)
    }

    fn container(&mut self, object: &Bound<'py, PyAny>, depth: u32) -> Result<Value<'static>, Failure> {
        if self.is_a(object, "enum", "Enum") {
            return self.member(object, depth);
        }
        if let Ok(dict) = object.cast::<PyDict>() {
            // Copied, since reading an entry may run code that changes it.
            let copied = dict.copy().map_err(|error| Failure::raised(self.py, error))?;
            return self.entries(copied.iter(), depth);
        }
        if let Ok(list) = object.cast::<PyList>() {
            return self.items(list.iter(), depth);
        }
        if let Ok(tuple) = object.cast::<PyTuple>() {
            return match models::tuple_fields(tuple)? {
                Some(names) => self.named(names.into_iter().zip(tuple.iter()), depth),
                None => self.items(tuple.iter(), depth),
            };
        }
        if object.is_instance_of::<PySet>() || object.is_instance_of::<PyFrozenSet>() {
            return self.set(object, depth);
        }
        if let Some(fields) = models::fields(self, object)? {
            return self.named(fields.into_iter(), depth);
        }
        if let Some(pairs) = models::mapping_items(self, object)? {
            return self.entries(pairs.into_iter(), depth);
        }
        Ok(Value::Opaque(Cow::Owned(type_name(object))))
    }

    /// An enum member is its value; its name where the value has none.
    fn member(&mut self, object: &Bound<'py, PyAny>, depth: u32) -> Result<Value<'static>, Failure> {
        let inner = models::own_attribute(object, "_value_")?;
        let value = match inner {
            Some(inner) => self.value(&inner, depth + 1)?,
            None => Value::Opaque(Cow::Owned(type_name(object))),
        };
        match (&value, models::own_attribute(object, "_name_")?) {
            (Value::Opaque(_), Some(name)) => self.value(&name, depth + 1),
            _ => Ok(value),
        }
    }

    fn items(
        &mut self,
        objects: impl Iterator<Item = Bound<'py, PyAny>>,
        depth: u32,
    ) -> Result<Value<'static>, Failure> {
        let mut values = Vec::new();
        for (index, object) in objects.enumerate() {
            values.push(self.value(&object, depth + 1).map_err(|failure| failure.within(|| Step::Index(index)))?);
        }
        Ok(Value::List(values))
    }

    /// A set in the order of its elements' canonical bytes, since its own order means nothing.
    fn set(&mut self, object: &Bound<'py, PyAny>, depth: u32) -> Result<Value<'static>, Failure> {
        let elements = models::set_elements(object).map_err(|error| Failure::raised(self.py, error))?;
        let values = elements.iter().map(|element| self.value(element, depth + 1)).collect::<Result<_, _>>()?;
        Ok(sort_as_set(values)?)
    }

    fn named(
        &mut self,
        fields: impl Iterator<Item = (String, Bound<'py, PyAny>)>,
        depth: u32,
    ) -> Result<Value<'static>, Failure> {
        let mut entries = Vec::new();
        for (name, object) in fields {
            let read = self.value(&object, depth + 1);
            let value = read.map_err(|failure| failure.within(|| Step::Name(name.clone())))?;
            entries.push((Cow::Owned(name), value));
        }
        Ok(map(entries)?)
    }

    fn entries(
        &mut self,
        pairs: impl Iterator<Item = (Bound<'py, PyAny>, Bound<'py, PyAny>)>,
        depth: u32,
    ) -> Result<Value<'static>, Failure> {
        let mut named = Vec::new();
        for (key, object) in pairs {
            named.push((self.key(&key)?, object));
        }
        self.named(named.into_iter(), depth)
    }

    /// The text of a map key: text itself, or the canonical text of an int, bool, `None` or float.
    fn key(&mut self, key: &Bound<'py, PyAny>) -> Result<String, Failure> {
        if self.is_a(key, "enum", "Enum") {
            return match models::own_attribute(key, "_value_")? {
                Some(inner) if inner.is_instance_of::<PyString>() => owned_text(&inner),
                _ => Err(bad_key(key)),
            };
        }
        if key.is_instance_of::<PyString>() {
            return owned_text(key);
        }
        let value = if key.is_none() {
            Value::Null
        } else if let Ok(truth) = key.cast::<PyBool>() {
            Value::Bool(truth.is_true())
        } else if let Ok(integer) = key.cast::<PyInt>() {
            whole(integer)?
        } else if let Ok(float) = key.cast::<PyFloat>() {
            Value::Float(float.value())
        } else {
            return Err(bad_key(key));
        };
        Ok(key_text(&value)?.into_owned())
    }
}

fn bad_key(key: &Bound<'_, PyAny>) -> Failure {
    Failure::refused(ErrorCode::ValueBadKey, format!("has a key of type `{}`, which has no text form", type_name(key)))
}

/// Whether the object's type is `kind` or derives from it, by the types alone: no `__subclasscheck__` runs.
#[expect(unsafe_code, reason = "asks the interpreter about two types")]
fn is_of(object: &Bound<'_, PyAny>, kind: &Bound<'_, PyType>) -> bool {
    // SAFETY: both are types and alive.
    unsafe { ffi::PyType_IsSubtype(ffi::Py_TYPE(object.as_ptr()), kind.as_type_ptr()) != 0 }
}

#[expect(unsafe_code, reason = "copies the text of a str by pointer")]
pub(crate) fn owned_text(object: &Bound<'_, PyAny>) -> Result<String, Failure> {
    if !object.is_instance_of::<PyString>() {
        return Err(Failure::refused(ErrorCode::ValueUnreadable, "has a text form that is not a `str`"));
    }
    // SAFETY: the object is a str and is alive while it is copied.
    unsafe { text(object.as_ptr()) }.map(str::to_owned)
}

#[expect(unsafe_code, reason = "reads an int by pointer")]
fn whole(integer: &Bound<'_, PyInt>) -> Result<Value<'static>, Failure> {
    // SAFETY: the object is an int and alive.
    match unsafe { small_integer(integer.as_ptr()) } {
        Some(small) => Ok(Value::Int(small)),
        None => Ok(Value::BigInt(Cow::Owned(digits(integer)?))),
    }
}

/// `module.qualified_name` of the object's type.
pub(super) fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().fully_qualified_name().map_or_else(|_| "unknown".to_owned(), |name| name.to_string())
}
