//! Locks over shared words that survive the death of who holds them, and a journal that takes back what a dead one left half done.
//!
//! A lock is one word: 0, or its [`Holder`]. Taking a free one is one compare-and-swap, giving it back one store; no system
//! call. Who finds that the holder's process is dead calls [`Locks::take_back`], one at a time over all processes.
//!
//! A transaction holds one or more locks. The lowest is its leader: taken first, given back last, and the journal beside it is the
//! transaction's. Before a word that others can reach is changed, its place and old value go into the journal
//! ([`Journal::set`]); [`Journal::commit`] forgets them with one store. So at each moment, whichever store was the last, either the
//! journal is empty and every word is as the transaction left it, or the journal holds every old value, and
//! [`Journal::roll_back`], which may itself be cut off and started again, leads back to before. A kill loses no store that the process had
//! executed: the memory is the kernel's.
//!
//! Generic over the words, so that a model checker can stand in for the machine's (`tests/owned_model.rs`).

use std::sync::atomic::{AtomicU64, Ordering};

/// A word that threads and processes share.
pub trait Word {
    /// Reads; everything its writer did before is visible then.
    fn read(&self) -> u64;
    /// Writes; everything done before is visible to who reads this value.
    fn write(&self, value: u64);
    /// Replaces `current` by `new`, reading and writing as above; whether it was `current`.
    fn replace(&self, current: u64, new: u64) -> bool;
}

impl Word for AtomicU64 {
    #[inline]
    fn read(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    #[inline]
    fn write(&self, value: u64) {
        self.store(value, Ordering::Release);
    }

    #[inline]
    fn replace(&self, current: u64, new: u64) -> bool {
        self.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Numbered words.
pub trait Words {
    /// One of them.
    type Word: Word;
    /// The word at `index`; `None` where there is none.
    fn at(&self, index: usize) -> Option<&Self::Word>;
}

impl Words for crate::SharedWords {
    type Word = AtomicU64;

    #[inline]
    fn at(&self, index: usize) -> Option<&AtomicU64> {
        self.word(index)
    }
}

/// The words are not what this protocol writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a word of the locks or journals is damaged")]
pub struct Damaged;

/// One life of one process: its place among the owners and how often that place was given before. The generation is never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Below 2^16.
    pub slot: u16,
    /// Below 2^40, from 1 on.
    pub generation: u64,
}

impl Owner {
    const GENERATIONS: u64 = (1 << 40) - 1;

    /// How it holds the locks of a transaction led by `leader`.
    #[inline]
    #[must_use]
    pub const fn holding(self, leader: u8) -> Holder {
        Holder((self.slot as u64) << 48 | leader as u64 | (self.generation & Self::GENERATIONS) << 8)
    }
}

/// Who holds a lock, in which transaction: never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder(u64);

impl Holder {
    /// Whose it is.
    #[must_use]
    pub const fn owner(self) -> Owner {
        Owner { slot: (self.0 >> 48) as u16, generation: (self.0 >> 8) & Owner::GENERATIONS }
    }

    /// The lowest lock of its transaction.
    #[must_use]
    pub const fn leader(self) -> u8 {
        self.0 as u8
    }
}

/// Where locks and journals lie.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    /// How many there are of each, at most 256.
    pub count: u8,
    /// The first lock's word.
    pub lock: usize,
    /// From one lock to the next.
    pub lock_stride: usize,
    /// The first journal's first word.
    pub journal: usize,
    /// Words of a journal: one that counts, then two a change.
    pub journal_words: usize,
}

/// The locks over `words`.
#[derive(Debug)]
pub struct Locks<'a, W> {
    words: &'a W,
    places: Places,
}

impl<'a, W: Words> Locks<'a, W> {
    /// Those at `places`.
    #[inline]
    pub const fn new(words: &'a W, places: Places) -> Self {
        Self { words, places }
    }

