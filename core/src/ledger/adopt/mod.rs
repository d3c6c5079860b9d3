//! Taking over the streams of dead processes: their tails repaired, their spools emptied, their last segment closed.
//!
//! Every step leaves a state that the next adopter goes on from, whoever it is and wherever the one before was killed. What
//! was taken from a spool is told by counting: the spool notes up to which number its records are in the segment, and
//! records follow each other in both in the same order.
//!
//! Streams are closed in batches: a checkpoint costs more syncs than everything else that is done for a stream.

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
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use streams::Streams;

/// How many streams one checkpoint closes; as many locks are held at a time.
const BATCH: usize = 16;

/// When a process that is given `timeout` to close its ledger leaves dead streams to the next: it may be a short-lived one with
/// hundreds of them before it, and its own stream comes first.
pub(crate) fn until(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout / 4).unwrap_or(now)
}

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
/// left as it is and does not hold up the others; once it is `enough`, all that follow are left to the next adopter.
/// Each checkpoint goes to `sink` too, which stands for all outside sinks.
pub(crate) fn adopt_orphans(
    home: &Home,
    clock: &Clock,
    sink: &mut dyn FnMut(&str) -> Result<(), Error>,
    enough: &dyn Fn() -> bool,
) -> Adoption {
    let mut adoption = Adoption::default();
    let mut adopter = Adopter { home, clock, sink, streams: Streams::default(), index: IndexTree::new() };
    let found = adopter.streams.refresh(home).and_then(|()| home.streams());
    let found = found.unwrap_or_else(|error| {
        adoption.error = Some(error);
        Vec::new()
    });
    let mut batch = Vec::new();
    for stream in found {
        if adopter.is_done(stream) {
            continue;
        }
        if enough() {
            break;
        }
        match adopter.take_over(stream) {
            Ok(taken) => batch.extend(taken),
            Err(error) => {
                adoption.error.get_or_insert(error.with("stream", stream));
            }
        }
        if batch.len() == BATCH {
            adopter.close(std::mem::take(&mut batch), &mut adoption);
        }
    }
    adopter.close(batch, &mut adoption);
    adoption
}

/// A stream that has all its records and is not closed in the index yet.
struct Taken {
    stream: StreamId,
    /// The last line of its last segment; `None` where the index has it.
    line: Option<IndexLine>,
    _lock: FileLock,
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

    fn spool_path(&self, stream: StreamId) -> PathBuf {
        self.home.stream_path(stream).join("spool")
    }

    /// Brings the records of one stream to its end; `None` where it lives, or is done.
    fn take_over(&mut self, stream: StreamId) -> Result<Option<Taken>, Error> {
        // people whom its process asked must not take this one for it
        let Some(lock) = FileLock::try_inherit(&self.home.stream_lock_path(stream))? else { return Ok(None) };
        // it may have closed, or been taken over, between the first look and the lock
        self.streams.refresh(self.home)?;
        if self.is_done(stream) {
            return Ok(None);
        }
        trust::check_stream(&self.home.stream_path(stream))?;
        let leftover = read_spool(&self.spool_path(stream))?;
        let tail = segment::repair(self.home, &self.streams, stream, leftover.note, self.clock.now())?;
        let ended = if tail.stream_closed { tail.open } else { Some(self.append_rest(stream, &leftover, tail)?) };
        let line = ended.map(|appender| IndexLine::Closed(appender.seal(self.clock.now())));
        Ok(Some(Taken { stream, line, _lock: lock }))
    }

    /// Appends what the spool still held, says so, and ends the stream.
    fn append_rest(&mut self, stream: StreamId, leftover: &Leftover, tail: Tail) -> Result<SegmentAppender, Error> {
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
        appender.sync()?;
        Ok(appender)
    }

    /// The last lines of the streams' segments in the index, a checkpoint over them, and only then their spools go.
    fn close(&mut self, batch: Vec<Taken>, adoption: &mut Adoption) {
        let lines: Vec<IndexLine> = batch.iter().filter_map(|taken| taken.line).collect();
        if let Err(error) = self.seal(&lines) {
            adoption.error.get_or_insert(error);
            return;
        }
        for taken in batch {
            match self.remove_spool(taken.stream) {
                Ok(()) => adoption.adopted += 1,
                Err(error) => {
                    adoption.error.get_or_insert(error.with("stream", taken.stream));
                }
            }
        }
    }

    fn seal(&mut self, lines: &[IndexLine]) -> Result<(), Error> {
        if lines.is_empty() {
            return Ok(());
        }
        let lock = self.home.lock()?;
        checkpoint(&lock, &mut self.index, lines, self.clock.now(), &mut Entropy::system(), self.sink).map(|_| ())
    }

    fn remove_spool(&self, stream: StreamId) -> Result<(), Error> {
        let path = self.spool_path(stream);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error(&path, "removed", &error)),
            _ => sync_directory(&self.home.stream_path(stream)),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    /// A home with streams whose processes died before they made their first segment.
    fn home_of(streams: usize) -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open_or_create(&folder.path().join("home"), &mut Entropy::system()).unwrap();
        for nth in 0..streams {
            let stream = StreamId([u8::try_from(nth).unwrap(); 16]);
            home.make_stream(stream).unwrap();
            std::fs::write(home.stream_path(stream).join("spool"), b"").unwrap();
        }
        (folder, home)
    }

    #[test]
    fn streams_share_the_checkpoint_that_closes_them() {
        let (_folder, home) = home_of(2 * BATCH + 1);
        let mut notes = 0;
        let mut sink = |_: &str| {
            notes += 1;
            Ok(())
        };
        let adoption = adopt_orphans(&home, &Clock::System, &mut sink, &|| false);
        assert_eq!((adoption.into_result().unwrap(), notes), (2 * BATCH as u64 + 1, 3));
        let report = crate::ledger::verify::verify(home.path(), &crate::ledger::verify::Options::default()).unwrap();
        assert!(report.holds(), "{report}");
    }

    #[test]
    fn what_is_enough_ends_between_two_streams_and_the_next_goes_on() {
        let (_folder, home) = home_of(5);
        let asked = Cell::new(0);
        let enough = || {
            asked.set(asked.get() + 1);
            asked.get() > 2
        };
        let adopted = |enough: &dyn Fn() -> bool| {
            adopt_orphans(&home, &Clock::System, &mut |_| Ok(()), enough).into_result().unwrap()
        };
        assert_eq!((adopted(&enough), adopted(&|| false), adopted(&|| false)), (2, 3, 0));
    }
}
