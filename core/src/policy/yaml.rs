//! From YAML 1.2 or JSON text to a tree with places.
//!
//! YAML's core schema, so `no`, `on` and `yes` are texts. What can surprise a reader of the policy or its reviewer is
//! refused: anchors and aliases (one line could stand for millions), merge keys, tags, several documents, duplicate keys.

use super::node::{Key, Kind, Layout, Node};
use super::problem::{At, Problems};
use crate::error::ErrorCode;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};
use std::borrow::Cow;
use std::collections::HashSet;

/// The largest policy text, in bytes.
pub(crate) const MAX_BYTES: usize = 8 << 20;
/// The deepest nesting of lists and maps.
pub(crate) const MAX_DEPTH: usize = 64;
/// The most values in one policy.
pub(crate) const MAX_VALUES: usize = 1_000_000;

/// An open list or map, with the place it began.
enum Open<'a> {
    List(At, Vec<Node<'a>>),
    Map(At, Vec<(Key<'a>, Node<'a>)>, Option<Key<'a>>),
}

/// Reads `text`. Duplicate keys and the like are noted and reading goes on; at a syntax error it ends.
pub(crate) fn parse<'a>(text: &'a str, out: &mut Problems) -> Option<Node<'a>> {
    if text.len() > MAX_BYTES {
        let start = At::Text { line: 1, column: 1 };
        refuse(out, &start, "the text is larger than 8 MiB", "split it, or shorten its lists");
        return None;
    }
    if let Some(number) = directive(text) {
        let message = "a directive (`%…`) is not supported; policies are always yaml 1.2";
        refuse(out, &At::Text { line: number, column: 1 }, message, "remove the line");
        return None;
    }
    let mut open: Vec<Open<'a>> = Vec::new();
    let mut root = None;
    let mut documents = 0_usize;
    let mut values = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let message = error.info().trim_end_matches('.').to_owned();
                let instead = if message.starts_with("tabs ") {
                    "indent with spaces"
                } else {
                    "look for a bracket, a quote, a comma or an indentation that is missing, here or above"
                };
                refuse(out, &at(*error.marker()), &message, instead);
                return None;
            }
        };
        let place = at(span.start);
        let node = match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    refuse(out, &place, "a second document (`---`) begins here", "give each policy a file of its own");
                    return None;
                }
                continue;
            }
            Event::Alias(_) => {
                refuse(out, &place, "an alias (`*…`) is not supported", "write the value out");
                Node { at: place, kind: Kind::Null }
            }
            Event::Scalar(value, style, anchor, tag) => {
                refuse_properties(out, &place, anchor, tag.is_some());
                scalar(value, style, span)
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_properties(out, &place, anchor, tag.is_some());
                open.push(Open::List(place.clone(), Vec::new()));
                if too_much(out, &place, open.len(), values) {
                    return None;
                }
                continue;
            }
            Event::MappingStart(anchor, tag) => {
                refuse_properties(out, &place, anchor, tag.is_some());
                open.push(Open::Map(place.clone(), Vec::new(), None));
                if too_much(out, &place, open.len(), values) {
                    return None;
                }
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(at, items)) => Node { at, kind: Kind::List(items) },
                Some(Open::Map(at, entries, _)) => {
                    refuse_duplicates(out, &entries);
                    Node { at, kind: Kind::Map(entries) }
                }
                None => continue,
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => continue,
        };
        values += 1;
        if too_much(out, &node.at, open.len(), values) {
            return None;
        }
        match open.last_mut() {
            None => root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, pending)) => match pending.take() {
                Some(key) => entries.push((key, node)),
                None => *pending = Some(key(out, node)),
            },
        }
    }
    root
}

/// The line of a directive before the first document.
fn directive(text: &str) -> Option<u32> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (index, line) = text.lines().enumerate().find(|(_, line)| !line.is_empty() && !line.starts_with('#'))?;
    if line.starts_with('%') { u32::try_from(index + 1).ok() } else { None }
}

/// Notes nesting or a number of values beyond the bounds that keep reading cheap.
fn too_much(out: &mut Problems, place: &At, depth: usize, values: usize) -> bool {
    if depth > MAX_DEPTH {
        refuse(out, place, "the policy is nested deeper than 64", "flatten it: no key needs so many levels");
    } else if values > MAX_VALUES {
        refuse(out, place, "the policy has more than 1,000,000 values", "split it, or shorten its lists");
    } else {
        return false;
    }
    true
}

fn refuse(out: &mut Problems, place: &At, message: &str, instead: &str) {
    out.push(ErrorCode::PolicySyntax, place, message, Some(instead.to_owned()));
}

