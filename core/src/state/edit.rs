//! Reading and changing words under the locks of a transaction.

use super::error::StateError;
use super::layout::{Geometry, PLACES, shard_at};
use counterseal_spool::SharedWords;
use counterseal_spool::owned::{Journal, Locks};
use std::cell::Cell;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

/// The file of a table, mapped.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) words: SharedWords,
    pub(super) geometry: Geometry,
    pub(super) path: PathBuf,
}

impl Table {
    #[inline]
    pub(super) fn read(&self, index: usize) -> Result<u64, StateError> {
        match self.words.word(index) {
            Some(word) => Ok(word.load(Ordering::Relaxed)),
            None => Err(self.damaged("it points behind its end")),
        }
    }

    /// Changes a word that nobody can reach yet, or one of those that are only hints.
    #[inline]
    pub(super) fn put(&self, index: usize, value: u64) -> Result<(), StateError> {
        match self.words.word(index) {
            Some(word) => {
                word.store(value, Ordering::Release);
                Ok(())
            }
            None => Err(self.damaged("it points behind its end")),
        }
    }

    #[cold]
    pub(super) fn damaged(&self, what: &'static str) -> StateError {
        StateError::Damaged { path: self.path.clone(), what }
    }

    #[cold]
    pub(super) fn io(&self, what: &'static str, error: &std::io::Error) -> StateError {
        StateError::Io { path: self.path.clone(), what, why: error.to_string() }
    }

    pub(super) const fn locks(&self) -> Locks<'_, SharedWords> {
        Locks::new(&self.words, PLACES)
    }
}

/// Changes that become real together.
///
/// The rules that make a kill harmless: what others can reach is changed by [`Edit::set`] only; what nobody can reach yet may be
/// [`Table::put`]; and a block or page that was given back is not taken again before [`Edit::commit`], so that what the
/// journal would restore still lies there.
#[derive(Debug)]
pub(super) struct Edit<'a> {
    pub(super) table: &'a Table,
    journal: Journal<'a, SharedWords>,
    length: Cell<usize>,
}

impl<'a> Edit<'a> {
    pub(super) const fn new(table: &'a Table, leader: u8) -> Self {
        Self { table, journal: table.locks().journal(leader), length: Cell::new(0) }
    }

    #[inline]
    pub(super) fn read(&self, index: usize) -> Result<u64, StateError> {
        self.table.read(index)
    }

    #[inline]
    pub(super) fn set(&self, index: usize, value: u64) -> Result<(), StateError> {
        let mut length = self.length.get();
        if length == self.journal.most() {
            return Err(StateError::Full("more changes than one transaction can have"));
        }
        let done = self.journal.set(&mut length, index, value);
        self.length.set(length);
        done.map_err(|_| self.table.damaged("it points behind its end"))
    }

    #[inline]
    pub(super) fn put(&self, index: usize, value: u64) -> Result<(), StateError> {
        self.table.put(index, value)
    }

    #[inline]
    pub(super) fn commit(&self) {
        if self.length.replace(0) > 0 {
            self.journal.commit();
        }
    }

    /// Takes back what was not committed.
    pub(super) fn roll_back(&self) -> Result<(), StateError> {
        if self.length.replace(0) > 0 {
            self.journal.roll_back().map_err(|_| self.table.damaged("a journal cannot be taken back"))?;
        }
        Ok(())
    }

    pub(super) const fn shard(&'a self, number: u8) -> Shard<'a> {
        Shard { edit: self, number }
    }
}

/// One shard, whose lock is held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shard<'a> {
    pub(super) edit: &'a Edit<'a>,
    pub(super) number: u8,
}

impl Shard<'_> {
    #[inline]
    pub(super) fn read(&self, word: usize) -> Result<u64, StateError> {
        self.edit.read(shard_at(self.number, word))
    }

    #[inline]
    pub(super) fn set(&self, word: usize, value: u64) -> Result<(), StateError> {
        self.edit.set(shard_at(self.number, word), value)
    }

    /// Adds to a counter of the shard.
    #[inline]
    pub(super) fn add(&self, word: usize, by: i64) -> Result<(), StateError> {
        self.set(word, self.read(word)?.wrapping_add_signed(by))
    }

    /// The first word of a page.
    #[inline]
    pub(super) const fn page_at(&self, page: usize) -> usize {
        self.edit.table.geometry.page(self.number, page)
    }

    #[cold]
    pub(super) fn damaged(&self, what: &'static str) -> StateError {
        self.edit.table.damaged(what)
    }
}
