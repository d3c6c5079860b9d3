//! The fallback for file systems without shared mappings: every record is one write(2) at the end of the file.
//!
//! Slots look as in a ring. The file grows up to the capacity and is cut to its header when everything in it was consumed.

use crate::layout::{Class, HEADER, MAGIC, MODE_PLAIN, Progress, SLOT_HEADER, Shape, VERSION, at, slot_size};
use crate::marker::Marker;
use crate::spool::Identity;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The file and how far it is written and consumed.
#[derive(Debug)]
pub(crate) struct Plain {
    file: File,
    marker: Marker,
    capacity: u64,
    generation: u64,
    head: AtomicU64,
    tail: AtomicU64,
    refused: AtomicU64,
    /// Held while the file is written or cut: here every record costs a system call anyway.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The position of the first byte after the header.
    base: u64,
    which: u64,
    sealed: bool,
    buffer: Vec<u8>,
}

impl Plain {
    pub(crate) fn create(file: File, capacity: u64, identity: &Identity) -> io::Result<Self> {
        file.set_len(0)?;
        let mut header = vec![0u8; HEADER];
        let version = u64::from(VERSION) | u64::from(MODE_PLAIN) << 32;
        let words = [(at::VERSION_MODE, version), (at::CAPACITY, capacity), (at::PID, u64::from(identity.pid))];
        let texts = [(at::STREAM, identity.stream), (at::NONCE, identity.nonce), (at::BOOT, identity.boot)];
        let words = words.map(|(offset, word)| (offset, word.to_le_bytes().to_vec()));
        for (offset, bytes) in words.into_iter().chain(texts.map(|(offset, text)| (offset, text.to_vec()))) {
            if let Some(place) = header.get_mut(offset..offset + bytes.len()) {
                place.copy_from_slice(&bytes);
            }
        }
        file.write_all_at(&header, 0)?;
        file.write_all_at(&MAGIC.to_le_bytes(), at::MAGIC as u64)?;
        let state = Mutex::new(State::default());
        let (head, tail, refused) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let generation = crate::fork::generation();
        Ok(Self { file, marker: Marker::new(identity.nonce), capacity, generation, head, tail, refused, state })
    }

    pub(crate) fn is_ours(&self) -> bool {
        crate::fork::generation() == self.generation
    }

    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::SeqCst)
    }

    pub(crate) fn tail(&self) -> u64 {
        self.tail.load(Ordering::SeqCst)
    }

    pub(crate) const fn capacity(&self) -> u64 {
        self.capacity
    }

    pub(crate) const fn limit(&self) -> usize {
        (self.capacity / 4) as usize - SLOT_HEADER
    }

    pub(crate) fn refuse(&self) -> u64 {
        self.refused.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).sealed
    }

    pub(crate) fn seal(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).sealed = true;
    }

    pub(crate) fn has_room(&self, length: usize) -> bool {
        self.head().saturating_sub(self.tail()).saturating_add(slot_size(length)) <= self.capacity
    }

    /// Writes one record; its end, or `None` without room or once sealed. A write that fails or stops halfway leaves the head where it
    /// was, so that the next one overwrites it.
    pub(crate) fn append(&self, kind: u8, length: usize, fill: impl FnOnce(&mut [u8])) -> io::Result<Option<u64>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.sealed || !self.has_room(length) {
            return Ok(None);
        }
        let head = self.head();
        let shape = Shape { length: length as u32, class: Class::Record, kind };
        let base = state.base;
        let buffer = &mut state.buffer;
        buffer.clear();
        buffer.extend_from_slice(&self.marker.of(head).to_le_bytes());
        buffer.extend_from_slice(&shape.pack().to_le_bytes());
        buffer.resize(slot_size(length) as usize, 0);
        if let Some(payload) = buffer.get_mut(SLOT_HEADER..SLOT_HEADER + length) {
            fill(payload);
        }
        self.file.write_all_at(buffer, HEADER as u64 + head.wrapping_sub(base))?;
        let end = head.wrapping_add(buffer.len() as u64);
        self.head.store(end, Ordering::SeqCst);
        Ok(Some(end))
    }

    /// Reads the record at `position` into `buffer`; its kind and end.
    pub(crate) fn read(&self, position: u64, buffer: &mut Vec<u8>) -> io::Result<(u8, u64)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = HEADER as u64 + position.wrapping_sub(state.base);
        let mut words = [0u8; SLOT_HEADER];
        self.file.read_exact_at(&mut words, offset)?;
        let (marker, shape) = crate::leftover::slot_words(&words);
        let shape = shape.filter(|_| marker == self.marker.of(position));
        let shape = shape.ok_or_else(|| io::Error::other("the spool file was changed by somebody else"))?;
        buffer.clear();
        buffer.resize(shape.length as usize, 0);
        self.file.read_exact_at(buffer, offset + SLOT_HEADER as u64)?;
        Ok((shape.kind, position.wrapping_add(slot_size(shape.length as usize))))
    }

    /// Publishes progress, and overwrites what the consumer is done with, or cuts the file when nothing is left in it.
    pub(crate) fn release(&self, mut progress: Progress) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = progress.tail == self.head();
        progress.base = if empty { progress.tail } else { state.base };
        let next = state.which ^ 1;
        let [first, second] = at::PROGRESS;
        let entry = if next == 0 { first } else { second };
        let mut bytes = Vec::with_capacity(32);
        for value in [progress.tail, progress.note, progress.refused, progress.base] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        self.file.write_all_at(&bytes, entry as u64)?;
        self.file.write_all_at(&next.to_le_bytes(), at::WHICH as u64)?;
        state.which = next;
        let from = HEADER as u64 + self.tail().wrapping_sub(state.base);
        state.base = progress.base;
        if empty {
            self.file.set_len(HEADER as u64)?;
        } else {
            self.wipe(from, progress.tail.saturating_sub(self.tail()))?;
        }
        self.file.write_all_at(&progress.tail.to_le_bytes(), at::TAIL as u64)?;
        self.tail.store(progress.tail, Ordering::SeqCst);
        Ok(())
    }

    fn wipe(&self, mut from: u64, mut length: u64) -> io::Result<()> {
        let zeros = [0u8; HEADER];
        while length > 0 {
            let now = zeros.get(..usize::try_from(length).unwrap_or(HEADER)).unwrap_or(&zeros);
            self.file.write_all_at(now, from)?;
            from += now.len() as u64;
            length -= now.len() as u64;
        }
        Ok(())
    }
}
