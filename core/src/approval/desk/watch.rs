//! The desk's thread: takes questions and answers in order, looks for changes, tells those who wait.

use super::known::Known;
use super::wait::{Settled, Wait};
use super::{Command, Office, Question, Running, closed};
use crate::approval::event::Event;
use crate::approval::machine::{Approval, State};
use crate::approval::request::{ApprovalId, Call};
use crate::approval::store::{Locked, Store, is_outdated, with_change};
use crate::clock::UnixNanos;
use crate::error::{Error, ErrorCode};
use crate::ledger::lock::FileLock;
use crate::ledger::record::scalar::{Id, Time};
use crate::ledger::{Entropy, StreamId};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often answers are looked for while somebody waits: one look at the directory, a microsecond or two.
const LOOK: Duration = Duration::from_millis(10);

/// The thread.
pub(super) fn run(running: &Arc<Running>, office: &Weak<dyn Office>, store: Store) {
    let mut watch = Watch {
        store,
        known: Known::default(),
        waiting: BTreeMap::new(),
        claimed: Vec::new(),
        entropy: Entropy::system(),
        tidy: false,
    };
    loop {
        let patience = (!watch.waiting.is_empty()).then_some(LOOK);
        let commands = running.commands(patience);
        let office = office.upgrade().filter(|office| !office.is_closed());
        let (Some(commands), Some(office)) = (commands, office) else {
            watch.close();
            running.queue().stop = true;
            // what came in while this ended is told too
            for command in running.commands(Some(Duration::ZERO)).unwrap_or_default() {
                command.wait().settle(Settled::Failed(closed()));
            }
            return;
        };
        let waits: Vec<Wait> = commands.iter().map(|command| command.wait().clone()).collect();
        let worked = catch_unwind(AssertUnwindSafe(|| watch.work(&*office, commands)));
        let trouble = match worked {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error,
            Err(_) => Error::new(ErrorCode::Panic, "a defect was contained while people were asked"),
        };
        // whoever waits is refused: nobody would ever tell them
        waits.iter().for_each(|wait| wait.settle(Settled::Failed(trouble.clone())));
        watch.fail(&trouble);
    }
}

struct Watch {
    store: Store,
    known: Known,
    waiting: BTreeMap<ApprovalId, Vec<Wait>>,
    /// Those whose yes was used up just now, until the disk knows it.
    claimed: Vec<Approval>,
    entropy: Entropy,
    tidy: bool,
}

impl Watch {
    fn work(&mut self, office: &dyn Office, commands: Vec<Command>) -> Result<(), Error> {
        let now = office.now();
        let store = self.store.clone();
        if commands.is_empty() {
            let changed = self.known.refresh(&store, now)?;
            let due = || self.known.iter().any(|one| one.due(now).is_some() && self.waiting.contains_key(&one.id()));
            if !changed && !due() {
                return Ok(());
            }
            if !self.any_ended(now) {
                return Ok(());
            }
        }
        let locked = store.lock()?;
        self.known.refresh(&store, now)?;
        if !commands.is_empty() {
            self.end_overdue(&locked, office, now)?;
        }
        if !self.tidy {
            self.tidy = true;
            self.tidy_up(&locked, now)?;
        }
        for command in commands {
            self.take(&locked, office, command, now);
        }
        let ids: Vec<ApprovalId> = self.waiting.keys().copied().collect();
        for id in ids {
            if let Err(error) = self.attend(&locked, office, id, now) {
                self.settle(id, &Settled::Failed(error));
            }
        }
        if !self.claimed.is_empty() {
            self.let_run(&locked);
        }
        Ok(())
    }

    /// Whether anybody who waits has to be told something.
    fn any_ended(&self, now: UnixNanos) -> bool {
        self.waiting.keys().any(|id| match self.known.get(*id) {
            Ok(Some(approval)) => approval.state() != State::Pending || approval.due(now).is_some(),
            Ok(None) | Err(_) => true,
        })
    }

    fn take(&mut self, locked: &Locked<'_>, office: &dyn Office, command: Command, now: UnixNanos) {
        let wait = command.wait().clone();
        let taken = match command {
            Command::Ask(question, wait) => self.ask(locked, office, *question, &wait, now),
            Command::Answer { wait, by, answer, note } => {
                let event = Event::Answered { time: Time(now), by, answer, note };
                let answered = self.change(locked, office, &wait, event, now);
                if answered.is_err() {
                    // nobody else may be there to answer: an answer that cannot be used ends the question
                    let _is_refused_either_way =
                        self.change(locked, office, &wait, Event::Cancelled { time: Time(now) }, now);
                }
                answered
            }
            Command::Cancel(wait) => self.change(locked, office, &wait, Event::Cancelled { time: Time(now) }, now),
            Command::Leave(wait) => {
                let left = self.change(locked, office, &wait, Event::Left { time: Time(now) }, now);
                self.forget(&wait);
                wait.settle(Settled::Failed(Error::new(ErrorCode::Closed, "nobody waits for the approval any more")));
                left
            }
        };
        if let Err(error) = taken {
            self.forget(&wait);
            wait.settle(Settled::Failed(error));
        }
    }

