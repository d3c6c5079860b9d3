//! What lies in a home and is no part of a ledger, what is gone from it, and who may write into it.

use super::report::{Place, ProblemCode, Report};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Reports an entry among the streams that the ledger did not put there.
pub(super) fn entry(file: &str, report: &mut Report) {
    let message = "the ledger puts nothing of that name there";
    report.problem(ProblemCode::EntryUnknown, Place::file(format!("streams/{file}")), message);
}

/// Reports a home without its key of digests: those in the records can no longer be compared with anything.
pub(super) fn missing_digest_key(path: &Path, report: &mut Report) {
    if std::fs::symlink_metadata(path.join("digest.key")).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        report.problem(ProblemCode::HomeChanged, Place::file("digest.key"), "it is missing; restore it");
    }
}

/// Remarks on directories into which others than their owner may write.
pub(super) fn writable_by_others(path: &Path, report: &mut Report) {
    for (name, folder) in [("the home", path), ("`keys`", &path.join("keys")), ("`streams`", &path.join("streams"))] {
        let Ok(found) = std::fs::metadata(folder) else { continue };
        if found.mode() & 0o022 != 0 {
            report.remark(format!(
                "others can write into {name} (mode {:03o}) and could have replaced its files; run `chmod go-w` on it",
                found.mode() & 0o777
            ));
        }
    }
}
