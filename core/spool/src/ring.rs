//! The ring in a shared mapping: reservation by compare-and-swap, commit by marker, consumption in order.

#![expect(unsafe_code, reason = "places records in mapped memory that several threads write to at once")]

use crate::layout::{
    ALIGN, Class, HEADER, MAGIC, MODE_RING, Progress, SEALED, SLOT_HEADER, Shape, VERSION, at, slot_size,
};
use crate::mapping::Mapping;
use crate::marker::Marker;
use crate::spool::Identity;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// The mapped ring. Positions are absolute and only grow; a position's place is `position & mask`.
///
/// Invariants: `tail <= head <= tail + capacity`; `[tail, head)` is divided into slots, each owned by the producer that
/// reserved it until its marker is stored, and by the consumer after; everything else belongs to nobody.
#[derive(Debug)]
pub(crate) struct Ring {
    map: Mapping,
    marker: Marker,
    capacity: u64,
    mask: u64,
}

/// A reserved range: what to write where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reserved {
    start: u64,
    /// Where the record's slot begins: `start`, or the ring's beginning after a pad.
    slot: u64,
    /// First position behind it.
    pub(crate) end: u64,
    /// Whether the ring is at least half full with it.
    pub(crate) pressed: bool,
}

/// What lies at a position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) shape: Shape,
    /// First position behind it.
    pub(crate) end: u64,
}

impl Ring {
    /// Maps `file`, which is allocated for the header and `capacity` bytes, and writes the header; the magic last, so that
    /// a spool whose creation was cut short is not taken for one.
    pub(crate) fn create(file: &File, capacity: u64, identity: &Identity) -> io::Result<Self> {
        let length = usize::try_from(capacity).map_err(io::Error::other)?.saturating_add(HEADER);
        let ring = Self {
            map: Mapping::shared(file, length)?,
            marker: Marker::new(identity.nonce),
            capacity,
            mask: capacity.wrapping_sub(1),
        };
        ring.word(at::VERSION_MODE).store(u64::from(VERSION) | u64::from(MODE_RING) << 32, Ordering::Relaxed);
        ring.word(at::CAPACITY).store(capacity, Ordering::Relaxed);
        ring.word(at::PID).store(u64::from(identity.pid), Ordering::Relaxed);
        for (offset, bytes) in [(at::STREAM, identity.stream), (at::NONCE, identity.nonce), (at::BOOT, identity.boot)] {
            // SAFETY: inside the header; the mapping is known to this thread alone.
            unsafe { ring.map.bytes_mut(offset, 16) }.copy_from_slice(&bytes);
        }
        ring.word(at::MAGIC).store(MAGIC, Ordering::Release);
        Ok(ring)
    }

    #[inline]
    fn word(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: callers pass constants of `layout::at`, multiples of 8 inside the header page, which is always mapped.
        unsafe { self.map.word(offset) }
    }

    /// The two words of the slot at `position`.
    #[inline]
    fn slot(&self, position: u64) -> (&AtomicU64, &AtomicU64) {
        debug_assert!(position.is_multiple_of(ALIGN), "slots are aligned");
        let offset = HEADER + (position & self.mask & !(ALIGN - 1)) as usize;
        // SAFETY: the mask keeps the offset below the capacity, and the alignment of 16 keeps both words before the end.
        unsafe { (self.map.word(offset), self.map.word(offset + 8)) }
    }

    #[inline]
    pub(crate) fn is_ours(&self) -> bool {
        self.map.is_ours()
    }

    pub(crate) fn populate(&self) {
        self.map.populate();
    }

    pub(crate) fn head(&self) -> u64 {
        self.word(at::HEAD).load(Ordering::SeqCst) & !SEALED
    }

    /// Whether nothing more may be appended.
    pub(crate) fn is_sealed(&self) -> bool {
        self.word(at::HEAD).load(Ordering::SeqCst) & SEALED != 0
    }

    /// No reservation succeeds after this; those made before are still committed.
    pub(crate) fn seal(&self) {
        self.word(at::HEAD).fetch_or(SEALED, Ordering::SeqCst);
    }

    pub(crate) fn tail(&self) -> u64 {
        self.word(at::TAIL).load(Ordering::SeqCst)
    }

    pub(crate) const fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The most bytes of payload a record may have: a quarter of the ring, so that a pad and a record always fit together.
    pub(crate) const fn limit(&self) -> usize {
        (self.capacity / 4) as usize - SLOT_HEADER
    }

    /// Counts a record that was refused; the count survives the process.
    pub(crate) fn refuse(&self) -> u64 {
        self.word(at::REFUSED).fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.word(at::REFUSED).load(Ordering::Relaxed)
    }

    /// What a payload of `length` needs at `head`: the pad before it and its slot.
    #[inline]
    fn needs(&self, head: u64, length: usize) -> (u64, u64) {
        let size = slot_size(length);
        let left = self.capacity - (head & self.mask);
        (if size > left { left } else { 0 }, size)
    }

    /// Whether a payload of `length` would find room now.
    pub(crate) fn has_room(&self, length: usize) -> bool {
        let (tail, head) = (self.tail(), self.head());
        let (pad, size) = self.needs(head, length);
        head.saturating_sub(tail).saturating_add(pad).saturating_add(size) <= self.capacity
    }

