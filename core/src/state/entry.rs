//! One entry, lent for the time of a transaction.

use super::error::StateError;
use super::key::Key;
use super::table::MAX_WORDS;
use crate::clock::UnixNanos;

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Nothing was ever held under it, or what was has expired.
    New,
    /// It is held, with all that was ever put there since it was new.
    Known,
    /// It made room for others before it expired. What it held is lost: whoever asks for it must not take it for empty. It stays so, also
    /// when words are put there again, until [`Entry::trust`].
    Evicted,
}

/// An entry within a transaction. Words read 0 until they are set.
#[derive(Debug)]
pub struct Entry<'a> {
    pub(super) key: Key,
    pub(super) presence: Presence,
    pub(super) now: UnixNanos,
    pub(super) expires: Option<UnixNanos>,
    pub(super) words: std::borrow::Cow<'a, [u64]>,
}

impl Entry<'_> {
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
        self.now
    }

    /// How many words it has; 0 where nothing is held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether it has no words.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The word at `index`; 0 behind the end.
    #[must_use]
    pub fn get(&self, index: usize) -> u64 {
        self.words.get(index).copied().unwrap_or_default()
    }

    /// Puts `value` at `index`.
    ///
    /// # Errors
    /// [`StateError::Misuse`] behind the end, [`StateError::Full`] where the transaction changes so much that the entry has to
    /// be copied and there is no room.
    pub fn set(&mut self, index: usize, value: u64) -> Result<(), StateError> {
        match self.words.to_mut().get_mut(index) {
            Some(word) => *word = value,
            None => return Err(StateError::Misuse("a word behind the end of its entry")),
        }
        Ok(())
    }

    /// Makes it `words` long, at most [`MAX_WORDS`]: new words are 0, those behind the end are gone. An entry that was absent is held from then on, until it
    /// expires or makes room.
    ///
    /// # Errors
    /// [`StateError::Full`] where there is no room and none can be made.
    pub fn resize(&mut self, words: usize) -> Result<(), StateError> {
        if words > MAX_WORDS {
            return Err(StateError::Full("an entry larger than the largest"));
        }
        self.words.to_mut().resize(words, 0);
        if self.presence == Presence::New {
            self.presence = Presence::Known;
        }
        Ok(())
    }

    /// From `time` on it may be dropped and is then [`Presence::New`]; `None`: never. Of a held entry only.
    ///
    /// # Errors
    /// [`StateError::Misuse`] of an entry that is not held.
    pub fn expire_at(&mut self, time: Option<UnixNanos>) -> Result<(), StateError> {
        self.expires = time;
        Ok(())
    }

    /// Says that what an evicted entry held no longer matters, for instance because its window has passed since: a held one is
    /// [`Presence::Known`] from now on.
    ///
    /// # Errors
    /// [`StateError::Misuse`] of an entry that is not held: [`Entry::resize`] it first.
    pub fn trust(&mut self) -> Result<(), StateError> {
        self.presence = Presence::Known;
        Ok(())
    }
}
