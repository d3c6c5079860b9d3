//! Reads the records of a home: by stream or all in the order of their time, with their payloads.
//!
//! Reading trusts the files; whether they may be trusted is what [`super::verify`] says.

use super::entry::ActionId;
use super::files::{io_error, open_for_reading};
use super::home::Home;
use super::id::StreamId;
use super::lines::LineReader;
use super::record::{Kind, Record, SidecarLine};
use super::segment::NO_ACTION;
use crate::decide::Verdict;
use crate::error::Error;
use std::collections::VecDeque;
use std::path::PathBuf;

/// Which records are wanted: those that fit all that is said.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of one of these kinds; empty: of any.
    pub kinds: Vec<Kind>,
    /// Decisions on a tool.
    pub tool: Option<String>,
    /// Decisions in a conversation.
    pub session: Option<String>,
    /// Decisions of one verdict.
    pub decision: Option<Verdict>,
    /// About a call.
    pub action: Option<ActionId>,
}

impl Filter {
    fn fits(&self, record: &Record) -> bool {
        let decided = self.tool.is_some() || self.session.is_some() || self.decision.is_some();
        let fits_decided = || match record {
            Record::Decided(record) => {
                self.tool.as_ref().is_none_or(|tool| *tool == record.tool.name)
                    && self.session.as_ref().is_none_or(|session| *session == record.session)
                    && self.decision.is_none_or(|decision| decision == record.decision)
            }
            _ => false,
        };
        (self.kinds.is_empty() || self.kinds.contains(&record.kind()))
            && self.action.is_none_or(|action| record.action_id() == Some(action))
            && (!decided || fits_decided())
    }
}

/// What became of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// Canonical bytes of the redacted value.
    Value(Vec<u8>),
    /// It was erased.
    Erased,
    /// It was too large to be kept, or its line is missing.
    Missing,
}

/// A record with where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its stream.
    pub stream: StreamId,
    /// Its segment.
    pub segment: u32,
    /// The record.
    pub record: Record,
    /// Its line, without newline.
    pub text: String,
    /// Its payloads by part; empty where they were not asked for.
    pub payloads: Vec<(String, Payload)>,
}

/// The records of one stream, in its order.
#[derive(Debug)]
pub struct Entries {
    stream: StreamId,
    files: VecDeque<(u32, PathBuf, PathBuf)>,
    open: Option<Open>,
    filter: Filter,
    payloads: bool,
}

#[derive(Debug)]
struct Open {
    segment: u32,
    path: PathBuf,
    records: LineReader,
    sidecar: Option<LineReader>,
}

impl Entries {
    /// Reads a stream; `payloads` attaches what its sidecars hold.
    ///
    /// # Errors
    /// [`crate::ErrorCode::LedgerIo`] where the stream cannot be listed.
    pub fn of_stream(home: &Home, stream: StreamId, filter: Filter, payloads: bool) -> Result<Self, Error> {
        let files = home.segments(stream)?.into_iter();
        let files = files.map(|n| (n, home.segment_path(stream, n), home.sidecar_path(stream, n))).collect();
        Ok(Self { stream, files, open: None, filter, payloads })
    }

    fn advance(&mut self) -> Result<Option<Entry>, Error> {
        loop {
            if self.open.is_none() {
                let Some((segment, path, side)) = self.files.pop_front() else { return Ok(None) };
                let file = match open_for_reading(&path) {
                    Ok(file) => file,
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(io_error(&path, "read", &error)),
                };
                let sidecar = if self.payloads { open_for_reading(&side).ok() } else { None };
                let sidecar = sidecar.map(|file| LineReader::new(file, 0));
                self.open = Some(Open { segment, path, records: LineReader::new(file, 0), sidecar });
            }
            let Some(open) = &mut self.open else { return Ok(None) };
            let line = match open.records.next().map_err(|error| io_error(&open.path, "read", &error))? {
                // the tail of a stream that is being written
                Some(line) if line.ended => line,
                _ => {
                    self.open = None;
                    continue;
                }
            };
            let record = Record::parse(line.text).map_err(|error| {
                let (path, at) = (open.path.display(), line.at);
                let message =
                    format!("`{path}`, byte {at}: {error}; `counterseal ledger verify` tells what became of it");
                Error::new(error.code(), message).with("path", path).with("offset", at)
            })?;
            let wanted = self.filter.fits(&record);
            let text = if wanted { String::from_utf8_lossy(line.text).into_owned() } else { String::new() };
            let payloads = open.payloads(&record, wanted).map_err(|error| io_error(&open.path, "read", &error))?;
            if wanted {
                return Ok(Some(Entry { stream: self.stream, segment: open.segment, record, text, payloads }));
            }
        }
    }
}

