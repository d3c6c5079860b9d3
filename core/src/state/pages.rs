//! The pages of a shard, and the blocks in them.

use super::edit::Shard;
use super::error::StateError;
use super::layout::{CLASSES, PAGE, PAGE_HEADER, STEP, blocks_in_page, page, shard};

/// A block: its page, and its number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block(pub(super) u32);

impl Block {
    pub(super) const fn of(page: usize, number: u32) -> Self {
        Self((page as u32) << 6 | number)
    }

    #[inline]
    pub(super) const fn page(self) -> usize {
        (self.0 >> 6) as usize
    }

    #[inline]
    pub(super) const fn number(self) -> u32 {
        self.0 & 63
    }
}

/// A page's number as it lies in words: 0 is none.
#[inline]
const fn link(page: usize) -> u64 {
    page as u64 + 1
}

impl Shard<'_> {
    /// Pages that can still be taken.
    pub(super) fn pages_left(&self) -> Result<usize, StateError> {
        let most = self.edit.table.geometry.pages();
        Ok(self.read(shard::FREE_PAGES)? as usize + most.saturating_sub(self.read(shard::FRESH)? as usize))
    }

    /// Takes a page, whose words are whatever was there before.
    pub(super) fn take_page(&self, holds: u64) -> Result<usize, StateError> {
        let page = match self.read(shard::FREE_PAGE)? {
            0 => self.take_fresh_page()?,
            first => {
                let page = first as usize - 1;
                let at = self.checked_page(page)?;
                if self.edit.read(at + page::HOLDS)? != page::NOTHING {
                    return Err(self.damaged("a free page is in use"));
                }
                self.set(shard::FREE_PAGE, self.edit.read(at + page::NEXT)?)?;
                self.add(shard::FREE_PAGES, -1)?;
                page
            }
        };
        let at = self.page_at(page);
        self.edit.set(at + page::HOLDS, holds)?;
        Ok(page)
    }

    fn take_fresh_page(&self) -> Result<usize, StateError> {
        let table = self.edit.table;
        let fresh = self.read(shard::FRESH)? as usize;
        if fresh >= table.geometry.pages() {
            return Err(StateError::Full("every page is taken"));
        }
        if fresh as u64 >= self.read(shard::ALLOCATED)? {
            // a kill before the next line leaves room on the disk that the next growth takes again
            table.words.allocate(self.page_at(fresh), STEP * PAGE).map_err(|error| table.io("grown", &error))?;
            table.words.populate(self.page_at(fresh), STEP * PAGE);
            self.set(shard::ALLOCATED, (fresh + STEP) as u64)?;
        }
        self.set(shard::FRESH, fresh as u64 + 1)?;
        Ok(fresh)
    }

    /// Gives a page back, not to be taken before the commit.
    pub(super) fn give_page(&self, page: usize) -> Result<(), StateError> {
        let at = self.checked_page(page)?;
        self.edit.set(at + page::HOLDS, page::NOTHING)?;
        self.edit.set(at + page::NEXT, self.read(shard::FREE_PAGE)?)?;
        self.set(shard::FREE_PAGE, link(page))?;
        self.add(shard::FREE_PAGES, 1)
    }

    /// The first word of a page that was read from the table.
    #[inline]
    pub(super) fn checked_page(&self, page: usize) -> Result<usize, StateError> {
        if page as u64 >= self.read(shard::FRESH)? {
            return Err(self.damaged("a page is named that was never made"));
        }
        Ok(self.page_at(page))
    }

    /// The class of the blocks in a page and the page's first word.
    #[inline]
    pub(super) fn class_of(&self, page: usize) -> Result<(usize, usize), StateError> {
        let at = self.checked_page(page)?;
        let class = (self.edit.read(at + page::HOLDS)? as usize).wrapping_sub(1);
        if class >= CLASSES.len() {
            return Err(self.damaged("a block is named in a page that holds none"));
        }
        Ok((class, at))
    }

    /// The first word of a block and how many it has.
    #[inline]
    pub(super) fn block_at(&self, block: Block) -> Result<(usize, usize), StateError> {
        let (class, at) = self.class_of(block.page())?;
        if block.number() >= blocks_in_page(class) {
            return Err(self.damaged("a block is named that its page does not have"));
        }
        let size = CLASSES.get(class).copied().unwrap_or_default();
        Ok((at + PAGE_HEADER + block.number() as usize * size, size))
    }

    pub(super) fn take_block(&self, class: usize) -> Result<Block, StateError> {
        let first = self.read(shard::PARTIAL + class)?;
        let page = if first == 0 {
            let page = self.take_page(class as u64 + 1)?;
            let blocks = blocks_in_page(class);
            self.edit.set(self.page_at(page) + page::FREE, (1 << blocks) - 1)?;
            self.link_partial(class, page)?;
            self.add(shard::FREE_BLOCKS + class, i64::from(blocks))?;
            page
        } else {
            first as usize - 1
        };
        let (holds, at) = self.class_of(page)?;
        let free = self.edit.read(at + page::FREE)?;
        if holds != class || free == 0 || free >> blocks_in_page(class) != 0 {
            return Err(self.damaged("a list of free blocks is wrong"));
        }
        let left = free & (free - 1);
        self.edit.set(at + page::FREE, left)?;
        self.add(shard::FREE_BLOCKS + class, -1)?;
        if left == 0 {
            self.unlink_partial(class, page)?;
        }
        Ok(Block::of(page, free.trailing_zeros()))
    }

    /// Gives a block back, not to be taken before the commit.
    pub(super) fn give_block(&self, block: Block) -> Result<(), StateError> {
        let (class, at) = self.class_of(block.page())?;
        let free = self.edit.read(at + page::FREE)?;
        let bit = 1 << block.number();
        if free & bit != 0 {
            return Err(self.damaged("a block is free twice"));
        }
        let blocks = blocks_in_page(class);
        if (free | bit).count_ones() == blocks {
            if free != 0 {
                self.unlink_partial(class, block.page())?;
            }
            self.add(shard::FREE_BLOCKS + class, 1 - i64::from(blocks))?;
            return self.give_page(block.page());
        }
        self.edit.set(at + page::FREE, free | bit)?;
        self.add(shard::FREE_BLOCKS + class, 1)?;
        if free == 0 { self.link_partial(class, block.page()) } else { Ok(()) }
    }

    fn link_partial(&self, class: usize, page: usize) -> Result<(), StateError> {
        let at = self.page_at(page);
        let first = self.read(shard::PARTIAL + class)?;
        self.edit.set(at + page::NEXT, first)?;
        self.edit.set(at + page::PREVIOUS, 0)?;
        if first != 0 {
            self.edit.set(self.checked_page(first as usize - 1)? + page::PREVIOUS, link(page))?;
        }
        self.set(shard::PARTIAL + class, link(page))
    }

    pub(super) fn unlink_partial(&self, class: usize, page: usize) -> Result<(), StateError> {
        let at = self.page_at(page);
        let (next, previous) = (self.edit.read(at + page::NEXT)?, self.edit.read(at + page::PREVIOUS)?);
        if next != 0 {
            self.edit.set(self.checked_page(next as usize - 1)? + page::PREVIOUS, previous)?;
        }
        match previous {
            0 => self.set(shard::PARTIAL + class, next),
            previous => self.edit.set(self.checked_page(previous as usize - 1)? + page::NEXT, next),
        }
    }
}
