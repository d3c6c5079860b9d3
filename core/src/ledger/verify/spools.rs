//! Spools that lie where no process uses them: of closed streams, and of directories the index does not know. Nothing of
//! this product reads the one of a closed stream, but a person might; so whatever it says beyond its stream is a problem.

use super::plan::Plan;
use super::report::{Place, ProblemCode, Report};
use crate::clock::UnixNanos;
use crate::ledger::codec::{Decoded, decode};
use crate::ledger::home::Home;
use crate::ledger::id::StreamId;
use crate::ledger::live::boot_id;
use crate::ledger::lock::FileLock;
use crate::ledger::read::{Entries, Filter};
use crate::ledger::record::{Kind, Record};
use counterseal_spool::{Leftover, LeftoverError, read_leftover};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

/// What tells one record of a stream from another.
type RecordKey = (&'static str, UnixNanos, Vec<u8>);

/// Looks at the spools of streams that are closed, whose process removes them as its last act, and at directories
/// (`folders`) that would be streams and are in no index.
pub(super) fn check(path: &Path, folders: &[StreamId], plan: &Plan, home: Option<&Home>, report: &mut Report) {
    for stream in folders {
        let folder = path.join("streams").join(stream.to_string());
        let closed = match plan.streams.get(stream) {
            Some(segments) => segments.last().is_some_and(|last| last.closed),
            None => {
                unknown(*stream, &folder, report);
                continue;
            }
        };
        let spool = folder.join("spool");
        // a live process may be about to open the next segment, or to remove it
        if closed && spool.exists() && !FileLock::is_held(&folder.join("lock")).unwrap_or(false) {
            let Some(leftover) = read(*stream, &spool, "its stream is closed", report) else { continue };
            if says_more(&leftover, home, *stream) {
                let message =
                    "it holds records that its closed stream does not have; keep it as evidence and remove it";
                report.problem(ProblemCode::EntryUnknown, place(*stream), message);
            } else {
                report.remark(format!(
                    "{}: its stream is closed; its process was killed before it removed it, or it was put there since",
                    place(*stream).file
                ));
            }
        }
    }
}

/// Whether the spool of a dead process says that its stream never had the record `first` on the disk: whatever was to follow is
/// in the spool. One of an earlier start of the machine tells nothing: what it noted last need not have reached the disk.
pub(super) fn never_begun(stream: StreamId, folder: &Path, first: Option<u64>) -> bool {
    let Ok(leftover) = read_leftover(&folder.join("spool")) else { return false };
    let own = leftover.stream == stream.0 && leftover.boot == boot_id();
    own && first.is_some_and(|first| leftover.note < first)
}

/// A directory of which the index knows nothing: of a process that has recorded nothing yet, or a stranger's.
fn unknown(stream: StreamId, folder: &Path, report: &mut Report) {
    let name = format!("streams/{stream}");
    if FileLock::is_held(&folder.join("lock")).unwrap_or(false) {
        report.remark(format!("{name}: its process runs and has recorded nothing yet"));
        return;
    }
    let why = "no process runs it and the index does not know it";
    let Some(leftover) = read(stream, &folder.join("spool"), why, report) else { return };
    let held = match leftover.records().len() {
        0 => "its process ended before its first record".to_owned(),
        count => format!("its spool holds {count} records, which the next process to start takes into the ledger"),
    };
    report.remark(format!("{name}: {why}; {held}, or it was put there since"));
}

/// Reads a spool; `None` where it is no spool of the stream, which is reported. A missing one holds nothing.
fn read(stream: StreamId, spool: &Path, why: &str, report: &mut Report) -> Option<Leftover> {
    let wrong = match read_leftover(spool) {
        Ok(leftover) if leftover.stranger => "nothing that this product writes".to_owned(),
        Ok(leftover) if leftover.stream != [0; 16] && leftover.stream != stream.0 => {
            format!("the spool of stream `{}`", StreamId(leftover.stream))
        }
        Ok(leftover) => return Some(leftover),
        Err(LeftoverError::Io(error)) if error.kind() == ErrorKind::NotFound => return Some(Leftover::default()),
        Err(LeftoverError::Io(error)) => {
            report.problem(ProblemCode::FileUnreadable, place(stream), format!("it cannot be read: {error}"));
            return None;
        }
        Err(error @ (LeftoverError::Damaged(_) | LeftoverError::Version(_))) => error.to_string(),
    };
    let message = format!("{why}, and this is no spool of it: {wrong}; keep it as evidence and remove it");
    report.problem(ProblemCode::EntryUnknown, place(stream), message);
    None
}

fn place(stream: StreamId) -> Place {
    Place { stream: Some(stream.to_string()), ..Place::file(format!("streams/{stream}/spool")) }
}

/// Whether the spool has a record, or something that is none, which the stream does not have.
fn says_more(leftover: &Leftover, home: Option<&Home>, stream: StreamId) -> bool {
    let decoded: Option<BTreeSet<RecordKey>> = leftover
        .records()
        .map(|(kind, payload)| decode(kind, payload).ok().map(|record| key_of_spooled(&record)))
        .collect();
    let Some(mut rest) = decoded else { return true };
    if rest.is_empty() {
        return false;
    }
    let entries = home.and_then(|home| Entries::of_stream(home, stream, Filter::default(), false).ok());
    for entry in entries.into_iter().flatten().flatten() {
        rest.remove(&key_of_recorded(&entry.record));
    }
    !rest.is_empty()
}

fn key_of_spooled(record: &Decoded<'_>) -> RecordKey {
    match record {
        Decoded::Decided { entry, rules, .. } => {
            let digest = entry.digest.unwrap_or_default();
            let texts =
                [entry.decision.as_str(), entry.tool.source, entry.tool.name, entry.reason_code, entry.context.session];
            (
                Kind::Decided.as_str(),
                entry.time,
                joined(&entry.action_id.0, &digest, texts.into_iter().chain(rules.iter().copied())),
            )
        }
        Decoded::Completed { entry, .. } => (
            Kind::Completed.as_str(),
            entry.time,
            joined(&entry.action_id.0, &[], [entry.outcome.as_str()].into_iter()),
        ),
        Decoded::Policy { time, entry, .. } => (Kind::Policy.as_str(), *time, entry.policy.to_vec()),
        Decoded::Approval { time, entry, .. } => {
            (Kind::Approval.as_str(), *time, joined(&entry.action_id.0, &[], [entry.approval, entry.state].into_iter()))
        }
        Decoded::Control { time, entry, .. } => (Kind::Control.as_str(), *time, entry.what.as_bytes().to_vec()),
        Decoded::Erased { time, action_ids, .. } => {
            (Kind::Erased.as_str(), *time, action_ids.iter().flat_map(|action| action.0).collect())
        }
    }
}

fn key_of_recorded(record: &Record) -> RecordKey {
    let key = match record {
        Record::Decided(record) => {
            let digest = record.digest.as_ref().map_or([0; 32], |digest| digest.0);
            let tool = &record.tool;
            let texts = [record.decision.as_str(), &tool.source, &tool.name, &record.reason_code, &record.session];
            joined(&record.action_id.0, &digest, texts.into_iter().chain(record.rules.iter().map(String::as_str)))
        }
        Record::Completed(record) => joined(&record.action_id.0, &[], [word(&record.outcome).as_str()].into_iter()),
        Record::Policy(record) => record.policy.0.to_vec(),
        Record::Approval(record) => {
            joined(&record.action_id.0, &[], [record.approval.as_str(), &word(&record.state)].into_iter())
        }
        Record::Control(record) => record.what.as_bytes().to_vec(),
        Record::Erased(record) => record.action_ids.iter().flat_map(|action| action.0).collect(),
        _ => Vec::new(),
    };
    (record.kind().as_str(), record.time(), key)
}

/// The text of a value that a record has as one word.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Texts are told apart by a byte that no UTF-8 has.
fn joined<'a>(action: &[u8; 16], digest: &[u8], texts: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut all = [action.as_slice(), digest].concat();
    for text in texts {
        all.push(0xff);
        all.extend_from_slice(text.as_bytes());
    }
    all
}
