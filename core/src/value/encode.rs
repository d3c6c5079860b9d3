//! The canonical encoding: RFC 8785 for what JSON holds exactly, tagged objects for the rest.

use super::text::{compare_utf16, write_string, write_unquoted};
use super::{MAX_BYTES, MAX_DEPTH, MAX_SAFE_INTEGER, MAX_VALUES, Value, double, map};
use crate::error::{Error, ErrorCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Appends the canonical encoding of `value` to `out`, which only grows: a kept buffer costs no allocation.
///
/// # Errors
/// [`ErrorCode::ValueTooDeep`] and [`ErrorCode::ValueTooLarge`] beyond the limits of this module,
/// [`ErrorCode::ValueDuplicateKey`] for a map that breaks the invariant of [`Value`]. `out` is then as it was before.
pub fn encode(value: &Value<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let start = out.len();
    let mut encoder = Encoder { out, end: start.saturating_add(MAX_BYTES), values: MAX_VALUES };
    let done = encoder.write(value, 0);
    if done.is_err() {
        out.truncate(start);
    }
    done
}

struct Encoder<'o> {
    out: &'o mut Vec<u8>,
    /// The length of `out` beyond which the value is too large.
    end: usize,
    /// How many more values may come.
    values: usize,
}

impl Encoder<'_> {
    fn write(&mut self, value: &Value<'_>, depth: usize) -> Result<(), Error> {
        self.values = self.values.checked_sub(1).ok_or_else(too_many)?;
        match value {
            Value::Null => self.out.extend_from_slice(b"null"),
            Value::Bool(true) => self.out.extend_from_slice(b"true"),
            Value::Bool(false) => self.out.extend_from_slice(b"false"),
            Value::Int(number) => {
                let mut digits = itoa::Buffer::new();
                let digits = digits.format(*number);
                if (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(number) {
                    self.out.extend_from_slice(digits.as_bytes());
                } else {
                    self.tagged("$int", digits)?;
                }
            }
            Value::BigInt(digits) => self.tagged("$int", digits)?,
            Value::Float(number) if number.is_finite() => double::write_finite(*number, self.out),
            Value::Float(number) => self.tagged("$float", double::name(*number))?,
            Value::Str(text) => {
                self.room_for(text.len())?;
                write_string(text, self.out);
            }
            Value::Bytes(bytes) => {
                self.room_for(bytes.len())?;
                self.tagged("$bytes", &STANDARD.encode(bytes))?;
            }
            Value::Decimal(text) => self.tagged("$decimal", text)?,
            Value::Time(text) => self.tagged("$time", text)?,
            Value::Opaque(name) => self.tagged("$opaque", name)?,
            Value::List(elements) => self.list(elements, inner(depth)?)?,
            Value::Map(entries) => self.map(entries, inner(depth)?)?,
        }
        self.room_for(0)
    }

    /// Before a text is copied, so that a refusal costs no more than what is accepted.
    fn room_for(&self, bytes: usize) -> Result<(), Error> {
        if self.out.len().saturating_add(bytes) > self.end { Err(too_large()) } else { Ok(()) }
    }

    fn tagged(&mut self, tag: &str, text: &str) -> Result<(), Error> {
        self.room_for(text.len())?;
        self.out.extend_from_slice(b"{\"");
        self.out.extend_from_slice(tag.as_bytes());
        self.out.extend_from_slice(b"\":");
        // Escaped although canonical texts need none: a text that breaks its invariant cannot forge another value.
        write_string(text, self.out);
        self.out.push(b'}');
        Ok(())
    }

    fn list(&mut self, elements: &[Value<'_>], depth: usize) -> Result<(), Error> {
        self.out.push(b'[');
        for (index, element) in elements.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.write(element, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, entries: &[(Cow<'_, str>, Value<'_>)], depth: usize) -> Result<(), Error> {
        // Two texts for one map would be two digests for one call, so the order is not taken on trust.
        let ordered = entries.is_sorted_by(|left, right| compare_utf16(&left.0, &right.0) == Ordering::Less);
        if ordered {
            return self.entries(entries.iter(), depth);
        }
        let mut sorted: Vec<_> = entries.iter().collect();
        sorted.sort_by(|left, right| compare_utf16(&left.0, &right.0));
        if let Some((_, twice)) = sorted.iter().zip(sorted.iter().skip(1)).find(|(left, right)| left.0 == right.0) {
            return Err(map::duplicate_key(&twice.0));
        }
        self.entries(sorted.into_iter(), depth)
    }

    fn entries<'v>(
        &mut self,
        entries: impl Iterator<Item = &'v (Cow<'v, str>, Value<'v>)>,
        depth: usize,
    ) -> Result<(), Error> {
        self.out.push(b'{');
        for (index, (key, value)) in entries.enumerate() {
            self.room_for(key.len())?;
            self.out.reserve(key.len() + 5);
            if index > 0 {
                self.out.push(b',');
            }
            self.out.push(b'"');
            if key.starts_with('$') {
                self.out.push(b'$');
            }
            write_unquoted(key.as_bytes(), self.out);
            self.out.extend_from_slice(b"\":");
            let written = self.write(value, depth);
            if depth == 1 {
                written.map_err(|error| error.with("member", key))?;
            } else {
                written?;
            }
        }
        self.out.push(b'}');
        Ok(())
    }
}

/// The depth inside a list or map at `depth`.
fn inner(depth: usize) -> Result<usize, Error> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(too_deep()) }
}

