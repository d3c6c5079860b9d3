//! A call of a case that waits for people, and what the case has them say.

use super::{CLOSING, Decided, Play};
use crate::approval::desk::Settled;
use crate::approval::store::Store;
use crate::approval::{ApprovalId, Event, State};
use crate::call::CallContext;
use crate::clock::UnixNanos;
use crate::decide::{Decision, Effect, ReasonCode, arguments};
use crate::error::{Error, ErrorCode};
use crate::guard::{Admission, Resumed, Tool};
use crate::ledger::Home;
use crate::ledger::record::scalar::Time;
use crate::policy::cases::{Answer, Call};
use crate::value::{self, Value};
use std::sync::{Arc, PoisonError};

impl Play<'_> {
    /// Asks people as a program does that waits for `counterseal approvals`, has them answer from there, and tells what comes of it.
    /// A question that has not ended then stays open: the next like call takes it up.
    pub(super) fn ask(&mut self, tool: &Arc<Tool>, call: &Call, context: &CallContext) -> Result<Decided, Error> {
        let asking = match self.guard.admit(tool, Ok(&call.args), context) {
            Admission::Ask(asking) => asking,
            Admission::Refused(refusal) => return Ok(Decided::of(refusal.decision)),
            other => return self.ran(other, call),
        };
        if !asking.waiting().wait_asked(CLOSING) {
            return Err(stuck("was not asked"));
        }
        let mut uncounted = None;
        for answer in &call.answers {
            self.now = UnixNanos(self.now.0.saturating_add(answer.after));
            self.guard.clock().set(self.now);
            let Some(id) = asking.approval().filter(|_| !asking.waiting().is_settled()) else { break };
            let ended = match self.say(id, answer) {
                Ok(state) => state != State::Pending,
                Err(error) => {
                    uncounted = Some(Arc::from(error.message()));
                    asking.expires_in().is_zero()
                }
            };
            if ended && !asking.waiting().wait(CLOSING) {
                return Err(stuck("ended and nobody was told"));
            }
        }
        match asking.waiting().settled() {
            Some(Settled::Failed(error)) => Err(error),
            Some(_) => {
                let Resumed { admission, edited } = asking.resume(Ok(&call.args));
                match (admission, edited) {
                    (Admission::Sync(pending), Some(edited)) => match self.untaken(call, &edited) {
                        Some(why) => self.ended(pending.resume(Ok(()), Err(&why)), call),
                        None => self.ended(Admission::Sync(pending), call),
                    },
                    (admission, _) => self.ended(admission, call),
                }
            }
            None => Ok(open(asking.decision(), uncounted)),
        }
    }

    /// From another place than the program's, as `counterseal approvals` does.
    fn say(&self, id: ApprovalId, answer: &Answer) -> Result<State, Error> {
        let store = Store::new(&Home::open(&self.home)?);
        let (by, note) = (answer.by.clone(), answer.note.clone());
        let event = Event::Answered { time: Time(self.now), by, answer: answer.said(self.now), note };
        let locked = store.lock()?;
        Ok(locked.command(id, event, &mut |_| Ok(()))?.state())
    }

    fn ended(&self, admission: Admission, call: &Call) -> Result<Decided, Error> {
        match admission {
            Admission::Refused(refusal) => Ok(Decided::of(refusal.decision)),
            admission => self.ran(admission, call),
        }
    }

    /// Why the tool cannot be called with arguments that people changed to these: it has no such parameter.
    fn untaken(&self, call: &Call, edited: &[u8]) -> Option<Error> {
        let known = arguments(self.policy, &call.tool)?;
        let Ok(Value::Map(entries)) = value::decode(edited) else { return None };
        let Value::Map(before) = &call.args else { return None };
        let new = entries.iter().filter(|(name, _)| before.iter().all(|(given, _)| given != name));
        let missed: Vec<String> =
            new.filter(|(name, _)| known.get(name).is_none()).map(|(name, _)| format!("`{name}`")).collect();
        let why = || format!("people changed {}, which no parameter of the function takes", missed.join(", "));
        (!missed.is_empty()).then(|| Error::new(ErrorCode::ValueUnreadable, why()))
    }

    /// A call that may run does, and what was decided of it then is what was recorded.
    fn ran(&self, admission: Admission, call: &Call) -> Result<Decided, Error> {
        self.finish(admission, call)?;
        let last = self.last.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        last.map(Decided::of).ok_or_else(|| stuck("ran and nothing was decided of it"))
    }
}

/// What is said of a question that waits on.
fn open(asked: &Decision, uncounted: Option<Arc<str>>) -> Decided {
    let mut decision = asked.clone();
    decision.effect = Effect::Asked;
    decision.reason_code = ReasonCode::ApprovalPending;
    decision.detail = uncounted;
    Decided::of(decision)
}

fn stuck(what: &str) -> Error {
    Error::new(ErrorCode::LedgerIo, format!("a call of a case that waits for people {what}; try again"))
}
