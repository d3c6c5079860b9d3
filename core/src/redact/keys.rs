//! The keys whose values may not be recorded.

/// Keys in the form in which they are compared: lower case, without `-` and `_`.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    /// Sorted, each once.
    folded: Vec<Box<str>>,
    /// For each ASCII character that a key begins with, a bit for each that may follow it: nearly every key of nearly
    /// every call is told apart by its first two characters. Empty without keys.
    begins: Vec<u128>,
}

impl Keys {
    pub(super) fn new<'k>(keys: impl Iterator<Item = &'k str>) -> Self {
        let mut folded: Vec<Box<str>> = keys.map(|key| fold(key).collect::<String>().into()).collect();
        folded.sort();
        folded.dedup();
        let mut begins = if folded.is_empty() { Vec::new() } else { vec![0; 128] };
        for key in &folded {
            let (first, second) = beginning(key);
            if let Some(follow) = begins.get_mut(usize::from(first)) {
                *follow |= bit(second);
            }
        }
        Self { folded, begins }
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        Self::new(self.folded.iter().chain(&other.folded).map(|key| &**key))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        let (first, second) = beginning(key);
        // A character outside ASCII may fold into it, such as the Kelvin sign into k.
        if first.is_ascii() && second.is_ascii() {
            let follow = self.begins.get(usize::from(first)).copied().unwrap_or(0);
            if follow & bit(second) == 0 {
                return false;
            }
        }
        self.folded.binary_search_by(|folded| folded.chars().cmp(fold(key))).is_ok()
    }
}

/// The first two bytes that count, in lower case; 0 where there is none.
fn beginning(key: &str) -> (u8, u8) {
    let mut bytes = key.bytes().filter(|byte| !matches!(byte, b'-' | b'_')).map(|byte| byte.to_ascii_lowercase());
    (bytes.next().unwrap_or(0), bytes.next().unwrap_or(0))
}

const fn bit(byte: u8) -> u128 {
    if byte.is_ascii() { 1 << byte } else { 0 }
}

fn fold(key: &str) -> impl Iterator<Item = char> {
    key.chars().filter(|character| !matches!(character, '-' | '_')).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_match_whole_in_every_spelling() {
        let keys = Keys::new(["api_key", "Schlüssel", "token", "pk", "x", "éa"].into_iter());
        for key in [
            "api_key",
            "apiKey",
            "API-KEY",
            "_api__key",
            "api\u{212a}ey",
            "SCHLÜSSEL",
            "Token",
            "P\u{212a}",
            "p-k",
            "X",
            "ÉA",
        ] {
            assert!(keys.contains(key), "{key}");
        }
        for key in ["", "-", "\0", "api", "my_api_key", "api key", "tokens", "schlussel", "xx", "p", "é", "ab"] {
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
