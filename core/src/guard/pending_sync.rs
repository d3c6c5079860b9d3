//! A call that had to wait before its body: it cannot be reached without finishing the wait.

use super::admission::{OnItsWay, captured, refused};
use super::health::count;
use super::scratch::with_buffer;
use super::{Admission, Captured, Ticket};
use crate::approval::desk::Wait;
use crate::decide::{FailMode, ReasonCode};
use crate::error::Error;
use crate::ledger::{Outcome, SyncTicket};
use crate::value::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Permission that is not yet durable.
///
/// Dropped without [`PendingSync::finish`] or [`PendingSync::resume`], the call is recorded as `cancelled`: its body cannot have run.
#[derive(Debug)]
pub struct PendingSync {
    ticket: Ticket,
    record: Box<OnItsWay>,
}

impl PendingSync {
    pub(super) const fn new(ticket: Ticket, record: Box<OnItsWay>) -> Self {
        Self { ticket: ticket.waiting(), record }
    }

    /// Says which question people agreed to.
    pub(super) fn agreed_to(&mut self, question: &Wait) {
        self.ticket.agreed_to(question);
    }

    /// What says when the record is on the disk, to wait for that elsewhere.
    #[must_use]
    pub const fn sync(&self) -> &SyncTicket {
        &self.record.sync
    }

    /// Waits until the record is on the disk, `timeout` at most; blocks the calling thread. A record that is not there by then
    /// refuses the call, unless the tool's fail mode is `open`. For callers that own the arguments: nobody can have changed
    /// them.
    #[must_use]
    pub fn finish(self, timeout: Duration) -> Admission {
        let waited = self.record.sync.wait(timeout);
        self.released(waited)
    }

    /// Goes on after the wait came to `waited`, with the arguments as they are now, which whoever holds them may have changed:
    /// others than those recorded are refused with [`ReasonCode::CallChanged`]. Otherwise as [`PendingSync::finish`].
    #[must_use]
    #[cold]
    pub fn resume(self, waited: Result<(), Error>, arguments: Result<&Value<'_>, &Error>) -> Admission {
        let guard = Arc::clone(self.ticket.guard());
        let digest = || {
            with_buffer(|canonical| {
                captured(arguments, canonical)?;
                Ok::<_, Error>(guard.key.call(self.ticket.tool().prefix(), canonical))
            })
        };
        let (code, why) = match catch_unwind(AssertUnwindSafe(digest)) {
            Ok(Ok(digest)) if self.record.digest == Some(digest) => return self.released(waited),
            Ok(Ok(_)) => (ReasonCode::CallChanged, None),
            Ok(Err(error)) => (ReasonCode::CallChanged, Some(Arc::from(error.message()))),
            Err(_) => {
                count(&guard.counters.panics);
                (ReasonCode::Internal, None)
            }
        };
        let (tool, action_id) = (Arc::clone(self.ticket.tool()), self.ticket.action_id());
        self.ticket.complete(Outcome::Denied, &Captured::Nothing);
        refused(tool.plan().refusal(code, why), Some(action_id))
    }

    fn released(self, waited: Result<(), Error>) -> Admission {
        match waited {
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
        if self.tool().plan().fail_mode() == FailMode::Open {
            self.guard().count_unrecorded_run();
            return Admission::Run(self.restarted());
        }
        let (guard, tool, action_id) = (self.guard().clone(), self.tool().clone(), self.action_id());
        self.complete(Outcome::Denied, &Captured::Nothing);
        guard.refused_unrecorded(&tool, why, Some(action_id))
    }
}
