//! What lies in a home and is no part of a ledger, what is gone from it, and who may write into it.

use super::report::{Place, ProblemCode, Report};
use crate::ledger::files::read_key;
use crate::ledger::home::trust;
use crate::ledger::id::StreamId;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Reports an entry among the streams that the ledger did not put there.
pub(super) fn entry(file: &str, report: &mut Report) {
    let message = "the ledger puts nothing of that name there";
    report.problem(ProblemCode::EntryUnknown, Place::file(format!("streams/{file}")), message);
}

/// The home's key of digests. One that is gone or damaged is reported: the digests in the records can no longer be compared
/// with anything.
pub(super) fn digest_key(path: &Path, report: &mut Report) -> Option<Zeroizing<[u8; 32]>> {
    let message = match read_key(&path.join("digest.key")) {
        Ok(Some(key)) => return Some(key),
        Ok(None) => "it is missing or damaged; restore it".to_owned(),
        Err(error) => error.message().to_owned(),
    };
    report.problem(ProblemCode::HomeChanged, Place::file("digest.key"), message);
    None
}

/// Remarks on what others may write, or read though it is secret.
pub(super) fn open_to_others(path: &Path, streams: &[StreamId], report: &mut Report) {
    if let Ok(found) = std::fs::metadata(path)
        && found.mode() & 0o022 != 0
    {
        report.remark(format!(
            "others can write into the home (mode {:03o}) and could have replaced its files; run `chmod go-w` on it",
            found.mode() & 0o777
        ));
    }
    let own = trust::guarded().map(|(name, forbidden)| (PathBuf::from(name), forbidden));
    let streams = streams.iter().map(|stream| (Path::new("streams").join(stream.to_string()), 0o022));
    for (name, forbidden) in own.chain(streams) {
        let Ok(found) = std::fs::symlink_metadata(path.join(&name)) else { continue };
        if let Some(exposed) = trust::exposed(&found, forbidden) {
            report.remark(exposed.told(&name, &found));
        }
    }
}
