//! The sidecar of a segment, read beside it: its lines are the payloads of the records in their order.

use super::Found;
use super::report::{Place, ProblemCode, Report};
use crate::ledger::entry::ActionId;
use crate::ledger::files::open_for_reading;
use crate::ledger::id::StreamId;
use crate::ledger::lines::{Line, LineReader};
use crate::ledger::lock::FileLock;
use crate::ledger::record::scalar::Hash;
use crate::ledger::record::{Record, SidecarLine, payload_hash};
use crate::ledger::segment::NO_ACTION;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Reads a sidecar along with its records.
#[derive(Debug)]
pub(super) struct Sidecar {
    stream: StreamId,
    segment: u32,
    path: PathBuf,
    home_lock: PathBuf,
    /// `None` where the file is missing or reading it failed.
    reader: Option<LineReader>,
    missing: bool,
    lines: u64,
    /// Whether records were lost, so that lines may belong to them.
    lost: bool,
}

/// What became of a payload.
enum Payload {
    Good,
    Erased,
    Changed,
    /// The next line belongs to another record, or is none.
    Elsewhere,
}

impl Sidecar {
    pub(super) fn open(home: &Path, path: PathBuf, stream: StreamId, segment: u32, report: &mut Report) -> Self {
        let home_lock = home.join("lock");
        let place = Place::segment(stream, segment, "side");
        let (reader, missing) = match open_for_reading(&path) {
            Ok(file) => (Some(LineReader::new(file, 0)), false),
            Err(error) => {
                let what =
                    if super::trust::is_missing(&error) { "it is missing".to_owned() } else { error.to_string() };
                report.problem(ProblemCode::FileUnreadable, place, what);
                (None, true)
            }
        };
        Self { stream, segment, path, home_lock, reader, missing, lines: 0, lost: false }
    }

    /// Records were damaged: which lines are theirs cannot be told.
    pub(super) fn lose(&mut self) {
        self.lost = true;
    }

    /// Compares the record's payloads with the next lines.
    pub(super) fn follow(&mut self, record: &Record, report: &mut Report, found: &mut Found) {
        let Some(payload) = record.payload() else { return };
        let action = record.action_id().unwrap_or(NO_ACTION);
        for (part, hash) in &payload.0 {
            let Some(hash) = hash.as_ref().filter(|_| !self.missing) else { continue };
            if let Err(error) = self.part(action, part, hash, record, report, found) {
                let place = Place::segment(self.stream, self.segment, "side").line(self.lines + 1, 0).seq(record.seq());
                report.problem(ProblemCode::FileUnreadable, place, error.to_string());
                self.missing = true;
            }
        }
    }