    fn ask(
        &mut self,
        locked: &Locked<'_>,
        office: &dyn Office,
        question: Question,
        wait: &Wait,
        now: UnixNanos,
    ) -> Result<(), Error> {
        let stream = office.stream()?;
        if let Some(mut approval) = self.granting(&question, now) {
            let time = Time(now);
            approval.apply(Event::Used { time, action_id: question.request.call.action_id })?;
            self.write(locked, &approval, true, now)?;
            wait.settle(Settled::Granted(Box::new(approval)));
            return Ok(());
        }
        let approval = if let Some(mut approval) = self.asked_before(&question, stream, now) {
            approval.apply(Event::Resumed { time: Time(now), asker: Id(stream.0) })?;
            self.write(locked, &approval, false, now)?;
            approval
        } else {
            let mut request = question.request;
            request.id = Id(self.entropy.draw()?);
            request.asker = Id(stream.0);
            request.time = Time(now);
            let timeout = i64::try_from(question.timeout.as_nanos()).unwrap_or(i64::MAX);
            request.expires = Time(UnixNanos(now.0.saturating_add(timeout)));
            let approval = Approval::new(request);
            with_change(&approval, |change| office.record(now, change))?;
            self.write(locked, &approval, false, now)?;
            approval
        };
        wait.opened(&approval);
        self.waiting.entry(approval.id()).or_default().push(wait.clone());
        Ok(())
    }

    /// The approval whose grant lets the call run.
    fn granting(&self, question: &Question, now: UnixNanos) -> Option<Approval> {
        let wanted = &question.request;
        let found = self.known.iter().find(|approval| {
            let given = approval.request();
            let alike = given.call.is_like(&wanted.call) && given.policy == wanted.policy;
            let requester = wanted.call.requester.as_ref();
            let met = || wanted.requirements.iter().all(|requirement| approval.meets(requirement, requester));
            alike
                && met()
                && approval
                    .grant(now)
                    .is_some_and(|granted| granted.admits(given.binding == wanted.binding, &question.canonical))
        });
        found.cloned()
    }

    /// The approval that asks about this very call and that nobody alive waits for: the one of its call id, else the oldest.
    fn asked_before(&self, question: &Question, stream: StreamId, now: UnixNanos) -> Option<Approval> {
        let wanted = &question.request;
        let is_same = |asked: &Call| asked.call_id.is_some() && asked.call_id == wanted.call.call_id;
        let fits = |approval: &&Approval| {
            let asked = approval.request();
            let same = is_same(&asked.call);
            let both_named = asked.call.is_named() && wanted.call.is_named();
            let alive = || approval.asker().is_some_and(|asker| self.is_alive(asker, stream));
            approval.can_be_taken(now)
                && asked.call.is_like(&wanted.call)
                && asked.binding == wanted.binding
                && (same || (!both_named && !alive()))
        };
        let order = |approval: &&Approval| {
            let asked = approval.request();
            (!is_same(&asked.call), asked.time, approval.id())
        };
        self.known.iter().filter(fits).min_by_key(order).cloned()
    }

    /// Whether the process that writes that stream lives. One that cannot be asked does: then the question is a new one.
    fn is_alive(&self, asker: Id, own: StreamId) -> bool {
        asker.0 == own.0
            || FileLock::is_lived_in(&self.store.home().stream_lock_path(StreamId(asker.0))).unwrap_or(true)
    }

    fn change(
        &mut self,
        locked: &Locked<'_>,
        office: &dyn Office,
        wait: &Wait,
        event: Event,
        now: UnixNanos,
    ) -> Result<(), Error> {
        // one that never came to be asked, or that has ended for its call
        let Some(id) = wait.id().filter(|_| !wait.is_settled()) else { return Ok(()) };
        let mut approval = self.store.find(id)?;
        let recorded = matches!(event, Event::Answered { .. } | Event::Cancelled { .. });
        if approval.due(now).is_some() {
            // told by `attend`
            return Ok(());
        }
        approval.apply(event)?;
        if recorded {
            with_change(&approval, |change| office.record(now, change))?;
        }
        self.write(locked, &approval, false, now)?;
        if recorded {
            // one yes of several: people are still asked
            wait.opened(&approval);
        }
        Ok(())
    }

