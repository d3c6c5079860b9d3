//! Text as it is compared: composed (NFC), in lower case, each run of spaces as one space. Nothing else is changed or left out.

use std::borrow::Cow;
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

/// What of `text` counts when it is sought in another: two texts are the same if this is.
pub(super) fn comparable(text: &str) -> String {
    let mut lower = String::with_capacity(text.len());
    let composed = composed(text);
    let mut ahead = composed.chars().peekable();
    while let Some(one) = ahead.next() {
        let next = ahead.peek().copied();
        match one {
            // lines end alike wherever they were written
            '\r' if next == Some('\n') => {}
            _ if is_space(one) => {
                if !next.is_some_and(is_space) {
                    lower.push(' ');
                }
            }
            // letter by letter: what stands around a word must not change it
            _ => lower.extend(one.to_lowercase().map(|one| if one == 'ς' { 'σ' } else { one })),
        }
    }
    match self::composed(&lower) {
        Cow::Borrowed(_) => lower,
        Cow::Owned(again) => again,
    }
}

fn composed(text: &str) -> Cow<'_, str> {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => Cow::Borrowed(text),
        IsNormalized::No | IsNormalized::Maybe => Cow::Owned(text.nfc().collect()),
    }
}

/// Spaces of any width, not those that end a line or are a control character.
fn is_space(one: char) -> bool {
    one.is_whitespace() && !one.is_control() && !matches!(one, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_composition_and_spaces_do_not_count() {
        for (one, other) in [
            ("Bob@Example.COM", "bob@example.com"),
            ("Jose\u{301}", "JOS\u{c9}"),
            ("a\u{a0}\u{202f} b", "A b"),
            ("ΟΔΟΣ", "οδος"),
            ("one\r\ntwo", "one\ntwo"),
        ] {
            assert_eq!(comparable(one), comparable(other), "{one}");
        }
        for (one, other) in [("a\tb", "a b"), ("a\nb", "a b"), ("a\u{200b}b", "ab"), ("a\u{2028}b", "a b"), ("ａ", "a")]
        {
            assert_ne!(comparable(one), comparable(other), "{one:?}");
        }
    }

    proptest! {
        #[test]
        fn once_is_enough(text in ".{0,30}") {
            let once = comparable(&text);
            prop_assert_eq!(comparable(&once), once);
        }
    }
}
