//! What stands between "it may run" and "it ran": completing it is recorded, and so is losing it.

use super::completion::End;
use super::limits::{Reservation, Settled};
use super::memory::Learner;
use super::{Captured, Guard, Tool};
use crate::approval::desk::Wait;
use crate::clock::UnixNanos;
use crate::decide::RecordLevel;
use crate::ledger::{ActionId, Outcome};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// Permission for one run of one call.
///
/// Give it back with [`Ticket::complete`]. One that is dropped instead counts as run and is recorded with the outcome `unknown`.
pub struct Ticket {
    guard: Arc<Guard>,
    tool: Arc<Tool>,
    issue: Issue,
    started: Instant,
    open: bool,
    /// Its body has not begun: it waits for its record.
    waits: bool,
    suspended: bool,
    /// The question of which a yes permits it.
    agreed: Option<Wait>,
    cost: Option<i64>,
}

/// What a ticket is given for.
pub(super) struct Issue {
    pub(super) action_id: ActionId,
    pub(super) decided_at: UnixNanos,
    /// How much of the result is recorded.
    pub(super) level: RecordLevel,
    /// What the call has taken from limits.
    pub(super) held: Option<Box<Reservation>>,
    /// Who learns from the result.
    pub(super) learner: Option<Box<Learner>>,
}

impl Ticket {
    pub(super) fn new(guard: Arc<Guard>, tool: Arc<Tool>, issue: Issue) -> Self {
        let started = Instant::now();
        Self { guard, tool, issue, started, open: true, waits: false, suspended: false, agreed: None, cost: None }
    }

    /// The same, of a call whose body cannot be reached yet: lost now, it is recorded as `cancelled`, and nothing of it is spent.
    pub(super) const fn waiting(mut self) -> Self {
        self.waits = true;
        self
    }

    /// The same, of a call that people were asked about by that question, and agreed to.
    pub(super) fn agreed_to(&mut self, question: &Wait) {
        self.agreed = Some(question.clone());
    }

    /// The id of the decided call.
    #[must_use]
    pub const fn action_id(&self) -> ActionId {
        self.issue.action_id
    }

    pub(super) const fn guard(&self) -> &Arc<Guard> {
        &self.guard
    }

    pub(super) fn restart(&mut self) {
        self.started = Instant::now();
        self.waits = false;
    }

    /// The tool it was given for.
    #[must_use]
    pub const fn tool(&self) -> &Arc<Tool> {
        &self.tool
    }

    /// Says what the call cost in millionths of a US dollar: it takes the place of what it was expected to cost.
    pub fn costs(&mut self, micro_usd: i64) {
        self.cost = Some(micro_usd.max(0));
    }

    /// Says that the body was left only to be entered again, by a call of the same id with the same arguments: that one takes
    /// nothing from limits once more, and nobody is asked again.
    pub const fn suspends(&mut self) {
        self.suspended = true;
    }

    /// Records how the call ended. Never fails: what cannot be recorded is counted in the guard's health.
    pub fn complete(mut self, outcome: Outcome, result: &Captured<'_>) {
        self.finish(outcome, result);
    }

    fn finish(&mut self, outcome: Outcome, result: &Captured<'_>) {
        self.open = false;
        let ran = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        // the wall clock is not read again: a second reading costs as much as the whole record and may go back
        let Issue { action_id, decided_at, level, .. } = self.issue;
        let ended = UnixNanos(decided_at.0.saturating_add(i64::try_from(ran).unwrap_or(i64::MAX)));
        let end = End { action_id, ended, duration: ran, outcome, level, cost: self.cost };
        if let (Outcome::Success, Captured::Value(value), Some(learner)) = (outcome, result, &self.issue.learner) {
            // before the caller has the result: the call that uses it may be the next
            self.guard.learn(&self.tool, learner, value, ended);
        }
        if let Some(question) = self.agreed.take().filter(|_| self.suspended) {
            self.guard.desk.suspend(&question);
        }
        if let Some(held) = self.issue.held.take() {
            let settled = Settled { outcome, cost: self.cost, suspended: self.suspended };
            self.guard.settle(&self.tool, &held, settled, ended);
        }
        self.guard.record_completion(&self.tool, &end, result);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.open {
            let lost = if self.waits { Outcome::Cancelled } else { Outcome::Unknown };
            self.finish(lost, &Captured::Nothing);
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("action_id", &self.issue.action_id).finish_non_exhaustive()
    }
}