    /// Tells those who wait for an approval, if it has ended.
    fn attend(
        &mut self,
        locked: &Locked<'_>,
        office: &dyn Office,
        id: ApprovalId,
        now: UnixNanos,
    ) -> Result<(), Error> {
        match self.known.get(id) {
            Ok(Some(known)) if known.state() == State::Pending && known.due(now).is_none() => return Ok(()),
            Err(error) => return Err(error.clone()),
            Ok(_) => {}
        }
        let mut approval = self.store.find(id)?;
        if let Some(due) = approval.due(now) {
            approval.apply(due)?;
            with_change(&approval, |change| office.record(now, change))?;
        }
        if !approval.is_open() {
            self.settle(id, &Settled::UsedUp(Box::new(approval)));
            return Ok(());
        }
        let time = Time(now);
        match approval.state() {
            State::Pending => {}
            State::Approved => {
                approval.apply(Event::Claimed { time })?;
                self.write(locked, &approval, false, now)?;
                self.claimed.push(approval);
            }
            State::Denied | State::Expired | State::Cancelled => {
                approval.apply(Event::Delivered { time })?;
                self.write(locked, &approval, false, now)?;
                self.settle(id, &Settled::Over(Box::new(approval)));
            }
        }
        Ok(())
    }

    /// Lets those run whose yes was used up for them: once the disk knows it, so that it permits one run whatever happens to the
    /// machine. One sync after all writes costs little more than one alone.
    fn let_run(&mut self, locked: &Locked<'_>) {
        let claimed = std::mem::take(&mut self.claimed);
        let synced = locked.sync(claimed.iter().map(Approval::id));
        for approval in claimed {
            let waits = self.waiting.remove(&approval.id()).unwrap_or_default();
            if let Err(error) = &synced {
                waits.into_iter().for_each(|wait| wait.settle(Settled::Failed(error.clone())));
                continue;
            }
            let mut waits = waits.into_iter();
            if let Some(first) = waits.next() {
                first.settle(Settled::Approved(Box::new(approval.clone())));
            }
            waits.for_each(|wait| wait.settle(Settled::UsedUp(Box::new(approval.clone()))));
        }
    }

    /// Ends what ran out while no process was there to see it.
    fn end_overdue(&mut self, locked: &Locked<'_>, office: &dyn Office, now: UnixNanos) -> Result<(), Error> {
        // those that somebody here waits for are told of it
        let unseen = |one: &&Approval| one.is_overdue(now) && !self.waiting.contains_key(&one.id());
        let overdue: Vec<ApprovalId> = self.known.iter().filter(unseen).map(Approval::id).collect();
        for id in overdue {
            let mut record = |ended: &Approval| with_change(ended, |change| office.record(now, change));
            if let Some(ended) = locked.end_overdue(id, now, &mut record)? {
                self.known.wrote(&self.store, &ended, now);
            }
        }
        Ok(())
    }

    /// Takes away what is long over.
    fn tidy_up(&mut self, locked: &Locked<'_>, now: UnixNanos) -> Result<(), Error> {
        for id in self.store.ids()? {
            // one that cannot be read stays for people to look at
            if self.store.read(id).ok().flatten().is_some_and(|approval| is_outdated(&approval, now)) {
                locked.remove(id)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, locked: &Locked<'_>, approval: &Approval, synced: bool, now: UnixNanos) -> Result<(), Error> {
        locked.write(approval, synced)?;
        self.known.wrote(&self.store, approval, now);
        Ok(())
    }

    fn settle(&mut self, id: ApprovalId, settled: &Settled) {
        for wait in self.waiting.remove(&id).unwrap_or_default() {
            wait.settle(settled.clone());
        }
    }

    /// Tells nothing more to one of those who wait.
    fn forget(&mut self, wait: &Wait) {
        if let Some(id) = wait.id()
            && let Some(waits) = self.waiting.get_mut(&id)
        {
            waits.retain(|one| !one.is(wait));
            if waits.is_empty() {
                self.waiting.remove(&id);
            }
        }
    }

    fn fail(&mut self, error: &Error) {
        for wait in std::mem::take(&mut self.waiting).into_values().flatten() {
            wait.settle(Settled::Failed(error.clone()));
        }
    }

    /// The questions stay open: a process that starts with the same session takes them up.
    fn close(&mut self) {
        self.fail(&closed());
    }
}
