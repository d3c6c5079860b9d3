//! Waiting for the end of a question: from a thread, or by being called.

use crate::approval::machine::{Approval, State};
use crate::approval::request::ApprovalId;
use crate::clock::UnixNanos;
use crate::error::Error;
use crate::ledger::ActionId;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How a question ended for the call that asked it.
#[derive(Debug, Clone)]
pub enum Settled {
    /// People said yes, and this call may use it: nobody else can.
    Approved(Box<Approval>),
    /// An earlier yes covers it; it was counted.
    Granted(Box<Approval>),
    /// They said no, their time ran out, or the question was taken back.
    Over(Box<Approval>),
    /// The yes went to another call that waited for the same.
    UsedUp(Box<Approval>),
    /// It could not be asked, or the answer could not be used.
    Failed(Error),
}

/// A question that was asked. Clones are the same one.
#[derive(Clone)]
pub struct Wait {
    shared: Arc<Shared>,
}

struct Shared {
    turn: Option<Arc<[Arc<str>]>>,
    slot: Mutex<Slot>,
    settled: Condvar,
}

type Call = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Slot {
    id: Option<ApprovalId>,
    /// The call that was asked about first.
    action_id: Option<ActionId>,
    /// When its time runs out.
    expires: Option<UnixNanos>,
    /// Whether people are asked: not where the answer was there before.
    asked: bool,
    /// Whether people had answered before it was asked this time.
    answered: bool,
    /// Whether they have answered, and it has to be asked once more, together with the others of its turn.
    held: bool,
    settled: Option<Settled>,
    calls: Vec<Call>,
    /// Those to be called as soon as people are asked.
    calls_when_asked: Vec<Call>,
}

impl Slot {
    const fn is_asked(&self) -> bool {
        self.asked || self.held || self.settled.is_some()
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("id", &self.id()).field("settled", &self.is_settled()).finish()
    }
}

impl Wait {
    pub(super) fn new(turn: Option<Arc<[Arc<str>]>>) -> Self {
        Self { shared: Arc::new(Shared { turn, slot: Mutex::default(), settled: Condvar::new() }) }
    }

    /// Whether people have answered, and it has to be asked once more: when all others of its turn are answered too. Invariant: what
    /// is held is never settled by an answer any more, so that whoever waits has to leave it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.slot().held
    }

    /// The ids of the calls that a framework makes in one step with it.
    #[must_use]
    pub fn turn(&self) -> Option<&[Arc<str>]> {
        self.shared.turn.as_deref()
    }

    /// It was asked, or taken up.
    pub(super) fn begins(&self, approval: &Approval) {
        self.slot().answered = approval.state() != State::Pending;
    }

    pub(super) fn was_answered(&self) -> bool {
        self.slot().answered
    }

    /// It goes no further this time.
    pub(super) fn hold(&self) {
        let mut slot = self.slot();
        slot.held = true;
        self.asked(slot);
    }

    /// The approval's id; `None` until it is on the disk.
    #[must_use]
    pub fn id(&self) -> Option<ApprovalId> {
        self.slot().id
    }

    /// The call that was asked about first, whose record says how it went; `None` until the approval is on the disk.
    #[must_use]
    pub fn action_id(&self) -> Option<ActionId> {
        self.slot().action_id
    }

    /// When its time runs out: that of the question that was taken up, where it is none of its own. `None` until the approval is on
    /// the disk.
    #[must_use]
    pub fn expires(&self) -> Option<UnixNanos> {
        self.slot().expires
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.slot().settled.is_some()
    }

    /// How it ended; `None` until it has.
    #[must_use]
    pub fn settled(&self) -> Option<Settled> {
        self.slot().settled.clone()
    }

    /// Blocks the calling thread until it has ended, at most for `patience`; whether it has.
    #[must_use]
    pub fn wait(&self, patience: Duration) -> bool {
        let deadline = Instant::now().checked_add(patience);
        let mut slot = self.slot();
        while slot.settled.is_none() {
            slot = match deadline {
                None => self.shared.settled.wait(slot).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    self.shared.settled.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }

    /// Calls `call` once it has ended, from the desk's thread, or at once if it has. It must not block.
    pub fn on_settled(&self, call: Call) {
        let mut slot = self.slot();
        if slot.settled.is_none() {
            slot.calls.push(call);
            return;
        }
        drop(slot);
        call();
    }

    /// Blocks the calling thread until people are asked or it has ended, at most for `patience`; whether it is so. A grant that
    /// covers the call ends it without anybody being asked.
    #[must_use]
    pub fn wait_asked(&self, patience: Duration) -> bool {
        let slot = self.slot();
        let waited = self.shared.settled.wait_timeout_while(slot, patience, |slot| !slot.is_asked());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_asked()
    }

    /// Calls `call` once people are asked or it has ended, as [`Wait::on_settled`].
    pub fn on_asked(&self, call: Call) {
        let mut slot = self.slot();
        if !slot.is_asked() {
            slot.calls_when_asked.push(call);
            return;
        }
        drop(slot);
        call();
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// An answer is on its way: whether people are still asked is known once it was taken ([`Wait::opened`]).
    pub(super) fn answering(&self) {
        self.slot().asked = false;
    }

    /// The approval is on the disk; people are asked unless they answered before.
    pub(super) fn opened(&self, approval: &Approval) {
        let mut slot = self.slot();
        slot.id = Some(approval.id());
        slot.action_id = Some(ActionId(approval.request().call.action_id.0));
        slot.expires = Some(approval.request().expires.0);
        slot.asked = approval.state() == State::Pending;
        if slot.asked {
            self.asked(slot);
        }
    }

    fn asked(&self, mut slot: MutexGuard<'_, Slot>) {
        let calls = std::mem::take(&mut slot.calls_when_asked);
        drop(slot);
        self.shared.settled.notify_all();
        calls.into_iter().for_each(|call| call());
    }

    /// Ends it; what was said first holds.
    pub(super) fn settle(&self, settled: Settled) {
        let mut slot = self.slot();
        if slot.settled.is_some() {
            return;
        }
        slot.settled = Some(settled);
        let mut calls = std::mem::take(&mut slot.calls_when_asked);
        calls.append(&mut slot.calls);
        drop(slot);
        self.shared.settled.notify_all();
        // outside the lock: they may ask how it ended
        calls.into_iter().for_each(|call| call());
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        // every change of it is one assignment
        self.shared.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
