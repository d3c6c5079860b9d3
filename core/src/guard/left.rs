//! Calls whose question was left by a process that is gone, for the program to take up and run.

use super::Guard;
use crate::approval::store::{Store, with_change};
use crate::approval::{Approval, ApprovalId, Event, State};
use crate::error::{Error, ErrorCode};
use crate::ledger::StreamId;
use crate::ledger::record::scalar::{Id, Time};

impl Guard {
    /// The calls that people are or were asked about, that can still run by that question, whose arguments are kept, of this
    /// guard's agent, and that nobody alive waits for: the oldest first. What ran out meanwhile is ended.
    ///
    /// # Errors
    /// As [`Store::end_overdue`], and where this process cannot have a stream.
    pub fn left_calls(&self) -> Result<Vec<Approval>, Error> {
        let (store, own) = (self.desk.store(), self.ledger.stream()?);
        let now = self.clock.now();
        store.end_overdue(now, &mut |_, ended| with_change(ended, |change| self.ledger.approval(now, change)))?;
        let mut left = Vec::new();
        for id in store.ids()? {
            // one that cannot be read stays for people to look at
            left.extend(store.read(id).ok().flatten().filter(|approval| self.is_left(store, approval, own)));
        }
        left.sort_by_key(|approval| (approval.request().time, approval.id()));
        Ok(left)
    }

    /// Makes such a call this process's, and nobody else's; whether it still was nobody's. A call with its call id and its
    /// arguments takes the question up.
    ///
    /// # Errors
    /// As [`Store::lock`], [`Store::find`] and [`crate::approval::store::Locked::write`].
    pub fn take_left(&self, id: ApprovalId) -> Result<bool, Error> {
        let (store, own) = (self.desk.store(), self.ledger.stream()?);
        let locked = store.lock()?;
        let mut approval = store.find(id)?;
        if !self.is_left(store, &approval, own) {
            return Ok(false);
        }
        approval.apply(Event::Resumed { time: Time(self.clock.now()), asker: Id(own.0) })?;
        locked.write(&approval, false)?;
        Ok(true)
    }

    /// Ends the question of a call that this process took, and that is not going to run by it. A question that is still open is
    /// taken back; an answer counts as told. Does nothing where the question has reached a call.
    ///
    /// # Errors
    /// As [`Store::lock`], [`Store::find`] and [`crate::approval::store::Locked::command`].
    pub fn end_left(&self, id: ApprovalId) -> Result<(), Error> {
        let store = self.desk.store();
        let locked = store.lock()?;
        let time = Time(self.clock.now());
        let mut approval = store.find(id)?;
        if approval.state() == State::Pending {
            // its time may be over just now, which is an end too
            match locked.command(id, Event::Cancelled { time }, &mut |_| Ok(())) {
                Err(error) if error.code() != ErrorCode::ApprovalDecided => return Err(error),
                _ => approval = store.find(id)?,
            }
        }
        if approval.is_open() {
            approval.apply(Event::Delivered { time })?;
            locked.write(&approval, true)?;
        }
        Ok(())
    }

    fn is_left(&self, store: &Store, approval: &Approval, own: StreamId) -> bool {
        // a question is taken up for the agent that people were told of alone
        let same_agent = approval.request().call.agent == self.agent;
        let mine = approval.asker().is_some_and(|asker| asker.0 == own.0);
        approval.request().arguments.is_some()
            && approval.can_be_taken(self.clock.now())
            && same_agent
            && !mine
            && !store.is_waited_for(approval)
    }
}
