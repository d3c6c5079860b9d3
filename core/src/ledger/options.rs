//! What a process may choose of its ledger. The defaults are the documented ones (`docs/ledger.md`).

use super::sink::Sink;
use crate::clock::Clock;
use std::sync::Arc;
use std::time::Duration;

/// How a [`super::Ledger`] writes.
#[derive(Debug, Clone)]
pub struct Options {
    /// Size of the spool in bytes, rounded up to a power of two. Default 4 MiB.
    pub spool_bytes: usize,
    /// A segment is closed when it has so many bytes. Default 64 MiB.
    pub segment_bytes: u64,
    /// A segment is closed when it is so old. Default 24 hours.
    pub segment_age: Duration,
    /// The longest a record waits in the spool before the writer takes it. Default 20 ms.
    pub group: Duration,
    /// A checkpoint is due after so many records, though not sooner than a second after the one before. Default 50,000.
    pub checkpoint_records: u64,
    /// A checkpoint is due so long after the first record that none covers. Default 60 s.
    pub checkpoint_age: Duration,
    /// How long a caller waits for room in a full spool before it is refused. Default 1 s.
    pub patience: Duration,
    /// Runs the wait for room that it is given, once. A caller that holds what others need meanwhile gives it up in here: no
    /// record that waits reads anything but what the ledger was handed. Default: just runs it.
    pub while_waiting: fn(&mut dyn FnMut()),
    /// How long a caller of a durable record waits for the disk before it is told that it is not there. Default 10 s.
    pub sync_patience: Duration,
    /// Where checkpoints go besides the home.
    pub sinks: Vec<Sink>,
    /// The time of the ledger's own records. Records of calls bring theirs.
    pub clock: Arc<Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            spool_bytes: 4 << 20,
            segment_bytes: 64 << 20,
            segment_age: Duration::from_secs(24 * 60 * 60),
            group: Duration::from_millis(20),
            checkpoint_records: 50_000,
            checkpoint_age: Duration::from_secs(60),
            patience: Duration::from_secs(1),
            while_waiting: |wait| wait(),
            sync_patience: Duration::from_secs(10),
            sinks: Vec::new(),
            clock: Arc::new(Clock::System),
        }
    }
}
