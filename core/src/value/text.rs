//! JSON strings as RFC 8785 writes them, and the order of keys by UTF-16 code units.

use std::cmp::Ordering;

/// How many bytes are looked at together: one vector register of every supported machine.
const LANES: usize = 16;

/// Appends `text` to `out` as a JSON string with the escapes of RFC 8785 §3.2.2.2, quotes included.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    write_unquoted(text.as_bytes(), out);
    out.push(b'"');
}

/// Appends the inside of a JSON string.
pub(super) fn write_unquoted(text: &[u8], out: &mut Vec<u8>) {
    if needs_escape(text) {
        write_escaped(text, out);
    } else {
        out.extend_from_slice(text);
    }
}

const fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// Without early exits inside a lane, so that the compiler compares whole registers.
fn needs_escape(text: &[u8]) -> bool {
    let (lanes, rest) = text.as_chunks::<LANES>();
    lanes.iter().any(|lane| lane.iter().fold(false, |found, &byte| found | is_special(byte)))
        || rest.iter().fold(false, |found, &byte| found | is_special(byte))
}

#[cold]
fn write_escaped(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for &byte in text {
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.extend([byte >> 4, byte & 0xf].iter().filter_map(|&digit| HEX.get(usize::from(digit))));
                continue;
            }
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
}

/// Compares two texts by their UTF-16 code units, the order of keys in RFC 8785 §3.2.3.
///
/// UTF-8 orders by code point, and the two orders differ in one place: U+E000 to U+FFFF (first bytes EE and EF) come
/// after the surrogates that stand for U+10000 and beyond (first bytes F0 to F4). No other byte has these values, so it
/// is enough to move EE and EF behind F4 where the texts first differ.
#[must_use]
pub fn compare_utf16(left: &str, right: &str) -> Ordering {
    const fn rank(byte: u8) -> u8 {
        if byte == 0xee || byte == 0xef { byte + 0x10 } else { byte }
    }
    let pair = left.bytes().zip(right.bytes()).find(|(a, b)| a != b);
    pair.map_or_else(|| left.len().cmp(&right.len()), |(a, b)| rank(a).cmp(&rank(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_control_character_has_its_escape() {
        let mut out = Vec::new();
        write_string("\u{0}\u{8}\t\n\u{b}\u{c}\r\u{1f}\"\\/\u{7f}€😀", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "\"\\u0000\\b\\t\\n\\u000b\\f\\r\\u001f\\\"\\\\/\u{7f}€😀\"");
    }

    proptest! {
        #[test]
        fn strings_are_what_a_json_reader_reads(text in ".*") {
            let mut out = Vec::new();
            write_string(&text, &mut out);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn keys_are_compared_by_utf16(left in "[a\u{7ff}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,4}", right in "[a\u{7ff}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,4}") {
            prop_assert_eq!(compare_utf16(&left, &right), left.encode_utf16().cmp(right.encode_utf16()));
        }
    }
}
