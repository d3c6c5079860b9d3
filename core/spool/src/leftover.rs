//! Reading what a dead process left in its spool. No mapping and no unsafe code: the file is read once and searched.
//!
//! The caller holds the stream's lock, so nobody writes to the file meanwhile.

use crate::error::LeftoverError;
use crate::layout::{
    ALIGN, Class, HEADER, MAGIC, MODE_PLAIN, MODE_RING, Progress, SEALED, SLOT_HEADER, Shape, VERSION, at, slot_size,
};
use crate::marker::Marker;
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What a dead process left.
#[derive(Debug, Clone, Default)]
pub struct Leftover {
    /// The stream it wrote.
    pub stream: [u8; 16],
    /// The boot of the machine it ran in, as it was given to [`crate::Spool::create`].
    pub boot: [u8; 16],
    /// Its process id.
    pub pid: u32,
    /// What the consumer had noted with its last release.
    pub note: u64,
    /// Places between the tail and the head where a record was begun and not committed. Neighbouring ones count as one:
    /// where the first ended was never written down.
    pub skipped: u64,
    /// Records refused for want of room that the consumer had not accounted for.
    pub refused: u64,
    /// Records refused for want of room, accounted for or not.
    pub refused_in_all: u64,
    /// Whether the file has bytes and was never made a spool. One whose creation was cut short has none but zeros, unless
    /// the kill fell between two words of its header.
    pub stranger: bool,
    bytes: Vec<u8>,
    records: Vec<(u8, Range<usize>)>,
}

impl Leftover {
    /// The committed records after the tail, in order: the caller's kind and the payload.
    pub fn records(&self) -> impl ExactSizeIterator<Item = (u8, &[u8])> {
        self.records.iter().map(|(kind, range)| (*kind, self.bytes.get(range.clone()).unwrap_or_default()))
    }
}

/// Reads the spool at `path`. One whose creation was cut short holds nothing.
///
/// # Errors
/// The file cannot be read, is of another version, or has an impossible header.
pub fn read_leftover(path: &Path) -> Result<Leftover, LeftoverError> {
    let mut bytes = Vec::new();
    open(path)?.take((1 << 30) + HEADER as u64).read_to_end(&mut bytes)?;
    if word(&bytes, at::MAGIC) != Some(MAGIC) {
        return Ok(Leftover { stranger: bytes.iter().any(|byte| *byte != 0), ..Leftover::default() });
    }
    let [version, mode] = halves(word(&bytes, at::VERSION_MODE).unwrap_or(0));
    if version != VERSION {
        return Err(LeftoverError::Version(version));
    }
    let capacity = word(&bytes, at::CAPACITY).unwrap_or(0);
    if !capacity.is_power_of_two() || !(4096..=1 << 30).contains(&capacity) {
        return Err(LeftoverError::Damaged("its capacity is not one that is ever made"));
    }
    let progress = progress(&bytes);
    let marker = Marker::new(text(&bytes, at::NONCE));
    let [pid, _] = halves(word(&bytes, at::PID).unwrap_or(0));
    let mut leftover = Leftover {
        stream: text(&bytes, at::STREAM),
        boot: text(&bytes, at::BOOT),
        pid,
        note: progress.note,
        refused_in_all: word(&bytes, at::REFUSED).unwrap_or(0),
        refused: word(&bytes, at::REFUSED).unwrap_or(0).saturating_sub(progress.refused),
        ..Leftover::default()
    };
    match mode {
        MODE_RING => {
            let head = word(&bytes, at::HEAD).unwrap_or(0) & !SEALED;
            if !progress.tail.is_multiple_of(ALIGN)
                || head.checked_sub(progress.tail).is_none_or(|used| used > capacity)
            {
                return Err(LeftoverError::Damaged("its head and tail do not fit together"));
            }
            search_ring(&bytes, marker, capacity, progress.tail..head, &mut leftover);
        }
        MODE_PLAIN => follow_plain(&bytes, marker, progress, &mut leftover),
        _ => return Err(LeftoverError::Damaged("its mode is not one that is ever made")),
    }
    leftover.bytes = bytes;
    Ok(leftover)
}

