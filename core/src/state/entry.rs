//! One entry, lent for the time of a transaction. What is changed stays here until the transaction's work is done.

use super::edit::Table;
use super::error::StateError;
use super::index::Found;
use super::key::Key;
use super::layout::{PAGE_HEADER, PAGE_WORDS, entry};
use super::table::MAX_WORDS;
use super::transaction::Plan;
use crate::clock::UnixNanos;
use counterseal_spool::SharedWords;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Nothing was ever held under it, or what was has expired.
    New,
    /// It is held, with all that was put there since it was new.
    Known,
    /// It made room for others before it expired. What it held is lost: whoever asks for it must not take it for empty. It stays
    /// so, also when words are put there again, until [`Entry::trust`] or until it expires.
    Evicted,
}

/// Where a held entry lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) found: Found,
    pub(super) shape: u64,
    pub(super) seen: i64,
    pub(super) expires: i64,
    /// The words of its block behind the header.
    pub(super) block: &'a [AtomicU64],
}

impl<'a> Stored<'a> {
    #[inline]
    pub(super) fn read(table: &'a Table, found: Found) -> Result<Self, StateError> {
        let words = table.words.range(found.at, found.size);
        let (header, block) = words
            .and_then(|words| words.split_first_chunk::<{ entry::WORDS }>())
            .ok_or_else(|| table.damaged("it points behind its end"))?;
        let [_, _, shape, seen, expires] = header;
        let stored = Self {
            found,
            shape: shape.load(Ordering::Relaxed),
            seen: seen.load(Ordering::Relaxed).cast_signed(),
            expires: expires.load(Ordering::Relaxed).cast_signed(),
            block,
        };
        let words = if stored.is_paged() { stored.len().div_ceil(PAGE_WORDS) } else { stored.len() };
        if words > block.len() || stored.len() > MAX_WORDS {
            return Err(table.damaged("an entry is longer than its block"));
        }
        Ok(stored)
    }

    pub(super) const fn len(&self) -> usize {
        (self.shape >> 32) as usize
    }

    pub(super) const fn is_paged(&self) -> bool {
        self.shape & entry::PAGED != 0
    }
}

/// A few changes of single words; more become a copy.
#[derive(Debug, Default)]
pub(super) struct Changes {
    count: usize,
    few: [(u32, u64); Self::FEW],
}

impl Changes {
    const FEW: usize = 8;

    #[inline]
    fn get(&self, index: usize) -> Option<u64> {
        self.iter().find(|(at, _)| *at == index).map(|(_, value)| value)
    }

    /// Whether there was room.
    #[inline]
    fn set(&mut self, index: usize, value: u64) -> bool {
        let known = self.few.iter().take(self.count).position(|(at, _)| *at as usize == index);
        match self.few.get_mut(known.unwrap_or(self.count)) {
            Some(place) => *place = (index as u32, value),
            None => return false,
        }
        self.count += usize::from(known.is_none());
        true
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    #[inline]
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, u64)> {
        self.few.iter().take(self.count).map(|(at, value)| (*at as usize, *value))
    }
}

/// An entry within a transaction.
#[derive(Debug)]
pub struct Entry<'a> {
    pub(super) key: Key,
    pub(super) table: &'a Table,
    pub(super) page: PageOf,
    pub(super) now: i64,
    pub(super) presence: Presence,
    /// As the table has it, expired or not.
    pub(super) stored: Option<Stored<'a>>,
    /// Whether the table is to hold it when the transaction is done.
    pub(super) held: bool,
    pub(super) expires: i64,
    /// Something of the header changed.
    pub(super) reshaped: bool,
    pub(super) length: usize,
    /// Words before this one are those stored, but for `changes`; those from here on are `tail`.
    pub(super) base: usize,
    pub(super) changes: Changes,
    pub(super) tail: Vec<u64>,
    /// A word could not be read: the transaction fails.
    pub(super) broken: Cell<bool>,
    /// What the commit does with it, set by the commit.
    pub(super) plan: Plan,
}

/// Where the pages of an entry's shard lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageOf {
    pub(super) shard: u8,
}

impl<'a> Entry<'a> {
    #[inline]
    pub(super) fn lend(
        table: &'a Table,
        shard: u8,
        key: Key,
        now: i64,
        stored: Option<Stored<'a>>,
        lost: bool,
    ) -> Self {
        let seen = stored.map_or(now, |stored| stored.seen.max(now));
        // what has expired is as good as gone, and its block is used again
        let live = stored.filter(|stored| stored.expires > seen);
        let presence = match live {
            Some(stored) if stored.shape & entry::LOST == 0 => Presence::Known,
            None if stored.is_some() || !lost => Presence::New,
            _ => Presence::Evicted,
        };
        let length = live.map_or(0, |stored| stored.len());
        Self {
            key,
            table,
            page: PageOf { shard },
            now: seen,
            presence,
            stored,
            held: live.is_some(),
            expires: live.map_or(i64::MAX, |stored| stored.expires),
            reshaped: false,
            length,
            base: length,
            changes: Changes::default(),
            tail: Vec::new(),
            broken: Cell::new(false),
            plan: Plan::Keep,
        }
    }

