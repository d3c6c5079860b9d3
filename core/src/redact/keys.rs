//! The keys whose values may not be recorded.

/// Keys in the form in which they are compared: lower case, without `-` and `_`.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    /// Sorted, each once.
    folded: Vec<Box<str>>,
    /// A bit for each ASCII character that a key begins with: most keys of most calls are told apart by it.
    first: u128,
}

impl Keys {
    pub(super) fn new<'k>(keys: impl Iterator<Item = &'k str>) -> Self {
        let mut folded: Vec<Box<str>> = keys.map(|key| fold(key).collect::<String>().into()).collect();
        folded.sort();
        folded.dedup();
        let first = folded.iter().filter_map(|key| key.bytes().next()).fold(0, |bits, byte| bits | bit(byte));
        Self { folded, first }
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        Self::new(self.folded.iter().chain(&other.folded).map(|key| &**key))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        let Some(first) = key.bytes().find(|&byte| !is_ignored(byte)) else { return false };
        // A character outside ASCII may fold into it, such as the Kelvin sign into k.
        if first.is_ascii() && self.first & bit(first.to_ascii_lowercase()) == 0 {
            return false;
        }
        self.folded.iter().any(|folded| folded.chars().eq(fold(key)))
    }
}

const fn bit(byte: u8) -> u128 {
    if byte.is_ascii() { 1 << byte } else { 0 }
}

const fn is_ignored(byte: u8) -> bool {
    matches!(byte, b'-' | b'_')
}

fn fold(key: &str) -> impl Iterator<Item = char> {
    key.chars().filter(|character| !matches!(character, '-' | '_')).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_match_whole_in_every_spelling() {
        let keys = Keys::new(["api_key", "Schlüssel", "token"].into_iter());
        for key in ["api_key", "apiKey", "API-KEY", "_api__key", "api\u{212a}ey", "SCHLÜSSEL", "Token"] {
            assert!(keys.contains(key), "{key}");
        }
        for key in ["", "-", "api", "my_api_key", "api key", "tokens", "schlussel"] {
            assert!(!keys.contains(key), "{key}");
        }
    }

    #[test]
    fn a_union_has_the_keys_of_both() {
        let union = Keys::new(["a"].into_iter()).union(&Keys::new(["b", "A"].into_iter()));
        assert!(union.contains("A") && union.contains("b"));
        assert_eq!(union.folded.len(), 2);
    }
}
