//! Redaction: what of arguments and results may be recorded. One rule for every channel (`docs/redaction.md`).
//!
//! Nearly every call has nothing to redact, so that is found out first, on the canonical bytes: a redacting walk over
//! the value follows only where a byte search found something that may be a hit.

mod detector;
mod keys;
mod prefilter;
mod write;

pub mod card;

pub use detector::Detector;

use crate::value::Value;
use detector::Detectors;
use keys::Keys;
use std::borrow::Cow;

/// Which keys and which kinds of text may not be recorded.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    keys: Keys,
    detectors: Detectors,
}

impl Redaction {
    /// A redaction of the values under `keys`, at any depth, and of what `detectors` find anywhere.
    ///
    /// Keys are compared whole, without regard to case, `-` and `_`: `api-key`, `API_KEY` and `apiKey` are one key.
    #[must_use]
    pub fn new(keys: &[String], detectors: &[Detector]) -> Self {
        Self { keys: Keys::new(keys.iter().map(String::as_str)), detectors: detectors.iter().copied().collect() }
    }

    /// What any of `redactions` redacts: layers of policy add to each other.
    #[must_use]
    pub fn union<'r>(redactions: impl IntoIterator<Item = &'r Self>) -> Self {
        redactions.into_iter().fold(Self::default(), |all, one| Self {
            keys: all.keys.union(&one.keys),
            detectors: all.detectors.union(one.detectors),
        })
    }

    /// True where nothing is ever redacted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.detectors.is_empty()
    }

    /// The canonical bytes of `value` as they may be recorded; `canonical` are its own, lent back where nothing in them
    /// is to be redacted.
    #[must_use]
    pub fn apply<'b>(&self, value: &Value<'_>, canonical: &'b [u8]) -> Cow<'b, [u8]> {
        if !prefilter::may_hit(canonical, self.detectors) && !self.must_walk(value) {
            return Cow::Borrowed(canonical);
        }
        let mut out = Vec::with_capacity(canonical.len());
        if write::redacted(value, &self.keys, self.detectors, &mut out) {
            Cow::Owned(out)
        } else {
            Cow::Borrowed(canonical)
        }
    }

    /// `text` with what is found in it replaced by the names of its detectors in brackets, as within a recorded value.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let hits = self.detectors.find(text);
        if hits.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(write::replaced(text, &hits)) }
    }

    /// Its detectors, in the order of their names.
    pub fn detectors(&self) -> impl Iterator<Item = Detector> {
        self.detectors.iter()
    }

    /// Whether a key is to be redacted, or there are bytes, whose canonical text hides what is in them.
    fn must_walk(&self, value: &Value<'_>) -> bool {
        match value {
            Value::List(elements) => elements.iter().any(|element| self.must_walk(element)),
            Value::Map(entries) => {
                entries.iter().any(|(key, inside)| self.keys.contains(key) || self.must_walk(inside))
            }
            Value::Bytes(_) => !self.detectors.is_empty(),
            _ => false,
        }
    }
}
