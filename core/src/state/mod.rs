//! What the processes of a home remember together: what sessions did, what limits have left.
//!
//! A [`State`] is a table of entries. An entry is a run of 64-bit words under a [`Key`]; what the words mean is the business
//! of whoever owns the key's [`Kind`]. A [`State::transaction`] lends the entries of several keys at once and nobody else
//! sees or changes them meanwhile, so that several limits are checked and reserved as one.
//!
//! What holds:
//! - A transaction is whole or not at all, also when its process is killed in the middle: what it had written by then is taken back
//!   by whoever needs the entries next. What a caller was told was done stays done.
//! - The table is bounded ([`Options::max_bytes`]). Entries whose time has passed ([`Entry::expire_at`]) make room
//!   first, then the least recently used of a sample. A key that made room is remembered, so that it reads as [`Presence::Evicted`] and never as
//!   [`Presence::New`]: its history is unknown, which is not the same as empty.
//! - Time does not go back inside an entry ([`Entry::now`]).
//! - Every failure is a [`StateError`], which the caller turns into a decision that is stricter, never looser.

mod check;
mod edit;
mod entry;
mod error;
mod filter;
mod index;
mod key;
mod layout;
mod owner;
mod pages;
mod room;
mod table;
mod transaction;

pub use entry::{Entry, Presence};
pub use error::StateError;
pub use key::{Key, Kind};
pub use table::{MAX_KEYS, MAX_WORDS, Options, State, Statistics};

#[cfg(test)]
mod tests;
