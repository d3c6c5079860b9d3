//! Which keys made room before they expired: a Bloom filter of fixed size, blocked by cache line (Putze, Sanders, Singler, 2007).
//!
//! Bits are only ever added, each by one atomic operation, before the entry goes: whatever a kill leaves behind, a key that went is
//! in the filter. A key that is mistaken for one reads as lost, which can only make decisions stricter.

use super::edit::Table;
use super::error::StateError;
use super::key::Key;
use super::layout::{FILTER_AT, header};
use std::sync::atomic::Ordering;

const LINE: usize = 8;
/// Bits a key sets in its line of 512.
const BITS: u32 = 5;

/// The line of a key and its bits there. The bits of the key that choose its shard and its slot are mixed once more, so that each shard
/// uses the whole filter.
fn bits(key: Key, filter_words: usize) -> (usize, impl Iterator<Item = (usize, u64)>) {
    let mut mixed = (key.high ^ key.low.rotate_left(32) ^ key.kind as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^= mixed >> 32;
    let line = (mixed as usize & (filter_words / LINE - 1)) * LINE;
    let chosen = key.low.wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ key.high.rotate_left(17);
    (line, (0..BITS).map(move |bit| (chosen >> (9 * bit)) & 511).map(|bit| ((bit >> 6) as usize, 1 << (bit & 63))))
}

impl Table {
    /// Remembers that `key` made room.
    pub(super) fn remember(&self, key: Key) -> Result<(), StateError> {
        let words = self.geometry.filter_words;
        if self.read(header::FILTER_READY)? == 0 {
            self.words.allocate(FILTER_AT, words).map_err(|error| self.io("grown", &error))?;
            self.put(header::FILTER_READY, 1)?;
        }
        let (line, bits) = bits(key, words);
        for (word, bit) in bits {
            let word = self.words.word(FILTER_AT + line + word).ok_or_else(|| self.damaged("its filter is cut off"))?;
            word.fetch_or(bit, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Whether `key` may have made room.
    #[inline]
    pub(super) fn remembers(&self, key: Key) -> Result<bool, StateError> {
        if self.read(header::FILTER_READY)? == 0 {
            return Ok(false);
        }
        let (line, mut bits) = bits(key, self.geometry.filter_words);
        let words = self.words.range(FILTER_AT + line, LINE).ok_or_else(|| self.damaged("its filter is cut off"))?;
        Ok(bits.all(|(word, bit)| words.get(word).is_some_and(|word| word.load(Ordering::Acquire) & bit != 0)))
    }
}
