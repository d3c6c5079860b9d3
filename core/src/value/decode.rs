//! Canonical bytes back to values: what records, payloads and vectors are read with.

use super::{Value, decimal, encode, integer, json, map, time};
use crate::error::{Error, ErrorCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// The name of the opaque value that stands where a record's value was redacted.
const REDACTED: &str = "$redacted";

/// The value whose canonical encoding `canonical` is: encoding it gives exactly these bytes again. Kinds that share an
/// encoding come back as one: a double that is a safe integer is an integer.
///
/// # Errors
/// [`ErrorCode::ValueMalformed`] for anything that [`encode()`] does not write, redacted values included, and the limits'
/// codes.
pub fn decode(canonical: &[u8]) -> Result<Value<'_>, Error> {
    let value = untag(json::parse_canonical(utf8(canonical)?)?, Redacted::Refused)?;
    let mut again = Vec::with_capacity(canonical.len());
    encode(&value, &mut again)?;
    if again == canonical { Ok(value) } else { Err(not_canonical()) }
}

/// Like [`decode()`] for a payload of a record, in which values may be redacted: each of them is opaque, so that whoever
/// looks at it fails, and a redacted key keeps its text from the record.
///
/// # Errors
/// Those of [`decode()`], but for redacted values.
pub fn decode_redacted(canonical: &[u8]) -> Result<Value<'_>, Error> {
    untag(json::parse_canonical(utf8(canonical)?)?, Redacted::Opaque)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Redacted {
    Refused,
    Opaque,
}

fn utf8(canonical: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(canonical).map_err(|_| {
        Error::new(ErrorCode::ValueBadText, "canonical bytes are not utf-8; read them from the ledger again")
    })
}

/// Recursion is bounded by the reader's depth.
fn untag(value: Value<'_>, redacted: Redacted) -> Result<Value<'_>, Error> {
    match value {
        Value::List(elements) => {
            elements.into_iter().map(|element| untag(element, redacted)).collect::<Result<_, _>>().map(Value::List)
        }
        Value::Map(mut entries) => {
            if let [(key, inside)] = entries.as_mut_slice()
                && let Value::Str(text) = inside
                && key.starts_with('$')
                && !key.starts_with("$$")
            {
                return tagged(key, std::mem::take(text));
            }
            if redacted == Redacted::Opaque && entries.iter().any(|(key, _)| key == REDACTED) {
                return Ok(Value::Opaque(Cow::Borrowed(REDACTED)));
            }
            entries
                .into_iter()
                .map(|(key, inside)| Ok((member(key, redacted)?, untag(inside, redacted)?)))
                .collect::<Result<_, _>>()
                .and_then(map)
        }
        scalar => Ok(scalar),
    }
}

/// The key of a map that is no tag.
fn member(key: Cow<'_, str>, redacted: Redacted) -> Result<Cow<'_, str>, Error> {
    match (&key, key.strip_prefix('$')) {
        (_, None) => Ok(key),
        (Cow::Borrowed(borrowed), Some(inner)) if inner.starts_with('$') => {
            Ok(Cow::Borrowed(borrowed.strip_prefix('$').unwrap_or(borrowed)))
        }
        (_, Some(inner)) if inner.starts_with('$') => Ok(Cow::Owned(inner.to_owned())),
        (_, Some(_)) if redacted == Redacted::Opaque && key.starts_with(REDACTED) => Ok(key),
        _ => Err(not_canonical()),
    }
}

fn tagged<'a>(tag: &str, text: Cow<'a, str>) -> Result<Value<'a>, Error> {
    Ok(match tag {
        "$int" => integer::canonical(text)?,
        "$float" => Value::Float(match &*text {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            _ => return Err(not_canonical()),
        }),
        "$decimal" if decimal::parse(&text)? == text => Value::Decimal(text),
        "$bytes" => Value::Bytes(Cow::Owned(STANDARD.decode(text.as_bytes()).map_err(|_| not_canonical())?)),
        "$time" if time::parse(&text).is_some() => Value::Time(text),
        "$opaque" => Value::Opaque(text),
        _ => return Err(not_canonical()),
    })
}

#[cold]
fn not_canonical() -> Error {
    Error::new(ErrorCode::ValueMalformed, "these are not a value's canonical bytes; read them from the ledger again")
}
