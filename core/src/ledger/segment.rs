//! Appends records to a segment and payloads to its sidecar: the one place where a stream's chain grows.
//!
//! Lines collect in memory until [`SegmentAppender::flush`] writes them at the offset where the file's good part ends, so
//! a write that failed half way (a full disk) is repeated over its own remains. Payloads are written before the records
//! that hold their hashes.

use super::entropy::Entropy;
use super::entry::{ActionId, Completed, Decided, Part};
use super::event::{ApprovalChange, Closed, Control, Dropped, Erased, Opened, PolicyChange, Pruned, Recovered};
use super::files::{create_file, io_error, sync_directory};
use super::home::{Home, HomeLock};
use super::id::StreamId;
use super::index::{IndexLine, IndexTree, Seal};
use super::merkle::Tree;
use super::record::{Position, Renderer, push_sidecar_line};
use crate::clock::UnixNanos;
use crate::error::{Error, ErrorCode};
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;

/// Name and version of the product, as `opened` records say them.
pub const PRODUCT: (&str, &str) = ("counterseal", env!("CARGO_PKG_VERSION"));

/// The action id under which payloads of records without one lie.
pub const NO_ACTION: ActionId = ActionId([0; 16]);

/// A file that only grows, with what is still to be written.
#[derive(Debug)]
pub(crate) struct GrowingFile {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    /// Bytes that are on the disk for certain.
    pub(crate) written: u64,
    /// What follows them. Kept until it was synced: after a failed sync the kernel may forget what it did not write, and say
    /// so only once, so everything since the last good sync is written again.
    pub(crate) pending: Vec<u8>,
    /// How much of `pending` was handed to the kernel.
    pub(crate) flushed: usize,
}

impl GrowingFile {
    fn create(path: PathBuf) -> Result<Self, Error> {
        let file = create_file(&path)?;
        Ok(Self { path, file, written: 0, pending: Vec::new(), flushed: 0 })
    }

    fn flush(&mut self) -> Result<(), Error> {
        let Some(new) = self.pending.get(self.flushed..).filter(|new| !new.is_empty()) else { return Ok(()) };
        self.file
            .write_all_at(new, self.written + self.flushed as u64)
            .map_err(|error| io_error(&self.path, "written", &error))?;
        self.flushed = self.pending.len();
        Ok(())
    }

    /// Hands what is there to the kernel and the disk without waiting for either to be done.
    /// Whether the kernel took it; a failure shows again, and is told, at the next flush.
    fn start(&mut self) -> bool {
        let (from, before) = (self.written + self.flushed as u64, self.flushed);
        let taken = self.flush().is_ok();
        if taken {
            counterseal_spool::start_writeback(&self.file, from, (self.flushed - before) as u64);
        }
        taken
    }

    const fn unflushed(&self) -> usize {
        self.pending.len() - self.flushed
    }

    /// A file without a name takes every byte and keeps none.
    fn check_linked(&self) -> Result<(), Error> {
        let found = self.file.metadata().map_err(|error| io_error(&self.path, "read", &error))?;
        if found.nlink() > 0 {
            return Ok(());
        }
        let message = format!(
            "`{}` was removed while it was written; restart the process once the home is back",
            self.path.display()
        );
        Err(Error::new(ErrorCode::LedgerNotFound, message).with("path", self.path.display()))
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.flush()?;
        if !self.pending.is_empty() {
            if let Err(error) = self.file.sync_data() {
                self.flushed = 0;
                return Err(io_error(&self.path, "synced", &error));
            }
            self.check_linked()?;
            self.written += self.pending.len() as u64;
            self.pending.clear();
            self.flushed = 0;
        }
        Ok(())
    }
}

