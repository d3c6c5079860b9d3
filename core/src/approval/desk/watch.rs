//! The desk's thread: takes questions and answers in order, looks for changes, tells those who wait.

use super::known::Known;
use super::trouble::{Trouble, may_pass};
use super::wait::{Settled, Wait};
use super::{Command, Office, Question, Running, closed};
use crate::approval::event::Event;
use crate::approval::machine::{Approval, State};
use crate::approval::request::{ApprovalId, Call};
use crate::approval::store::{Locked, Store, is_outdated, with_change};
use crate::clock::{Clock, UnixNanos};
use crate::error::{Error, ErrorCode};
use crate::ledger::lock::FileLock;
use crate::ledger::record::scalar::{Id, Time};
use crate::ledger::{Entropy, StreamId};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How often answers are looked for while somebody waits: one look at the directory, a microsecond or two.
const LOOK: Duration = Duration::from_millis(10);

/// How often it is tried to put down that nobody waits any more, where that failed.
const LATER: Duration = Duration::from_secs(1);

/// How often what is long over is taken away, by a process that asks people now and then as by one that stopped.
const TIDY: Duration = Duration::from_secs(60 * 60);

/// The thread.
pub(super) fn run(running: &Arc<Running>, office: &Weak<dyn Office>, store: Store) {
    let mut watch = Watch {
        store,
        known: Known::default(),
        waiting: BTreeMap::new(),
        commands: Vec::new(),
        claimed: Vec::new(),
        abandoned: BTreeSet::new(),
        left: None,
        recorded: BTreeMap::new(),
        home: Trouble::default(),
        syncing: Trouble::default(),
        troubled: BTreeMap::new(),
        entropy: Entropy::system(),
        tidied: None,
    };
    loop {
        let commands = running.commands(watch.patience());
        let office = office.upgrade().filter(|office| !office.is_closed());
        let (commands, office) = match (commands, office) {
            (Some(commands), Some(office)) => (commands, office),
            (commands, _) => {
                running.queue().stop = true;
                // what came in while this ended is told too
                let late = running.commands(Some(Duration::ZERO));
                watch.close(commands.into_iter().chain(late).flatten());
                return;
            }
        };
        watch.commands.extend(commands.into_iter().map(|command| Due { command, trouble: Trouble::default() }));
        let waits: Vec<Wait> = watch.commands.iter().map(|due| due.command.wait().clone()).collect();
        let worked = catch_unwind(AssertUnwindSafe(|| watch.work(&*office)));
        let trouble = match worked {
            Ok(Ok(())) => {
                watch.home.is_over();
                continue;
            }
            Ok(Err(error)) if watch.home.may_try_again(&error) => continue,
            Ok(Err(error)) => error,
            Err(_) => Error::new(ErrorCode::Panic, "a defect was contained while people were asked"),
        };
        // whoever waits is refused: nobody would ever tell them
        waits.iter().for_each(|wait| wait.settle(Settled::Failed(trouble.clone())));
        watch.fail(&trouble);
    }
}

/// A command that is still to be done.
struct Due {
    command: Command,
    trouble: Trouble,
}

struct Watch {
    store: Store,
    known: Known,
    waiting: BTreeMap<ApprovalId, Vec<Wait>>,
    /// In their order; what failed on the disk stays here until it is given up.
    commands: Vec<Due>,
    /// Those whose yes was used up just now, until the disk knows it.
    claimed: Vec<Approval>,
    /// Those whose waits were given up: nobody here waits for them, whatever their files still say.
    abandoned: BTreeSet<ApprovalId>,
    /// When that was last tried to be put down.
    left: Option<Instant>,
    /// Changes that are on record and could not be written yet: how many events there are with them, and the state.
    recorded: BTreeMap<ApprovalId, (usize, State)>,
    /// That of looking at the home at all.
    home: Trouble,
    /// That of syncing what is claimed.
    syncing: Trouble,
    /// That of single approvals.
    troubled: BTreeMap<ApprovalId, Trouble>,
    entropy: Entropy,
    /// When what is long over was last taken away.
    tidied: Option<UnixNanos>,
}

