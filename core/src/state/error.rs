//! Why a transaction was not done. Nothing of it was: the caller decides as if it knew nothing.

use crate::error::{Error, ErrorCode};
use std::path::PathBuf;

/// Why the shared state cannot be used, or a transaction was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The table's file cannot be made, opened, mapped or grown.
    #[error("the shared state `{}` cannot be {what}: {why}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried: `opened`, `made`, `mapped`, `grown`, `locked`.
        what: &'static str,
        /// What the machine said.
        why: String,
    },
    /// A later version wrote the table.
    #[error("the shared state `{}` has version {found} and this product reads version {known}; use the version that made it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The version read here.
        known: u64,
    },
    /// The table holds what no version can have written.
    #[error("the shared state `{}` is damaged: {what}; move it away to start with empty limits and sessions", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// There is no room: the entry cannot be held within `max_bytes`, whatever made room.
    #[error("the shared state has no room for this: {0}")]
    Full(&'static str),
    /// Somebody who lives held the entries for longer than [`super::Options::patience`].
    #[error("the shared state was held by another process for longer than {0} ms")]
    Busy(u128),
    /// The call itself cannot be: too many keys, a key twice, a word behind the entry's end.
    #[error("the shared state was used wrongly: {0}")]
    Misuse(&'static str),
    /// The session has had several parents.
    #[error(
        "the session was a sub-agent's of more than one other, and nothing says of which it is now; name its `parent`"
    )]
    Parents,
    /// The process was forked in the middle of the transaction; it is the parent's.
    #[error("the process was forked within a transaction of the shared state")]
    Forked,
}

impl From<StateError> for Error {
    fn from(error: StateError) -> Self {
        let code = match &error {
            StateError::Io { .. } | StateError::Parents => ErrorCode::StateIo,
            StateError::Version { .. } => ErrorCode::StateVersion,
            StateError::Damaged { .. } => ErrorCode::StateCorrupt,
            StateError::Full(_) => ErrorCode::StateFull,
            StateError::Busy(_) => ErrorCode::StateBusy,
            StateError::Misuse(_) => ErrorCode::Panic,
            StateError::Forked => ErrorCode::Forked,
        };
        let path = match &error {
            StateError::Io { path, .. } | StateError::Version { path, .. } | StateError::Damaged { path, .. } => {
                Some(path.display().to_string())
            }
            _ => None,
        };
        let made = Self::new(code, error.to_string());
        match path {
            Some(path) => made.with("path", path),
            None => made,
        }
    }
}
