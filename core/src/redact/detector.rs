//! The detectors: kinds of text that are found wherever they stand.

use super::card;
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// A kind of text that may not be recorded.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// Keys and tokens of well-known services, bearer tokens, JSON web tokens, private keys, and long values that are
    /// assigned to a name such as `api_key`.
    ApiKey,
    /// Payment card numbers, as text or as a number.
    CreditCard,
    /// Mail addresses.
    Email,
}

impl Detector {
    /// All detectors, in the order of their names.
    pub const ALL: [Self; 3] = [Self::ApiKey, Self::CreditCard, Self::Email];

    /// The name used in policies and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::CreditCard => "credit_card",
            Self::Email => "email",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::ApiKey => 1,
            Self::CreditCard => 2,
            Self::Email => 4,
        }
    }

    /// The texts of this kind in `text`.
    pub(crate) fn texts(self, text: &str) -> impl Iterator<Item = &str> {
        self.find(text).into_iter().filter_map(move |range| text.get(range))
    }

    fn find(self, text: &str) -> Vec<Range<usize>> {
        match self {
            Self::ApiKey => matches(&API_KEY, text),
            Self::CreditCard => card::find(text),
            Self::Email => matches(&EMAIL, text),
        }
    }
}

/// A set of detectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Detectors(u8);

impl FromIterator<Detector> for Detectors {
    fn from_iter<I: IntoIterator<Item = Detector>>(detectors: I) -> Self {
        Self(detectors.into_iter().fold(0, |bits, detector| bits | detector.bit()))
    }
}

impl Detectors {
    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn has(self, detector: Detector) -> bool {
        self.0 & detector.bit() != 0
    }

    /// Those in the set, in the order of their names.
    pub(super) fn iter(self) -> impl Iterator<Item = Detector> {
        Detector::ALL.into_iter().filter(move |&detector| self.has(detector))
    }

    /// What is found in `text`: ranges in order without overlap, each with the detectors that found it.
    pub(super) fn find(self, text: &str) -> Vec<(Range<usize>, Self)> {
        let mut hits: Vec<_> = self
            .iter()
            .flat_map(|detector| detector.find(text).into_iter().map(move |range| (range, Self(detector.bit()))))
            .collect();
        hits.sort_by_key(|(range, _)| (range.start, range.end));
        let mut merged: Vec<(Range<usize>, Self)> = Vec::with_capacity(hits.len());
        for (range, by) in hits {
            match merged.last_mut() {
                Some((last, found_by)) if range.start < last.end => {
                    last.end = last.end.max(range.end);
                    *found_by = found_by.union(by);
                }
                _ => merged.push((range, by)),
            }
        }
        merged
    }
}

/// Local parts and domains may have letters outside ASCII; the sign may be percent-encoded, as in a link.
static EMAIL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x) [A-Za-z0-9.!\#$%&'*+/=?^_`{|}~\-[^\x00-\x7f]]+ (?: @ | %40 )
               (?: [A-Za-z0-9\-[^\x00-\x7f]]+ \. )+ [A-Za-z0-9\-[^\x00-\x7f]]{2,}",
    )
    .ok()
});

/// `docs/redaction.md` lists the shapes.
static API_KEY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?x)
        (?: (?-u:\b) | _ ) (?:
            sk-[A-Za-z0-9_-]{16,}
          | [sr]k_(?:live|test)_[A-Za-z0-9]{16,}
          | whsec_[A-Za-z0-9+/=]{16,}
          | (?:AKIA|ASIA)[A-Z0-9]{16}
          | gh[pousr]_[A-Za-z0-9]{30,}
          | github_pat_[A-Za-z0-9_]{22,}
          | glpat-[A-Za-z0-9_-]{20,}
          | xox[a-z]-[A-Za-z0-9-]{10,}
          | AIza[A-Za-z0-9_-]{30,}
          | eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*
        )
        | -----BEGIN\x20[A-Z\x20]*PRIVATE\x20KEY(?:\x20BLOCK)?----- (?s:.*?)
          (?: -----END\x20[A-Z\x20]*PRIVATE\x20KEY(?:\x20BLOCK)?----- | \z )
        | (?: [Bb]earer | BEARER )[\x20\t]+[A-Za-z0-9._~+/-]{16,}=*
        | (?i: key | token | secret ) (?: \\{0,3}["'`] )? [\x20\t]{0,40} [=:][=>]? [\x20\t\r\n]{0,40} (?: \\{0,3}["'`] )?
          [A-Za-z0-9_.~+/-]{20,}=*
        "#,
    )
    .ok()
});

fn matches(shape: &LazyLock<Option<Regex>>, text: &str) -> Vec<Range<usize>> {
    match &**shape {
        Some(shape) => shape.find_iter(text).map(|hit| hit.range()).collect(),
        // A shape that does not compile is a defect that the tests find; until then everything it might find is hidden.
        None => std::iter::once(0..text.len()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(detector: Detector, text: &str) -> Vec<&str> {
        detector.find(text).into_iter().map(|range| text.get(range).unwrap()).collect()
    }

    #[test]
    fn names_are_sorted_and_those_of_the_policy() {
        let names = Detector::ALL.map(Detector::as_str);
        assert!(names.is_sorted());
        for detector in Detector::ALL {
            assert_eq!(serde_json::to_value(detector).unwrap(), detector.as_str());
        }
    }

    #[test]
    fn mail_addresses_are_found() {
        for address in ["a@example.com", "first.last+tag@sub.example.co.uk", "用户@例え.jp", "a%40example.com"] {
            assert_eq!(found(Detector::Email, &format!("<{address}>, hello")), [address]);
        }
        for text in ["a@localhost", "@example.com", "a@", "100%40", "a @ b.com", "@dataclass"] {
            assert_eq!(found(Detector::Email, text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn assigned_keys_are_found_however_they_are_laid_out() {
        const VALUE: &str = "abcdefghijklmnopqrstuvwx";
        for (before, after) in [
            ("aws_secret_access_key   =   ", ""),
            ("{\"api_key\" : \"", "\"}"),
            (r#"{\"api_key\": \""#, r#"\"}"#),
            ("X-API-KEY :", ""),
            ("secret:\n  ", ""),
            ("my ToKeN=", ""),
            ("key := ", ""),
            ("'token' => '", "'"),
            ("api_key=`", "`"),
            ("bearer\t", ""),
        ] {
            let text = format!("{before}{VALUE}{after}");
            let hits = found(Detector::ApiKey, &text);
            assert!(hits.len() == 1 && hits[0].contains(VALUE), "{text}: {hits:?}");
        }
        assert_eq!(found(Detector::ApiKey, "OPENAI_sk-abcdefghijklmnopqrst"), ["_sk-abcdefghijklmnopqrst"]);
        for text in [
            "the key is abcdefghijklmnopqrstuvwx",
            "key=short",
            "keys=abcdefghijklmnopqrstuvwx",
            "risk-abcdefghijklmnopqrst",
        ] {
            assert_eq!(found(Detector::ApiKey, text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn overlapping_hits_become_one() {
        let text = "token=abcdefghij1234567890@example.com";
        let hits = Detectors::from_iter(Detector::ALL).find(text);
        assert_eq!(hits.len(), 1);
        assert_eq!(hits[0].0, 0..text.len());
        assert!(hits[0].1.has(Detector::ApiKey) && hits[0].1.has(Detector::Email));
    }
}