    /// Takes room for `length` bytes (at most [`Ring::limit`]); `None` if there is none now, or the ring is sealed.
    #[inline]
    pub(crate) fn reserve(&self, length: usize) -> Option<Reserved> {
        debug_assert!(length <= self.limit(), "the caller compares with the limit");
        let heads = self.word(at::HEAD);
        let mut head = heads.load(Ordering::Relaxed);
        loop {
            if head & SEALED != 0 {
                return None;
            }
            let (pad, size) = self.needs(head, length);
            let end = head.wrapping_add(pad).wrapping_add(size);
            // Acquire: the consumer has read what it released before this producer overwrites it.
            let tail = self.word(at::TAIL).load(Ordering::Acquire);
            let used = end.wrapping_sub(tail);
            if head < tail {
                // `head` was read long ago: what it says of room means nothing
                head = heads.load(Ordering::Acquire);
                continue;
            }
            if used > self.capacity {
                return None;
            }
            match heads.compare_exchange_weak(head, end, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => {
                    let slot = head.wrapping_add(pad);
                    return Some(Reserved { start: head, slot, end, pressed: used >= self.capacity / 2 });
                }
                Err(newer) => head = newer,
            }
        }
    }

    /// Fills a reserved range and commits it. A panic in `fill` commits it as abandoned, or the consumer would wait for ever.
    #[inline]
    pub(crate) fn fill(&self, reserved: Reserved, kind: u8, length: usize, fill: impl FnOnce(&mut [u8])) {
        struct Commit<'a> {
            ring: &'a Ring,
            slot: u64,
            shape: Shape,
        }
        impl Drop for Commit<'_> {
            fn drop(&mut self) {
                self.ring.commit(self.slot, self.shape);
            }
        }
        if reserved.slot != reserved.start {
            self.commit(reserved.start, Shape { length: 0, class: Class::Pad, kind: 0 });
        }
        let shape = Shape { length: length as u32, class: Class::Abandoned, kind };
        let mut commit = Commit { ring: self, slot: reserved.slot, shape };
        let offset = HEADER + (reserved.slot & self.mask) as usize + SLOT_HEADER;
        // SAFETY: `reserve` gave the range to this call alone and saw to it that it does not cross the ring's end; the
        // consumer reads it only after the marker below.
        fill(unsafe { self.map.bytes_mut(offset, length) });
        commit.shape.class = Class::Record;
    }

    #[inline]
    fn commit(&self, slot: u64, shape: Shape) {
        let (marker, word) = self.slot(slot);
        word.store(shape.pack(), Ordering::Relaxed);
        marker.store(self.marker.of(slot), Ordering::Release);
    }

    /// What is committed at `position`, or nothing. Only the consumer asks, and only between the tail and the head.
    pub(crate) fn committed(&self, position: u64) -> Option<Found> {
        let (marker, word) = self.slot(position);
        if marker.load(Ordering::Acquire) != self.marker.of(position) {
            return None;
        }
        let shape = Shape::unpack(word.load(Ordering::Relaxed))?;
        let left = self.capacity - (position & self.mask);
        let size = match shape.class {
            Class::Pad => left,
            Class::Record | Class::Abandoned => slot_size(shape.length as usize),
        };
        // a size that crosses the end was not written by `reserve`: treated as uncommitted
        (size <= left).then(|| Found { shape, end: position.wrapping_add(size) })
    }

    /// The payload of a record that [`Ring::committed`] found.
    ///
    /// The slice is valid until [`Ring::release`] passes it; `Consumer` ties the two by borrowing itself for both.
    pub(crate) fn payload(&self, position: u64, found: Found) -> &[u8] {
        let offset = HEADER + (position & self.mask) as usize + SLOT_HEADER;
        // SAFETY: `committed` checked that the slot ends before the ring does; its producer is done with it (marker,
        // acquired), and no other gets the range before the consumer releases it.
        unsafe { self.map.bytes(offset, found.shape.length as usize) }
    }

    /// Publishes progress: first where a later process finds it, then, with the room wiped, where producers do.
    pub(crate) fn release(&self, progress: Progress) {
        let next = (self.word(at::WHICH).load(Ordering::Relaxed) ^ 1) & 1;
        let entry = if next == 0 { at::PROGRESS[0] } else { at::PROGRESS[1] };
        for (index, value) in [progress.tail, progress.note, progress.refused, progress.base].into_iter().enumerate() {
            self.word(entry + index * 8).store(value, Ordering::Relaxed);
        }
        // Release, so that a process that looks after this one's death sees a whole entry.
        self.word(at::WHICH).store(next, Ordering::Release);
        // no byte may be wiped while the entry that holds still counts it: killed there, the record would be nowhere
        fence(Ordering::SeqCst);
        self.wipe(self.tail(), progress.tail);
        self.word(at::TAIL).store(progress.tail, Ordering::SeqCst);
    }

    /// Overwrites what the consumer is done with, so that a payload erased from the ledger is not in here still. Word by
    /// word, since other threads may ask for the markers meanwhile ([`Ring::committed`]).
    fn wipe(&self, from: u64, to: u64) {
        for position in (from..to).step_by(ALIGN as usize) {
            let (marker, word) = self.slot(position);
            marker.store(0, Ordering::Relaxed);
            word.store(0, Ordering::Relaxed);
        }
    }
}
