//! Appends JSON to a line: strings escaped as RFC 8785 §3.2.2.2 says, numbers, hex and lists of texts.

use crate::ledger::hex;

/// Appends `text` as a JSON string.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text.as_bytes());
    out.push(b'"');
}

/// Names and ids need no escape nearly always, and a search without branches is faster than copying byte by byte.
fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    if !text.iter().fold(false, |found, byte| found | must_escape(*byte)) {
        out.extend_from_slice(text);
        return;
    }
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(hex::text(&[*byte]).as_bytes());
            }
            _ => out.push(*byte),
        }
    }
}

const fn must_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Appends `text` as a JSON string, or null.
pub(crate) fn push_optional(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => push_string(out, text),
        None => out.extend_from_slice(b"null"),
    }
}

/// Appends an integer.
pub(crate) fn push_integer(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends an integer, or null.
pub(crate) fn push_optional_integer(out: &mut Vec<u8>, number: Option<impl itoa::Integer>) {
    match number {
        Some(number) => push_integer(out, number),
        None => out.extend_from_slice(b"null"),
    }
}

/// Appends a hash as a JSON string.
pub(crate) fn push_hash(out: &mut Vec<u8>, hash: &[u8; 32]) {
    out.push(b'"');
    out.extend_from_slice(&hex::digits64(hash));
    out.push(b'"');
}

/// Appends a hash as a JSON string, or null.
pub(crate) fn push_optional_hash(out: &mut Vec<u8>, hash: Option<&[u8; 32]>) {
    match hash {
        Some(hash) => push_hash(out, hash),
        None => out.extend_from_slice(b"null"),
    }
}

/// Appends an id as a JSON string.
pub(crate) fn push_id(out: &mut Vec<u8>, id: &[u8; 16]) {
    out.push(b'"');
    out.extend_from_slice(&hex::digits32(id));
    out.push(b'"');
}

/// Appends `true` or `false`.
pub(crate) fn push_bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Appends items between brackets with commas, each as `push` writes it.
pub(crate) fn push_list<T>(out: &mut Vec<u8>, items: &[T], push: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (nth, item) in items.iter().enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        push(out, item);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_as_rfc_8785_does() {
        let mut out = Vec::new();
        push_string(&mut out, "\u{20ac}$\u{0f}\u{0a}A'\u{42}\u{22}\u{5c}\u{5c}\u{22}/\u{7f}\u{1f600}");
        assert_eq!(String::from_utf8(out).unwrap(), "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\u{1f600}\"");
    }

    proptest! {
        #[test]
        fn any_string_comes_back(text in any::<String>()) {
            let mut out = Vec::new();
            push_string(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
            prop_assert!(!out.contains(&b'\n'));
        }
    }
}
