//! The public face: a spool of either kind and its producers.

use crate::consumer::Consumer;
use crate::doorbell::Doorbell;
use crate::error::AppendError;
use crate::layout::{Class, HEADER, round_capacity};
use crate::plain::Plain;
use crate::ring::Ring;
use crate::room::Room;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Whose spool it is.
#[derive(Clone)]
pub struct Identity {
    /// The stream's 128 bits.
    pub stream: [u8; 16],
    /// Random and secret; commit markers depend on it.
    pub nonce: [u8; 16],
    /// The machine's boot, so that a later process can tell whether the page cache is still the one written to.
    pub boot: [u8; 16],
    /// The process.
    pub pid: u32,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("stream", &self.stream).field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// What happened so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes reserved and not released.
    pub used: u64,
    /// Bytes it holds at most.
    pub capacity: u64,
    /// Times a producer had to wait for room.
    pub waits: u64,
    /// Records refused for want of room.
    pub refused: u64,
}

#[derive(Debug)]
pub(crate) enum Store {
    Ring(Ring),
    Plain(Plain),
}

/// Where records lie until the consumer has them. Shared by all threads of the process that created it; a forked child
/// gets [`AppendError::Forked`].
#[derive(Debug)]
pub struct Spool {
    pub(crate) store: Store,
    pub(crate) doorbell: Doorbell,
    pub(crate) room: Room,
    waits: AtomicU64,
}

