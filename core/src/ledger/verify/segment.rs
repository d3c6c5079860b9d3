//! One segment: line hashes, chain, numbers and seals, by position and without parsing; with `deep`, also the schema and
//! the sidecar.

use super::Found;
use super::plan::SegmentPlan;
use super::report::{Place, ProblemCode, Report};
use super::sidecar::Sidecar;
use crate::ledger::hex;
use crate::ledger::home::Home;
use crate::ledger::id::{HomeId, StreamId};
use crate::ledger::index::Seal;
use crate::ledger::lines::{Line, LineReader};
use crate::ledger::merkle::Tree;
use crate::ledger::record::line::RawRecord;
use crate::ledger::record::{Kind, Record};
use std::fs::File;

/// What is known of the stream while its segments are read.
#[derive(Debug, Default)]
pub(super) struct StreamState {
    /// Whether its `closed` record was read.
    pub(super) closed: bool,
}

/// Reads one segment.
pub(super) struct SegmentCheck<'a> {
    pub(super) stream: StreamId,
    pub(super) home: Option<HomeId>,
    pub(super) plan: &'a SegmentPlan,
    pub(super) report: &'a mut Report,
    pub(super) found: &'a mut Found,
    pub(super) state: &'a mut StreamState,
    pub(super) sidecar: Option<Sidecar>,
    /// The number the next record has to have.
    expected: u64,
    /// The number of the last good record, once order was lost.
    lost: Option<u64>,
    /// What the next record's `prev` may be: the hash of the record before, as computed and as stated.
    prev: [[u8; 64]; 2],
    tree: Tree,
    lines: u64,
    /// Lines that are records, whatever became of them.
    records: u64,
    /// Records of the last seal that a checkpoint proves and that holds.
    sealed: u64,
    /// One past the highest number that a record had, or had to have.
    reached: u64,
    bytes: u64,
    damaged: bool,
}

impl<'a> SegmentCheck<'a> {
    pub(super) fn new(
        stream: StreamId,
        home: Option<&Home>,
        plan: &'a SegmentPlan,
        report: &'a mut Report,
        found: &'a mut Found,
        state: &'a mut StreamState,
        sidecar: Option<Sidecar>,
    ) -> Self {
        Self {
            stream,
            home: home.map(Home::id),
            plan,
            report,
            found,
            state,
            sidecar,
            expected: plan.first.unwrap_or(1),
            lost: plan.first.is_none().then_some(0),
            prev: [hex::digits64(&plan.prev); 2],
            tree: Tree::new(),
            lines: 0,
            records: 0,
            sealed: 0,
            reached: plan.first.unwrap_or(1),
            bytes: 0,
            damaged: false,
        }
    }

