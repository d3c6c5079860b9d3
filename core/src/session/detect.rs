//! What a result of a trusted tool gives that a session then knows: addresses of mail and web, account numbers.

use super::text::comparable;
use crate::redact::Detector;
use crate::value::Value;
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// A kind of text that is looked for in results.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FactDetector {
    /// Mail addresses.
    Email,
    /// Account numbers of ISO 13616, with or without spaces; only those whose check digits are right.
    Iban,
    /// Addresses that begin with `http://` or `https://`.
    Url,
}

static URL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"(?i)https?://[^\s<>"'`\\^{|}\x00-\x1f]+"#).ok());
static IBAN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b").ok());

impl FactDetector {
    fn find(self, text: &str, into: &mut BTreeSet<String>) {
        let mut matches = |shape: &LazyLock<Option<Regex>>, fits: &dyn Fn(&str) -> Option<String>| {
            if let Some(shape) = &**shape {
                into.extend(shape.find_iter(text).filter_map(|hit| fits(hit.as_str())));
            }
        };
        match self {
            Self::Email => into.extend(Detector::Email.texts(text).map(str::to_owned)),
            Self::Url => matches(&URL, &|url| {
                Some(url.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '*', '_']).to_owned())
            }),
            Self::Iban => matches(&IBAN, &iban),
        }
    }
}

/// The longest run of whole groups that is an account number: text may go on behind it without a mark.
fn iban(found: &str) -> Option<String> {
    let mut candidate = found.trim_end();
    loop {
        let bare: String = candidate.chars().filter(|one| *one != ' ').collect();
        if (15..=34).contains(&bare.len()) && check_digits_fit(&bare) {
            return Some(bare);
        }
        candidate = candidate.get(..candidate.rfind(' ')?)?;
    }
}

/// ISO 7064 MOD 97-10 over the number with its first four characters moved to the end, letters read as 10 to 35.
pub(super) fn check_digits_fit(bare: &str) -> bool {
    let (head, tail) = bare.split_at_checked(4).unwrap_or_default();
    let rest = tail.chars().chain(head.chars()).try_fold(0_u32, |rest, one| {
        let digit = one.to_digit(36)?;
        Some(if digit < 10 { (rest * 10 + digit) % 97 } else { (rest * 100 + digit) % 97 })
    });
    rest == Some(1)
}

/// Everything that `detectors` find in the texts of `result`, keys left out, but what stood in `own` texts already: who wrote
/// those would make known whatever a tool repeats.
#[must_use]
pub(crate) fn found(detectors: &[FactDetector], own: &[String], result: &Value<'_>) -> BTreeSet<String> {
    let mut into = BTreeSet::new();
    look(detectors, result, &mut into);
    if !into.is_empty() {
        let bare = |text: &str| comparable(text).replace([' ', '-'], "");
        let own: Vec<String> = own.iter().map(|text| bare(text)).collect();
        into.retain(|fact| {
            let fact = bare(fact);
            !own.iter().any(|text| text.contains(&fact))
        });
    }
    into
}

fn look(detectors: &[FactDetector], value: &Value<'_>, into: &mut BTreeSet<String>) {
    match value {
        Value::Str(text) => detectors.iter().for_each(|detector| detector.find(text, into)),
        Value::List(items) => items.iter().for_each(|item| look(detectors, item, into)),
        Value::Map(entries) => entries.iter().for_each(|(_, item)| look(detectors, item, into)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(detector: FactDetector, text: &str) -> Vec<String> {
        found(&[detector], &[], &Value::Str(text.into())).into_iter().collect()
    }

    #[test]
    fn each_kind_is_found() {
        assert_eq!(all(FactDetector::Email, "a@b.example, <c@d.example>"), ["a@b.example", "c@d.example"]);
        assert_eq!(
            all(FactDetector::Url, "see (https://a.example/x?y=1). http://b.example"),
            ["http://b.example", "https://a.example/x?y=1"]
        );
        assert_eq!(
            all(FactDetector::Iban, "to DE89 3704 0044 0532 0130 00 today, GB82WEST12345698765432."),
            ["DE89370400440532013000", "GB82WEST12345698765432"]
        );
        assert_eq!(all(FactDetector::Iban, "DE89 3704 0044 0532 0130 01, AB12 nothing"), Vec::<String>::new());
    }

    #[test]
    fn what_the_call_brought_itself_is_left_out() {
        let result = Value::Str("no Eve@evil.com (DE89 3704 0044 0532 0130 00), see bob@corp.com".into());
        let all = [FactDetector::Email, FactDetector::Iban];
        let own = ["xEVE@evil.com".to_owned(), "DE89-3704-0044-0532-0130-00".to_owned(), "bob".to_owned()];
        assert_eq!(found(&all, &own, &result).into_iter().collect::<Vec<_>>(), ["bob@corp.com"]);
    }
}
