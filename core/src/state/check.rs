//! Whether a table is what it should be: every page, block, slot and count of it.
//!
//! A kill leaves nothing for this to find. It is for what a kill does not do: a machine that lost its power while the kernel had written
//! some pages and not others, a disk that failed, a hand that edited.

use super::edit::Shard;
use super::entry::Stored;
use super::error::StateError;
use super::index::is_entry;
use super::key::Kind;
use super::layout::{CLASSES, MOST_DEPTH, PAGE_HEADER, PAGE_WORDS, blocks_in_page, directory_at, entry, page, shard};
use std::collections::HashMap;

/// What a page was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Unknown,
    Free,
    Slots,
    Words,
}

struct Survey<'a> {
    shard: Shard<'a>,
    pages: Vec<Use>,
    /// The blocks that entries were found in, a bit for each.
    blocks: HashMap<usize, u64>,
}

impl Survey<'_> {
    fn mark(&mut self, number: usize, found: Use) -> Result<(), StateError> {
        match self.pages.get_mut(number) {
            Some(place) if *place == Use::Unknown => {
                *place = found;
                Ok(())
            }
            _ => Err(self.shard.damaged("a page is used twice")),
        }
    }

    fn free_pages(&mut self) -> Result<(), StateError> {
        let mut link = self.shard.read(shard::FREE_PAGE)?;
        let mut count = 0;
        while let Some(number) = (link as usize).checked_sub(1) {
            let at = self.shard.checked_page(number)?;
            self.mark(number, Use::Free)?;
            if self.shard.edit.read(at + page::HOLDS)? != page::NOTHING {
                return Err(self.shard.damaged("a free page is in use"));
            }
            count += 1;
            link = self.shard.edit.read(at + page::NEXT)?;
        }
        self.agree(count, self.shard.read(shard::FREE_PAGES)?)
    }

    fn agree(&self, found: u64, said: u64) -> Result<(), StateError> {
        if found == said { Ok(()) } else { Err(self.shard.damaged("a count is wrong")) }
    }

    /// The directory, its pages of slots, and every entry.
    fn slots(&mut self) -> Result<(), StateError> {
        let depth = self.shard.depth()?;
        let mut entries = 0;
        for word in 0..1_usize << depth {
            let link = self.shard.edit.read(directory_at(self.shard.number, word))?;
            let Some(number) = (link as usize).checked_sub(1) else {
                if depth == 0 {
                    continue;
                }
                return Err(self.shard.damaged("a directory has a gap"));
            };
            let at = self.shard.checked_page(number)?;
            let shared = self.shard.edit.read(at + page::DEPTH)?;
            if self.shard.edit.read(at + page::HOLDS)? != page::INDEX || shared > u64::from(depth.min(MOST_DEPTH)) {
                return Err(self.shard.damaged("the directory names a page that holds no slots"));
            }
            let low = word & ((1 << shared) - 1);
            if word != low {
                // the first word of those that share a page has looked at it
                let first = self.shard.edit.read(directory_at(self.shard.number, low))?;
                self.agree(first, link)?;
                continue;
            }
            self.mark(number, Use::Slots)?;
            let (mut live, mut used) = (0, 0);
            for slot in 0..PAGE_WORDS {
                let held = self.shard.edit.read(at + PAGE_HEADER + slot)?;
                used += u64::from(held != 0);
                if is_entry(held) {
                    live += 1;
                    let tag = (held >> 32) as usize;
                    if tag & ((1 << shared) - 1) != low {
                        return Err(self.shard.damaged("a slot lies in the wrong page"));
                    }
                    self.entry(at + PAGE_HEADER + slot, at, held)?;
                }
            }
            self.agree(live, self.shard.edit.read(at + page::FREE)?)?;
            self.agree(used, self.shard.edit.read(at + page::USED)?)?;
            entries += live;
        }
        self.agree(entries, self.shard.read(shard::ENTRIES)?)
    }

    fn entry(&mut self, at: usize, index: usize, slot: u64) -> Result<(), StateError> {
        let edit = self.shard.edit;
        let found = self.shard.named(at, index, slot)?;
        let (block, at) = (found.block, found.at);
        let used = self.blocks.entry(block.page()).or_default();
        let bit = 1 << block.number();
        if *used & bit != 0 || edit.read(at + entry::LOW)? & 0xffff_ffff != slot >> 32 {
            return Err(self.shard.damaged("a slot names the block of another entry"));
        }
        *used |= bit;
        let stored = Stored::read(edit.table, found)?;
        if !Kind::ALL.iter().any(|kind| *kind as u64 == stored.shape & 0xff) {
            return Err(self.shard.damaged("an entry is of no kind"));
        }
        if stored.is_paged() {
            for number in 0..stored.len().div_ceil(PAGE_WORDS) {
                let link = edit.read(at + entry::WORDS + number)? as usize;
                let number = link.checked_sub(1).ok_or_else(|| self.shard.damaged("a large entry lost a page"))?;
                if edit.read(self.shard.checked_page(number)? + page::HOLDS)? != page::WORDS {
                    return Err(self.shard.damaged("a large entry lost a page"));
                }
                self.mark(number, Use::Words)?;
            }
        }
        Ok(())
    }

    /// What is left are pages of blocks: each is taken by one entry or free, and in the list of its class while one is.
    fn blocks(&mut self) -> Result<(), StateError> {
        let mut listed = HashMap::new();
        for class in 0..CLASSES.len() {
            let mut link = self.shard.read(shard::PARTIAL + class)?;
            let mut previous = 0;
            while let Some(number) = (link as usize).checked_sub(1) {
                let at = self.shard.checked_page(number)?;
                if listed.insert(number, class).is_some() {
                    return Err(self.shard.damaged("a list of free blocks is wrong"));
                }
                self.agree(previous, self.shard.edit.read(at + page::PREVIOUS)?)?;
                previous = link;
                link = self.shard.edit.read(at + page::NEXT)?;
            }
        }
        let mut free_blocks = [0; CLASSES.len()];
        for number in (0..self.pages.len()).filter(|number| self.pages.get(*number) == Some(&Use::Unknown)) {
            let (class, at) = self.shard.class_of(number)?;
            let free = self.shard.edit.read(at + page::FREE)?;
            let used = self.blocks.remove(&number).unwrap_or_default();
            if free ^ used != (1 << blocks_in_page(class)) - 1 || used == 0 {
                return Err(self.shard.damaged("a block is neither free nor used, or both"));
            }
            if listed.remove(&number) != (free != 0).then_some(class) {
                return Err(self.shard.damaged("a list of free blocks is wrong"));
            }
            if let Some(count) = free_blocks.get_mut(class) {
                *count += u64::from(free.count_ones());
            }
        }
        if !listed.is_empty() || !self.blocks.is_empty() {
            return Err(self.shard.damaged("a block lies in a page that holds none"));
        }
        for (class, count) in free_blocks.into_iter().enumerate() {
            self.agree(count, self.shard.read(shard::FREE_BLOCKS + class)?)?;
        }
        Ok(())
    }
}

impl Shard<'_> {
    /// Looks at all of the shard.
    pub(super) fn check(&self) -> Result<(), StateError> {
        let (fresh, allocated) = (self.read(shard::FRESH)?, self.read(shard::ALLOCATED)?);
        let reached = self.edit.table.words.length().map_err(|error| self.edit.table.io("read", &error))?;
        if fresh > allocated || (allocated > 0 && self.page_at(allocated as usize - 1) >= reached) {
            return Err(self.damaged("it is cut off"));
        }
        let mut survey = Survey { shard: *self, pages: vec![Use::Unknown; fresh as usize], blocks: HashMap::new() };
        survey.free_pages()?;
        survey.slots()?;
        survey.blocks()
    }
}
