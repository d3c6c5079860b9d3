//! Where each file of a home lies (`docs/formats.md` §3).

use super::Home;
use crate::ledger::id::StreamId;
use std::path::PathBuf;

impl Home {
    pub(crate) fn digest_key_path(&self) -> PathBuf {
        self.path.join("digest.key")
    }

    pub(crate) fn keys_path(&self) -> PathBuf {
        self.path.join("keys")
    }

    pub(crate) fn current_key_path(&self) -> PathBuf {
        self.path.join("keys/current")
    }

    pub(crate) fn next_key_path(&self) -> PathBuf {
        self.path.join("keys/next")
    }

    /// The index.
    #[must_use]
    pub fn index_path(&self) -> PathBuf {
        self.path.join("index")
    }

    /// The checkpoints.
    #[must_use]
    pub fn checkpoints_path(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// The directory of approvals.
    #[must_use]
    pub fn approvals_path(&self) -> PathBuf {
        self.path.join("approvals")
    }

    /// The directory of all streams.
    #[must_use]
    pub fn streams_path(&self) -> PathBuf {
        self.path.join("streams")
    }

    /// The directory of a stream.
    #[must_use]
    pub fn stream_path(&self, stream: StreamId) -> PathBuf {
        self.streams_path().join(stream.to_string())
    }

    /// The file whose lock says that a stream's process lives.
    #[must_use]
    pub fn stream_lock_path(&self, stream: StreamId) -> PathBuf {
        self.stream_path(stream).join("lock")
    }

    /// A segment's file.
    #[must_use]
    pub fn segment_path(&self, stream: StreamId, segment: u32) -> PathBuf {
        self.stream_path(stream).join(format!("{segment:06}.jsonl"))
    }

    /// A segment's sidecar.
    #[must_use]
    pub fn sidecar_path(&self, stream: StreamId, segment: u32) -> PathBuf {
        self.stream_path(stream).join(format!("{segment:06}.side"))
    }
}