impl Watch {
    /// How long there is nothing to do; `None`: until a command comes.
    fn patience(&self) -> Option<Duration> {
        if !self.waiting.is_empty() || !self.commands.is_empty() || !self.claimed.is_empty() {
            return Some(LOOK);
        }
        if !self.abandoned.is_empty() {
            return Some(LATER);
        }
        self.tidied.map(|_| TIDY)
    }

    fn is_untidy(&self, now: UnixNanos) -> bool {
        let tidy = i64::try_from(TIDY.as_nanos()).unwrap_or(i64::MAX);
        self.tidied.is_none_or(|at| now.0.saturating_sub(at.0) >= tidy)
    }

    fn work(&mut self, office: &dyn Office) -> Result<(), Error> {
        let now = office.now();
        let store = self.store.clone();
        let leaves = !self.abandoned.is_empty() && self.left.is_none_or(|at| at.elapsed() >= LATER);
        if self.commands.is_empty() && self.claimed.is_empty() && !leaves && !self.is_untidy(now) {
            let changed = self.known.refresh(&store, now)?;
            let due = || self.known.iter().any(|one| one.due(now).is_some() && self.waiting.contains_key(&one.id()));
            if !changed && self.troubled.is_empty() && !due() {
                return Ok(());
            }
            if !self.any_ended(now) {
                return Ok(());
            }
        }
        let locked = store.lock()?;
        self.known.refresh(&store, now)?;
        if !self.commands.is_empty() {
            self.end_overdue(&locked, office, now)?;
        }
        if self.is_untidy(now) {
            self.tidy_up(&locked, now)?;
            self.tidied = Some(now);
        }
        self.leave_abandoned(&locked, office, now);
        for due in std::mem::take(&mut self.commands) {
            self.take(&locked, office, due, now);
        }
        // told by `let_run`
        let syncing: BTreeSet<ApprovalId> = self.claimed.iter().map(Approval::id).collect();
        let ids: Vec<ApprovalId> = self.waiting.keys().filter(|id| !syncing.contains(id)).copied().collect();
        for id in ids {
            match self.attend(&locked, office, id, now) {
                Ok(()) => drop(self.troubled.remove(&id)),
                Err(error) if self.troubled.entry(id).or_default().may_try_again(&error) => {}
                Err(error) => {
                    self.settle(id, &Settled::Failed(error));
                    self.abandoned.insert(id);
                }
            }
        }
        if !self.claimed.is_empty() {
            self.let_run(&locked);
        }
        Ok(())
    }

    /// Puts down that nobody here waits any more for those whose waits were given up, so that a like call takes them up.
    fn leave_abandoned(&mut self, locked: &Locked<'_>, office: &dyn Office, now: UnixNanos) {
        self.left = (!self.abandoned.is_empty()).then(Instant::now);
        for id in std::mem::take(&mut self.abandoned) {
            if self.waiting.contains_key(&id) {
                continue;
            }
            let left = office.stream().and_then(|own| self.leave(locked, id, own, now));
            // one that is damaged stays for people to look at
            if left.is_err_and(|error| may_pass(&error)) {
                self.abandoned.insert(id);
            }
        }
    }

