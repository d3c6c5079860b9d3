//! The table of a home.

use super::entry::{Entry, Presence};
use super::error::StateError;
use super::key::{Key, Kind, key_of};
use crate::clock::UnixNanos;
use crate::ledger::{Entropy, Home};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The most keys of one transaction.
pub const MAX_KEYS: usize = 32;
/// The most words of one entry: half a megabyte.
pub const MAX_WORDS: usize = 1 << 16;

/// How a [`State`] behaves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The most bytes the table takes on the disk and in memory. Default: 256 MiB.
    pub max_bytes: u64,
    /// How long a transaction waits for one that lives. Default: a second.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_bytes: 256 << 20, patience: Duration::from_secs(1) }
    }
}

/// What a table holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Entries held.
    pub entries: u64,
    /// Entries that made room before they expired, since the table was made.
    pub evicted: u64,
    /// Bytes of the table on the disk.
    pub bytes: u64,
}

#[derive(Debug, Clone)]
struct Held {
    words: Vec<u64>,
    presence: Presence,
    seen: i64,
    expires: Option<UnixNanos>,
}

/// The shared state of a home. Shared by threads; a forked child may go on using it.
#[derive(Debug)]
pub struct State {
    secret: [u8; 16],
    entries: Mutex<HashMap<Key, Held>>,
}

impl State {
    /// Opens the table of `home`, or makes it.
    ///
    /// # Errors
    /// [`StateError::Io`], [`StateError::Version`], [`StateError::Damaged`]: the table is left as it is.
    pub fn open(home: &Home, _options: &Options) -> Result<Self, StateError> {
        let secret = Entropy::system().draw().map_err(|error| StateError::Io {
            path: home.path().join("state/table"),
            what: "made",
            why: error.to_string(),
        })?;
        Ok(Self { secret, entries: Mutex::default() })
    }

    /// The key of `parts` in this table: any number of texts or numbers, each told apart from its neighbours.
    #[must_use]
    pub fn key(&self, kind: Kind, parts: &[&[u8]]) -> Key {
        key_of(&self.secret, kind, parts)
    }

    /// Lends the entries of `keys`, in their order, to `work`; nobody else sees or changes any of them meanwhile. Where `work` gives
    /// an error or panics, nothing of what it did is done. `work` must not block, and must not use this state again.
    ///
    /// # Errors
    /// The error of `work`; [`StateError::Busy`], [`StateError::Full`], [`StateError::Damaged`], [`StateError::Io`],
    /// [`StateError::Forked`], and [`StateError::Misuse`] for more than [`MAX_KEYS`] keys or a key given twice.
    pub fn transaction<T, E: From<StateError>>(
        &self,
        keys: &[Key],
        now: UnixNanos,
        work: impl FnOnce(&mut [Entry<'_>]) -> Result<T, E>,
    ) -> Result<T, E> {
        if keys.len() > MAX_KEYS {
            return Err(StateError::Misuse("a transaction over too many keys").into());
        }
        if keys.iter().enumerate().any(|(index, key)| keys.iter().skip(index + 1).any(|other| other == key)) {
            return Err(StateError::Misuse("a transaction over the same key twice").into());
        }
        let mut held = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries: Vec<Entry<'_>> = keys
            .iter()
            .map(|key| {
                match held.get(key).filter(|held| held.expires.is_none_or(|time| time.0 > now.0.max(held.seen))) {
                    Some(held) => Entry {
                        key: *key,
                        presence: held.presence,
                        now: UnixNanos(now.0.max(held.seen)),
                        expires: held.expires,
                        words: Cow::Owned(held.words.clone()),
                    },
                    None => Entry { key: *key, presence: Presence::New, now, expires: None, words: Cow::Borrowed(&[]) },
                }
            })
            .collect();
        let outcome = work(&mut entries)?;
        for entry in entries {
            if entry.presence != Presence::New {
                let words = entry.words.into_owned();
                held.insert(
                    entry.key,
                    Held { words, presence: entry.presence, seen: entry.now.0, expires: entry.expires },
                );
            }
        }
        Ok(outcome)
    }

    /// What the table holds.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner).len();
        Statistics { entries: entries as u64, ..Statistics::default() }
    }
}
