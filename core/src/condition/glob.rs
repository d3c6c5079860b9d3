//! Globs over names: `*` stands for any run of characters, `?` for one. No path semantics, no classes, case counts.

use std::fmt;

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 1024;

/// A pattern, ready to match in time at most pattern × text.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob {
    pattern: Box<str>,
}

impl Glob {
    /// The glob `pattern` spells; every text is one. `None` over 1,024 bytes.
    #[must_use]
    pub fn new(pattern: &str) -> Option<Self> {
        (pattern.len() <= MAX_PATTERN).then(|| Self { pattern: pattern.into() })
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// Whether it has a `*` or `?`; without one it matches its own text alone.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.pattern.contains(['*', '?'])
    }

    /// Whether the whole of `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (mut pattern, mut rest) = (self.pattern.chars(), text.chars());
        // after a `*`: where to go on in the pattern, and the text as of the last attempt
        let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
        loop {
            match (pattern.next(), rest.clone().next()) {
                (Some('*'), _) => {
                    retry = Some((pattern.clone(), rest.clone()));
                    continue;
                }
                (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                    rest.next();
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            // a mismatch: the last `*` takes one character more
            let Some((after_star, taken)) = &mut retry else { return false };
            if taken.next().is_none() {
                return false;
            }
            (pattern, rest) = (after_star.clone(), taken.clone());
        }
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({:?})", self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).expect("short").matches(text)
    }

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("crm.*", "crm.read", true),
            ("crm.*", "crm.", true),
            ("crm.*", "crm", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "ü", true),
            ("?", "", false),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbX", false),
            ("*a", "bAa", true),
            ("A", "a", false),
            ("[a]", "a", false),
            ("a**b", "ab", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        assert!(Glob::new(&"*".repeat(1025)).is_none());
    }

    #[test]
    fn a_hostile_pattern_stays_polynomial() {
        assert!(!matches(&"*a".repeat(500), &"a".repeat(499)));
    }

    /// The definition, as slow as it is plain.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=text.len()).any(|taken| by_definition(rest, &text[taken..])),
            (['?', rest @ ..], [_, tail @ ..]) => by_definition(rest, tail),
            ([wanted, rest @ ..], [found, tail @ ..]) => wanted == found && by_definition(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_matches_by_definition(pattern in "[ab*?]{0,8}", text in "[abc]{0,10}") {
            let (chars, letters): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(matches(&pattern, &text), by_definition(&chars, &letters));
        }
    }
}
