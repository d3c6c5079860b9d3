//! What a yes holds for: some of the arguments, by name.

use crate::error::Error;
use crate::value::{self, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Which arguments a yes holds for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Binding {
    /// All but these; `None`: only the named ones.
    pub all_but: Option<BTreeSet<Arc<str>>>,
    /// These, whatever else is said.
    pub named: BTreeSet<Arc<str>>,
}

impl Binding {
    /// Whether it holds for the argument `name`.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        self.named.contains(name) || self.all_but.as_ref().is_some_and(|volatile| !volatile.contains(name))
    }

    /// The canonical bytes of the bound arguments of `args`, a map.
    ///
    /// # Errors
    /// As [`value::encode`].
    pub fn canonical(&self, args: &Value<'_>) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        value::encode(&self.restricted(args), &mut bytes)?;
        Ok(bytes)
    }

    /// The first bound argument that holds something which has no value, so that nobody could tell another one from it.
    #[must_use]
    pub fn unbindable<'v>(&self, args: &'v Value<'_>) -> Option<&'v str> {
        let Value::Map(entries) = args else { return None };
        entries.iter().find(|(name, of)| self.holds(name) && has_opaque(of)).map(|(name, _)| &**name)
    }

    fn restricted<'v>(&self, args: &'v Value<'_>) -> Value<'v> {
        let Value::Map(entries) = args else { return lent(args) };
        let bound = entries.iter().filter(|(name, _)| self.holds(name));
        Value::Map(bound.map(|(name, of)| (Cow::Borrowed(&**name), lent(of))).collect())
    }
}

/// Whether a value that has no value lies in it.
#[must_use]
pub fn has_opaque(of: &Value<'_>) -> bool {
    match of {
        Value::Opaque(_) => true,
        Value::List(items) => items.iter().any(has_opaque),
        Value::Map(entries) => entries.iter().any(|(_, inside)| has_opaque(inside)),
        _ => false,
    }
}

/// The same value, its texts lent.
fn lent<'v>(of: &'v Value<'_>) -> Value<'v> {
    match of {
        Value::Null => Value::Null,
        Value::Bool(truth) => Value::Bool(*truth),
        Value::Int(number) => Value::Int(*number),
        Value::BigInt(text) => Value::BigInt(Cow::Borrowed(text)),
        Value::Float(number) => Value::Float(*number),
        Value::Str(text) => Value::Str(Cow::Borrowed(text)),
        Value::Bytes(bytes) => Value::Bytes(Cow::Borrowed(bytes)),
        Value::Decimal(text) => Value::Decimal(Cow::Borrowed(text)),
        Value::Time(text) => Value::Time(Cow::Borrowed(text)),
        Value::List(items) => Value::List(items.iter().map(lent).collect()),
        Value::Map(entries) => {
            Value::Map(entries.iter().map(|(name, inside)| (Cow::Borrowed(&**name), lent(inside))).collect())
        }
        Value::Opaque(kind) => Value::Opaque(Cow::Borrowed(kind)),
    }
}
