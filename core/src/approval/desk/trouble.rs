//! What fails on the disk may pass: how long it is tried again before whoever waits is told.

use crate::error::{Error, ErrorCode};
use std::time::{Duration, Instant};

/// A process that is out of file descriptors, or a disk that is full, mostly is so for a moment; people are asked for minutes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Since when something fails.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    since: Option<Instant>,
}

impl Trouble {
    /// It failed once more; whether to try it again.
    pub(super) fn may_try_again(&mut self, error: &Error) -> bool {
        may_pass(error) && self.since.get_or_insert_with(Instant::now).elapsed() < PATIENCE
    }

    /// It works.
    pub(super) const fn is_over(&mut self) {
        self.since = None;
    }
}

/// Whether it may be otherwise in a moment: it is the disk's, and not what lies on it.
pub(super) const fn may_pass(error: &Error) -> bool {
    matches!(error.code(), ErrorCode::LedgerIo | ErrorCode::HomeUnusable)
}