/// Opens a spool for reading. Only a regular file is one: anything else put in its place could keep the reader waiting for
/// ever, or lead it elsewhere.
pub(crate) fn open(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// Looks at every aligned place between tail and head. Where a record was not committed, the next marker is found by
/// trying: a marker is a secret function of its position, so payload bytes are never mistaken for one.
fn search_ring(bytes: &[u8], marker: Marker, capacity: u64, span: Range<u64>, leftover: &mut Leftover) {
    let mask = capacity.wrapping_sub(1);
    let mut position = span.start;
    let mut in_gap = false;
    while position < span.end {
        let place = position & mask;
        let found = slot_at(bytes, HEADER + place as usize, marker, position);
        let sized = found.map(|shape| match shape.class {
            Class::Pad => (shape, capacity - place),
            Class::Record | Class::Abandoned => (shape, slot_size(shape.length as usize)),
        });
        match sized.filter(|(_, size)| *size <= capacity - place) {
            Some((shape, size)) => {
                in_gap = false;
                take(shape, HEADER + place as usize, leftover);
                position = position.wrapping_add(size);
            }
            None => {
                leftover.skipped += u64::from(!in_gap);
                in_gap = true;
                position = position.wrapping_add(ALIGN);
            }
        }
    }
}

/// Follows the records of a plain spool up to the first that is not whole: writes were serialised, so nothing is behind it.
fn follow_plain(bytes: &[u8], marker: Marker, progress: Progress, leftover: &mut Leftover) {
    let mut position = progress.tail;
    loop {
        let Ok(offset) = usize::try_from(position.wrapping_sub(progress.base)) else { return };
        let offset = offset.saturating_add(HEADER);
        let Some(shape) = slot_at(bytes, offset, marker, position) else { return };
        let size = slot_size(shape.length as usize);
        if bytes.len() < offset.saturating_add(SLOT_HEADER).saturating_add(shape.length as usize) {
            return;
        }
        take(shape, offset, leftover);
        position = position.wrapping_add(size);
    }
}

fn take(shape: Shape, offset: usize, leftover: &mut Leftover) {
    let start = offset + SLOT_HEADER;
    match shape.class {
        Class::Record => leftover.records.push((shape.kind, start..start + shape.length as usize)),
        Class::Abandoned => leftover.skipped += 1,
        Class::Pad => {}
    }
}

fn slot_at(bytes: &[u8], offset: usize, marker: Marker, position: u64) -> Option<Shape> {
    let words = bytes.get(offset..offset.checked_add(SLOT_HEADER)?)?;
    let (found, shape) = slot_words(words.try_into().ok()?);
    if found == marker.of(position) { shape } else { None }
}

/// The two words before a payload.
pub(crate) fn slot_words(words: &[u8; SLOT_HEADER]) -> (u64, Option<Shape>) {
    let both = u128::from_le_bytes(*words);
    (both as u64, Shape::unpack((both >> 64) as u64))
}

pub(crate) fn progress(bytes: &[u8]) -> Progress {
    let [first, second] = at::PROGRESS;
    let entry = if word(bytes, at::WHICH) == Some(0) { first } else { second };
    let value = |index: usize| word(bytes, entry + index * 8).unwrap_or(0);
    Progress { tail: value(0), note: value(1), refused: value(2), base: value(3) }
}

pub(crate) fn word(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(offset..offset + 8)?.try_into().ok()?))
}

fn text(bytes: &[u8], offset: usize) -> [u8; 16] {
    bytes.get(offset..offset + 16).and_then(|found| found.try_into().ok()).unwrap_or_default()
}

pub(crate) fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}