/// An open segment of a stream. Whoever has one holds the stream's lock.
#[derive(Debug)]
pub struct SegmentAppender {
    pub(crate) stream: StreamId,
    pub(crate) segment: u32,
    pub(crate) at: Position,
    pub(crate) tree: Tree,
    pub(crate) records: GrowingFile,
    pub(crate) sidecar: GrowingFile,
    pub(crate) renderer: Renderer,
    pub(crate) entropy: Entropy,
    /// Reused for each record's hashes.
    pub(crate) hashes: Vec<(&'static str, Option<[u8; 32]>)>,
    pub(crate) rotation: Rotation,
}

/// How far [`SegmentAppender::rotate`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rotation {
    Open,
    Closed,
    NextOpened,
}

impl SegmentAppender {
    /// Opens a segment: its line in the index, then its files, then its `opened` record (not yet flushed). The stream's
    /// directory exists.
    ///
    /// # Errors
    /// [`crate::ErrorCode::LedgerIo`] where the disk fails or the segment exists.
    pub fn create(
        lock: &HomeLock<'_>,
        index: &mut IndexTree,
        stream: StreamId,
        segment: u32,
        at: Position,
        time: UnixNanos,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        lock.append_index(index, &[IndexLine::Opened { time, stream, segment, prev: at.prev }])?;
        Self::create_files(lock.home(), stream, segment, at, time, entropy)
    }

