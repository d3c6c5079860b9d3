//! What results of trusted tools gave, as keyed hashes in the order in which they came.

use super::words::words;

/// The most values that are kept; the oldest goes first, which can only make less be known.
pub(super) const MAX_KNOWN: usize = 4096;

/// A text as it is compared: its words without what stands between them. `None` of a text without words.
pub(super) fn comparable(text: &str) -> Option<String> {
    let text: String = words(text).collect();
    (!text.is_empty()).then_some(text)
}

/// Adds `hash` to the words of an entry, unless it is there. Says whether anything changed.
pub(super) fn add(words: &mut Vec<u64>, hash: u64) -> bool {
    if words.contains(&hash) {
        return false;
    }
    if words.len() >= MAX_KNOWN {
        words.remove(0);
    }
    words.push(hash);
    true
}