    /// Reads the file to its end; a checkpoint proves the first `proved` lines of the index.
    pub(super) fn run(mut self, file: File, proved: u64) {
        let mut reader = LineReader::new(file, 0);
        let mut seals = self.plan.seals.iter().peekable();
        loop {
            let line = match reader.next() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(error) => {
                    self.problem_here(ProblemCode::FileUnreadable, format!("reading stopped: {error}"));
                    self.damaged = true;
                    break;
                }
            };
            if !line.ended && self.is_open_tail() {
                let place = self.place();
                let length = line.text.len();
                self.report
                    .remark(format!("{}: the last {length} bytes are a record that was not finished", place.file));
                break;
            }
            if self.plan.closed && self.plan.seals.last().is_some_and(|(_, last)| last.bytes <= self.bytes) {
                self.problem_here(ProblemCode::RecordAdded, "it stands after the end of the closed segment".to_owned());
                self.damaged = true;
                break;
            }
            self.record(line);
            self.reached = self.reached.max(self.expected);
            while let Some((line, seal)) = seals.next_if(|(_, seal)| seal.records <= self.lines) {
                if self.holds(seal) && *line < proved {
                    self.sealed = seal.records;
                }
            }
        }
        self.finish(proved);
    }

    /// Whether all that was sealed has been read and more may follow.
    fn is_open_tail(&self) -> bool {
        !self.plan.closed && self.plan.seals.last().is_none_or(|(_, last)| last.bytes <= self.bytes)
    }

    fn record(&mut self, line: Line<'_>) {
        self.lines += 1;
        let at = line.at;
        self.bytes = line.end();
        let raw = if line.ended { RawRecord::split(line.text) } else { None };
        let Some(raw) = raw else {
            let why = if line.ended { "the line is not a record" } else { "the record has no end" };
            self.problem(ProblemCode::RecordMalformed, at, self.expected, why.to_owned());
            self.lose();
            return;
        };
        self.records += 1;
        let computed = raw.computed();
        let digits = hex::digits64(&computed);
        self.tree.push(&computed);
        if digits != *raw.hash {
            self.problem(
                ProblemCode::RecordChanged,
                at,
                self.expected,
                "the record is not what its hash says".to_owned(),
            );
            self.damaged = true;
            self.prev = [digits, *raw.hash];
            self.expected += 1;
            if let Some(sidecar) = &mut self.sidecar {
                sidecar.lose();
            }
            return;
        }
        if raw.seq != self.expected {
            self.out_of_order(&raw, at);
        } else if self.lost.is_none() && *raw.prev != self.prev[0] && *raw.prev != self.prev[1] {
            self.problem(
                ProblemCode::ChainBroken,
                at,
                raw.seq,
                "its `prev` is not the hash of the record before it".to_owned(),
            );
            self.damaged = true;
        }
        self.lost = None;
        self.prev = [digits; 2];
        self.expected = raw.seq.saturating_add(1);
        self.look(&raw, line.text, at);
    }

    fn out_of_order(&mut self, raw: &RawRecord<'_>, at: u64) {
        match self.lost {
            // after lines that are no records, any later number goes on
            Some(last) if raw.seq > last => return,
            _ => {}
        }
        self.damaged = true;
        if raw.seq < self.expected {
            let message = format!("record {} stands again or in another place", raw.seq);
            self.problem(ProblemCode::RecordMoved, at, raw.seq, message);
        } else {
            let (first, last) = (self.expected, raw.seq - 1);
            let message = match first == last {
                true => format!("record {first} is missing before record {}", raw.seq),
                false => format!("records {first} to {last} are missing before record {}", raw.seq),
            };
            self.problem(ProblemCode::RecordMissing, at, first, message);
        }
        if let Some(sidecar) = &mut self.sidecar {
            sidecar.lose();
        }
    }

    fn lose(&mut self) {
        self.damaged = true;
        if self.lost.is_none() {
            self.lost = Some(self.expected.saturating_sub(1));
        }
        self.expected = self.expected.saturating_add(1);
        if let Some(sidecar) = &mut self.sidecar {
            sidecar.lose();
        }
    }

    /// Looks at what a good record says, as far as others depend on it.
    fn look(&mut self, raw: &RawRecord<'_>, line: &[u8], at: u64) {
        if self.state.closed {
            self.problem(ProblemCode::RecordAdded, at, raw.seq, "it stands after its stream was closed".to_owned());
        }
        let kind = Kind::parse(raw.kind);
        let special = matches!(kind, Some(Kind::Opened | Kind::Pruned | Kind::Closed | Kind::Erased));
        if self.lines == 1 && kind != Some(Kind::Opened) {
            let message = "the segment does not begin with an `opened` record".to_owned();
            self.problem(ProblemCode::SegmentMismatch, at, raw.seq, message);
        }
        if !special && self.sidecar.is_none() {
            return;
        }
        let record = match Record::parse_raw(raw, line) {
            Ok(record) => record,
            Err(error) => {
                self.problem(ProblemCode::RecordSchema, at, raw.seq, error.message().to_owned());
                if let Some(sidecar) = &mut self.sidecar {
                    sidecar.lose();
                }
                return;
            }
        };
        match &record {
            Record::Opened(opened) => {
                let own = (opened.stream.0, opened.segment) == (self.stream.0, self.plan.number)
                    && self.home.is_none_or(|home| home.0 == opened.home.0)
                    && self.lines == 1;
                if !own {
                    let message = format!("it says it opens segment {} of stream {}", opened.segment, opened.stream);
                    self.problem(ProblemCode::SegmentMismatch, at, raw.seq, message);
                }
                let made_with = opened.digest_key.as_ref().map(|check| check.0);
                if made_with.zip(self.found.digest_key).is_some_and(|(made_with, own)| made_with != own) {
                    self.found.other_key.push(Place::segment(self.stream, self.plan.number, "jsonl"));
                }
            }
            Record::Pruned(pruned) => {
                self.found.pruned.insert((StreamId(pruned.stream.0), pruned.segment), (**pruned).clone());
            }
            Record::Erased(erased) => self.found.erased.take(erased),
            Record::Closed(_) => self.state.closed = true,
            _ => {}
        }
        if let Some(sidecar) = &mut self.sidecar {
            sidecar.follow(&record, self.report, self.found);
        }
    }

    /// Whether the records up to here are those that were sealed.
    fn holds(&mut self, seal: &Seal) -> bool {
        if self.damaged || seal.records != self.lines {
            // what is wrong has been named already, and every seal after it is broken by it
            return false;
        }
        let wrong = if seal.bytes != self.bytes {
            "they have another length"
        } else if hex::digits64(&seal.last) != self.prev[0] {
            "the last of them is another"
        } else if seal.root != self.tree.root() {
            "their root is another"
        } else {
            return true;
        };
        let message = format!("the first {} records are not those that were sealed: {wrong}", seal.records);
        self.problem_here(ProblemCode::SealMismatch, message);
        self.damaged = true;
        false
    }

    fn finish(mut self, proved: u64) {
        if let Some((_, last)) = self.plan.seals.last() {
            // numbers tell what is missing at the end even where lines before it were damaged, dropped or doubled
            let missing = match self.plan.first {
                Some(first) => first.saturating_add(last.records).saturating_sub(self.reached),
                None if self.damaged => 0,
                None => last.records.saturating_sub(self.lines),
            };
            if missing > 0 {
                let message = format!("{missing} sealed records are missing from here on");
                self.problem_here(ProblemCode::RecordsCut, message);
                self.damaged = true;
            }
            if self.plan.closed && last.records < self.lines && !self.damaged {
                let message = "the closed segment has more records than were sealed".to_owned();
                self.problem_here(ProblemCode::RecordAdded, message);
            }
        }
        if let Some(sidecar) = self.sidecar.take() {
            sidecar.finish(!self.plan.closed, self.report);
        }
        let covered = self.plan.seals.iter().rev().find(|(line, _)| *line < proved).map_or(0, |(_, seal)| seal.records);
        // nothing may follow the last seal of a closed segment, so that what does is not "not sealed yet"
        let covered = if self.plan.closed && covered > 0 { self.records } else { covered.min(self.records) };
        self.report.records += self.records;
        self.report.bytes += self.bytes;
        self.report.sealed += self.sealed;
        self.report.doubtful += covered.saturating_sub(self.sealed);
        self.report.unsealed += self.records.saturating_sub(covered.max(self.sealed));
    }

    fn place(&self) -> Place {
        Place::segment(self.stream, self.plan.number, "jsonl")
    }

    fn problem(&mut self, code: ProblemCode, at: u64, seq: u64, message: String) {
        let place = self.place().line(self.lines, at).seq(seq);
        self.report.problem(code, place, message);
    }

    /// A problem at the end of what was read.
    fn problem_here(&mut self, code: ProblemCode, message: String) {
        let place = self.place().line(self.lines + 1, self.bytes).seq(self.expected);
        self.report.problem(code, place, message);
    }
}
