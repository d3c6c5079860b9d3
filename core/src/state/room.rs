//! Making room in a shard that is full: expired entries go first, then the least recently used of a sample.

use super::edit::Shard;
use super::error::StateError;
use super::index::Found;
use super::key::{Key, Kind};
use super::layout::{CLASSES, PAGE_HEADER, blocks_in_page, entry, page, shard};
use super::pages::Block;

/// Entries looked at for each one that goes. The least recently used of so many chosen by their hash is among the oldest sixteenth of all with a probability
/// of 64%, and among the oldest quarter with 99%.
const SAMPLE: u32 = 16;
/// Pages looked at for the one with the fewest entries.
const CANDIDATES: usize = 16;

/// What a transaction is about to take from a shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) blocks: [u32; CLASSES.len()],
    pub(super) pages: usize,
}

impl Shard<'_> {
    /// Whether what is free now is enough.
    fn is_enough(&self, need: &Need) -> Result<bool, StateError> {
        let mut pages = need.pages;
        for (class, wanted) in need.blocks.iter().enumerate().filter(|(_, wanted)| **wanted > 0) {
            let lacking = u64::from(*wanted).saturating_sub(self.read(shard::FREE_BLOCKS + class)?);
            pages += lacking.div_ceil(u64::from(blocks_in_page(class))) as usize;
        }
        Ok(pages == 0 || pages <= self.pages_left()?)
    }

    /// Lets entries go until there is room for `need`; commits each step. Whether anything moved or went. Keys in `kept` stay.
    pub(super) fn make_room(&self, need: &Need, kept: &[Key], now: i64) -> Result<bool, StateError> {
        let mut moved = false;
        // each round takes an entry away or a page out of use, of which there are not more
        let most = self.read(shard::ENTRIES)? + 2 * self.read(shard::FRESH)?;
        for _ in 0..=most {
            if self.is_enough(need)? {
                return Ok(moved);
            }
            moved = true;
            if !self.empty_a_page()? && !self.let_one_go(kept, now)? {
                break;
            }
            self.edit.commit();
        }
        Err(StateError::Full("nothing is left that could make room"))
    }

    /// Where the free blocks of a class would fill a page, moves the entries of one page to the others and frees it.
    fn empty_a_page(&self) -> Result<bool, StateError> {
        for class in 0..CLASSES.len() {
            let blocks = blocks_in_page(class);
            let free = self.read(shard::FREE_BLOCKS + class)?;
            if free < u64::from(blocks) {
                continue;
            }
            let mut link = self.read(shard::PARTIAL + class)?;
            let mut best = None;
            for _ in 0..CANDIDATES {
                let Some(number) = (link as usize).checked_sub(1) else { break };
                let at = self.checked_page(number)?;
                let here = self.edit.read(at + page::FREE)?.count_ones();
                if best.is_none_or(|(most, _)| here > most) {
                    best = Some((here, number));
                }
                link = self.edit.read(at + page::NEXT)?;
            }
            let Some((here, number)) = best else { return Err(self.damaged("a list of free blocks is wrong")) };
            self.move_out(class, number, here)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn move_out(&self, class: usize, number: usize, here: u32) -> Result<(), StateError> {
        let at = self.checked_page(number)?;
        let free = self.edit.read(at + page::FREE)?;
        self.unlink_partial(class, number)?;
        self.add(shard::FREE_BLOCKS + class, -i64::from(here))?;
        let size = CLASSES.get(class).copied().unwrap_or_default();
        for block in 0..blocks_in_page(class) {
            let from = at + PAGE_HEADER + block as usize * size;
            if free & (1 << block) != 0 {
                continue;
            }
            // a block that no slot names was lost by nobody: it goes with its page
            if let Some(slot) = self.slot_of_block(Block::of(number, block), from)? {
                let to = self.take_block(class)?;
                let (into, _) = self.block_at(to)?;
                for word in 0..size {
                    self.edit.put(into + word, self.edit.read(from + word)?)?;
                }
                let tag = self.edit.read(slot)? >> 32 << 32;
                self.edit.set(slot, tag | (u64::from(to.0) + 1))?;
            }
        }
        self.give_page(number)
    }

    /// Lets the best of a sample go: one that has expired, else the least recently used.
    fn let_one_go(&self, kept: &[Key], now: i64) -> Result<bool, StateError> {
        let slots = (1_u64 << self.depth()?) * super::layout::PAGE_WORDS as u64;
        let mut hand = self.read(shard::HAND)?;
        let mut best: Option<(bool, i64, Found)> = None;
        let mut seen = 0;
        for _ in 0..slots {
            hand = hand.wrapping_add(1) % slots;
            let Some(found) = self.entry_at(hand)? else { continue };
            let (high, low) = (self.edit.read(found.at + entry::HIGH)?, self.edit.read(found.at + entry::LOW)?);
            if kept.iter().any(|key| key.high == high && key.low == low) {
                continue;
            }
            let used = self.edit.read(found.at + entry::SEEN)?.cast_signed();
            let expired = self.edit.read(found.at + entry::EXPIRES)?.cast_signed() <= now.max(used);
            if best.is_none_or(|(_, oldest, _)| expired || used < oldest) {
                best = Some((expired, used, found));
            }
            seen += 1;
            if expired || seen == SAMPLE {
                break;
            }
        }
        let Some((expired, _, found)) = best else { return Ok(false) };
        // where the search begins is a hint, which a kill may lose
        self.edit.put(super::layout::shard_at(self.number, shard::HAND), hand)?;
        if !expired {
            self.edit.table.remember(self.key_at(found.at)?)?;
            self.add(shard::EVICTED, 1)?;
        }
        self.remove(found.slot, found.index)?;
        self.give_entry(found.block, found.at)?;
        Ok(true)
    }

    fn key_at(&self, at: usize) -> Result<Key, StateError> {
        let shape = self.edit.read(at + entry::SHAPE)?;
        let kind = Kind::ALL.into_iter().find(|kind| *kind as u64 == shape & 0xff);
        let kind = kind.ok_or_else(|| self.damaged("an entry is of no kind"))?;
        Ok(Key { high: self.edit.read(at + entry::HIGH)?, low: self.edit.read(at + entry::LOW)?, kind })
    }

    /// Gives the block of an entry back, and its pages, if it has any.
    pub(super) fn give_entry(&self, block: Block, at: usize) -> Result<(), StateError> {
        let shape = self.edit.read(at + entry::SHAPE)?;
        if shape & entry::PAGED != 0 {
            for number in 0..((shape >> 32) as usize).div_ceil(super::layout::PAGE_WORDS) {
                let link = self.edit.read(at + entry::WORDS + number)?;
                let page = (link as usize).checked_sub(1).ok_or_else(|| self.damaged("a large entry lost a page"))?;
                self.give_page(page)?;
            }
        }
        self.give_block(block)
    }
}