    fn part(
        &mut self,
        action: ActionId,
        part: &str,
        hash: &Hash,
        record: &Record,
        report: &mut Report,
        found: &mut Found,
    ) -> io::Result<()> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        // lines of records that were lost are passed over, up to this record's own
        while self.lost {
            match reader.peek()? {
                Some(line) if !belongs(&line, action, part) => {
                    reader.next()?;
                    self.lines += 1;
                }
                _ => self.lost = false,
            }
        }
        if reader.peek()?.is_some_and(|line| !belongs(&line, action, part))
            && reader.peek_second()?.is_some_and(|line| belongs(&line, action, part))
        {
            self.stray(report)?;
        }
        let Some(reader) = &mut self.reader else { return Ok(()) };
        let (outcome, at) = match reader.peek()? {
            None => (Payload::Elsewhere, None),
            Some(line) => (judge(&line, action, part, hash), Some((line.at, line.text.len()))),
        };
        let place = Place::segment(self.stream, self.segment, "side");
        let place = place.line(self.lines + 1, at.map_or(0, |(at, _)| at)).seq(record.seq());
        let erased = found.erased.last(action, part);
        let outcome = match (outcome, at) {
            (Payload::Changed, Some((at, length))) => self.again(at, length, action, part, hash)?,
            (Payload::Good, Some((at, length))) if erased.is_some() => self.again(at, length, action, part, hash)?,
            (outcome, _) => outcome,
        };
        match outcome {
            Payload::Elsewhere => {
                let message = format!("the payload `{part}` of action `{action}` is missing");
                report.problem(ProblemCode::PayloadMissing, place, message);
                return Ok(());
            }
            Payload::Changed => {
                let message = format!("the payload `{part}` of action `{action}` is not what its record's hash says");
                report.problem(ProblemCode::PayloadChanged, place, message);
            }
            Payload::Good => {
                found.payloads += 1;
                match erased {
                    Some(erased) if record.time() <= erased => {
                        let message = format!(
                            "the payload `{part}` of action `{action}` is still there though a record says it was erased; erase it again"
                        );
                        report.problem(ProblemCode::ErasureUnfinished, place, message);
                    }
                    Some(_) => found.after_erasure += 1,
                    None => {}
                }
            }
            Payload::Erased => found.blank.push((action, part.to_owned(), place)),
        }
        if let Some(reader) = &mut self.reader {
            reader.next()?;
        }
        self.lines += 1;
        Ok(())
    }

    /// A line that changed, or is to be gone, may be one that is being erased right now; under the home's lock nobody erases.
    fn again(&self, at: u64, length: usize, action: ActionId, part: &str, hash: &Hash) -> io::Result<Payload> {
        let _lock = FileLock::acquire(&self.home_lock);
        let mut text = vec![0; length];
        open_for_reading(&self.path)?.read_exact_at(&mut text, at)?;
        Ok(judge(&Line { text: &text, at, ended: true }, action, part, hash))
    }

    /// Reports the next line as one that belongs to no record.
    fn stray(&mut self, report: &mut Report) -> io::Result<()> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        let Some(line) = reader.next()? else { return Ok(()) };
        self.lines += 1;
        let place = Place::segment(self.stream, self.segment, "side").line(self.lines, line.at);
        match SidecarLine::parse(line.text).filter(|_| line.ended) {
            Some(parsed) => {
                let message =
                    format!("a payload `{}` of action `{}` belongs to no record here", parsed.part, parsed.action);
                report.problem(ProblemCode::PayloadAdded, place, message);
            }
            None => report.problem(ProblemCode::PayloadMalformed, place, "the line is not a payload"),
        }
        Ok(())
    }

    /// The end of the records: nothing may be left, but where the segment is `open` payloads are written before records.
    pub(super) fn finish(mut self, open: bool, report: &mut Report) {
        if self.lost || self.missing {
            return;
        }
        let mut left = 0_u64;
        loop {
            let Some(reader) = &mut self.reader else { return };
            match reader.peek() {
                Ok(None) => break,
                Ok(Some(_)) if open => {
                    left += 1;
                    if reader.next().is_err() {
                        break;
                    }
                }
                Ok(Some(_)) => {
                    if self.stray(report).is_err() {
                        break;
                    }
                }
                Err(error) => {
                    let place = Place::segment(self.stream, self.segment, "side").line(self.lines + 1, 0);
                    report.problem(ProblemCode::FileUnreadable, place, error.to_string());
                    break;
                }
            }
        }
        if left > 0 {
            let file = Place::segment(self.stream, self.segment, "side").file;
            report.remark(format!("{file}: {left} payloads at the end have no record yet"));
        }
    }
}

fn belongs(line: &Line<'_>, action: ActionId, part: &str) -> bool {
    line.ended && SidecarLine::parse(line.text).is_some_and(|parsed| parsed.action == action && parsed.part == part)
}

fn judge(line: &Line<'_>, action: ActionId, part: &str, hash: &Hash) -> Payload {
    match SidecarLine::parse(line.text).filter(|parsed| line.ended && parsed.action == action && parsed.part == part) {
        None => Payload::Elsewhere,
        Some(parsed) if parsed.is_erased() => Payload::Erased,
        Some(parsed) if payload_hash(&parsed.salt, parsed.payload) == hash.0 => Payload::Good,
        Some(_) => Payload::Changed,
    }
}
