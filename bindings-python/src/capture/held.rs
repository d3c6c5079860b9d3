//! The pass over objects of any type: everything read is copied, because the program's code may run in between.

use super::seen::{self, Seen};
use super::text::{digits, small_integer, text};
use super::{Budget, Failure, MAX_DEPTH, Step, models, moments, same};
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
pub(super) struct Reading<'py> {
    pub(super) py: Python<'py>,
    budget: Budget,
    modules: Option<Bound<'py, PyDict>>,
    seen: Vec<Seen<'py>>,
    /// Each argument with how much had been seen before it.
    arguments: Vec<(usize, String)>,
    asked: bool,
}

impl<'py> Reading<'py> {
    pub(super) fn new(py: Python<'py>, budget: Budget) -> Self {
        let modules = py.import("sys").and_then(|sys| sys.getattr("modules"));
        let modules = modules.ok().and_then(|modules| modules.cast_into::<PyDict>().ok());
        Self { py, budget, modules, seen: Vec::new(), arguments: Vec::new(), asked: false }
    }

    /// What is read from here on belongs to the argument `name`.
    pub(super) fn begin(&mut self, name: &str) {
        self.arguments.push((self.seen.len(), name.to_owned()));
    }

    /// Notes something that can change, with what was in it.
    pub(super) fn saw(&mut self, seen: Seen<'py>) {
        self.seen.push(seen);
    }

    /// Whether code of the program answered for something that was read.
    pub(super) const fn has_asked(&self) -> bool {
        self.asked
    }

    /// Notes that code of the program answers.
    pub(super) const fn asks(&mut self) {
        self.asked = true;
    }