impl Open {
    /// Takes the record's lines from the sidecar, which follows the records.
    fn payloads(&mut self, record: &Record, wanted: bool) -> std::io::Result<Vec<(String, Payload)>> {
        let (Some(sidecar), Some(payload)) = (&mut self.sidecar, record.payload()) else { return Ok(Vec::new()) };
        let action = record.action_id().unwrap_or(NO_ACTION);
        let mut found = Vec::new();
        for (part, hash) in &payload.0 {
            let mut value = Payload::Missing;
            if hash.is_some()
                && let Some(line) = sidecar.peek()?
                && let Some(parsed) = SidecarLine::parse(line.text)
                && (parsed.action, parsed.part) == (action, part.as_str())
            {
                value = match parsed.is_erased() {
                    true => Payload::Erased,
                    false if wanted => Payload::Value(parsed.payload.to_vec()),
                    false => Payload::Missing,
                };
                sidecar.next()?;
            }
            if wanted {
                found.push((part.clone(), value));
            }
        }
        Ok(found)
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance().transpose();
        if matches!(next, Some(Err(_))) {
            // what follows a line that cannot be read is not read either
            (self.open, self.files) = (None, VecDeque::new());
        }
        next
    }
}

/// The records of all streams, in the order of their time; each stream keeps its own order even where its clock went back.
#[derive(Debug)]
pub struct Merged {
    streams: Vec<(Option<Result<Entry, Error>>, Entries)>,
}

impl Iterator for Merged {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.streams.iter_mut().min_by_key(|(head, _)| match head {
            // an error comes first, so that it is not held back by later records
            Some(Err(_)) => (0, 0),
            Some(Ok(entry)) => (1, entry.record.time().0),
            None => (2, 0),
        })?;
        let next = first.1.next();
        std::mem::replace(&mut first.0, next)
    }
}

/// All records of a home that `filter` wants, in the order of their time.
///
/// # Errors
/// [`crate::ErrorCode::LedgerIo`] where the home cannot be listed.
pub fn entries(home: &Home, filter: &Filter, payloads: bool) -> Result<Merged, Error> {
    let mut streams = Vec::new();
    for stream in home.streams()? {
        let mut entries = Entries::of_stream(home, stream, filter.clone(), payloads)?;
        streams.push((entries.next(), entries));
    }
    Ok(Merged { streams })
}

/// The last `count` records that `filter` wants.
///
/// # Errors
/// [`crate::ErrorCode::LedgerIo`] and [`crate::ErrorCode::LedgerCorrupt`].
pub fn tail(home: &Home, count: usize, filter: &Filter, payloads: bool) -> Result<Vec<Entry>, Error> {
    let mut last = VecDeque::new();
    for entry in entries(home, filter, payloads)? {
        last.push_back(entry?);
        if last.len() > count {
            last.pop_front();
        }
    }
    Ok(last.into())
}

/// Everything recorded of one call, with payloads.
///
/// # Errors
/// [`crate::ErrorCode::LedgerNotFound`] where no record is about it.
pub fn show(home: &Home, action: ActionId) -> Result<Vec<Entry>, Error> {
    let filter = Filter { action: Some(action), ..Filter::default() };
    let found: Vec<Entry> = entries(home, &filter, true)?.collect::<Result<_, _>>()?;
    if found.is_empty() {
        let message = format!(
            "no record of the ledger has the action id `{action}`; `counterseal ledger tail` shows those it has"
        );
        return Err(Error::new(crate::ErrorCode::LedgerNotFound, message));
    }
    Ok(found)
}
