//! Verifies a home: finds any change, removal, reordering and addition of records, and names the record.
//!
//! Nothing is written and nothing locked, so a ledger can be verified while it is written: everything is read in the
//! order opposite to the one it is written in (checkpoints, index, segments), so that what one file names is in the next.

mod erasures;
mod plan;
mod report;
mod segment;
mod sidecar;
mod spools;
mod strangers;
mod trust;

pub use report::{Place, Problem, ProblemCode, Report};

use super::entry::ActionId;
use super::files::open_for_reading;
use super::home::written_out;
use super::id::StreamId;
use super::lock::FileLock;
use super::note::VerifierKey;
use super::record::typed;
use crate::error::{Error, ErrorCode};
use crate::value::digest::DigestKey;
use erasures::Erasures;
use plan::{Plan, SegmentPlan};
use segment::{SegmentCheck, StreamState};
use sidecar::Sidecar;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use trust::Trust;

/// How to verify.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Also reads the sidecars, and every record as JSON against its schema.
    pub deep: bool,
    /// A file of checkpoints that lies where whoever could change the home could not.
    pub outside: Option<PathBuf>,
    /// The first key, held outside; otherwise the home's own word is taken for it.
    pub first_key: Option<VerifierKey>,
    /// The home is a copy that was made without its secret keys.
    pub copy: bool,
}

/// What records say of others.
#[derive(Debug, Default)]
struct Found {
    pruned: BTreeMap<(StreamId, u32), typed::Pruned>,
    /// What was erased, as the records say.
    erased: Erasures,
    /// Erased payloads.
    blank: Vec<(ActionId, String, Place)>,
    /// Good payloads.
    payloads: u64,
    /// Good payloads that were recorded after an erasure of their call.
    after_erasure: u64,
    /// The check value of the home's key of digests.
    digest_key: Option<[u8; 32]>,
    /// Segments whose digests were made with another one.
    other_key: Vec<Place>,
    /// Closed segments whose file is missing.
    missing: Vec<(StreamId, u32, Place)>,
}

/// Verifies the home at `path`.
///
/// # Errors
/// [`ErrorCode::HomeUnusable`] for a path that the shell would have to expand, [`ErrorCode::LedgerNotFound`] where there is
/// no ledger, or what is held outside cannot be read. Everything that is wrong with the ledger itself is in the report.
pub fn verify(path: &Path, options: &Options) -> Result<Report, Error> {
    written_out(path)?;
    if !["home.json", "index", "streams"].iter().any(|name| path.join(name).exists()) {
        return Err(Error::new(
            ErrorCode::LedgerNotFound,
            format!("there is no ledger in `{}`; name its home, or make one with `counterseal init`", path.display()),
        )
        .with("path", path.display()));
    }
    let mut report = Report::default();
    let (folders, files) = list_segments(path, &mut report);
    strangers::open_to_others(path, &folders, &mut report);
    let trust = Trust::read(path, options, &mut report)?;
    let mut found = Found::default();
    if !options.copy && trust.home.is_some() {
        found.digest_key =
            strangers::digest_key(path, &mut report).map(|mut key| DigestKey::new(&mut key).check_value());
    }
    let plan = Plan::of_home(path, &trust.sizes(), &mut report);
    let proved = trust.check_index(&plan, &mut report);
    for (stream, segment, extension) in files {
        let known = plan.streams.get(&stream).is_some_and(|known| known.iter().any(|plan| plan.number == segment));
        if !known {
            let place = Place::segment(stream, segment, extension);
            report.problem(ProblemCode::SegmentUnindexed, place, "the index knows no such segment");
        }
    }
    if options.deep {
        found.erased = Erasures::read(path, &plan);
    }
    for (stream, segments) in &plan.streams {
        let mut state = StreamState::default();
        for (nth, segment) in segments.iter().enumerate() {
            let last = nth + 1 == segments.len();
            let check = Check { path, options, trust: &trust, stream: *stream, last, proved };
            check.segment(segment, &mut state, &mut report, &mut found);
        }
    }
    settle(&plan, options, found, &mut report);
    spools::check(path, &folders, &plan, trust.home.as_ref(), &mut report);
    Ok(report)
}

/// One segment of a home.
struct Check<'a> {
    path: &'a Path,
    options: &'a Options,
    trust: &'a Trust,
    stream: StreamId,
    /// Whether it is the stream's last.
    last: bool,
    /// How many lines of the index a checkpoint proves.
    proved: u64,
}

