//! The last segment of a dead process's stream: read up to its last whole record, cut there, and opened to go on.

use super::streams::{Last, Streams};
use crate::clock::UnixNanos;
use crate::error::{Error, ErrorCode};
use crate::ledger::entropy::Entropy;
use crate::ledger::files::{io_error, open_file};
use crate::ledger::hex;
use crate::ledger::home::Home;
use crate::ledger::id::StreamId;
use crate::ledger::lines::LineReader;
use crate::ledger::merkle::Tree;
use crate::ledger::record::line::RawRecord;
use crate::ledger::record::typed::{Kind, Record};
use crate::ledger::record::{Position, Renderer};
use crate::ledger::segment::{GrowingFile, Rotation, SegmentAppender};
use std::io::{Seek as _, SeekFrom};
use std::path::Path;

/// How a stream ends.
#[derive(Debug)]
pub(super) struct Tail {
    /// Its last segment, where that is not closed.
    pub(super) open: Option<SegmentAppender>,
    /// The number and position of the segment that would follow.
    pub(super) next: (u32, Position),
    /// Whether its last record is `closed`.
    pub(super) stream_closed: bool,
    /// Whether its last record is `recovered`: an adopter was killed before it could close.
    pub(super) recovered_last: bool,
    /// Records behind the spool's note that came out of the spool.
    pub(super) after_note: u64,
    /// Refusals that `dropped` records behind the note speak of.
    pub(super) accounted: u64,
    /// Bytes cut from the segment.
    pub(super) torn: u64,
}

/// What a segment's file holds.
struct Held {
    bytes: u64,
    size: u64,
    at: Position,
    tree: Tree,
    last: Option<Kind>,
    sidecar_lines: u64,
    after_note: u64,
    accounted: u64,
}

/// Reads the end of `stream` and repairs it; `note` is the number up to which its spool was given back.
///
/// # Errors
/// [`ErrorCode::LedgerCorrupt`] where the segment is damaged before the place up to which the index seals it: that is no torn
/// tail, and nothing is cut; and where it is gone although it held records. [`ErrorCode::LedgerIo`].
pub(super) fn repair(
    home: &Home,
    streams: &Streams,
    stream: StreamId,
    note: u64,
    time: UnixNanos,
) -> Result<Tail, Error> {
    let nothing = Tail {
        open: None,
        next: (1, Position::START),
        stream_closed: false,
        recovered_last: false,
        after_note: 0,
        accounted: 0,
        torn: 0,
    };
    let Some(last) = streams.last(stream) else { return Ok(nothing) };
    let at = Position { seq: last.before + 1, prev: last.prev };
    let path = home.segment_path(stream, last.segment);
    let sidecar = home.sidecar_path(stream, last.segment);
    if !path.exists() && !last.closed && last.seal.is_none() {
        if note >= at.seq {
            return Err(Error::new(
                ErrorCode::LedgerCorrupt,
                format!(
                    "`{}` is missing and held records up to {note}, as its process noted; restore it, or run `counterseal ledger verify`",
                    path.display()
                ),
            )
            .with("path", path.display()));
        }
        // the line is in the index and the process died before it made the files; one of them may be there, empty
        match std::fs::remove_file(&sidecar) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_error(&sidecar, "removed", &error));
            }
            _ => {}
        }
        return Ok(Tail { open: Some(empty(home, stream, last, at, time)?), ..nothing });
    }
    let held = read(&path, at, note, lines_of(&sidecar)?)?;
    if last.seal.is_some_and(|seal| seal.bytes > held.bytes) || (last.closed && held.size != held.bytes) {
        return Err(Error::new(
            ErrorCode::LedgerCorrupt,
            format!(
                "`{}` is damaged at byte {}, before the place up to which it is sealed; run `counterseal ledger verify`",
                path.display(),
                held.bytes
            ),
        )
        .with("path", path.display()));
    }
    let tail = Tail {
        open: None,
        next: (last.segment + 1, held.at),
        stream_closed: held.last == Some(Kind::Closed),
        recovered_last: held.last == Some(Kind::Recovered),
        after_note: held.after_note,
        accounted: held.accounted,
        torn: held.size - held.bytes,
    };
    if last.closed {
        return Ok(tail);
    }
    if held.tree.size() == 0 {
        // not even its `opened` record survived: the files are made again
        for file in [&path, &sidecar] {
            std::fs::remove_file(file).map_err(|error| io_error(file, "removed", &error))?;
        }
        return Ok(Tail { open: Some(empty(home, stream, last, at, time)?), ..tail });
    }
    let open = SegmentAppender {
        stream,
        segment: last.segment,
        at: held.at,
        tree: held.tree,
        records: cut(&path, held.bytes)?,
        sidecar: cut(&sidecar, end_of_line(&sidecar, held.sidecar_lines)?)?,
        renderer: Renderer::default(),
        entropy: Entropy::system(),
        hashes: Vec::new(),
        rotation: Rotation::Open,
    };
    Ok(Tail { open: Some(open), ..tail })
}

