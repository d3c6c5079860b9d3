//! What the index says there is: streams, their segments and what was sealed of each.

use super::report::{Place, ProblemCode, Report};
use crate::ledger::files::open_for_reading;
use crate::ledger::id::StreamId;
use crate::ledger::index::{IndexLine, Seal};
use crate::ledger::lines::LineReader;
use crate::ledger::merkle::Tree;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// A segment as the index knows it.
#[derive(Debug)]
pub(super) struct SegmentPlan {
    pub(super) number: u32,
    /// The last hash of the segment before it.
    pub(super) prev: [u8; 32],
    /// The number of its first record, where all segments before it were closed.
    pub(super) first: Option<u64>,
    /// What was sealed, growing, with the line of the index that says so, from 0.
    pub(super) seals: Vec<(u64, Seal)>,
    /// Whether nothing may follow the last seal.
    pub(super) closed: bool,
}

/// The index, read.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) streams: BTreeMap<StreamId, Vec<SegmentPlan>>,
    /// How many lines it has.
    pub(super) lines: u64,
    /// Roots at the sizes that were asked for.
    pub(super) roots: BTreeMap<u64, [u8; 32]>,
}

impl Plan {
    /// Reads the index of the home at `path` and takes its root at each of the `sizes`, which grow.
    pub(super) fn of_home(path: &Path, sizes: &[u64], report: &mut Report) -> Self {
        let mut plan = Self::default();
        let read =
            open_for_reading(&path.join("index")).and_then(|file| plan.read(LineReader::new(file, 0), sizes, report));
        if let Err(error) = read {
            report.problem(ProblemCode::FileUnreadable, Place::file("index"), format!("it cannot be read: {error}"));
        }
        report.streams = plan.streams.len() as u64;
        report.segments = plan.streams.values().map(|segments| segments.len() as u64).sum();
        plan
    }

    fn read(&mut self, mut index: LineReader, sizes: &[u64], report: &mut Report) -> io::Result<()> {
        let mut tree = Tree::new();
        let mut sizes = sizes.iter().copied().peekable();
        loop {
            while sizes.next_if(|size| *size <= tree.size()).is_some() {
                self.roots.insert(tree.size(), tree.root());
            }
            let Some(line) = index.next()? else { return Ok(()) };
            if !line.ended {
                report.remark(format!("the index ends in a torn line of {} bytes", line.text.len()));
                return Ok(());
            }
            let place = Place::file("index").line(self.lines + 1, line.at);
            match IndexLine::parse(line.text) {
                Some(parsed) => {
                    if let Err(wrong) = self.take(&parsed) {
                        let place = Place {
                            stream: Some(parsed.stream().to_string()),
                            segment: Some(parsed.segment()),
                            ..place
                        };
                        report.problem(ProblemCode::IndexOrder, place, wrong);
                    }
                }
                None => report.problem(ProblemCode::IndexMalformed, place, "the line says nothing of a segment"),
            }
            tree.push(line.text);
            self.lines += 1;
        }
    }

    fn take(&mut self, line: &IndexLine) -> Result<(), &'static str> {
        let nth = self.lines;
        let segments = self.streams.entry(line.stream()).or_default();
        match line {
            IndexLine::Opened { segment, prev, .. } => {
                let before = segments.last();
                let last = before.and_then(|before| before.seals.last());
                let first = match (before, last) {
                    (None, _) => Some(1),
                    (Some(before), Some((_, seal))) if before.closed => before.first.map(|first| first + seal.records),
                    _ => None,
                };
                let (number, hash) =
                    (before.map_or(1, |before| before.number + 1), last.map_or([0; 32], |(_, s)| s.last));
                segments.push(SegmentPlan { number: *segment, prev: *prev, first, seals: Vec::new(), closed: false });
                if *segment != number {
                    return Err("the segment opens out of turn");
                }
                if first.is_none() {
                    return Err("the segment opens before the one before it was closed");
                }
                if *prev != hash {
                    return Err("the segment does not hang on the one before it");
                }
                Ok(())
            }
            IndexLine::Sealed(seal) | IndexLine::Closed(seal) => {
                let Some(open) = segments.last_mut().filter(|open| open.number == seal.segment) else {
                    return Err("a segment is sealed that is not the open one of its stream");
                };
                if open.closed {
                    return Err("a closed segment is sealed again");
                }
                if open
                    .seals
                    .last()
                    .is_some_and(|(_, before)| before.records > seal.records || before.bytes > seal.bytes)
                {
                    return Err("a segment is sealed with less than before");
                }
                open.seals.push((nth, *seal));
                open.closed = matches!(line, IndexLine::Closed(_));
                Ok(())
            }
        }
    }
}