    /// Reads once more what was counted already, as code of the program gives it out.
    pub(super) fn asked<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        self.asked = true;
        let counted = std::mem::replace(&mut self.budget, Budget::new());
        let answer = read(self);
        self.budget = counted;
        answer
    }

    /// Refuses the capture where something changed after it was read. None of the program's code runs.
    pub(super) fn unchanged(&self) -> Result<(), Failure> {
        for (place, seen) in self.seen.iter().enumerate() {
            if !seen.holds().map_err(|error| Failure::raised(self.py, error))? {
                let changed = Failure::changed();
                return Err(match self.arguments.iter().rev().find(|(before, _)| *before <= place) {
                    Some((_, name)) => changed.within(|| Step::Name(name.clone())),
                    None => changed,
                });
            }
        }
        Ok(())
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
            // Of these alone a class can be made that is data of its own besides.
            let derived = object.is_instance_of::<PyString>()
                || object.is_instance_of::<PyInt>()
                || object.is_instance_of::<PyFloat>()
                || matches!(value, Value::Bytes(_));
            return if derived && models::declares_fields(object)? { Ok(opaque(object)) } else { Ok(value) };
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

    fn bytes(&mut self, object: &Bound<'py, PyAny>) -> Result<Option<Vec<u8>>, Failure> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Some(bytes.as_bytes().to_vec()));
        }
        if !object.is_instance_of::<PyByteArray>() && !object.is_instance_of::<PyMemoryView>() {
            return Ok(None);
        }
        let copied = seen::copied(object).map_err(|error| Failure::raised(self.py, error))?;
        if let Some(bytes) = &copied {
            self.saw(Seen::Bytes(object.clone(), bytes.clone()));
        }
        Ok(copied)
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
            let pairs = seen::pairs(dict)?;
            self.saw(Seen::Dict(dict.clone(), pairs.clone()));
            let stored = self.entries(pairs.into_iter(), depth)?;
            if dict.is_exact_instance_of::<PyDict>() {
                return Ok(stored);
            }
            let stored = self.agreed_dict(object, stored, depth)?;
            return self.with_fields(object, stored, depth);
        }
        if let Ok(list) = object.cast::<PyList>() {
            let items = seen::items(list)?;
            self.saw(Seen::List(list.clone(), items.clone()));
            let stored = self.items(items.into_iter(), depth)?;
            if list.is_exact_instance_of::<PyList>() {
                return Ok(stored);
            }
            let stored = self.agreed_sequence(object, &self.py.get_type::<PyList>(), stored, depth)?;
            return self.with_fields(object, stored, depth);
        }
        if let Ok(tuple) = object.cast::<PyTuple>() {
            let stored = self.items(tuple.iter(), depth)?;
            if tuple.is_exact_instance_of::<PyTuple>() {
                return Ok(stored);
            }
            let stored = match (
                self.agreed_sequence(object, &self.py.get_type::<PyTuple>(), stored, depth)?,
                models::tuple_fields(tuple)?,
            ) {
                (Value::List(items), Some(names)) => map(names.into_iter().map(Cow::Owned).zip(items).collect())?,
                (stored, _) => stored,
            };
            return self.with_fields(object, stored, depth);
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
        Ok(opaque(object))
    }

    /// What a container's class declares as fields beside what the container holds: both, unless they are at odds.
    fn with_fields(
        &mut self,
        object: &Bound<'py, PyAny>,
        stored: Value<'static>,
        depth: u32,
    ) -> Result<Value<'static>, Failure> {
        if !models::declares_fields(object)? {
            return Ok(stored);
        }
        let (Value::Map(mut entries), Some(fields)) = (stored, models::fields(self, object)?) else {
            return Ok(opaque(object));
        };
        let Value::Map(fields) = self.named(fields.into_iter(), depth)? else { return Ok(opaque(object)) };
        for (name, value) in fields {
            match entries.iter().find(|(held, _)| *held == name) {
                Some((_, held)) if same(held, &value)? => {}
                Some(_) => return Ok(opaque(object)),
                None => entries.push((name, value)),
            }
        }
        Ok(map(entries)?)
    }

    /// An enum member is its value; its name where the value has none. One that is text or a number besides, and another
    /// than its value, is neither.
    fn member(&mut self, object: &Bound<'py, PyAny>, depth: u32) -> Result<Value<'static>, Failure> {
        let inner = models::own_attribute(object, "_value_")?;
        let value = match inner {
            Some(inner) => self.value(&inner, depth + 1)?,
            None => opaque(object),
        };
        if let Some(itself) = mixed_in(object)?
            && !same(&itself, &value)?
        {
            return Ok(opaque(object));
        }
        match (&value, models::own_attribute(object, "_name_")?) {
            (Value::Opaque(_), Some(name)) => self.value(&name, depth + 1),
            _ => Ok(value),
        }
    }

    pub(super) fn items(
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
        let elements = seen::set_elements(object).map_err(|error| Failure::raised(self.py, error))?;
        let stored = self.unordered(&elements, depth)?;
        self.saw(Seen::Set(object.clone(), elements));
        if object.is_exact_instance_of::<PySet>() || object.is_exact_instance_of::<PyFrozenSet>() {
            return Ok(stored);
        }
        let stored = self.agreed_set(object, &self.py.get_type::<PySet>(), stored, depth)?;
        self.with_fields(object, stored, depth)
    }

    pub(super) fn unordered(&mut self, elements: &[Bound<'py, PyAny>], depth: u32) -> Result<Value<'static>, Failure> {
        Ok(sort_as_set(elements.iter().map(|element| self.value(element, depth + 1)).collect::<Result<_, _>>()?)?)
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

    pub(super) fn entries(
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
                Some(inner) if inner.is_instance_of::<PyString>() => {
                    let text = owned_text(&inner)?;
                    let other = key.is_instance_of::<PyString>() && owned_text(key)? != text;
                    if other { Err(bad_key(key)) } else { Ok(text) }
                }
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
pub(super) fn is_of(object: &Bound<'_, PyAny>, kind: &Bound<'_, PyType>) -> bool {
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

/// What an enum member is besides a member: the text, number or bytes that its class derives from.
fn mixed_in(object: &Bound<'_, PyAny>) -> Result<Option<Value<'static>>, Failure> {
    Ok(if object.is_instance_of::<PyString>() {
        Some(Value::Str(Cow::Owned(owned_text(object)?)))
    } else if let Ok(integer) = object.cast::<PyInt>() {
        Some(whole(integer)?)
    } else if let Ok(float) = object.cast::<PyFloat>() {
        Some(Value::Float(float.value()))
    } else if let Ok(bytes) = object.cast::<PyBytes>() {
        Some(Value::Bytes(Cow::Owned(bytes.as_bytes().to_vec())))
    } else {
        None
    })
}

/// An object that is shown by the name of its type alone.
pub(super) fn opaque(object: &Bound<'_, PyAny>) -> Value<'static> {
    Value::Opaque(Cow::Owned(type_name(object)))
}

/// `module.qualified_name` of the object's type.
fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().fully_qualified_name().map_or_else(|_| "unknown".to_owned(), |name| name.to_string())
}
