//! Taking over the streams of dead processes: their tails repaired, their spools emptied, their last segment closed.
//!
//! Every step leaves a state that the next adopter goes on from, whoever it is and wherever the one before was killed. What
//! was taken from a spool is told by counting: the spool notes up to which number its records are in the segment, and
//! records follow each other in both in the same order.

mod segment;
mod streams;

use super::entropy::Entropy;
use super::event::{Dropped, Recovered};
use super::files::{io_error, sync_directory};
use super::home::{Home, trust};
use super::id::StreamId;
use super::index::{IndexLine, IndexTree};
use super::live::boot_id;
use super::lock::FileLock;
use super::ratchet::checkpoint;
use super::segment::SegmentAppender;
use crate::clock::Clock;
use crate::error::{Error, ErrorCode};
use counterseal_spool::{Leftover, LeftoverError, read_leftover};
use segment::Tail;
use std::io::ErrorKind;
use std::path::Path;
use streams::Streams;

/// What came of looking for orphans.
#[derive(Debug, Default)]
pub(crate) struct Adoption {
    /// Streams taken over.
    pub(crate) adopted: u64,
    /// Why the first of those that could not be was not.
    pub(crate) error: Option<Error>,
}

impl Adoption {
    pub(crate) fn into_result(self) -> Result<u64, Error> {
        self.error.map_or(Ok(self.adopted), Err)
    }
}

/// Takes over every stream of the home that is not closed and whose process is dead. A stream that cannot be taken over is
/// left as it is and does not hold up the others.
/// Each checkpoint goes to `sink` too, which stands for all outside sinks.
pub(crate) fn adopt_orphans(home: &Home, clock: &Clock, sink: &mut dyn FnMut(&str) -> Result<(), Error>) -> Adoption {
    let mut adoption = Adoption::default();
    let mut adopter = Adopter { home, clock, sink, streams: Streams::default(), index: IndexTree::new() };
    let found = adopter.streams.refresh(home).and_then(|()| home.streams());
    let found = found.unwrap_or_else(|error| {
        adoption.error = Some(error);
        Vec::new()
    });
    for stream in found {
        match adopter.adopt(stream) {
            Ok(true) => adoption.adopted += 1,
            Ok(false) => {}
            Err(error) => {
                adoption.error.get_or_insert(error.with("stream", stream));
            }
        }
    }
    adoption
}

struct Adopter<'a> {
    home: &'a Home,
    clock: &'a Clock,
    sink: &'a mut dyn FnMut(&str) -> Result<(), Error>,
    streams: Streams,
    index: IndexTree,
}

impl Adopter<'_> {
    /// A stream is done when its spool is gone and its last segment closed: looking costs one `stat`.
    fn is_done(&self, stream: StreamId) -> bool {
        !self.streams.is_open(stream) && !self.spool_path(stream).exists()
    }

    fn spool_path(&self, stream: StreamId) -> std::path::PathBuf {
        self.home.stream_path(stream).join("spool")
    }

    /// Takes over one stream; `false` where it lives, or is done.
    fn adopt(&mut self, stream: StreamId) -> Result<bool, Error> {
        if self.is_done(stream) {
            return Ok(false);
        }
        // people whom its process asked must not take this one for it
        let Some(_lock) = FileLock::try_inherit(&self.home.stream_lock_path(stream))? else { return Ok(false) };
        // it may have closed, or been taken over, between the first look and the lock
        self.streams.refresh(self.home)?;
        if self.is_done(stream) {
            return Ok(false);
        }
        trust::check_stream(&self.home.stream_path(stream))?;
        let spool_path = self.spool_path(stream);
        let leftover = read_spool(&spool_path)?;
        let tail = segment::repair(self.home, &self.streams, stream, leftover.note, self.clock.now())?;
        if !tail.stream_closed {
            self.append_rest(stream, &leftover, tail)?;
        } else if let Some(appender) = tail.open {
            self.close(&appender)?;
        }
        match std::fs::remove_file(&spool_path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io_error(&spool_path, "removed", &error)),
            _ => {}
        }
        sync_directory(&self.home.stream_path(stream))?;
        Ok(true)
    }

    /// Appends what the spool still held, says so, and closes the stream.
    fn append_rest(&mut self, stream: StreamId, leftover: &Leftover, tail: Tail) -> Result<(), Error> {
        let time = self.clock.now();
        let Tail { open, next, after_note, accounted, recovered_last, torn, .. } = tail;
        let mut appender = match open {
            Some(appender) => appender,
            None => {
                let lock = self.home.lock()?;
                let (segment, at) = next;
                SegmentAppender::create(&lock, &mut self.index, stream, segment, at, time, Entropy::system())?
            }
        };
        let (mut taken, mut unreadable) = (0, 0);
        for (kind, payload) in leftover.records().skip(usize::try_from(after_note).unwrap_or(usize::MAX)) {
            match super::codec::decode(kind, payload) {
                Ok(record) => {
                    record.append_to(&mut appender)?;
                    taken += 1;
                }
                Err(super::codec::Malformed::Version(version)) => {
                    return Err(Error::new(
                        ErrorCode::LedgerVersion,
                        format!(
                            "the spool of the stream `{stream}` holds records of version {version}, which this product does not read; recover it with the version that wrote them"
                        ),
                    ));
                }
                Err(super::codec::Malformed::Damaged) => unreadable += 1,
            }
        }
        for (count, why) in [(unreadable, "unreadable"), (leftover.refused.saturating_sub(accounted), "full")] {
            if count > 0 {
                appender.dropped(time, &Dropped { count, why });
            }
        }
        if !recovered_last || taken > 0 {
            appender.recovered(time, &Recovered { records: taken, skipped: leftover.skipped, torn });
        }
        appender.closed(time, leftover.refused_in_all + unreadable, &[]);
        self.close(&appender_synced(appender)?)
    }

    /// The segment's last line in the index, and a checkpoint over it.
    fn close(&mut self, appender: &SegmentAppender) -> Result<(), Error> {
        let time = self.clock.now();
        let lock = self.home.lock()?;
        let line = IndexLine::Closed(appender.seal(time));
        let mut entropy = Entropy::system();
        checkpoint(&lock, &mut self.index, &[line], time, &mut entropy, self.sink).map(|_| ())
    }
}

fn appender_synced(mut appender: SegmentAppender) -> Result<SegmentAppender, Error> {
    appender.sync()?;
    Ok(appender)
}

/// What the dead process left; nothing where the file is gone, or the machine was started anew since: the kernel's pages,
/// which were never synced, are what the spool lived in, and the disk may hold any mixture of old and new ones.
fn read_spool(path: &Path) -> Result<Leftover, Error> {
    match read_leftover(path) {
        Ok(leftover) if leftover.boot == boot_id() => Ok(leftover),
        Ok(_) => Ok(Leftover::default()),
        Err(LeftoverError::Io(error)) if error.kind() == ErrorKind::NotFound => Ok(Leftover::default()),
        Err(LeftoverError::Io(error)) => Err(io_error(path, "read", &error)),
        Err(LeftoverError::Version(version)) => Err(Error::new(
            ErrorCode::LedgerVersion,
            format!(
                "the spool `{}` has format version {version}, which this product does not read; recover it with the version that wrote it",
                path.display()
            ),
        )
        .with("path", path.display())),
        Err(LeftoverError::Damaged(what)) => Err(Error::new(
            ErrorCode::LedgerCorrupt,
            format!("the spool `{}` is damaged: {what}; it is left as it is: keep it as evidence and remove it", path.display()),
        )
        .with("path", path.display())),
    }
}