    fn leave(&mut self, locked: &Locked<'_>, id: ApprovalId, own: StreamId, now: UnixNanos) -> Result<(), Error> {
        let Some(mut approval) = self.store.read(id)? else { return Ok(()) };
        if approval.is_open() && approval.asker() == Some(Id(own.0)) {
            approval.apply(Event::Left { time: Time(now) })?;
            self.write(locked, &approval, false, now)?;
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

    fn take(&mut self, locked: &Locked<'_>, office: &dyn Office, mut due: Due, now: UnixNanos) {
        let wait = due.command.wait().clone();
        // what was said later of the same question is done later
        if self.commands.iter().any(|earlier| earlier.command.wait().is(&wait)) {
            self.commands.push(due);
            return;
        }
        match self.carry_out(locked, office, &mut due.command, now) {
            Ok(()) => {}
            Err(error) if due.trouble.may_try_again(&error) => self.commands.push(due),
            Err(error) => {
                self.forget(&wait);
                self.abandoned.extend(wait.id().filter(|id| !self.waiting.contains_key(id)));
                wait.settle(Settled::Failed(error));
            }
        }
    }

    fn carry_out(
        &mut self,
        locked: &Locked<'_>,
        office: &dyn Office,
        command: &mut Command,
        now: UnixNanos,
    ) -> Result<(), Error> {
        match command {
            Command::Ask(question, wait) => self.ask(locked, office, question, wait, now),
            Command::Answer { wait, by, answer, note } => {
                let (by, answer, note) = (by.clone(), answer.clone(), note.clone());
                let event = Event::Answered { time: Time(now), by, answer, note };
                let answered = self.change(locked, office, wait, event, now);
                if answered.as_ref().is_err_and(|error| !may_pass(error)) {
                    // nobody else may be there to answer: an answer that cannot be used ends the question
                    let _is_refused_either_way =
                        self.change(locked, office, wait, Event::Cancelled { time: Time(now) }, now);
                }
                answered
            }
            Command::Cancel(wait) => self.change(locked, office, wait, Event::Cancelled { time: Time(now) }, now),
            Command::Suspend(wait) => self.suspend(locked, wait, now),
            Command::Leave(wait) => {
                self.change(locked, office, wait, Event::Left { time: Time(now) }, now)?;
                self.forget(wait);
                wait.settle(Settled::Failed(Error::new(ErrorCode::Closed, "nobody waits for the approval any more")));
                Ok(())
            }
        }
    }

    fn ask(
        &mut self,
        locked: &Locked<'_>,
        office: &dyn Office,
        question: &mut Question,
        wait: &Wait,
        now: UnixNanos,
    ) -> Result<(), Error> {
        let stream = office.stream()?;
        if let Some(mut approval) = self.granting(question, now) {
            let time = Time(now);
            approval.apply(Event::Used { time, action_id: question.request.call.action_id })?;
            self.write(locked, &approval, true, now)?;
            wait.settle(Settled::Granted(Box::new(approval)));
            return Ok(());
        }
        let approval = if let Some(mut approval) = self.asked_before(question, stream, now) {
            approval.apply(Event::Resumed { time: Time(now), asker: Id(stream.0) })?;
            self.write(locked, &approval, false, now)?;
            approval
        } else {
            let request = &mut question.request;
            // tried again, it is the same question
            if request.id == Id([0; 16]) {
                request.id = Id(self.entropy.draw()?);
                request.asker = Id(stream.0);
                request.time = Time(now);
                let timeout = i64::try_from(question.timeout.as_nanos()).unwrap_or(i64::MAX);
                request.expires = Time(UnixNanos(now.0.saturating_add(timeout)));
            }
            let approval = Approval::new(request.clone());
            self.record(office, &approval, now)?;
            self.write(locked, &approval, false, now)?;
            approval
        };
        wait.opened(&approval);
        wait.begins(&approval);
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
                && (same || (!both_named && !approval.is_suspended() && !alive()))
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
            self.record(office, &approval, now)?;
        }
        self.write(locked, &approval, false, now)?;
        if recorded {
            // one yes of several: people are still asked
            wait.opened(&approval);
        }
        Ok(())
    }

    /// The yes lets the same call in once more. Where that cannot be noted the call is asked about again.
    fn suspend(&mut self, locked: &Locked<'_>, wait: &Wait, now: UnixNanos) -> Result<(), Error> {
        let Some(id) = wait.id() else { return Ok(()) };
        let mut approval = self.store.find(id)?;
        approval.apply(Event::Suspended { time: Time(now) })?;
        self.write(locked, &approval, false, now)
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
            self.record(office, &approval, now)?;
        }
        if !approval.is_open() {
            self.settle(id, &Settled::UsedUp(Box::new(approval)));
            return Ok(());
        }
        let time = Time(now);
        match approval.state() {
            State::Pending => {}
            State::Approved | State::Denied if self.is_held(&approval, now) => {
                self.waiting.get(&id).into_iter().flatten().for_each(Wait::hold);
            }
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

    /// Whether a call of the same turn waits for people still, or may have stopped before this one was answered: its framework would
    /// make all of them again, also one that has run or was told of its no.
    fn is_held(&self, approval: &Approval, now: UnixNanos) -> bool {
        let session = &approval.request().call.session;
        let waits = self.waiting.get(&approval.id()).into_iter().flatten();
        waits.filter_map(|wait| Some((wait, wait.turn()?))).any(|(wait, turn)| {
            let keeps_from_it = |other: &Approval| {
                let call = &other.request().call;
                let asks = other.state() == State::Pending && other.due(now).is_none();
                other.id() != approval.id()
                    && call.session == *session
                    && call.call_id.as_ref().is_some_and(|id| turn.contains(id))
                    && (asks || (!wait.was_answered() && other.is_open()))
            };
            // one that was told so is asked once more, and takes nothing before
            wait.is_held() || self.known.iter().any(keeps_from_it)
        })
    }

    /// Lets those run whose yes was used up for them: once the disk knows it, so that it permits one run whatever happens to the
    /// machine. One sync after all writes costs little more than one alone.
    fn let_run(&mut self, locked: &Locked<'_>) {
        let synced = locked.sync(self.claimed.iter().map(Approval::id));
        match &synced {
            Ok(()) => self.syncing.is_over(),
            Err(error) if self.syncing.may_try_again(error) => return,
            Err(_) => {}
        }
        let claimed = std::mem::take(&mut self.claimed);
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
            if let Some(ended) = locked.end_overdue(id, now, &mut |ended| self.record(office, ended, now))? {
                self.recorded.remove(&id);
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

    /// Puts the last change on record, once: where it cannot be written it is tried again.
    fn record(&mut self, office: &dyn Office, approval: &Approval, now: UnixNanos) -> Result<(), Error> {
        let change = (approval.events().len(), approval.state());
        if self.recorded.get(&approval.id()) != Some(&change) {
            with_change(approval, |change| office.record(now, change))?;
            self.recorded.insert(approval.id(), change);
        }
        Ok(())
    }

    fn write(&mut self, locked: &Locked<'_>, approval: &Approval, synced: bool, now: UnixNanos) -> Result<(), Error> {
        locked.write(approval, synced)?;
        self.recorded.remove(&approval.id());
        self.known.wrote(&self.store, approval, now);
        Ok(())
    }

    fn settle(&mut self, id: ApprovalId, settled: &Settled) {
        self.troubled.remove(&id);
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

    /// Refuses all who wait. Their questions stay open, for a like call to take up.
    fn fail(&mut self, error: &Error) {
        self.commands.clear();
        self.claimed.clear();
        self.troubled.clear();
        for (id, waits) in std::mem::take(&mut self.waiting) {
            self.abandoned.insert(id);
            waits.into_iter().for_each(|wait| wait.settle(Settled::Failed(error.clone())));
        }
    }

    /// The questions stay open: a process that starts with the same session takes them up. It may also enter a call again that was
    /// left in the last moment.
    fn close(&mut self, late: impl Iterator<Item = Command>) {
        let store = self.store.clone();
        let due = std::mem::take(&mut self.commands);
        for command in due.into_iter().map(|due| due.command).chain(late) {
            if let Command::Suspend(wait) = &command
                && let Ok(locked) = store.lock()
            {
                let _is_asked_again_otherwise = self.suspend(&locked, wait, Clock::System.now());
            }
            command.wait().settle(Settled::Failed(closed()));
        }
        self.fail(&closed());
    }
}
