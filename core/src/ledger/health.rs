//! What a ledger says of itself: counters, the last trouble, how old the last sync is.

use super::id::StreamId;
use crate::error::Error;
use serde::{Serialize, Serializer};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The state of a ledger in this process. All zero before the first record and in a child that has recorded nothing, but for what
/// closing such a one took over.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Health {
    /// The stream this process writes.
    #[serde(serialize_with = "as_text")]
    pub stream: Option<StreamId>,
    /// Bytes in the spool that the disk does not have yet.
    pub queued_bytes: u64,
    /// What the spool holds at most.
    pub capacity_bytes: u64,
    /// Times a caller waited for room.
    pub waits: u64,
    /// Records refused because no room came free in time.
    pub full: u64,
    /// Records in the stream that are on the disk.
    pub written: u64,
    /// Records that a `dropped` record counts, or will.
    pub dropped: u64,
    /// Slots whose producer panicked; the caller was told.
    pub skipped: u64,
    /// Streams of dead processes taken over.
    pub adopted: u64,
    /// The last trouble of the writer; `None` again once it works.
    pub last_error: Option<String>,
    /// How long ago a group was last on the disk.
    #[serde(rename = "last_sync_age_seconds", serialize_with = "as_seconds")]
    pub last_sync_age: Option<Duration>,
    /// Whether the writer ended although it was not asked to.
    pub writer_gone: bool,
}

fn as_text<S: Serializer>(stream: &Option<StreamId>, to: S) -> Result<S::Ok, S::Error> {
    stream.map(|stream| stream.to_string()).serialize(to)
}

fn as_seconds<S: Serializer>(age: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    age.map(|age| age.as_secs_f64()).serialize(to)
}

/// What [`super::Ledger::flush`] reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct FlushReport {
    /// Records of this process's stream on the disk.
    pub written: u64,
    /// Records still in the spool.
    pub pending: u64,
    /// Records given up so far.
    pub dropped: u64,
}

/// What the writer says to the others.
#[derive(Debug, Default)]
pub(crate) struct Status {
    pub(crate) written: u64,
    pub(crate) dropped: u64,
    pub(crate) skipped: u64,
    pub(crate) adopted: u64,
    pub(crate) last_error: Option<String>,
    pub(crate) last_sync: Option<Instant>,
    pub(crate) counted: Vec<(String, u64)>,
    /// When taking over dead streams ends, once the ledger is being closed.
    pub(crate) adopts_until: Option<Instant>,
    finished: bool,
}

/// Between a process's callers and its writer. The mutex is never touched where a call is recorded.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// Asks the writer to close the stream.
    pub(crate) stop: AtomicBool,
    /// Set when the writer ended without having closed the stream.
    pub(crate) gone: AtomicBool,
    status: Mutex<Status>,
    finished: Condvar,
}

impl Control {
    pub(crate) fn status(&self) -> MutexGuard<'_, Status> {
        // plain numbers and texts: whole even if a thread died while it wrote them
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn trouble(&self, error: &Error) {
        self.status().last_error = Some(error.message().to_owned());
    }

    /// The writer's last word.
    pub(crate) fn finish(&self, closed: bool) {
        self.gone.store(!closed, Ordering::Release);
        self.status().finished = true;
        self.finished.notify_all();
    }

    /// Whether the writer ended within `timeout`.
    pub(crate) fn wait_finished(&self, timeout: Duration) -> bool {
        let held = self.status();
        let (held, _) = self
            .finished
            .wait_timeout_while(held, timeout, |status| !status.finished)
            .unwrap_or_else(PoisonError::into_inner);
        held.finished
    }
}
