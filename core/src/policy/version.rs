//! A policy's version: the digest of what was written, whatever its layout and whether it was YAML or JSON.

use super::node::{Kind, Node};
use crate::error::Error;
use crate::value::{self, Value};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;

/// SHA-256 of the canonical encoding (`docs/formats.md`) of the tree.
///
/// Lists and maps are written here, since a policy may be larger than a call's arguments; their parts are written by the
/// one encoder.
///
/// # Errors
/// A text is larger than a value may be.
pub(crate) fn version(root: &Node<'_>) -> Result<[u8; 32], Error> {
    let mut out = Vec::new();
    write(root, &mut out)?;
    Ok(Sha256::digest(&out).into())
}

/// The version of several layers together: SHA-256 of the canonical list of `[layer, version]` pairs.
pub(crate) fn of_layers<'l>(layers: impl Iterator<Item = (&'l str, [u8; 32])>) -> [u8; 32] {
    let mut out = vec![b'['];
    for (index, (name, version)) in layers.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.push(b'[');
        // both are short texts, which always have an encoding
        let _ = value::encode(&Value::Str(Cow::Borrowed(name)), &mut out);
        out.push(b',');
        let _ = value::encode(&Value::Str(Cow::Owned(hex(&version))), &mut out);
        out.push(b']');
    }
    out.push(b']');
    Sha256::digest(&out).into()
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        text
    })
}

fn write(node: &Node<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    match &node.kind {
        Kind::Null => value::encode(&Value::Null, out),
        Kind::Bool(truth) => value::encode(&Value::Bool(*truth), out),
        Kind::Int(number) => value::encode(&Value::Int(*number), out),
        Kind::BigInt(digits) => value::encode(&Value::BigInt(Cow::Borrowed(digits)), out),
        Kind::Float(number) => value::encode(&Value::Float(*number), out),
        Kind::Str(text, _) => value::encode(&Value::Str(Cow::Borrowed(text)), out),
        Kind::List(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
            Ok(())
        }
        Kind::Map(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by(|one, two| one.0.text.encode_utf16().cmp(two.0.text.encode_utf16()));
            out.push(b'{');
            for (index, (key, item)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                let written = if key.text.starts_with('$') {
                    Cow::Owned(format!("${}", key.text))
                } else {
                    Cow::Borrowed(&*key.text)
                };
                value::encode(&Value::Str(written), out)?;
                out.push(b':');
                write(item, out)?;
            }
            out.push(b'}');
            Ok(())
        }
    }
}
