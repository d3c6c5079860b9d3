//! Where the entry of a key is: per shard a directory of pages of slots (extendible hashing, Fagin and others, 1979).
//!
//! A page that fills up is split in two that nobody sees until the directory names them; only its own slots move, so that growing never stops a
//! transaction for longer than one page takes. A slot is `block + 1 | tag << 32`; the key itself is in the block.

use super::edit::Shard;
use super::error::StateError;
use super::key::Key;
use super::layout::{
    CLASSES, MOST_DEPTH, PAGE, PAGE_HEADER, PAGE_WORDS, blocks_in_page, directory_at, entry, page, shard, shard_at,
};
use super::pages::Block;
use std::sync::atomic::Ordering;

/// A slot whose entry is gone; probing goes on behind it.
const GONE: u64 = 0xffff_ffff;
/// A page with more slots in use, gone ones too, is made anew.
const FULL: u64 = 430;
/// A page with more entries is split.
const CROWDED: u64 = 320;

/// Where an entry is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// The word of the slot.
    pub(super) slot: usize,
    /// The first word of the slot's page.
    pub(super) index: usize,
    pub(super) block: Block,
    /// The first word of the block, and how many it has.
    pub(super) at: usize,
    pub(super) size: usize,
}

/// The bits of a key that are in its slot: the lowest choose the word of the directory, the others where probing begins.
#[inline]
const fn tag(key: Key) -> u32 {
    key.low as u32
}

#[inline]
const fn first_slot(tag: u32) -> usize {
    (((tag >> MOST_DEPTH) as u64 * PAGE_WORDS as u64) >> (32 - MOST_DEPTH)) as usize
}

/// The slots of a page from `tag`'s first on.
#[inline]
fn probe(tag: u32) -> impl Iterator<Item = usize> {
    let first = first_slot(tag);
    (first..PAGE_WORDS).chain(0..first).map(|slot| PAGE_HEADER + slot)
}

#[inline]
pub(super) const fn is_entry(slot: u64) -> bool {
    slot != 0 && slot != GONE
}

#[inline]
pub(super) const fn block_of(slot: u64) -> Block {
    Block((slot as u32).wrapping_sub(1))
}

const fn slot_of(key: Key, block: Block) -> u64 {
    (tag(key) as u64) << 32 | (block.0 as u64 + 1)
}