    /// Its key.
    #[must_use]
    pub const fn key(&self) -> Key {
        self.key
    }

    /// What is known of it.
    #[must_use]
    pub const fn presence(&self) -> Presence {
        self.presence
    }

    /// Whether it is held with its whole history.
    #[must_use]
    pub const fn known(&self) -> bool {
        matches!(self.presence, Presence::Known)
    }

    /// The time of the transaction, or the latest that this entry has seen where that is later.
    #[must_use]
    pub const fn now(&self) -> UnixNanos {
        UnixNanos(self.now)
    }

    /// How many words it has; 0 where nothing is held.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether it has no words.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The word at `index`; 0 behind the end.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> u64 {
        if index >= self.base {
            return self.tail.get(index - self.base).copied().unwrap_or_default();
        }
        self.changes.get(index).unwrap_or_else(|| self.stored_word(index))
    }

    /// The word at `index` as the table has it.
    #[inline]
    pub(super) fn stored_word(&self, index: usize) -> u64 {
        let word = self.stored.as_ref().and_then(|stored| {
            if stored.is_paged() {
                self.paged_word(stored, index)
            } else {
                stored.block.get(index).map(|word| word.load(Ordering::Relaxed))
            }
        });
        word.unwrap_or_else(|| {
            self.broken.set(true);
            0
        })
    }

    fn paged_word(&self, stored: &Stored<'_>, index: usize) -> Option<u64> {
        let link = stored.block.get(index / PAGE_WORDS)?.load(Ordering::Relaxed);
        let page = (link as usize).checked_sub(1)?;
        let at = self.table.geometry.page(self.page.shard, page) + PAGE_HEADER + index % PAGE_WORDS;
        let words: &SharedWords = &self.table.words;
        Some(words.word(at)?.load(Ordering::Relaxed))
    }

    /// Puts `value` at `index`.
    ///
    /// # Errors
    /// [`StateError::Misuse`] behind the end.
    #[inline]
    pub fn set(&mut self, index: usize, value: u64) -> Result<(), StateError> {
        if index >= self.length {
            return Err(StateError::Misuse("a word behind the end of its entry"));
        }
        if index < self.base {
            if self.changes.set(index, value) {
                return Ok(());
            }
            self.copy_all();
        }
        match self.tail.get_mut(index - self.base) {
            Some(word) => *word = value,
            None => return Err(StateError::Misuse("a word behind the end of its entry")),
        }
        Ok(())
    }

    #[cold]
    fn copy_all(&mut self) {
        let mut all: Vec<u64> = (0..self.base).map(|index| self.stored_word(index)).collect();
        for (index, value) in self.changes.iter() {
            if let Some(word) = all.get_mut(index) {
                *word = value;
            }
        }
        all.append(&mut self.tail);
        self.tail = all;
        self.base = 0;
        self.changes = Changes::default();
    }

    /// Makes it `words` long, at most [`MAX_WORDS`]: new words are 0, those behind the end are gone. An entry that was absent is
    /// held from then on, until it expires or makes room.
    ///
    /// # Errors
    /// [`StateError::Full`] for more than the most.
    pub fn resize(&mut self, words: usize) -> Result<(), StateError> {
        if words > MAX_WORDS {
            return Err(StateError::Full("an entry larger than the largest"));
        }
        if words < self.base {
            // changes behind the new end would be read again if it grew
            self.copy_all();
        }
        self.tail.resize(words - self.base, 0);
        self.length = words;
        self.hold();
        Ok(())
    }

    fn hold(&mut self) {
        self.held = true;
        self.reshaped = true;
        if self.presence == Presence::New {
            self.presence = Presence::Known;
        }
    }

    /// Drops it: the next transaction finds it [`Presence::New`], or [`Presence::Evicted`] where it may have made room before.
    pub fn remove(&mut self) {
        self.held = false;
        self.reshaped = true;
        (self.length, self.base) = (0, 0);
        self.tail = Vec::new();
        self.changes = Changes::default();
        self.expires = i64::MAX;
    }

    /// When it expires; `None`: never.
    #[must_use]
    pub const fn expires(&self) -> Option<UnixNanos> {
        if self.expires == i64::MAX { None } else { Some(UnixNanos(self.expires)) }
    }

    /// From `time` on it is [`Presence::New`] and may be dropped; `None`: never. An entry that is not held is from then on.
    pub fn expire_at(&mut self, time: Option<UnixNanos>) {
        let expires = time.map_or(i64::MAX, |time| time.0);
        if expires != self.expires || !self.held {
            self.expires = expires;
            self.hold();
        }
    }

    /// Says that what an evicted entry held no longer matters, for instance because its window has passed since: it is held and
    /// [`Presence::Known`] from now on.
    pub fn trust(&mut self) {
        if self.presence == Presence::Evicted {
            self.hold();
            self.presence = Presence::Known;
        }
    }
}
