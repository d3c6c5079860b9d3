//! The one reader of a spool: takes records in their order and gives their room back, wiped.

use crate::layout::{Class, Progress};
use crate::spool::{Spool, Store};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What the consumer finds next.
#[derive(Debug, PartialEq, Eq)]
pub enum Read<'a> {
    /// A record.
    Record {
        /// What the producer said it is.
        kind: u8,
        /// Its bytes.
        payload: &'a [u8],
    },
    /// A record whose producer panicked while writing it.
    Abandoned,
    /// A record was begun and is not committed yet.
    Pending,
    /// There is nothing more.
    Empty,
}

/// The one reader of a spool. What it has read stays in the spool until it releases it.
#[derive(Debug)]
pub struct Consumer {
    spool: Arc<Spool>,
    /// Up to where it has read.
    at: u64,
    /// The record being looked at, in a plain spool.
    buffer: Vec<u8>,
}

impl Consumer {
    pub(crate) const fn new(spool: Arc<Spool>) -> Self {
        Self { spool, at: 0, buffer: Vec::new() }
    }

    /// The next record, in the order of reservation. The consumer stands behind it afterwards.
    ///
    /// # Errors
    /// Only of a plain spool, whose file could not be read.
    pub fn read(&mut self) -> io::Result<Read<'_>> {
        match &self.spool.store {
            Store::Ring(ring) => loop {
                if self.at == ring.head() {
                    return Ok(Read::Empty);
                }
                let place = self.at;
                let Some(found) = ring.committed(place) else { return Ok(Read::Pending) };
                self.at = found.end;
                match found.shape.class {
                    Class::Pad => {}
                    Class::Abandoned => return Ok(Read::Abandoned),
                    Class::Record => {
                        return Ok(Read::Record { kind: found.shape.kind, payload: ring.payload(place, found) });
                    }
                }
            },
            Store::Plain(plain) => {
                if self.at == plain.head() {
                    return Ok(Read::Empty);
                }
                let (kind, end) = plain.read(self.at, &mut self.buffer)?;
                self.at = end;
                Ok(Read::Record { kind, payload: &self.buffer })
            }
        }
    }

    /// Up to where it has read.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.at
    }

    /// Gives back everything read so far, overwritten, with a `note` and the number of refusals accounted for, both of which
    /// a later process finds if this one dies. Producers and waiters are woken.
    ///
    /// # Errors
    /// Only of a plain spool, whose file could not be written.
    pub fn release(&mut self, note: u64, refused: u64) -> io::Result<()> {
        let progress = Progress { tail: self.at, note, refused, base: 0 };
        match &self.spool.store {
            Store::Ring(ring) => ring.release(progress),
            Store::Plain(plain) => plain.release(progress)?,
        }
        self.spool.room.wake();
        Ok(())
    }

    /// Stands again behind what was released last: everything after it will be read again.
    pub fn rewind(&mut self) {
        self.at = self.spool.released();
    }

    /// Makes the pages of the ring writable ahead of use.
    pub fn populate(&self) {
        if let Store::Ring(ring) = &self.spool.store {
            ring.populate();
        }
    }

    /// Sleeps for `time`, or until the spool is half full or somebody wakes it. It may return early. Always from the
    /// same thread, as [`Consumer::park`].
    pub fn doze(&self, time: Duration) {
        self.spool.doorbell.sleep(false, Some(time), || self.waiting() >= self.spool.capacity() / 2);
    }

    /// Sleeps until there is a record to read or somebody wakes it, at most for `time` where there is one.
    pub fn park(&self, time: Option<Duration>) {
        self.spool.doorbell.sleep(true, time, || self.waiting() > 0);
    }

    /// Bytes appended and not read.
    fn waiting(&self) -> u64 {
        self.spool.head().saturating_sub(self.at)
    }

    /// The spool.
    #[must_use]
    pub const fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }
}
