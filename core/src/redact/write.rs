//! The redacting walk over a value: canonical bytes with what may not be recorded left out.

use super::card;
use super::detector::{Detector, Detectors};
use super::keys::Keys;
use crate::value::text::{compare_utf16, write_string};
use crate::value::{Value, encode};
use std::borrow::Cow;

/// Appends the redacted canonical bytes of `value` to `out`; true where anything was redacted.
pub(super) fn redacted(value: &Value<'_>, keys: &Keys, detectors: Detectors, out: &mut Vec<u8>) -> bool {
    let mut writer = Writer { keys, detectors, out, changed: false };
    writer.write(value);
    writer.changed
}

struct Writer<'w> {
    keys: &'w Keys,
    detectors: Detectors,
    out: &'w mut Vec<u8>,
    changed: bool,
}

impl Writer<'_> {
    /// Recursion is bounded: the value has been encoded.
    fn write(&mut self, value: &Value<'_>) {
        match value {
            Value::List(elements) => {
                self.out.push(b'[');
                for (index, element) in elements.iter().enumerate() {
                    self.separate(index);
                    self.write(element);
                }
                self.out.push(b']');
            }
            Value::Map(entries) => self.map(entries),
            Value::Str(text) => self.text(text),
            Value::Bytes(bytes) => {
                let found = all(&self.detectors.find(&String::from_utf8_lossy(bytes)));
                if found.is_empty() { self.unchanged(value) } else { self.whole(found) }
            }
            Value::Int(_) | Value::BigInt(_) | Value::Float(_) | Value::Decimal(_) if self.is_card(value) => {
                self.whole(Detectors::from_iter([Detector::CreditCard]));
            }
            _ => self.unchanged(value),
        }
    }

    fn map(&mut self, entries: &[(Cow<'_, str>, Value<'_>)]) {
        let hidden: Vec<_> = entries.iter().map(|(key, _)| self.hidden_key(key)).collect();
        let mut members: Vec<(Cow<'_, str>, &str, &Value<'_>)> = Vec::with_capacity(entries.len());
        let mut count = 0;
        for ((key, value), hidden) in entries.iter().zip(hidden) {
            let written = if let Some(names) = hidden {
                self.changed = true;
                count += 1;
                Cow::Owned(format!("$redacted:{names}:{count}"))
            } else if key.starts_with('$') {
                Cow::Owned(format!("${key}"))
            } else {
                Cow::Borrowed(&**key)
            };
            members.push((written, key, value));
        }
        // A key that was replaced has another place; doubling a `$` changes no order.
        if count > 0 {
            members.sort_by(|left, right| compare_utf16(&left.0, &right.0));
        }
        self.out.push(b'{');
        for (index, (written, key, value)) in members.into_iter().enumerate() {
            self.separate(index);
            write_string(&written, self.out);
            self.out.push(b':');
            if self.keys.contains(key) {
                self.tag(["key"].into_iter(), None);
            } else {
                self.write(value);
            }
        }
        self.out.push(b'}');
    }

    /// The names of the detectors that find something in a key.
    fn hidden_key(&self, key: &str) -> Option<String> {
        let found = all(&self.detectors.find(key));
        let names: Vec<_> = found.iter().map(Detector::as_str).collect();
        (!names.is_empty()).then(|| names.join(","))
    }

    fn text(&mut self, text: &str) {
        let hits = self.detectors.find(text);
        let whole = matches!(hits.as_slice(), [(range, _)] if *range == (0..text.len()));
        if hits.is_empty() {
            write_string(text, self.out);
        } else if whole {
            self.whole(all(&hits));
        } else {
            self.tag(all(&hits).iter().map(Detector::as_str), Some(&replaced(text, &hits)));
        }
    }

    fn is_card(&self, value: &Value<'_>) -> bool {
        let digits = match value {
            Value::Int(number) => Cow::Owned(number.unsigned_abs().to_string()),
            Value::BigInt(digits) | Value::Decimal(digits) => Cow::Borrowed(&**digits),
            Value::Float(number) => Cow::Owned(number.abs().to_string()),
            _ => return false,
        };
        self.detectors.has(Detector::CreditCard) && card::is_number(digits.trim_start_matches('-'))
    }

    fn whole(&mut self, found: Detectors) {
        self.tag(found.iter().map(Detector::as_str), None);
    }

    fn tag<'n>(&mut self, what: impl Iterator<Item = &'n str>, rest: Option<&str>) {
        self.changed = true;
        self.out.extend_from_slice(b"{\"$redacted\":[");
        for (index, name) in what.enumerate() {
            self.separate(index);
            write_string(name, self.out);
        }
        self.out.push(b']');
        if let Some(rest) = rest {
            self.out.extend_from_slice(b",\"text\":");
            write_string(rest, self.out);
        }
        self.out.push(b'}');
    }

    fn unchanged(&mut self, value: &Value<'_>) {
        // A value that cannot be encoded has not come this far; were it to, nothing of it would be recorded.
        if encode(value, self.out).is_err() {
            self.tag(std::iter::empty(), None);
        }
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push(b',');
        }
    }
}

/// `text` with the names of who found it in the place of each hit.
pub(super) fn replaced(text: &str, hits: &[(std::ops::Range<usize>, Detectors)]) -> String {
    let mut rest = String::with_capacity(text.len());
    let mut end = 0;
    for (range, by) in hits {
        rest.push_str(text.get(end..range.start).unwrap_or_default());
        let names: Vec<_> = by.iter().map(Detector::as_str).collect();
        rest.push('[');
        rest.push_str(&names.join(","));
        rest.push(']');
        end = range.end;
    }
    rest.push_str(text.get(end..).unwrap_or_default());
    rest
}

fn all(hits: &[(std::ops::Range<usize>, Detectors)]) -> Detectors {
    hits.iter().fold(Detectors::default(), |all, (_, by)| all.union(*by))
}
