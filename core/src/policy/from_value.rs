//! From a value that a program gives, such as a Python dictionary, to the same tree; places are paths.

use super::node::{Key, Kind, Layout, Node};
use super::problem::{At, Problems};
use super::yaml::{MAX_DEPTH, MAX_VALUES};
use crate::value::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// The tree of `value`. Kinds that a policy text cannot hold are noted.
pub(crate) fn tree<'a>(value: &'a Value<'a>, out: &mut Problems) -> Option<Node<'a>> {
    let mut left = MAX_VALUES;
    node(value, &Arc::from(""), 0, &mut left, out)
}

fn node<'a>(
    value: &'a Value<'a>,
    path: &Arc<str>,
    depth: usize,
    left: &mut usize,
    out: &mut Problems,
) -> Option<Node<'a>> {
    let at = At::Path(Arc::clone(path));
    if depth > MAX_DEPTH {
        out.instead(&at, "the policy is nested deeper than 64", "flatten it: no key needs so many levels");
        return None;
    }
    let Some(rest) = left.checked_sub(1) else {
        out.instead(&at, "the policy has more than 1,000,000 values", "split it, or shorten its lists");
        return None;
    };
    *left = rest;
    let kind = match value {
        Value::Null => Kind::Null,
        Value::Bool(value) => Kind::Bool(*value),
        Value::Int(value) => Kind::Int(*value),
        Value::BigInt(text) => Kind::BigInt(Cow::Borrowed(text)),
        Value::Float(value) => Kind::Float(*value),
        Value::Str(text) => Kind::Str(Cow::Borrowed(text), Layout::Changed),
        Value::List(items) => {
            let mut nodes = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                nodes.push(node(item, &Arc::from(format!("{path}[{index}]")), depth + 1, left, out)?);
            }
            Kind::List(nodes)
        }
        Value::Map(entries) => {
            let mut nodes = Vec::with_capacity(entries.len());
            for (name, item) in entries {
                let path: Arc<str> = if path.is_empty() { Arc::from(&**name) } else { format!("{path}.{name}").into() };
                let child = node(item, &path, depth + 1, left, out)?;
                nodes.push((Key { at: At::Path(path), text: Cow::Borrowed(name) }, child));
            }
            Kind::Map(nodes)
        }
        Value::Bytes(_) | Value::Decimal(_) | Value::Time(_) | Value::Opaque(_) => {
            let what = match value {
                Value::Bytes(_) => "bytes",
                Value::Decimal(_) => "a decimal",
                Value::Time(_) => "a time",
                _ => "an object",
            };
            out.instead(&at, format!("{what} cannot stand in a policy"), "write it as a text or a number");
            return None;
        }
    };
    Some(Node { at, kind })
}