    /// [`Self::create`] for a segment whose line is in the index already: its process died before it made the files.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_files(
        home: &Home,
        stream: StreamId,
        segment: u32,
        at: Position,
        time: UnixNanos,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        let mut appender = Self {
            stream,
            segment,
            at,
            tree: Tree::new(),
            sidecar: GrowingFile::create(home.sidecar_path(stream, segment))?,
            records: GrowingFile::create(home.segment_path(stream, segment))?,
            renderer: Renderer::default(),
            entropy,
            hashes: Vec::new(),
            rotation: Rotation::Open,
        };
        sync_directory(&home.stream_path(stream))?;
        let opened = Opened { stream, segment, product: PRODUCT, home: home.id(), digest_key: home.digest_key_check() };
        appender.append(|renderer, out, at| renderer.opened(out, at, time, &opened));
        Ok(appender)
    }

    fn append(&mut self, render: impl FnOnce(&mut Renderer, &mut Vec<u8>, Position) -> [u8; 32]) {
        let hash = render(&mut self.renderer, &mut self.records.pending, self.at);
        self.tree.push(&hash);
        self.at = Position { seq: self.at.seq + 1, prev: hash };
    }

    /// Puts parts into the sidecar and their hashes into `self.hashes`.
    fn append_parts(&mut self, action: ActionId, parts: &[Part<'_>]) -> Result<(), Error> {
        self.hashes.clear();
        let start = self.sidecar.pending.len();
        for part in parts {
            if part.canonical.is_empty() {
                self.hashes.push((part.name, None));
                continue;
            }
            match self.entropy.draw() {
                Ok(salt) => {
                    let hash = push_sidecar_line(&mut self.sidecar.pending, action, part.name, &salt, part.canonical);
                    self.hashes.push((part.name, Some(hash)));
                }
                Err(error) => {
                    // a payload without its record would be taken for an added one
                    self.sidecar.pending.truncate(start);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Appends a `decided` record and its payloads.
    ///
    /// # Errors
    /// [`crate::ErrorCode::LedgerIo`] where there is no randomness for a salt; nothing is appended then.
    pub fn decided<S: AsRef<str>>(&mut self, decided: &Decided<'_, S>) -> Result<(), Error> {
        self.append_parts(decided.action_id, decided.parts)?;
        let hashes = std::mem::take(&mut self.hashes);
        self.append(|renderer, out, at| renderer.decided(out, at, decided, &hashes));
        self.hashes = hashes;
        Ok(())
    }

    /// Appends a `completed` record and its payloads.
    ///
    /// # Errors
    /// As [`Self::decided`].
    pub fn completed(&mut self, completed: &Completed<'_>) -> Result<(), Error> {
        self.append_parts(completed.action_id, completed.parts)?;
        let hashes = std::mem::take(&mut self.hashes);
        self.append(|renderer, out, at| renderer.completed(out, at, completed, &hashes));
        self.hashes = hashes;
        Ok(())
    }

    /// Appends an `approval` record and its payloads.
    ///
    /// # Errors
    /// As [`Self::decided`].
    pub fn approval(&mut self, time: UnixNanos, approval: &ApprovalChange<'_>) -> Result<(), Error> {
        self.append_parts(approval.action_id, approval.parts)?;
        let hashes = std::mem::take(&mut self.hashes);
        self.append(|renderer, out, at| renderer.approval(out, at, time, approval, &hashes));
        self.hashes = hashes;
        Ok(())
    }

    /// Appends a `control` record and its payloads.
    ///
    /// # Errors
    /// As [`Self::decided`].
    pub fn control(&mut self, time: UnixNanos, control: &Control<'_>) -> Result<(), Error> {
        self.append_parts(NO_ACTION, control.parts)?;
        let hashes = std::mem::take(&mut self.hashes);
        self.append(|renderer, out, at| renderer.control(out, at, time, control, &hashes));
        self.hashes = hashes;
        Ok(())
    }

    /// Appends a `recovered` record.
    pub fn recovered(&mut self, time: UnixNanos, recovered: &Recovered) {
        self.append(|renderer, out, at| renderer.recovered(out, at, time, recovered));
    }

    /// Appends a `policy` record.
    pub fn policy(&mut self, time: UnixNanos, policy: &PolicyChange<'_>) {
        self.append(|renderer, out, at| renderer.policy(out, at, time, policy));
    }

    /// Appends an `erased` record.
    pub fn erased(&mut self, time: UnixNanos, erased: &Erased<'_>) {
        self.append(|renderer, out, at| renderer.erased(out, at, time, erased));
    }

    /// Appends a `pruned` record.
    pub fn pruned(&mut self, time: UnixNanos, pruned: &Pruned) {
        self.append(|renderer, out, at| renderer.pruned(out, at, time, pruned));
    }

    /// Appends a `dropped` record.
    pub fn dropped(&mut self, time: UnixNanos, dropped: &Dropped<'_>) {
        self.append(|renderer, out, at| renderer.dropped(out, at, time, dropped));
    }

    /// Appends a `closed` record, the last of its stream.
    pub fn closed(&mut self, time: UnixNanos, dropped: u64, counted: &[(&str, u64)]) {
        let closed = Closed { records: self.at.seq - 1, dropped, counted };
        self.append(|renderer, out, at| renderer.closed(out, at, time, &closed));
    }

    /// Writes what was appended: payloads first.
    ///
    /// # Errors
    /// [`crate::ErrorCode::LedgerIo`] where the disk fails; the next flush repeats it, nothing is lost or doubled.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.sidecar.flush()?;
        self.records.flush()
    }

    /// Starts the disk on what was appended once that is worth it, so that the next sync finds less to wait for.
    pub(crate) fn start_early(&mut self) {
        /// Large enough for a disk to be busy with, small enough to be started several times in a group.
        const WORTH: usize = 1 << 20;
        // payloads first here too: a kill must not leave a record without its payload
        if self.sidecar.unflushed() + self.records.unflushed() >= WORTH && self.sidecar.start() {
            self.records.start();
        }
    }

    /// Flushes, and waits until the disk has it.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn sync(&mut self) -> Result<(), Error> {
        self.flush()?;
        self.sidecar.sync()?;
        self.records.sync()
    }

    /// What `sealed` and `closed` lines of the index say of the segment. Everything appended is synced before it is said.
    #[must_use]
    pub fn seal(&self, time: UnixNanos) -> Seal {
        Seal {
            time,
            stream: self.stream,
            segment: self.segment,
            records: self.tree.size(),
            bytes: self.bytes(),
            root: self.tree.root(),
            last: self.at.prev,
        }
    }

    /// Closes the segment for good in the index and opens the next one of the stream.
    ///
    /// # Errors
    /// As [`Self::create`]. Called again, it goes on where it failed; nothing may be appended in between.
    pub fn rotate(&mut self, lock: &HomeLock<'_>, index: &mut IndexTree, time: UnixNanos) -> Result<(), Error> {
        let (stream, segment, prev) = (self.stream, self.segment + 1, self.at.prev);
        if self.rotation == Rotation::Open {
            self.sync()?;
            lock.append_index(index, &[IndexLine::Closed(self.seal(time))])?;
            self.rotation = Rotation::Closed;
        }
        if self.rotation == Rotation::Closed {
            lock.append_index(index, &[IndexLine::Opened { time, stream, segment, prev }])?;
            self.rotation = Rotation::NextOpened;
        }
        let mut next = Self::create_files(lock.home(), stream, segment, self.at, time, Entropy::system())?;
        std::mem::swap(&mut next.entropy, &mut self.entropy);
        *self = next;
        Ok(())
    }

    /// The stream.
    #[must_use]
    pub const fn stream(&self) -> StreamId {
        self.stream
    }

    /// The segment's number.
    #[must_use]
    pub const fn segment(&self) -> u32 {
        self.segment
    }

    /// Where the next record will stand.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.at
    }

    /// Records in the segment, flushed or not.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.tree.size()
    }

    /// Bytes of the segment, flushed or not.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.records.written + self.records.pending.len() as u64
    }

    /// Bytes appended and not yet synced, sidecar included.
    #[must_use]
    pub const fn pending(&self) -> usize {
        self.records.pending.len() + self.sidecar.pending.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::entry::{Outcome, ResultEntry};
    use crate::ledger::ratchet::{checkpoint, last_note};

    #[test]
    fn a_stream_is_chained_sealed_and_signed() {
        let folder = tempfile::tempdir().unwrap();
        let mut entropy = Entropy::fixed([1; 32]);
        let home = Home::open_or_create(&folder.path().join("home"), &mut entropy).unwrap();
        let mut index = IndexTree::new();
        let stream = StreamId(entropy.draw().unwrap());
        home.make_stream(stream).unwrap();
        let (time, salts) = (UnixNanos(1), Entropy::fixed([2; 32]));
        let mut open =
            SegmentAppender::create(&home.lock().unwrap(), &mut index, stream, 1, Position::START, time, salts)
                .unwrap();
        for id in 0..3 {
            open.completed(&Completed {
                action_id: ActionId([id; 16]),
                time,
                outcome: Outcome::Success,
                duration: 5,
                result: ResultEntry::Uncaptured,
                cost: None,
                tokens: Some(3),
                parts: &[Part { name: "result", canonical: b"[1]" }],
            })
            .unwrap();
        }
        open.rotate(&home.lock().unwrap(), &mut index, time).unwrap();
        open.closed(time, 0, &[("condition_failed", 2)]);
        open.sync().unwrap();
        let first = std::fs::read_to_string(home.segment_path(stream, 1)).unwrap();
        let second = std::fs::read_to_string(home.segment_path(stream, 2)).unwrap();
        let lines: Vec<&str> = first.lines().chain(second.lines()).collect();
        let mut prev = "0".repeat(64);
        for (nth, line) in lines.iter().enumerate() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!((value["seq"].as_u64(), value["prev"].as_str()), (Some(nth as u64 + 1), Some(prev.as_str())));
            prev = value["hash"].as_str().unwrap().to_owned();
        }
        assert_eq!(lines.len(), 6);
        for size in 1..4 {
            let mut sunk = String::new();
            let lock = home.lock().unwrap();
            let line = IndexLine::Sealed(open.seal(time));
            checkpoint(&lock, &mut index, &[line], time, &mut entropy, &mut |note| {
                sunk.push_str(note);
                Ok(())
            })
            .unwrap();
            let note = last_note(&home).unwrap().unwrap();
            assert_eq!((note.checkpoint.size, note.checkpoint.root), (3 + size, index.root()));
            assert_eq!(crate::ledger::note::Note::parse(&sunk), Some(note));
        }
        // another process sees the same tree
        let mut other = IndexTree::new();
        home.lock().unwrap().catch_up(&mut other).unwrap();
        assert_eq!(other.root(), index.root());
    }
}