#[cold]
pub(super) fn too_deep() -> Error {
    Error::new(
        ErrorCode::ValueTooDeep,
        format!("a value has more than {MAX_DEPTH} lists and maps inside each other; pass a flatter one"),
    )
}

#[cold]
pub(super) fn too_large() -> Error {
    Error::new(
        ErrorCode::ValueTooLarge,
        format!("a value has more than {MAX_BYTES} canonical bytes; pass a reference to it, such as a path, instead"),
    )
}

#[cold]
pub(super) fn too_many() -> Error {
    Error::new(
        ErrorCode::ValueTooLarge,
        format!("a value consists of more than {MAX_VALUES} values; pass a reference to it, such as a path, instead"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &Value<'_>) -> String {
        let mut out = Vec::new();
        encode(value, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn nested(depth: usize) -> Value<'static> {
        (0..depth).fold(Value::Null, |inside, _| Value::List(vec![inside]))
    }

    fn code(value: &Value<'_>) -> ErrorCode {
        encode(value, &mut Vec::new()).unwrap_err().code()
    }

    #[test]
    fn a_map_that_is_out_of_order_is_still_canonical() {
        let entries = |keys: [&'static str; 2]| Value::Map(keys.map(|key| (key.into(), Value::Null)).into());
        assert_eq!(text(&entries(["b", "a"])), r#"{"a":null,"b":null}"#);
        assert_eq!(code(&entries(["a", "a"])), ErrorCode::ValueDuplicateKey);
    }

    #[test]
    fn a_broken_text_forges_nothing() {
        assert_eq!(text(&Value::Decimal("1\"},{\"".into())), r#"{"$decimal":"1\"},{\""}"#);
    }

    #[test]
    fn limits_are_exact() {
        assert_eq!(text(&nested(MAX_DEPTH)).len(), 2 * MAX_DEPTH + 4);
        assert_eq!(code(&nested(MAX_DEPTH + 1)), ErrorCode::ValueTooDeep);
        assert_eq!(text(&Value::Str("x".repeat(MAX_BYTES - 2).into())).len(), MAX_BYTES);
        assert_eq!(code(&Value::Str("x".repeat(MAX_BYTES - 1).into())), ErrorCode::ValueTooLarge);
        assert_eq!(text(&Value::List(vec![Value::Int(1); MAX_VALUES - 1])).len(), 2 * MAX_VALUES - 1);
        assert_eq!(code(&Value::List(vec![Value::Int(1); MAX_VALUES])), ErrorCode::ValueTooLarge);
    }

    #[test]
    fn a_refusal_leaves_the_buffer_as_it_was_and_names_the_member() {
        let mut out = b"before".to_vec();
        let value = Value::Map(vec![("a".into(), Value::Int(1)), ("deep".into(), nested(MAX_DEPTH))]);
        let error = encode(&value, &mut out).unwrap_err();
        assert_eq!(out, b"before");
        assert_eq!(error.details().get("member").map(String::as_str), Some("deep"));
    }
}
