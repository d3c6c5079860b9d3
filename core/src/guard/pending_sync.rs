//! A call that may run once its record is on the disk: a body cannot be reached without finishing the wait.

use super::{Admission, Ticket};
use crate::guard::Captured;
use crate::ledger::{Outcome, SyncTicket};
use std::time::Duration;

/// Permission that is not yet durable.
///
/// Dropped without [`PendingSync::finish`], the call is recorded as `unknown`, as with any lost ticket.
#[derive(Debug)]
pub struct PendingSync {
    ticket: Ticket,
    sync: SyncTicket,
}

impl PendingSync {
    pub(super) const fn new(ticket: Ticket, sync: SyncTicket) -> Self {
        Self { ticket, sync }
    }

    /// Whether [`PendingSync::finish`] would answer at once.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.sync.is_done()
    }

    /// Waits until the record is on the disk, `timeout` at most; blocks the calling thread. A record that is not there by then
    /// refuses the call, unless the tool's fail mode is `open`.
    #[must_use]
    pub fn finish(self, timeout: Duration) -> Admission {
        match self.sync.wait(timeout) {
            Ok(()) => Admission::Run(self.ticket.restarted()),
            Err(error) => self.ticket.unsynced(error.message()),
        }
    }
}

impl Ticket {
    /// The body's time starts now, not when the wait for the disk began.
    fn restarted(mut self) -> Self {
        self.restart();
        self
    }

    fn unsynced(self, why: &str) -> Admission {
        if self.tool().plan().fail_mode() == crate::decide::FailMode::Open {
            self.guard().count_unrecorded_run();
            return Admission::Run(self.restarted());
        }
        let (guard, tool, action_id) = (self.guard().clone(), self.tool().clone(), self.action_id());
        self.complete(Outcome::Denied, &Captured::Nothing);
        guard.refused_unrecorded(&tool, why, Some(action_id))
    }
}
