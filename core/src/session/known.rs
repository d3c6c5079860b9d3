//! What results of trusted tools gave, as keyed hashes in the order in which they came.

use super::numbers::joined;
use super::text::comparable;
use crate::condition::Unknown;

/// The most values that are kept. The oldest goes first, and is remembered as gone.
pub(super) const MAX_KNOWN: usize = 4096;

/// In the first word of the entry: something was known that is not kept any more.
const GONE: u64 = 1;

/// A text as it is compared: as it stands, an account number without what parts its groups. `None` of an empty text.
pub(super) fn fact(text: &str) -> Option<String> {
    let mut text = comparable(text);
    if text.strip_suffix('/').is_some_and(|bare| bare.ends_with(char::is_alphanumeric)) {
        text.pop();
    }
    let text = joined(&text).unwrap_or(text);
    (!text.is_empty()).then_some(text)
}

/// Adds `hash` to the words of an entry, unless it is there. Says whether anything changed.
pub(super) fn add(words: &mut Vec<u64>, hash: u64) -> bool {
    if words.is_empty() {
        words.push(0);
    }
    if hashes(words).contains(&hash) {
        return false;
    }
    if words.len() > MAX_KNOWN {
        words.remove(1);
        if let Some(flags) = words.first_mut() {
            *flags |= GONE;
        }
    }
    words.push(hash);
    true
}

/// Whether `hash` is among the words of an entry.
///
/// # Errors
/// It is not among what is kept, and not all is kept.
pub(super) fn holds(words: &[u64], hash: u64) -> Result<bool, Unknown> {
    let held = hashes(words).contains(&hash);
    let gone = words.first().is_some_and(|flags| flags & GONE != 0);
    if held || !gone { Ok(held) } else { Err(Unknown) }
}

fn hashes(words: &[u64]) -> &[u64] {
    words.get(1..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_is_not_forgotten_to_have_been() {
        let mut words = Vec::new();
        for hash in 0..MAX_KNOWN as u64 {
            assert!(add(&mut words, hash) && !add(&mut words, hash));
        }
        assert_eq!((holds(&words, 0), holds(&words, 5000)), (Ok(true), Ok(false)));
        add(&mut words, 5000);
        assert_eq!((holds(&words, 0), holds(&words, 1), holds(&words, 5000)), (Err(Unknown), Ok(true), Ok(true)));
        assert_eq!(holds(&[], 0), Ok(false));
    }

    #[test]
    fn only_the_whole_is_the_same() {
        for (one, other) in [
            ("Bob@Corp.com", "bob@corp.com"),
            ("http://good.com/", "http://good.com"),
            ("DE89370400440532013000", "DE89 3704 0044 0532 0130 00"),
        ] {
            assert_eq!(fact(one), fact(other), "{one}");
        }
        for other in ["bob@corp.co,m", "bob@corp.com*", "bob@corp.com\n", "<bob@corp.com>", "b ob@corp.com", ""] {
            assert_ne!(fact("bob@corp.com"), fact(other), "{other:?}");
        }
    }
}
