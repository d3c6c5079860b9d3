//! Values as cases write them: arguments, results, amounts and moments.

use crate::clock::UnixNanos;
use crate::decide::ReasonCode;
use crate::limits::fixed_decimal;
use crate::policy::node::{Kind, Node};
use crate::policy::problem::Problems;
use crate::policy::read::{Read, choice, wrong};
use crate::policy::text::shown;
use crate::value::{self, Value};
use std::borrow::Cow;

crate::policy::read::schemas! {
    Arguments { "type": "object" };
    Literal {};
    Usd { "type": "number", "minimum": 0 };
    Tokens { "type": "integer", "minimum": 0 };
    Moment { "type": "string", "format": "date-time" };
    Code { "type": "string" };
}

/// Any value that JSON can hold.
#[derive(Debug, Clone)]
pub(crate) struct Literal(pub(crate) Value<'static>);

impl Read for Literal {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        literal(node, out).map(Self)
    }
}

/// Recursion is bounded by the reader of the text.
fn literal(node: &Node<'_>, out: &mut Problems) -> Option<Value<'static>> {
    Some(match &node.kind {
        Kind::Null => Value::Null,
        Kind::Bool(truth) => Value::Bool(*truth),
        Kind::Int(number) => Value::Int(*number),
        Kind::BigInt(digits) => Value::BigInt(Cow::Owned(digits.to_string())),
        Kind::Float(number) => Value::Float(*number),
        Kind::Str(text, _) => Value::Str(Cow::Owned(text.to_string())),
        Kind::List(items) => Value::List(items.iter().map(|item| literal(item, out)).collect::<Option<_>>()?),
        Kind::Map(entries) => {
            let mut read = Vec::with_capacity(entries.len());
            for (key, item) in entries {
                read.push((Cow::Owned(key.text.to_string()), literal(item, out)?));
            }
            match value::map(read) {
                Ok(map) => map,
                Err(error) => {
                    out.instead(&node.at, error.message(), "write the value in another way");
                    return None;
                }
            }
        }
    })
}

/// Arguments by name.
#[derive(Debug, Clone)]
pub(crate) struct Arguments(pub(crate) Value<'static>);

impl Read for Arguments {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        if !matches!(node.kind, Kind::Map(_)) {
            return wrong(node, "a map", out);
        }
        literal(node, out).map(Self)
    }
}

/// Money in millionths of a US dollar, not negative.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usd(pub(crate) i64);

impl Read for Usd {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let text = match &node.kind {
            Kind::Int(whole) => whole.to_string(),
            // the fewest digits that read back as the same number, which is what was written
            Kind::Float(number) if number.is_finite() => format!("{number:e}"),
            _ => return wrong(node, "a number", out),
        };
        let read = fixed_decimal(&text);
        if let Err(why) = &read {
            out.instead(&node.at, format!("the amount {why}"), "write US dollars such as `0.25`");
        }
        read.ok().map(Self)
    }
}

/// A count of tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tokens(pub(crate) u64);

impl Read for Tokens {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let refuse = |message: String, out: &mut Problems| {
            out.instead(&node.at, message, format!("write a whole number from 0 to {}", i64::MAX));
            None
        };
        match &node.kind {
            Kind::Int(count) if *count >= 0 => Some(Self(count.unsigned_abs())),
            Kind::Int(count) => refuse(format!("`{count}` is no count of tokens"), out),
            Kind::BigInt(digits) => refuse(format!("`{}` is no count of tokens", shown(digits)), out),
            _ => wrong(node, "a whole number from 0", out),
        }
    }
}

/// The first moment at which a case can begin: clocks tell no time before it.
const FIRST: UnixNanos = UnixNanos(0);

/// 2200-01-01T00:00:00Z: the steps of a case that begins before it fit into what times can hold.
const END: UnixNanos = UnixNanos(7_258_118_400_000_000_000);

/// A moment in UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(pub(crate) UnixNanos);

impl Read for Moment {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let Kind::Str(text, _) = &node.kind else {
            return wrong(node, "a moment such as `2026-01-01T08:00:00Z`, as text", out);
        };
        let Ok(read) = chrono::DateTime::parse_from_rfc3339(text) else {
            let message = format!("`{}` is no moment", shown(text));
            out.instead(&node.at, message, "write date, time and zone, such as `2026-01-01T08:00:00Z`");
            return None;
        };
        let nanos = read.timestamp_nanos_opt().filter(|nanos| FIRST.0 <= *nanos && *nanos < END.0);
        if nanos.is_none() {
            let message = format!("`{}` is a moment at which no case can begin", shown(text));
            out.instead(&node.at, message, "write one from 1970 to 2199, such as `2026-01-01T08:00:00Z`");
        }
        nanos.map(|nanos| Self(UnixNanos(nanos)))
    }
}

/// A reason code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Code(pub(crate) ReasonCode);

impl Read for Code {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let all: Vec<(&str, ReasonCode)> = ReasonCode::ALL.iter().map(|code| (code.as_str(), *code)).collect();
        choice(node, &all, out).map(Self)
    }
}
