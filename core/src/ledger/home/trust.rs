//! Who may touch a home: asked before anything in it is believed. Whoever can write a directory can replace what is in it,
//! and whoever owns something can make it writable.
//!
//! The rule is refusal, not repair: that others could write may have been used already, and only a person can tell.

use crate::error::{Error, ErrorCode};
use crate::ledger::files::io_error;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The secrets of a home.
pub(crate) const SECRETS: [&str; 3] = ["digest.key", "keys/current", "keys/next"];
/// Its directories.
const FOLDERS: [&str; 4] = ["keys", "streams", "approvals", "state"];
/// What else it holds beside its streams.
const FILES: [&str; 5] = ["home.json", "index", "checkpoints", "lock", "state/table"];

/// Everything of a home whose mode matters at its start, with the bits that others may not have.
pub(crate) fn guarded() -> impl Iterator<Item = (&'static str, u32)> {
    let shared = FOLDERS.into_iter().chain(FILES).map(|name| (name, 0o022));
    shared.chain(SECRETS.map(|name| (name, 0o077)))
}

/// Checks the home at `path`, its directories, its own files and its secrets. What is missing is not its business.
pub(super) fn check(path: &Path) -> Result<(), Error> {
    let found = std::fs::metadata(path).map_err(|error| io_error(path, "read", &error))?;
    if !found.is_dir() {
        let message = format!("the home `{}` is not a directory; choose another home", path.display());
        return Err(unusable(path, message));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        let message = format!(
            "the home `{}` belongs to user {} and this process to user {}; use a home of your own",
            path.display(),
            found.uid(),
            rustix::process::geteuid().as_raw()
        );
        return Err(unusable(path, message));
    }
    if found.mode() & 0o022 != 0 {
        let message = format!(
            "others can write into the home `{}` (mode {:03o}); run `chmod 700` on it and verify it",
            path.display(),
            found.mode() & 0o777
        );
        return Err(unusable(path, message));
    }
    for name in FOLDERS {
        let inside = path.join(name);
        if std::fs::symlink_metadata(&inside).is_ok_and(|entry| !entry.is_dir()) {
            let message = format!(
                "`{}` is not a directory of the home itself; restore it or choose another home",
                inside.display()
            );
            return Err(unusable(&inside, message));
        }
    }
    guarded().try_for_each(|(name, forbidden)| check_entry(&path.join(name), forbidden & 0o022))
}

/// Checks that nobody else can read the secrets of the home at `path`: asked by who is about to use them. A copy that is only
/// read, a backup or a checkout, may have other modes.
pub(super) fn check_secrets(path: &Path) -> Result<(), Error> {
    SECRETS.into_iter().try_for_each(|name| check_entry(&path.join(name), 0o077))
}

/// Checks what is about to be read of another process's stream: its directory and its spool, out of which records come.
pub(crate) fn check_stream(folder: &Path) -> Result<(), Error> {
    check_entry(folder, 0o022)?;
    check_entry(&folder.join("spool"), 0o022)
}

fn check_entry(path: &Path, forbidden: u32) -> Result<(), Error> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error(path, "read", &error)),
    };
    if found.uid() != rustix::process::geteuid().as_raw() {
        let message = format!(
            "`{}` belongs to user {} and the home to another; restore it or choose another home",
            path.display(),
            found.uid()
        );
        return Err(unusable(path, message));
    }
    match exposed(&found, forbidden) {
        Some(exposed) => Err(unusable(path, exposed.told(path, &found))),
        None => Ok(()),
    }
}

/// What others may do that they may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exposed {
    Write,
    Read,
}

/// Whether `found` gives others a bit of `forbidden`. The mode of a symbolic link says nothing; opening one is refused.
pub(crate) fn exposed(found: &Metadata, forbidden: u32) -> Option<Exposed> {
    let open = found.mode() & forbidden;
    if found.is_symlink() || open == 0 {
        return None;
    }
    Some(if open & 0o022 == 0 { Exposed::Read } else { Exposed::Write })
}

impl Exposed {
    /// What is wrong and what to do.
    pub(crate) fn told(self, path: &Path, found: &Metadata) -> String {
        let (path, mode) = (path.display(), found.mode() & 0o777);
        match self {
            Self::Write => format!(
                "others can write `{path}` (mode {mode:03o}) and may have changed it; run `counterseal ledger verify`, then `chmod go-w` on it"
            ),
            Self::Read => format!(
                "others can read the secret `{path}` (mode {mode:03o}); run `chmod 600` on it, and start a new home if they may have"
            ),
        }
    }
}

fn unusable(path: &Path, message: String) -> Error {
    Error::new(ErrorCode::HomeUnusable, message).with("path", path.display())
}
