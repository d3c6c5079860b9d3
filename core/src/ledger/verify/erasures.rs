//! What `erased` records say is gone.

use super::plan::Plan;
use super::report::Place;
use crate::clock::UnixNanos;
use crate::ledger::entry::ActionId;
use crate::ledger::files::open_for_reading;
use crate::ledger::lines::LineReader;
use crate::ledger::record::line::RawRecord;
use crate::ledger::record::{Kind, Record, typed};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One erasure of a call's payloads.
#[derive(Debug)]
struct Erasure {
    time: UnixNanos,
    /// Which parts; `None`: all.
    parts: Option<BTreeSet<String>>,
}

/// Which payloads were erased, and when.
#[derive(Debug, Default)]
pub(super) struct Erasures(BTreeMap<ActionId, Vec<Erasure>>);

impl Erasures {
    /// Looks through all segments for `erased` records before anything else is read, since one may speak of payloads in any
    /// stream. What cannot be read is reported by whoever proves the records.
    pub(super) fn read(home: &Path, plan: &Plan) -> Self {
        let mut found = Self::default();
        for (stream, segments) in &plan.streams {
            for segment in segments {
                let path = home.join(Place::segment(*stream, segment.number, "jsonl").file);
                let Ok(file) = open_for_reading(&path) else { continue };
                let mut reader = LineReader::new(file, 0);
                while let Ok(Some(line)) = reader.next() {
                    let Some(raw) = RawRecord::split(line.text).filter(|_| line.ended) else { continue };
                    if Kind::parse(raw.kind) == Some(Kind::Erased)
                        && let Ok(Record::Erased(erased)) = Record::parse_raw(&raw, line.text)
                    {
                        found.take(&erased);
                    }
                }
            }
        }
        found
    }

    pub(super) fn take(&mut self, erased: &typed::Erased) {
        for action in &erased.action_ids {
            let parts = erased.parts.as_ref().map(|parts| parts.iter().cloned().collect());
            self.0.entry(ActionId(action.0)).or_default().push(Erasure { time: erased.time.0, parts });
        }
    }

    /// When the payload was last erased, as the records say.
    pub(super) fn last(&self, action: ActionId, part: &str) -> Option<UnixNanos> {
        let of_part = |erasure: &&Erasure| erasure.parts.as_ref().is_none_or(|parts| parts.contains(part));
        self.0.get(&action)?.iter().filter(of_part).map(|erasure| erasure.time).max()
    }
}
