//! Maps: canonical order of keys, no duplicates, and the text of keys that are not text.

use super::text::compare_utf16;
use super::{Value, double, integer};
use crate::error::{Error, ErrorCode};
use std::borrow::Cow;
use std::cmp::Ordering;

/// A map of `entries` in any order; costs one comparison an entry where they are in canonical order already.
///
/// # Errors
/// [`ErrorCode::ValueDuplicateKey`] where two keys are the same text.
pub fn map<'a>(mut entries: Vec<(Cow<'a, str>, Value<'a>)>) -> Result<Value<'a>, Error> {
    if !entries.is_sorted_by(|left, right| compare_utf16(&left.0, &right.0) == Ordering::Less) {
        entries.sort_by(|left, right| compare_utf16(&left.0, &right.0));
        let twice = entries.iter().zip(entries.iter().skip(1)).find(|(left, right)| left.0 == right.0);
        if let Some((entry, _)) = twice {
            return Err(duplicate_key(&entry.0));
        }
    }
    Ok(Value::Map(entries))
}

/// The refusal of a key that a map has twice.
pub(super) fn duplicate_key(key: &str) -> Error {
    let shown = shorten(key);
    Error::new(
        ErrorCode::ValueDuplicateKey,
        format!("the key `{shown}` occurs twice in one map; give each key once, also where keys differ only in type"),
    )
    .with("key", shown)
}

/// The text of a map key that is not text itself: the canonical text of null, a bool, an integer of any size or a
/// double, without a tag; a text is its own.
///
/// # Errors
/// [`ErrorCode::ValueBadKey`] for every other kind.
pub fn key_text<'a>(key: &Value<'a>) -> Result<Cow<'a, str>, Error> {
    let kind = match key {
        Value::Str(text) | Value::BigInt(text) => return Ok(text.clone()),
        Value::Null => return Ok(Cow::Borrowed("null")),
        Value::Bool(true) => return Ok(Cow::Borrowed("true")),
        Value::Bool(false) => return Ok(Cow::Borrowed("false")),
        Value::Int(number) => return Ok(Cow::Owned(integer::text(*number))),
        Value::Float(number) => return Ok(Cow::Owned(double::text(*number))),
        Value::Bytes(_) => "bytes",
        Value::Decimal(_) => "decimal",
        Value::Time(_) => "time",
        Value::List(_) => "list",
        Value::Map(_) => "map",
        Value::Opaque(name) => name,
    };
    Err(Error::new(
        ErrorCode::ValueBadKey,
        format!("a map has a key of type `{}`; keys are text, integers, bools, doubles or null", shorten(kind)),
    )
    .with("type", shorten(kind)))
}

/// What of a text fits a message.
fn shorten(text: &str) -> String {
    const SHOWN: usize = 80;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(keys: &[&'static str]) -> Vec<(Cow<'static, str>, Value<'static>)> {
        keys.iter().map(|&key| (Cow::Borrowed(key), Value::Null)).collect()
    }

    #[test]
    fn order_of_entries_does_not_matter() {
        let sorted = map(entries(&["", "a", "b", "\u{1f600}", "\u{e000}"])).unwrap();
        assert_eq!(sorted, map(entries(&["\u{e000}", "b", "\u{1f600}", "", "a"])).unwrap());
        assert_eq!(sorted, Value::Map(entries(&["", "a", "b", "\u{1f600}", "\u{e000}"])));
    }

    #[test]
    fn a_key_that_occurs_twice_is_named() {
        for keys in [&["a", "a"][..], &["a", "b", "a"], &["b", "a", "b", "c"]] {
            let error = map(entries(keys)).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ValueDuplicateKey);
            assert!(error.message().contains(if keys.len() == 4 { "`b`" } else { "`a`" }));
        }
    }

    #[test]
    fn keys_that_are_not_text_have_their_canonical_text() {
        let cases = [
            (Value::Null, "null"),
            (Value::Bool(true), "true"),
            (Value::Int(-9_007_199_254_740_993), "-9007199254740993"),
            (Value::Float(1.0), "1"),
            (Value::Float(-0.0), "0"),
            (Value::Float(1e21), "1e+21"),
            (Value::Float(f64::NAN), "NaN"),
        ];
        for (key, text) in cases {
            assert_eq!(key_text(&key).unwrap(), text);
        }
        assert_eq!(key_text(&Value::List(Vec::new())).unwrap_err().code(), ErrorCode::ValueBadKey);
    }
}