impl Spool {
    /// Creates the file at `path` (0600; it must not exist) with room for about `capacity` bytes (rounded up to a power of
    /// two, 4 KiB to 1 GiB), and the one consumer of it.
    ///
    /// # Errors
    /// The file exists, or cannot be created, allocated or mapped. A file that could not be made whole is removed.
    pub fn create(path: &Path, capacity: usize, identity: &Identity) -> io::Result<(Arc<Self>, Consumer)> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        let made = Self::fill(file, round_capacity(capacity), identity);
        if made.is_err() {
            let _the_first_error_says_more = std::fs::remove_file(path);
        }
        made
    }

    /// Like [`Spool::create`] as on a file system without shared mappings: one write(2) a record.
    ///
    /// # Errors
    /// As for [`Spool::create`].
    pub fn create_plain(path: &Path, capacity: usize, identity: &Identity) -> io::Result<(Arc<Self>, Consumer)> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Self::over(Store::Plain(Plain::create(file, round_capacity(capacity), identity)?)))
    }

    fn fill(file: File, capacity: u64, identity: &Identity) -> io::Result<(Arc<Self>, Consumer)> {
        allocate(&file, capacity + HEADER as u64)?;
        let store = match Ring::create(&file, capacity, identity) {
            Ok(ring) => Store::Ring(ring),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) => {
                Store::Plain(Plain::create(file, capacity, identity)?)
            }
            Err(error) => return Err(error),
        };
        Ok(Self::over(store))
    }

    fn over(store: Store) -> (Arc<Self>, Consumer) {
        let spool = Self { store, doorbell: Doorbell::default(), room: Room::default(), waits: AtomicU64::new(0) };
        let spool = Arc::new(spool);
        let consumer = Consumer::new(Arc::clone(&spool));
        (spool, consumer)
    }

    /// Appends a record of `length` bytes that `fill` writes (every byte of the slice it gets, which holds leftovers), and
    /// gives the position behind it. Without room it waits at most `patience`.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing was appended then, and a refusal for want of room is counted.
    #[inline]
    pub fn append(
        &self,
        kind: u8,
        length: usize,
        patience: Duration,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<u64, AppendError> {
        self.takes(length)?;
        match &self.store {
            Store::Ring(ring) => {
                let reserved = match ring.reserve(length) {
                    Some(reserved) => reserved,
                    None => self.wait_for(length, patience, || ring.reserve(length))?,
                };
                ring.fill(reserved, kind, length, fill);
                self.doorbell.after_append(reserved.pressed);
                Ok(reserved.end)
            }
            Store::Plain(plain) => self.append_plain(plain, kind, length, patience, fill),
        }
    }

    /// As [`Spool::append`] where there is room now; `None`, and nothing is counted, where there is none. For callers that give
    /// something up before they wait, with [`Spool::wait_for_room`].
    ///
    /// # Errors
    /// [`AppendError::Forked`], [`AppendError::TooLarge`], [`AppendError::Io`].
    #[inline]
    pub fn try_append(
        &self,
        kind: u8,
        length: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Option<u64>, AppendError> {
        self.takes(length)?;
        match &self.store {
            Store::Ring(ring) => Ok(ring.reserve(length).map(|reserved| {
                ring.fill(reserved, kind, length, fill);
                self.doorbell.after_append(reserved.pressed);
                reserved.end
            })),
            Store::Plain(plain) => {
                let end = plain.append(kind, length, fill)?;
                if let Some(end) = end {
                    self.doorbell.after_append(end.saturating_sub(plain.tail()) >= plain.capacity() / 2);
                }
                Ok(end)
            }
        }
    }

    /// Whether this process may append a record of `length` bytes at all.
    #[inline]
    fn takes(&self, length: usize) -> Result<(), AppendError> {
        if !self.is_ours() {
            return Err(AppendError::Forked);
        }
        if length > self.limit() {
            return Err(AppendError::TooLarge { size: length, limit: self.limit() });
        }
        Ok(())
    }

    #[cold]
    fn append_plain(
        &self,
        plain: &Plain,
        kind: u8,
        length: usize,
        patience: Duration,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<u64, AppendError> {
        // `has_room` is asked again under the lock of `append`; another producer may have been faster
        let mut fill = Some(fill);
        let mut attempt =
            || match plain.append(kind, length, |place| fill.take().into_iter().for_each(|fill| fill(place))) {
                Ok(None) => None,
                Ok(Some(end)) => Some(Ok(end)),
                Err(error) => Some(Err(error)),
            };
        let end = match attempt() {
            Some(outcome) => outcome,
            None => self.wait_for(length, patience, attempt)?,
        }?;
        self.doorbell.after_append(end.saturating_sub(plain.tail()) >= plain.capacity() / 2);
        Ok(end)
    }

    /// The way of a producer that found no room: wakes the consumer, sleeps until there is some, tries again.
    #[cold]
    fn wait_for<T>(
        &self,
        length: usize,
        patience: Duration,
        mut attempt: impl FnMut() -> Option<T>,
    ) -> Result<T, AppendError> {
        self.waits.fetch_add(1, Ordering::Relaxed);
        let deadline = Instant::now().checked_add(patience).unwrap_or_else(Instant::now);
        loop {
            self.room_until(length, deadline)?;
            if let Some(done) = attempt() {
                return Ok(done);
            }
        }
    }

    /// Waits as [`Spool::append`] does after [`Spool::try_append`] found no room; then it is tried again, as other producers
    /// may be faster. Each call counts as a wait.
    ///
    /// # Errors
    /// [`AppendError::Full`] where there is none at `deadline`, which is counted; [`AppendError::Sealed`],
    /// [`AppendError::Forked`].
    #[cold]
    pub fn wait_for_room(&self, length: usize, deadline: Instant) -> Result<(), AppendError> {
        self.takes(length)?;
        self.waits.fetch_add(1, Ordering::Relaxed);
        self.room_until(length, deadline)
    }

    fn room_until(&self, length: usize, deadline: Instant) -> Result<(), AppendError> {
        if self.is_sealed() {
            return Err(AppendError::Sealed);
        }
        self.doorbell.ring();
        if !self.room.wait(deadline, || self.has_room(length) || self.is_sealed()) {
            match &self.store {
                Store::Ring(ring) => ring.refuse(),
                Store::Plain(plain) => plain.refuse(),
            };
            return Err(AppendError::Full);
        }
        Ok(())
    }

    fn has_room(&self, length: usize) -> bool {
        match &self.store {
            Store::Ring(ring) => ring.has_room(length),
            Store::Plain(plain) => plain.has_room(length),
        }
    }

    /// Refuses every record from now on ([`AppendError::Sealed`]); what was reserved before will still be committed. The
    /// consumer that then reads up to [`Read::Empty`] has read everything that any caller was told was taken.
    pub fn seal(&self) {
        if self.is_ours() {
            match &self.store {
                Store::Ring(ring) => ring.seal(),
                Store::Plain(plain) => plain.seal(),
            }
            self.room.wake();
        }
    }

    fn is_sealed(&self) -> bool {
        match &self.store {
            Store::Ring(ring) => ring.is_sealed(),
            Store::Plain(plain) => plain.is_sealed(),
        }
    }

    /// Whether this process created it, rather than being forked from the one that did.
    #[inline]
    #[must_use]
    pub fn is_ours(&self) -> bool {
        match &self.store {
            Store::Ring(ring) => ring.is_ours(),
            Store::Plain(plain) => plain.is_ours(),
        }
    }

    /// The most bytes one record may have.
    #[inline]
    #[must_use]
    pub const fn limit(&self) -> usize {
        match &self.store {
            Store::Ring(ring) => ring.limit(),
            Store::Plain(plain) => plain.limit(),
        }
    }

    /// Where the next record will be appended; 0 in a child.
    #[must_use]
    pub fn head(&self) -> u64 {
        match &self.store {
            _ if !self.is_ours() => 0,
            Store::Ring(ring) => ring.head(),
            Store::Plain(plain) => plain.head(),
        }
    }

    /// Up to where the consumer has released; 0 in a child.
    #[must_use]
    pub fn released(&self) -> u64 {
        match &self.store {
            _ if !self.is_ours() => 0,
            Store::Ring(ring) => ring.tail(),
            Store::Plain(plain) => plain.tail(),
        }
    }

    /// Wakes the consumer now instead of at its next tick.
    pub fn wake_consumer(&self) {
        self.doorbell.ring();
    }

    /// Waits until everything before `position` was released, at most until `deadline`; whether it was.
    #[must_use]
    pub fn wait_released(&self, position: u64, deadline: Instant) -> bool {
        self.is_ours() && self.room.wait(deadline, || self.released() >= position)
    }

    /// Waits until everything before `position` was released or `gone` says that nobody will.
    #[must_use]
    pub fn wait_released_unless(&self, position: u64, deadline: Instant, gone: impl Fn() -> bool) -> bool {
        self.is_ours()
            && self.room.wait(deadline, || self.released() >= position || gone())
            && self.released() >= position
    }

    /// Wakes those who wait in [`Spool::wait_released_unless`], so that they ask again whether anybody will.
    pub fn wake_waiters(&self) {
        self.room.wake();
    }

    pub(crate) const fn capacity(&self) -> u64 {
        match &self.store {
            Store::Ring(ring) => ring.capacity(),
            Store::Plain(plain) => plain.capacity(),
        }
    }

    /// How many records were appended and not released, as far as they are committed without a gap. Walks over them; a
    /// consumer that moves meanwhile makes it an estimate.
    #[must_use]
    pub fn pending(&self) -> u64 {
        let mut position = self.released();
        let mut count = 0;
        let head = self.head();
        let mut buffer = Vec::new();
        while position < head {
            position = match &self.store {
                Store::Ring(ring) => {
                    let Some(found) = ring.committed(position) else { break };
                    count += u64::from(found.shape.class == Class::Record);
                    found.end
                }
                Store::Plain(plain) => {
                    let Ok((_, end)) = plain.read(position, &mut buffer) else { break };
                    count += 1;
                    end
                }
            };
        }
        count
    }

    /// What happened so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let waits = self.waits.load(Ordering::Relaxed);
        let used = self.head().saturating_sub(self.released());
        match &self.store {
            _ if !self.is_ours() => Statistics { used: 0, capacity: 0, waits: 0, refused: 0 },
            Store::Ring(ring) => Statistics { used, capacity: self.capacity(), waits, refused: ring.refused() },
            Store::Plain(plain) => Statistics { used, capacity: self.capacity(), waits, refused: plain.refused() },
        }
    }
}

/// Allocates `length` bytes on the disk, so that a full disk is an error here and never a signal later.
fn allocate(file: &File, length: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, length) {
        Ok(()) => {}
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS | rustix::io::Errno::INVAL) => {
            let zeros = [0u8; HEADER];
            for offset in (0..length).step_by(HEADER) {
                file.write_all_at(&zeros, offset)?;
            }
        }
        Err(error) => return Err(error.into()),
    }
    file.set_len(length)
}
