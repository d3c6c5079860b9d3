//! The ring that holds records from the moment a call is decided until the writer has put them into the ledger.
//!
//! One process creates a [`Spool`] for its stream; any of its threads appends ([`Spool::append`]), one thread consumes
//! ([`Consumer`]). The ring is a file mapped shared, so that what was appended survives the death of the process (not of
//! the machine) without a system call on the way. Another process reads what a dead one left with [`read_leftover`].
//!
//! What holds:
//! - A record is visible to a reader only after its commit marker, which is the absolute position of the record under a
//!   secret nonce. A marker of an earlier lap, or one written by a record's own bytes, never matches.
//! - Room that was given back is overwritten first: a spool holds nothing but what its consumer has not taken.
//! - The file is allocated before it is mapped, so that no access can fail for want of disk space.
//! - A forked child never touches its parent's mapping: every entry point compares [`generation`] first.
//! - All unsafe code of Counterseal's core is in this crate, in `mapping`, `ring`, `fork`, `shared` and `writeback`.
//!
//! The same crate lends the words of the table that a home's processes share ([`SharedWords`]) and has the locks over them that
//! outlive their holder ([`owned`]).

mod consumer;
mod doorbell;
mod error;
mod extent;
mod fork;
mod layout;
mod leftover;
mod mapping;
mod marker;
pub mod owned;
mod plain;
mod ring;
mod room;
mod shared;
mod spool;
mod writeback;

pub use consumer::{Consumer, Read};
pub use error::{AppendError, LeftoverError};
pub use extent::{Extent, read_extent};
pub use fork::generation;
pub use leftover::{Leftover, read_leftover};
pub use shared::SharedWords;
pub use spool::{Identity, Spool, Statistics};
pub use writeback::start_writeback;
