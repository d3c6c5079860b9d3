//! A byte search that says quickly that a detector cannot find anything.
//!
//! It looks at canonical bytes, in which nothing that it looks for is ever escaped; whatever it lets through is looked
//! at exactly by the detectors, so it may err on one side only.

use super::detector::{Detector, Detectors};
use aho_corasick::packed::{Config, MatchKind, Searcher};
use std::sync::LazyLock;

/// Whether any of `detectors` may find something in `canonical`.
pub(super) fn may_hit(canonical: &[u8], detectors: Detectors) -> bool {
    (detectors.has(Detector::Email) && may_hold_email(canonical))
        || (detectors.has(Detector::CreditCard) && may_hold_card(canonical))
        || (detectors.has(Detector::ApiKey) && may_hold_api_key(canonical))
}

fn may_hold_email(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'@', b'%', text)
        .any(|at| matches!(text.get(at..).unwrap_or_default(), [b'@', ..] | [b'%', b'4', b'0', ..]))
}

/// A card number covers at least 13 bytes, and no four neighbours in it are without a digit. So of every 12 bytes it is
/// enough to look at four, and around a digit at what one number can cover.
fn may_hold_card(text: &[u8]) -> bool {
    const STRIDE: usize = 12;
    text.chunks(STRIDE).enumerate().any(|(index, chunk)| {
        let digit = chunk.iter().take(4).position(u8::is_ascii_digit);
        digit.is_some_and(|offset| has_thirteen_digits_around(text, index * STRIDE + offset))
    })
}

/// Whether digits with separators between them that stand at `at` are enough of them for a card.
fn has_thirteen_digits_around(text: &[u8], at: usize) -> bool {
    /// 19 digits, and after each three of them at most three bytes of one separator.
    const REACH: usize = 37;
    let belongs = |byte: &&u8| {
        byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'_' | 0xC2 | 0xA0 | 0xE2 | 0x80 | 0x90..=0x93 | 0xAF)
    };
    let (before, after) = text.split_at_checked(at).unwrap_or_default();
    let left = before.iter().rev().take(REACH).take_while(belongs).filter(|byte| byte.is_ascii_digit()).count();
    let right = after.iter().take(REACH).take_while(belongs).filter(|byte| byte.is_ascii_digit()).count();
    left + right >= 13
}

fn may_hold_api_key(text: &[u8]) -> bool {
    // Without vector instructions there is no searcher, and the detector itself looks.
    MARKS.as_ref().is_none_or(|marks| marks.find(text).is_some())
        || memchr::memchr2_iter(b'=', b':', text).any(|at| is_assigned_to_a_name(text.get(..at).unwrap_or_default()))
}

/// Whether `before` an assignment stands the end of a name that keys are assigned to. A quote that is not escaped is the
/// end of a text, and what is beside it another one.
fn is_assigned_to_a_name(before: &[u8]) -> bool {
    let mut rest = before;
    loop {
        rest = match rest {
            // white space is escaped in canonical text, and so are quotes and backslashes
            [rest @ .., b'\\', b't' | b'"'] | [rest @ .., b' ' | b'\'' | b'`' | b'\\'] => rest,
            name => return ["key", "token", "secret"].iter().any(|end| ends_with(name, end.as_bytes())),
        };
    }
}

fn ends_with(name: &[u8], end: &[u8]) -> bool {
    let at = name.len().checked_sub(end.len());
    at.and_then(|at| name.get(at..)).is_some_and(|last| last.eq_ignore_ascii_case(end))
}

/// What a key of a known shape begins with.
const PREFIXES: [&str; 21] = [
    "sk-", "sk_", "rk_", "whsec_", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_", "glpat-", "xox",
    "AIza", "eyJ", "-----B", "earer ", "EARER ", "earer\\t", "EARER\\t",
];

/// One of these stands in every hit of the detector that is not assigned to a name.
static MARKS: LazyLock<Option<Searcher>> = LazyLock::new(|| {
    let mut marks = Config::new().heuristic_pattern_limits(false).match_kind(MatchKind::LeftmostFirst).builder();
    marks.extend(PREFIXES);
    marks.build()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Value, encode};
    use proptest::prelude::*;

    const PIECES: &str = "(a@b\\\\.cc|%40|4111[ _\u{a0}\u{202f}\u{2010}-\u{2013}-]?1111[ _\u{a0}\u{2013}-]?1111[ _\u{a0}\u{2013}-]?1111|_?sk-|ghp_|[Bb]earer[ \t]|BEARER\t|api_key|ToKeN|SECRET|\\\\\\\\|\"|'|`|[ \t]{0,3}[=:][=>]?[ \t\r\n]{0,3}|[A-Za-z0-9]{30}|.){0,8}";

    proptest! {
        #[test]
        fn it_never_misses_what_a_detector_finds(text in PIECES) {
            let mut canonical = Vec::new();
            encode(&Value::Str(text.as_str().into()), &mut canonical).unwrap();
            for detector in Detector::ALL {
                let alone = Detectors::from_iter([detector]);
                prop_assert!(may_hit(&canonical, alone) || alone.find(&text).is_empty(), "{detector:?}");
            }
        }
    }

    #[test]
    fn plain_arguments_are_let_through_at_once() {
        let text = br#"{"amount":125.5,"customer_key":"cus_81231","max_tokens":4096,"note":"50% off, order 2026-11-21 12:30"}"#;
        assert!(!may_hit(text, Detectors::from_iter(Detector::ALL)));
    }
}
