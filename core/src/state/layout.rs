//! Where things lie in the table's file, in words of eight bytes, little-endian as the machine has them.
//!
//! ```text
//! page 0      header
//! pages 1..   generations of the owners' slots · shards · directories · journals · the filter of what made room
//! then        chunks: 16 pages of shard 0, 16 pages of shard 1, … 16 pages of shard 63, again and again
//! ```
//! A shard's pages are numbered from 0. A page is a header of 8 words and either blocks of one class, or slots of the index,
//! or words of one large entry.

use counterseal_spool::owned::Places;

/// First word of a table: `CSSTATE1`.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"CSSTATE1");
/// The version of this layout.
pub(super) const VERSION: u64 = 1;

/// Words of a page: 4 KiB.
pub(super) const PAGE: usize = 512;
/// Words before what a page holds.
pub(super) const PAGE_HEADER: usize = 8;
/// Words of a page behind its header.
pub(super) const PAGE_WORDS: usize = PAGE - PAGE_HEADER;
/// Shards. A key's first six bits say which.
pub(super) const SHARDS: usize = 64;
/// Pages that a shard grows by.
pub(super) const STEP: usize = 16;
/// Processes that may use a table at once.
pub(super) const SLOTS: usize = 4096;

/// Words of the file's header.
pub(super) mod header {
    pub(in crate::state) const MAGIC: usize = 0;
    pub(in crate::state) const VERSION: usize = 1;
    pub(in crate::state) const SECRET: [usize; 2] = [2, 3];
    /// The bytes it may take.
    pub(in crate::state) const MAX_BYTES: usize = 4;
    /// Words of the filter: fixed when the table is made.
    pub(in crate::state) const FILTER_WORDS: usize = 5;
    /// 1 once the filter has room on the disk.
    pub(in crate::state) const FILTER_READY: usize = 6;
    /// The boot of the machine in which it was last opened.
    pub(in crate::state) const BOOT: [usize; 2] = [8, 9];
}

/// Words of a shard. The lock has a line of the cache of its own.
pub(super) mod shard {
    pub(in crate::state) const LOCK: usize = 0;
    /// Pages that were handed out at least once.
    pub(in crate::state) const FRESH: usize = 8;
    /// Pages that have room on the disk.
    pub(in crate::state) const ALLOCATED: usize = 9;
    /// The first free page + 1; 0: none.
    pub(in crate::state) const FREE_PAGE: usize = 10;
    /// How many free pages hang together.
    pub(in crate::state) const FREE_PAGES: usize = 11;
    /// How many bits of a key choose the word of the directory.
    pub(in crate::state) const DEPTH: usize = 12;
    pub(in crate::state) const ENTRIES: usize = 13;
    /// Entries that made room before they expired.
    pub(in crate::state) const EVICTED: usize = 14;
    /// Where the next search for what can go begins: word of the directory, slot.
    pub(in crate::state) const HAND: usize = 15;
    /// For each class: the first page with free blocks + 1.
    pub(in crate::state) const PARTIAL: usize = 16;
    /// For each class: free blocks in its pages.
    pub(in crate::state) const FREE_BLOCKS: usize = 32;
    pub(in crate::state) const WORDS: usize = 64;
}

/// Words of a page's header.
pub(super) mod page {
    /// The next free page, page with free blocks, or page of the same large entry, + 1.
    pub(in crate::state) const NEXT: usize = 0;
    /// The page with free blocks before this one, + 1.
    pub(in crate::state) const PREVIOUS: usize = 1;
    /// What it holds: a class of blocks + 1, or one of those below.
    pub(in crate::state) const HOLDS: usize = 2;
    /// A bit for each free block; of a page of the index, its entries.
    pub(in crate::state) const FREE: usize = 3;
    /// Of a page of the index: slots that are not empty, gone ones too.
    pub(in crate::state) const USED: usize = 4;
    /// Of a page of the index: how many bits its keys share.
    pub(in crate::state) const DEPTH: usize = 5;
    pub(in crate::state) const INDEX: u64 = 1 << 32;
    pub(in crate::state) const WORDS: u64 = 2 << 32;
    pub(in crate::state) const NOTHING: u64 = 3 << 32;
}

/// Words of an entry's header, at the start of its block.
pub(super) mod entry {
    pub(in crate::state) const HIGH: usize = 0;
    pub(in crate::state) const LOW: usize = 1;
    /// `kind | flags << 8 | length << 32`.
    pub(in crate::state) const SHAPE: usize = 2;
    /// The latest time it has seen, in nanoseconds.
    pub(in crate::state) const SEEN: usize = 3;
    /// When it expires, in nanoseconds; the largest number: never.
    pub(in crate::state) const EXPIRES: usize = 4;
    pub(in crate::state) const WORDS: usize = 5;
    /// Flag of the shape: something it held was lost.
    pub(in crate::state) const LOST: u64 = 1 << 8;
    /// Flag of the shape: the block holds the numbers of the pages that hold the words.
    pub(in crate::state) const PAGED: u64 = 1 << 9;
}

/// Words of the blocks of each class, multiples of a cache line that fill a page well.
pub(super) const CLASSES: [usize; 10] = [8, 16, 24, 40, 56, 72, 120, 168, 248, 504];

/// Bits of a key that choose the word of its shard's directory, at most.
pub(super) const MOST_DEPTH: u32 = 10;
const DIRECTORY: usize = 1 << MOST_DEPTH;
const JOURNAL: usize = 4096;