impl Check<'_> {
    fn segment(&self, plan: &SegmentPlan, state: &mut StreamState, report: &mut Report, found: &mut Found) {
        let place = Place::segment(self.stream, plan.number, "jsonl");
        let file = match open_for_reading(&self.path.join(&place.file)) {
            Ok(file) => file,
            Err(error) if trust::is_missing(&error) => {
                self.missing(plan, place, report, found);
                return;
            }
            Err(error) => {
                report.problem(ProblemCode::FileUnreadable, place, format!("it cannot be read: {error}"));
                return;
            }
        };
        let sidecar = self.options.deep.then(|| {
            let path = self.path.join(Place::segment(self.stream, plan.number, "side").file);
            Sidecar::open(self.path, path, self.stream, plan.number, report)
        });
        SegmentCheck::new(self.stream, self.trust.home.as_ref(), plan, report, found, state, sidecar)
            .run(file, self.proved);
    }

    fn missing(&self, plan: &SegmentPlan, place: Place, report: &mut Report, found: &mut Found) {
        let folder = self.path.join("streams").join(self.stream.to_string());
        let lock = folder.join("lock");
        if plan.closed {
            found.missing.push((self.stream, plan.number, place));
        } else if self.last && plan.seals.is_empty() && FileLock::is_held(&lock).unwrap_or(false) {
            report.remark(format!("{}: its process is about to make it", place.file));
        } else if self.last && plan.seals.is_empty() && spools::never_begun(self.stream, &folder, plan.first) {
            report.remark(format!(
                "{}: its process ended before it made it, so it held nothing; the next process to record makes it, with what the spool holds",
                place.file
            ));
        } else {
            let sealed = plan.seals.last().map_or(0, |(_, seal)| seal.records);
            let place = plan.first.map_or(place.clone(), |first| place.seq(first));
            report.problem(
                ProblemCode::SegmentMissing,
                place,
                format!("it is missing; {sealed} of its records were sealed"),
            );
        }
    }
}

/// Settles what could only be told once every record was read.
fn settle(plan: &Plan, options: &Options, found: Found, report: &mut Report) {
    for (stream, segment, place) in found.missing {
        let segments = plan.streams.get(&stream);
        let known = segments.and_then(|segments| segments.iter().find(|plan| plan.number == segment));
        let seal = known.and_then(|plan| plan.seals.last()).map(|(_, seal)| seal);
        let Some(pruned) = found.pruned.get(&(stream, segment)) else {
            let place = match known.and_then(|plan| plan.first) {
                Some(first) => place.seq(first),
                None => place,
            };
            let records = seal.map_or(0, |seal| seal.records);
            let message = format!("it is missing with {records} records, and no record says it was pruned");
            report.problem(ProblemCode::SegmentMissing, place, message);
            continue;
        };
        let same = seal
            .is_some_and(|seal| (pruned.records, pruned.root.0, pruned.last.0) == (seal.records, seal.root, seal.last));
        if same {
            report.pruned += 1;
        } else {
            let message = "the record that says it was pruned speaks of other records";
            report.problem(ProblemCode::SegmentMissing, place, message);
        }
    }
    if let Some(first) = found.other_key.first() {
        let message = format!(
            "it is not the key with which the digests of {} segments were made, the first `{}`; restore it",
            found.other_key.len(),
            first.file
        );
        report.problem(ProblemCode::DigestKeyMismatch, Place::file("digest.key"), message);
    }
    if !options.deep {
        return;
    }
    let mut erased = 0;
    for (action, part, place) in found.blank {
        if found.erased.last(action, &part).is_some() {
            erased += 1;
        } else {
            let message = format!("the payload `{part}` of action `{action}` is erased and no record says so");
            report.problem(ProblemCode::ErasedUnrecorded, place, message);
        }
    }
    if found.after_erasure > 0 {
        report.remark(format!(
            "{} payloads were recorded after the payloads of their calls had been erased; erase those calls again",
            found.after_erasure
        ));
    }
    report.payloads = Some(found.payloads);
    report.erased = Some(erased);
}

/// A file by its stream, segment and extension.
type SegmentFile = (StreamId, u32, &'static str);

/// Every directory that stands where a stream's would, and every file where a segment or its sidecar would.
fn list_segments(path: &Path, report: &mut Report) -> (Vec<StreamId>, Vec<SegmentFile>) {
    let streams = path.join("streams");
    let (mut known, mut files) = (Vec::new(), Vec::new());
    let list = |folder: &Path| -> std::io::Result<Vec<String>> {
        let names = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    };
    let folders = match list(&streams) {
        Ok(folders) => folders,
        Err(error) => {
            report.problem(ProblemCode::FileUnreadable, Place::file("streams"), format!("it cannot be read: {error}"));
            return (known, files);
        }
    };
    for folder in folders {
        let place = streams.join(&folder);
        let is_folder = std::fs::symlink_metadata(&place)
            .map_or_else(|error| error.kind() == std::io::ErrorKind::NotFound, |entry| entry.is_dir());
        let Some(stream) = folder.parse::<StreamId>().ok().filter(|_| is_folder) else {
            strangers::entry(&folder, report);
            continue;
        };
        known.push(stream);
        // gone between two looks: what it held is missed where the index names it
        for name in list(&place).unwrap_or_default() {
            if matches!(name.as_str(), "lock" | "spool") {
                continue;
            }
            let segment = [(".jsonl", "jsonl"), (".side", "side")].into_iter().find_map(|(ending, extension)| {
                let number = name.strip_suffix(ending)?.parse::<u32>().ok()?;
                (format!("{number:06}{ending}") == name).then_some((stream, number, extension))
            });
            match segment {
                Some(segment) => files.push(segment),
                None => strangers::entry(&format!("{folder}/{name}"), report),
            }
        }
    }
    files.sort_unstable();
    known.sort_unstable();
    (known, files)
}