    #[inline]
    fn word(&self, lock: u8) -> Result<&'a W::Word, Damaged> {
        self.words.at(self.places.lock + usize::from(lock) * self.places.lock_stride).ok_or(Damaged)
    }

    /// Takes a free lock.
    ///
    /// # Errors
    /// [`Damaged`] where there is no such lock.
    #[inline]
    pub fn try_take(&self, lock: u8, holder: Holder) -> Result<bool, Damaged> {
        Ok(self.word(lock)?.replace(0, holder.0))
    }

    /// Who holds it.
    ///
    /// # Errors
    /// [`Damaged`] where there is no such lock.
    pub fn holder(&self, lock: u8) -> Result<Option<Holder>, Damaged> {
        let word = self.word(lock)?.read();
        Ok((word != 0).then_some(Holder(word)))
    }

    /// Gives back a lock that the caller holds: the leader last, with its journal empty.
    #[inline]
    pub fn give_back(&self, lock: u8) {
        if let Ok(word) = self.word(lock) {
            word.write(0);
        }
    }

    /// The journal of the transactions that `leader` leads.
    #[inline]
    #[must_use]
    pub const fn journal(&self, leader: u8) -> Journal<'a, W> {
        let start = self.places.journal + leader as usize * self.places.journal_words;
        Journal { words: self.words, start, most: (self.places.journal_words - 1) / 2 }
    }

    /// Takes back what a dead owner had begun and frees its locks; how many. The caller has made sure that it is dead and that
    /// nobody else does this meanwhile. May be cut off at any point and done again.
    ///
    /// # Errors
    /// [`Damaged`] where a journal cannot be: its locks stay taken.
    pub fn take_back(&self, dead: Owner) -> Result<u32, Damaged> {
        let mut freed = 0;
        for leader in 0..self.places.count {
            let holder = dead.holding(leader);
            if self.holder(leader)? != Some(holder) {
                continue;
            }
            self.journal(leader).roll_back()?;
            // the leader last: whoever is cut off in between finds the transaction again
            for lock in (leader..self.places.count).rev() {
                if self.holder(lock)? == Some(holder) {
                    self.give_back(lock);
                    freed += 1;
                }
            }
        }
        Ok(freed)
    }
}

/// What a transaction changed, as it was before.
#[derive(Debug)]
pub struct Journal<'a, W> {
    words: &'a W,
    start: usize,
    most: usize,
}

impl<W: Words> Journal<'_, W> {
    /// How many changes it has room for.
    #[inline]
    #[must_use]
    pub const fn most(&self) -> usize {
        self.most
    }

    /// Changes the word at `index` to `value`; `length` is how many changes are in the journal, and one more afterwards.
    ///
    /// # Errors
    /// [`Damaged`] where there is no such word or no room in the journal; nothing was changed then.
    #[inline]
    pub fn set(&self, length: &mut usize, index: usize, value: u64) -> Result<(), Damaged> {
        let target = self.words.at(index).ok_or(Damaged)?;
        if *length >= self.most {
            return Err(Damaged);
        }
        let place = self.start + 1 + 2 * *length;
        let count = self.words.at(self.start).ok_or(Damaged)?;
        self.words.at(place).ok_or(Damaged)?.write(index as u64);
        self.words.at(place + 1).ok_or(Damaged)?.write(target.read());
        *length += 1;
        // each write is visible before the next: a change that can be seen is in the journal
        count.write(*length as u64);
        target.write(value);
        Ok(())
    }

    /// Forgets the changes: from this store on they are done.
    #[inline]
    pub fn commit(&self) {
        if let Some(count) = self.words.at(self.start) {
            count.write(0);
        }
    }

    /// Takes the changes back, the latest first. May be cut off and done again.
    ///
    /// # Errors
    /// [`Damaged`] where the journal cannot be.
    pub fn roll_back(&self) -> Result<(), Damaged> {
        let count = self.words.at(self.start).ok_or(Damaged)?;
        let length = usize::try_from(count.read()).ok().filter(|length| *length <= self.most).ok_or(Damaged)?;
        for change in (0..length).rev() {
            let place = self.start + 1 + 2 * change;
            let index = self.words.at(place).ok_or(Damaged)?.read();
            let old = self.words.at(place + 1).ok_or(Damaged)?.read();
            let target = usize::try_from(index).ok().and_then(|index| self.words.at(index)).ok_or(Damaged)?;
            target.write(old);
        }
        count.write(0);
        Ok(())
    }
}