fn empty(home: &Home, stream: StreamId, last: Last, at: Position, time: UnixNanos) -> Result<SegmentAppender, Error> {
    SegmentAppender::create_files(home, stream, last.segment, at, time, Entropy::system())
}

/// Follows the chain to its last whole record; one whose payloads are not among the `payloads` lines of the sidecar is not:
/// when a machine fails, the kernel may have written the segment before the sidecar.
fn read(path: &Path, start: Position, note: u64, payloads: u64) -> Result<Held, Error> {
    let unreadable = |error| io_error(path, "read", &error);
    let file = open_file(path)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let mut held = Held {
        bytes: 0,
        size,
        at: start,
        tree: Tree::new(),
        last: None,
        sidecar_lines: 0,
        after_note: 0,
        accounted: 0,
    };
    let mut reader = LineReader::new(file, 0);
    loop {
        // a line that no record is as long as is as broken as any other
        let line = match reader.next() {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(held),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => return Ok(held),
            Err(error) => return Err(unreadable(error)),
        };
        let Some(raw) = RawRecord::split(line.text).filter(|_| line.ended) else { return Ok(held) };
        let hash = raw.computed();
        let follows = raw.seq == held.at.seq && *raw.prev == hex::digits64(&held.at.prev);
        if !follows || *raw.hash != hex::digits64(&hash) {
            return Ok(held);
        }
        let Ok(record) = Record::parse_raw(&raw, line.text) else { return Ok(held) };
        let parts = record.payload().map_or(0, |payload| payload.0.iter().filter(|(_, hash)| hash.is_some()).count());
        if held.sidecar_lines + parts as u64 > payloads {
            return Ok(held);
        }
        held.sidecar_lines += parts as u64;
        held.last = Kind::parse(raw.kind);
        if raw.seq > note {
            match &record {
                Record::Dropped(dropped) if dropped.why == "full" => held.accounted += dropped.count,
                Record::Opened(_) | Record::Recovered(_) | Record::Dropped(_) | Record::Closed(_) => {}
                _ => held.after_note += 1,
            }
        }
        held.tree.push(&hash);
        held.at = Position { seq: raw.seq + 1, prev: hash };
        held.bytes = line.end();
    }
}

/// How many whole lines a sidecar has.
fn lines_of(path: &Path) -> Result<u64, Error> {
    let unreadable = |error| io_error(path, "read", &error);
    let mut reader = LineReader::new(open_file(path)?, 0);
    let mut lines = 0;
    while let Some(line) = reader.next().map_err(unreadable)? {
        lines += u64::from(line.ended);
    }
    Ok(lines)
}

/// Where the `count`th line of a sidecar ends, or its last whole one.
fn end_of_line(path: &Path, count: u64) -> Result<u64, Error> {
    let unreadable = |error| io_error(path, "read", &error);
    let mut file = open_file(path)?;
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let mut reader = LineReader::new(file, 0);
    let mut end = 0;
    for _ in 0..count {
        match reader.next().map_err(unreadable)? {
            Some(line) if line.ended => end = line.end(),
            _ => break,
        }
    }
    Ok(end)
}

/// Opens a file to go on behind its first `bytes` bytes.
fn cut(path: &Path, bytes: u64) -> Result<GrowingFile, Error> {
    let file = open_file(path)?;
    file.set_len(bytes).map_err(|error| io_error(path, "written", &error))?;
    Ok(GrowingFile { path: path.to_owned(), file, written: bytes, pending: Vec::new(), flushed: 0 })
}