impl Shard<'_> {
    /// The first word of the page of slots at a word of the directory.
    #[inline]
    fn index_page(&self, directory: usize) -> Result<Option<usize>, StateError> {
        match self.edit.read(directory_at(self.number, directory))? {
            0 => Ok(None),
            link => {
                let at = self.checked_page(link as usize - 1)?;
                if self.edit.read(at + page::HOLDS)? != page::INDEX {
                    return Err(self.damaged("the directory names a page that holds no slots"));
                }
                Ok(Some(at))
            }
        }
    }

    #[inline]
    pub(super) fn depth(&self) -> Result<u32, StateError> {
        let depth = self.read(shard::DEPTH)?;
        if depth > u64::from(MOST_DEPTH) { Err(self.damaged("a directory is too deep")) } else { Ok(depth as u32) }
    }

    #[inline]
    fn directory_word(&self, key: Key) -> Result<usize, StateError> {
        Ok(tag(key) as usize & ((1 << self.depth()?) - 1))
    }

    #[inline]
    pub(super) fn find(&self, key: Key) -> Result<Option<Found>, StateError> {
        self.look(key).ok_or_else(|| self.damaged("its index leads nowhere"))
    }

    /// As [`Shard::find`]; `None` for what cannot be. Every call of a tool comes here, so it carries no error along.
    #[inline]
    fn look(&self, key: Key) -> Option<Option<Found>> {
        let words = &self.edit.table.words;
        let read = |index: usize| Some(words.word(index)?.load(Ordering::Relaxed));
        let tag = tag(key);
        let depth = read(shard_at(self.number, shard::DEPTH))?;
        if depth > u64::from(MOST_DEPTH) {
            return None;
        }
        let link = read(directory_at(self.number, tag as usize & ((1 << depth) - 1)))?;
        let fresh = read(shard_at(self.number, shard::FRESH))?;
        if link == 0 {
            return Some(None);
        }
        let index = if link <= fresh { self.page_at(link as usize - 1) } else { return None };
        if read(index + page::HOLDS)? != page::INDEX {
            return None;
        }
        let slots = words.range(index, PAGE)?;
        for slot in probe(tag) {
            let word = slots.get(slot)?.load(Ordering::Relaxed);
            if word == 0 {
                return Some(None);
            }
            if word >> 32 != u64::from(tag) || !is_entry(word) {
                continue;
            }
            let block = block_of(word);
            let at = if (block.page() as u64) < fresh { self.page_at(block.page()) } else { return None };
            let class = (read(at + page::HOLDS)? as usize).wrapping_sub(1);
            let size = *CLASSES.get(class)?;
            if block.number() >= blocks_in_page(class) {
                return None;
            }
            let at = at + PAGE_HEADER + block.number() as usize * size;
            let [high, low, shape, ..] = words.range(at, size)? else { return None };
            if high.load(Ordering::Relaxed) == key.high
                && low.load(Ordering::Relaxed) == key.low
                && shape.load(Ordering::Relaxed) & 0xff == key.kind as u64
            {
                return Some(Some(Found { slot: index + slot, index, block, at, size }));
            }
        }
        Some(None)
    }

    /// The slot of the entry in `block`, by the key it holds; `None` where no slot names the block.
    pub(super) fn slot_of_block(&self, block: Block, at: usize) -> Result<Option<usize>, StateError> {
        let tag = self.edit.read(at + entry::LOW)? as u32;
        let directory = tag as usize & ((1 << self.depth()?) - 1);
        let Some(index) = self.index_page(directory)? else { return Ok(None) };
        let wanted = u64::from(tag) << 32 | (u64::from(block.0) + 1);
        for slot in probe(tag) {
            match self.edit.read(index + slot)? {
                0 => return Ok(None),
                word if word == wanted => return Ok(Some(index + slot)),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Lets the slot of a held entry name another block.
    pub(super) fn name_block(&self, slot: usize, key: Key, block: Block) -> Result<(), StateError> {
        self.edit.set(slot, slot_of(key, block))
    }

    /// Puts a key that is not there; [`Shard::slots_ready`] said that there is room.
    pub(super) fn insert(&self, key: Key, block: Block) -> Result<(), StateError> {
        let index = self.index_page(self.directory_word(key)?)?;
        let index = index.ok_or_else(|| self.damaged("a page of slots is gone"))?;
        for slot in probe(tag(key)) {
            let word = self.edit.read(index + slot)?;
            if !is_entry(word) {
                self.edit.set(index + slot, slot_of(key, block))?;
                self.edit.set(index + page::FREE, self.edit.read(index + page::FREE)? + 1)?;
                if word == 0 {
                    self.edit.set(index + page::USED, self.edit.read(index + page::USED)? + 1)?;
                }
                return self.add(shard::ENTRIES, 1);
            }
        }
        Err(self.damaged("a page of slots has no slot left"))
    }

    /// Takes an entry out of the index; its block stays taken.
    pub(super) fn remove(&self, slot: usize, index: usize) -> Result<(), StateError> {
        self.edit.set(slot, GONE)?;
        self.edit.set(index + page::FREE, self.edit.read(index + page::FREE)?.wrapping_sub(1))?;
        self.add(shard::ENTRIES, -1)
    }

    /// Whether the page of `key` takes `more` entries as it is.
    pub(super) fn slots_ready(&self, key: Key, more: u64) -> Result<bool, StateError> {
        match self.index_page(self.directory_word(key)?)? {
            Some(index) => Ok(self.edit.read(index + page::USED)? + more <= FULL),
            None => Ok(false),
        }
    }

    /// Makes the page of `key` anew with room: split where it is crowded. Needs two pages at most; the caller commits.
    pub(super) fn renew_slots(&self, key: Key) -> Result<(), StateError> {
        let word = self.directory_word(key)?;
        let Some(old) = self.index_page(word)? else {
            let page = self.empty_slots(0)?;
            // depths grow from 0 on, and every word has its page from then on
            return self.edit.set(directory_at(self.number, word), page as u64 + 1);
        };
        let old_page = self.edit.read(directory_at(self.number, word))? as usize - 1;
        let (shared, live) = (self.edit.read(old + page::DEPTH)?, self.edit.read(old + page::FREE)?);
        let mut depth = self.depth()?;
        if shared > u64::from(depth) || live > PAGE_WORDS as u64 {
            return Err(self.damaged("a page of slots is wrong"));
        }
        let shared = shared as u32;
        let split = live > CROWDED && shared < MOST_DEPTH;
        if !split && live > FULL {
            return Err(StateError::Full("every slot is taken"));
        }
        if split && shared == depth {
            for word in 0..1 << depth {
                let link = self.edit.read(directory_at(self.number, word))?;
                self.edit.put(directory_at(self.number, word + (1 << depth)), link)?;
            }
            depth += 1;
            self.set(shard::DEPTH, u64::from(depth))?;
        }
        let deeper = u64::from(shared) + u64::from(split);
        let pages = if split {
            vec![self.empty_slots(deeper)?, self.empty_slots(deeper)?]
        } else {
            vec![self.empty_slots(deeper)?]
        };
        let mut counts = [0_u64; 2];
        for slot in 0..PAGE_WORDS {
            let word = self.edit.read(old + PAGE_HEADER + slot)?;
            if is_entry(word) {
                let side = if split { (word >> 32 >> shared) as usize & 1 } else { 0 };
                let into = pages.get(side).copied().unwrap_or_default();
                self.put_slot(self.page_at(into), word)?;
                if let Some(count) = counts.get_mut(side) {
                    *count += 1;
                }
            }
        }
        for (page, count) in pages.iter().zip(counts) {
            self.edit.set(self.page_at(*page) + page::FREE, count)?;
            self.edit.set(self.page_at(*page) + page::USED, count)?;
        }
        for word in ((word & ((1 << shared) - 1))..1 << depth).step_by(1 << shared) {
            let side = if split { word >> shared & 1 } else { 0 };
            let page = pages.get(side).copied().unwrap_or_default();
            self.edit.set(directory_at(self.number, word), page as u64 + 1)?;
        }
        self.give_page(old_page)
    }

    /// A page of slots that nothing names yet.
    fn empty_slots(&self, depth: u64) -> Result<usize, StateError> {
        let page = self.take_page(page::INDEX)?;
        let at = self.page_at(page);
        for slot in 0..PAGE_WORDS {
            self.edit.put(at + PAGE_HEADER + slot, 0)?;
        }
        for (word, value) in [(page::DEPTH, depth), (page::FREE, 0), (page::USED, 0)] {
            self.edit.set(at + word, value)?;
        }
        Ok(page)
    }

    fn put_slot(&self, index: usize, word: u64) -> Result<(), StateError> {
        for slot in probe((word >> 32) as u32) {
            if self.edit.read(index + slot)? == 0 {
                return self.edit.put(index + slot, word);
            }
        }
        Err(self.damaged("a page of slots has no slot left"))
    }

    /// The entry at the `hand`-th slot of the shard, counted over all words of its directory; `None` for a slot without.
    pub(super) fn entry_at(&self, hand: u64) -> Result<Option<Found>, StateError> {
        let words = 1 << self.depth()?;
        let (directory, slot) = (hand as usize / PAGE_WORDS % words, hand as usize % PAGE_WORDS);
        let Some(index) = self.index_page(directory)? else { return Ok(None) };
        let word = self.edit.read(index + PAGE_HEADER + slot)?;
        if !is_entry(word) {
            return Ok(None);
        }
        self.named(index + PAGE_HEADER + slot, index, word).map(Some)
    }

    /// What a slot names.
    pub(super) fn named(&self, slot: usize, index: usize, word: u64) -> Result<Found, StateError> {
        let block = block_of(word);
        let (at, size) = self.block_at(block)?;
        Ok(Found { slot, index, block, at, size })
    }
}