const GENERATIONS_AT: usize = PAGE;
const SHARDS_AT: usize = GENERATIONS_AT + SLOTS;
const DIRECTORIES_AT: usize = SHARDS_AT + SHARDS * shard::WORDS;
const JOURNALS_AT: usize = DIRECTORIES_AT + SHARDS * DIRECTORY;
/// The filter; what lies before it has room on the disk from the start.
pub(super) const FILTER_AT: usize = JOURNALS_AT + SHARDS * JOURNAL;

/// Locks and journals.
pub(super) const PLACES: Places = Places {
    count: SHARDS as u8,
    lock: SHARDS_AT + shard::LOCK,
    lock_stride: shard::WORDS,
    journal: JOURNALS_AT,
    journal_words: JOURNAL,
};

/// The word that holds the generation of an owner's slot.
#[inline]
pub(super) const fn generation_at(slot: u16) -> usize {
    GENERATIONS_AT + slot as usize
}

/// A word of a shard.
#[inline]
pub(super) const fn shard_at(shard: u8, word: usize) -> usize {
    SHARDS_AT + shard as usize * shard::WORDS + word
}

/// A word of a shard's directory.
#[inline]
pub(super) const fn directory_at(shard: u8, word: usize) -> usize {
    DIRECTORIES_AT + shard as usize * DIRECTORY + word
}

/// The sizes that a table was made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Geometry {
    /// The bytes it may take.
    pub(super) max_bytes: u64,
    /// Words of the filter, a power of two.
    pub(super) filter_words: usize,
}

impl Geometry {
    /// Least and most bytes of a table.
    const LEAST: u64 = 16 << 20;
    const MOST: u64 = 2 << 30;

    /// For a new table of `max_bytes`, brought within 16 MiB to 2 GiB. A 32nd of it is the filter: of a table of 256 MiB 2^26 bits, in
    /// which ten million keys leave one in 25 mistaken for another.
    pub(super) const fn new(max_bytes: u64) -> Self {
        let max_bytes = Self::bounded(max_bytes);
        let filter_words = (max_bytes / 32 / 8).next_power_of_two() as usize;
        Self { max_bytes, filter_words }
    }

    pub(super) const fn bounded(max_bytes: u64) -> u64 {
        if max_bytes < Self::LEAST {
            Self::LEAST
        } else if max_bytes > Self::MOST {
            Self::MOST
        } else {
            max_bytes
        }
    }

    /// Whether a table can have been made with these.
    pub(super) const fn is_possible(self) -> bool {
        self.max_bytes == Self::bounded(self.max_bytes)
            && self.filter_words.is_power_of_two()
            && self.filter_words <= (Self::MOST / 32 / 8) as usize
    }

    /// Where the chunks begin.
    const fn chunks(self) -> usize {
        (FILTER_AT + self.filter_words).next_multiple_of(PAGE)
    }

    /// Pages that a shard may have.
    pub(super) const fn pages(self) -> usize {
        let chunk = SHARDS * STEP * PAGE;
        let words = (self.max_bytes / 8) as usize;
        let chunks = words.saturating_sub(self.chunks()) / chunk;
        if chunks == 0 { STEP } else { chunks * STEP }
    }

    /// The first word of a page.
    #[inline]
    pub(super) const fn page(self, shard: u8, page: usize) -> usize {
        let step = page / STEP * SHARDS + shard as usize;
        self.chunks() + (step * STEP + page % STEP) * PAGE
    }

    /// The words of address space for all pages.
    pub(super) const fn words(self) -> usize {
        self.page(0, self.pages())
    }
}

/// Blocks in a page of each class. Written out, for a division costs as much as all else that finds a block.
const BLOCKS: [u32; CLASSES.len()] = [63, 31, 21, 12, 9, 7, 4, 3, 2, 1];

/// Blocks in a page of a class.
#[inline]
pub(super) fn blocks_in_page(class: usize) -> u32 {
    BLOCKS.get(class).copied().unwrap_or(1)
}

/// The smallest class with room for `words`; `None` beyond the largest.
#[inline]
pub(super) fn class_for(words: usize) -> Option<usize> {
    CLASSES.iter().position(|size| *size >= words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_do_not_overlap_and_fit() {
        for max in [0, 16 << 20, 100 << 20, 256 << 20, u64::MAX] {
            let geometry = Geometry::new(max);
            assert!(geometry.is_possible());
            let mut starts = std::collections::BTreeSet::new();
            for shard in 0..SHARDS as u8 {
                for page in 0..geometry.pages().min(40) {
                    let start = geometry.page(shard, page);
                    assert!(start >= FILTER_AT + geometry.filter_words && start.is_multiple_of(PAGE));
                    assert!(starts.insert(start));
                    assert!(start + PAGE <= geometry.words());
                }
            }
            assert!(geometry.words() as u64 * 8 <= geometry.max_bytes.max(16 << 20));
        }
    }

    #[test]
    fn every_length_has_the_smallest_class() {
        for words in 0..=504 {
            let class = class_for(words).unwrap();
            assert!(CLASSES[class] >= words);
            assert!(class == 0 || CLASSES[class - 1] < words);
            assert!(blocks_in_page(class) as usize * CLASSES[class] <= PAGE_WORDS);
            assert!(blocks_in_page(class) <= 63);
            assert_eq!(blocks_in_page(class) as usize, PAGE_WORDS / CLASSES[class]);
        }
        assert_eq!(class_for(505), None);
    }
}