fn refuse_properties(out: &mut Problems, place: &At, anchor: usize, tag: bool) {
    if anchor != 0 {
        refuse(out, place, "an anchor (`&…`) is not supported", "write the value out where it is used");
    }
    if tag {
        refuse(out, place, "a tag (`!…`) is not supported", "write the plain value, in quotes if it is a text");
    }
}

/// A key from a node; what is no text is noted and stands as an empty key.
fn key<'a>(out: &mut Problems, node: Node<'a>) -> Key<'a> {
    let text = match node.kind {
        Kind::Str(text, Layout::Inline(0)) if text == "<<" => {
            refuse(out, &node.at, "a merge key (`<<`) is not supported", "write the keys out");
            text
        }
        Kind::Str(text, _) => text,
        _ => {
            let message = format!("a key is {}, not a text", node.what());
            out.push(ErrorCode::PolicySyntax, &node.at, message, Some("put it in quotes".to_owned()));
            Cow::Borrowed("")
        }
    };
    Key { at: node.at, text }
}

fn refuse_duplicates(out: &mut Problems, entries: &[(Key<'_>, Node<'_>)]) {
    let mut seen = HashSet::with_capacity(entries.len());
    for (key, _) in entries {
        if !seen.insert(key.text.as_ref()) {
            refuse(out, &key.at, &format!("the key `{}` is given twice", key.text), "keep one of the two");
        }
    }
}

fn at(marker: Marker) -> At {
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    At::Text { line: narrow(marker.line()), column: narrow(marker.col() + 1) }
}

/// A scalar by the core schema of YAML 1.2.2 §10.3.2; whatever is quoted or a block is text.
fn scalar<'a>(value: Cow<'a, str>, style: ScalarStyle, span: Span) -> Node<'a> {
    let at = at(span.start);
    let quotes = match style {
        ScalarStyle::Plain => 0,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => 1,
        ScalarStyle::Literal => return Node { at, kind: Kind::Str(value, Layout::Block) },
        ScalarStyle::Folded => return Node { at, kind: Kind::Str(value, Layout::Changed) },
    };
    if quotes == 0
        && let Some(kind) = plain(&value)
    {
        return Node { at, kind };
    }
    let same = span.start.line() == span.end.line() && span.len() == value.chars().count() + 2 * quotes;
    let layout = if same { Layout::Inline(u32::from(quotes == 1)) } else { Layout::Changed };
    Node { at, kind: Kind::Str(value, layout) }
}

/// What a plain scalar means if it is not text.
fn plain(text: &str) -> Option<Kind<'static>> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Kind::Null),
        "true" | "True" | "TRUE" => return Some(Kind::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Kind::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Some(Kind::Float(f64::NAN)),
        _ => {}
    }
    let first = *text.as_bytes().first()?;
    if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) {
        return None;
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Some(Kind::Float(if negative { f64::NEG_INFINITY } else { f64::INFINITY }));
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(integer(negative, unsigned));
    }
    if is_float(unsigned) { text.parse().ok().map(Kind::Float) } else { None }
}

/// An integer from its sign and digits.
fn integer(negative: bool, digits: &str) -> Kind<'static> {
    let digits = digits.trim_start_matches('0');
    let text = if digits.is_empty() { "0".to_owned() } else { format!("{}{digits}", if negative { "-" } else { "" }) };
    text.parse().map_or(Kind::BigInt(Cow::Owned(text)), Kind::Int)
}

/// An integer in base 8 or 16; beyond 64 bits it is not read as a number, so that it is refused where one is expected.
fn radix(digits: &str, radix: u32) -> Option<Kind<'static>> {
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(digits, radix).ok().map(Kind::Int)
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(text: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    exponent_fits && mantissa_fits
}

/// JSON writes a character beyond U+FFFF as two escapes, which YAML refuses; joined they are one escape of YAML. Only JSON
/// text is touched, and only inside its quotes can a `\` stand at all.
pub(crate) fn join_surrogates(text: &str) -> Cow<'_, str> {
    if !text.trim_start_matches('\u{feff}').trim_start().starts_with('{') || !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        joined.push_str(before);
        joined.push('\\');
        let unit = |text: &str| u32::from_str_radix(text.get(..4)?, 16).ok();
        let high = after.strip_prefix('u').and_then(unit).filter(|unit| (0xd800..0xdc00).contains(unit));
        let low = after.get(5..).and_then(|text| text.strip_prefix("\\u")).and_then(unit);
        let pair = high.zip(low.filter(|unit| (0xdc00..0xe000).contains(unit)));
        let taken = match pair {
            Some((high, low)) => {
                joined.push_str(&format!("U{:08x}", 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)));
                11
            }
            None => {
                let next = after.chars().next();
                joined.extend(next);
                next.map_or(0, char::len_utf8)
            }
        };
        rest = after.get(taken..).unwrap_or_default();
    }
    joined.push_str(rest);
    Cow::Owned(joined)
}
