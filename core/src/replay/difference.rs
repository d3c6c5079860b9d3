//! What differs between the arguments that were recorded and those that a call is made with, for people.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// How many characters of a value are shown.
const LONGEST: usize = 200;

/// A JSON text in backticks, cut where it is long.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST).and_then(|(end, _)| text.get(..end)) {
        Some(beginning) => format!("`{beginning}…`"),
        None => format!("`{text}`"),
    }
}

/// Whether a recorded value was redacted (`docs/formats.md` §1).
pub(super) fn is_redacted(value: &Value) -> bool {
    value.as_object().is_some_and(|members| members.keys().any(|key| key.starts_with("$redacted")))
}

/// The arguments that differ, as far as what was recorded shows them; both are canonical JSON.
pub(super) fn told(recorded: Option<&str>, found: &str) -> String {
    let members = |text: &str| serde_json::from_str::<Map<String, Value>>(text).ok();
    let (Some(recorded), Some(known)) = (recorded.and_then(members), members(found)) else {
        return format!("now {}; those of the record were not kept", short(found));
    };
    let names: BTreeSet<&String> = recorded.keys().chain(known.keys()).collect();
    let one = |value: &Value| short(&value.to_string());
    let differences: Vec<String> = names
        .into_iter()
        .filter_map(|name| match (recorded.get(name), known.get(name)) {
            (Some(was), None) => Some(format!("`{name}` was {} and is missing", one(was))),
            (None, Some(is)) => Some(format!("`{name}` is {} and was not there", one(is))),
            (Some(was), Some(is)) if was != is && !is_redacted(was) => {
                Some(format!("`{name}` was {} and is {}", one(was), one(is)))
            }
            _ => None,
        })
        .collect();
    match differences.is_empty() {
        true => "they differ where the record is redacted".to_owned(),
        false => differences.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_redacted_is_never_told_to_differ() {
        let recorded = r#"{"a":1,"b":{"$redacted":["key"]},"c":[2.5]}"#;
        assert_eq!(told(Some(recorded), r#"{"a":1,"b":"x","c":[2.5]}"#), "they differ where the record is redacted");
        let found = r#"{"a":2,"b":"x","d":null}"#;
        assert_eq!(
            told(Some(recorded), found),
            "`a` was `1` and is `2`; `c` was `[2.5]` and is missing; `d` is `null` and was not there"
        );
        assert_eq!(told(None, found), format!("now `{found}`; those of the record were not kept"));
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        assert_eq!(short(&"ä".repeat(200)), format!("`{}`", "ä".repeat(200)));
        assert_eq!(short(&"ä".repeat(201)), format!("`{}…`", "ä".repeat(200)));
    }
}
