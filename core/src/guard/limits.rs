//! Limits on the way of a call: all that speak of its tool are asked and taken from in one transaction, after the rules.
//!
//! Nothing is taken from any of them unless the call runs. What was taken counts as spent from then on, so that nothing has to be
//! done about a process that dies; it is given back where the body does not run after all.

use super::health::count;
use super::memory::Recall;
use super::{Guard, Tool};
use crate::call::CallContext;
use crate::clock::UnixNanos;
use crate::decide::{Decision, Effect, Hit, PlannedLimit, Why, limited, stop, two_words};
use crate::ledger::Outcome;
use crate::limits::{Held, Unreadable, Window, Words};
use crate::policy::{LimitKind, Measure, Per};
use crate::session::Sessions;
use crate::state::{Entry, Key, Kind, Presence, State, StateError};
use crate::value::Value;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::sync::Arc;

/// How long an open call is remembered that nobody completes: then its id may mean another one.
const OPEN_CALL: i64 = 24 * 3600 * 1_000_000_000;

/// Bits of an open call's first word; 0 once it is not open. The second word is the process whose body runs.
///
/// Invariant: nothing is counted of a call that is open already only if nobody runs it: it was suspended, or its process died.
/// Calls of one id that run at once are as many calls, whoever gave them the id.
const OPEN: u64 = 1;
/// The call is in its session's facts with it.
const REMEMBERED: u64 = 2;
/// Its body was left to be entered again.
const SUSPENDED: u64 = 4;

/// Limits of a tool that are kept off the heap on the way of a call.
const FEW: usize = 4;

/// What one call has taken from limits.
#[derive(Debug)]
pub(super) struct Reservation {
    leases: SmallVec<[Lease; FEW]>,
    /// The entry that says the call is open, where it has an id.
    call: Option<Key>,
    /// Whether the call is in its session's facts already.
    pub(super) remembered: bool,
}

/// What it has taken from one of them.
#[derive(Debug)]
struct Lease {
    /// Which of the tool's limits.
    limit: usize,
    key: Key,
    held: Held,
}

/// What a call takes from one limit.
struct Claim {
    limit: usize,
    amount: i64,
}

/// A call as limits see it.
pub(super) struct Counted<'a> {
    pub(super) tool: &'a Tool,
    pub(super) value: &'a Value<'a>,
    pub(super) digest: &'a [u8; 32],
    pub(super) context: &'a CallContext,
    pub(super) now: UnixNanos,
}

impl Guard {
    /// Takes what `call` needs from every limit of its tool if it may run by `decision` and by all of them; otherwise takes
    /// nothing. What comes back is the decision with what the limits say. Limits that ask, and that people `agreed` to pass, stop
    /// nothing. A call that may run is remembered in its session with the same transaction.
    pub(super) fn reserve<'d>(
        &self,
        call: &Counted<'_>,
        recall: &Recall<'_>,
        decision: Cow<'d, Decision>,
        agreed: &[Arc<str>],
    ) -> (Cow<'d, Decision>, Option<Box<Reservation>>) {
        self.limit(call, recall, decision, Some(agreed))
    }

    /// What [`Guard::reserve`] would make of `decision`; takes nothing.
    pub(super) fn limit_preview<'d>(
        &self,
        call: &Counted<'_>,
        recall: &Recall<'_>,
        decision: Cow<'d, Decision>,
    ) -> Cow<'d, Decision> {
        self.limit(call, recall, decision, None).0
    }

    fn limit<'d>(
        &self,
        call: &Counted<'_>,
        recall: &Recall<'_>,
        decision: Cow<'d, Decision>,
        take: Option<&[Arc<str>]>,
    ) -> (Cow<'d, Decision>, Option<Box<Reservation>>) {
        let limits = call.tool.plan().limits();
        if decision.effect == Effect::Refused {
            return (decision, None);
        }
        let asked = call.context.enforcement;
        let mut hits: Vec<Hit<'_>> = Vec::new();
        let unknown = |error: &dyn std::fmt::Display| {
            let why: Arc<str> = Arc::from(error.to_string());
            limits.iter().map(|limit| Hit { limit, why: Why::Unknown(Arc::clone(&why)) }).collect::<Vec<_>>()
        };
        let judged = |decision, hits: &[Hit<'_>]| {
            if take.is_some() && hits.iter().any(|hit| matches!(hit.why, Why::Unknown(_))) {
                count(&self.counters.limit_unknown);
            }
            limited(decision, hits, asked)
        };
        let memory = match recall.memory() {
            Ok(memory) => memory,
            Err(error) => return (judged(decision, &unknown(&error.message())), None),
        };
        let state = &*memory.state;
        let mut keys = SmallVec::<[Key; FEW + 2]>::new();
        let mut claims = SmallVec::<[Claim; FEW]>::new();
        for (place, limit) in limits.iter().enumerate() {
            let cost = call.tool.spec().cost_micro_usd;
            let key = self.key_of(state, limit, call, recall.root());
            match (key, limit.amount(call.value, cost)) {
                (Ok(key), Ok(amount)) => {
                    keys.push(key);
                    claims.push(Claim { limit: place, amount });
                }
                (Err(why), _) | (_, Err(why)) => hits.push(Hit { limit, why: Why::Failed(why) }),
            }
        }
        let open = open_call(state, call);
        keys.extend(open);
        let may_run = take.is_some() && decision.effect == Effect::Run;
        if may_run {
            keys.push(memory.sessions.facts_key(recall.root()));
        }
        let failed = hits.len();
        // only calls with an id of their own are ever met again
        let process = match open.map_or(Ok(0), |_| state.this_process()) {
            Ok(process) => process,
            Err(error) => return (judged(decision, &unknown(&error)), None),
        };
        let mut asking = Asking { limits, claims: &claims, keys: &keys, open, process, now: call.now.0, hits };
        let mut transaction = |keys: &[Key], remember: bool, runner: Option<Runner>| {
            asking.hits.truncate(failed);
            state.transaction(keys, call.now, |entries| {
                let (entries, facts) = match entries.split_last_mut() {
                    Some((facts, others)) if remember => (others, Some(facts)),
                    _ => (entries, None),
                };
                match asking.open_already(entries, runner) {
                    Open::No => {}
                    Open::Run(process) => return Ok(Taken::AskAbout(process)),
                    Open::Left { remembered } => {
                        if may_run {
                            asking.enter(entries, remembered)?;
                        }
                        let leases = SmallVec::new();
                        return Ok(Taken::Held(Box::new(Reservation { leases, call: open, remembered })));
                    }
                }
                asking.ask(entries);
                if let Some(agreed) = take {
                    asking.hits.retain(|hit| !(hit.asks(asked) && agreed.contains(&hit.limit.id)));
                }
                if may_run && !stop(&asking.hits, asked) {
                    let items = call.tool.items();
                    let decided = |entry| Sessions::decided_in(entry, items.tool, &items.tags);
                    let remembered = facts.map_or(Ok(false), decided)?;
                    let leases = asking.take(entries, remembered)?;
                    return Ok(Taken::Held(Box::new(Reservation { leases, call: open, remembered })));
                }
                if take.is_some() {
                    asking.take_lost(entries)?;
                }
                Ok(Taken::Nothing)
            })
        };
        let mut attempt = |runner| match (transaction(&keys, may_run, runner), keys.split_last()) {
            // the limits' counters may have their room though the session gets none
            (Err(StateError::Full(_) | StateError::Io { .. }), Some((_, limits_alone))) if may_run => {
                transaction(limits_alone, false, runner)
            }
            (done, _) => done,
        };
        let mut done = attempt(None);
        if let Ok(Taken::AskAbout(process)) = done {
            // one that cannot be asked about lives, and another one's call is one more call
            done = attempt(Some(Runner { process, gone: state.is_gone(process).unwrap_or(false) }));
        }
        match done {
            Ok(Taken::Held(held)) => (judged(decision, &asking.hits), Some(held)),
            Ok(Taken::Nothing | Taken::AskAbout(_)) => (judged(decision, &asking.hits), None),
            Err(error) => (judged(decision, &unknown(&error)), None),
        }
    }

    /// The key of a limit's counter for all calls of this context, whose session is `root` or a sub-agent's of it; `None` of one
    /// that is kept apart by tool or argument.
    pub(super) fn standing_key(
        &self,
        state: &State,
        limit: &PlannedLimit,
        context: &CallContext,
        root: &str,
    ) -> Option<Key> {
        let kind = kind_of(limit);
        // calls without a run, an agent or a user are counted as those of one
        let one = |text: Option<&str>| match text {
            Some(text) => state.key(kind, &[text.as_bytes()]),
            None => state.key(kind, &[]),
        };
        let session = || state.key_of_text(Kind::Session, root);
        let scope = match &limit.per {
            Per::Home => one(None),
            Per::Session => session(),
            Per::Run => match &context.run {
                Some(run) => state.key(kind, &[root.as_bytes(), run.as_bytes()]),
                None => session(),
            },
            Per::Agent => one(context.agent.as_deref().or(self.agent.as_deref())),
            Per::User => one(context.user.as_ref().map(|user| &*user.id)),
            Per::Tool | Per::Argument(_) | Per::SameCall => return None,
        };
        Some(scope.used_for(kind, limit.purpose))
    }

    /// The key of a limit's counter for this call.
    fn key_of(&self, state: &State, limit: &PlannedLimit, call: &Counted<'_>, root: &str) -> Result<Key, String> {
        if let Some(key) = self.standing_key(state, limit, call.context, root) {
            return Ok(key);
        }
        let kind = kind_of(limit);
        let scope = match &limit.per {
            Per::Argument(path) => state.key(kind, &[PlannedLimit::apart(path, call.value)?.as_bytes()]),
            // the digest is keyed, and spreads the many calls of one session over all shards
            Per::SameCall => state.key_of_text(Kind::Session, root).with_hash(two_words(call.digest)),
            _ => {
                let spec = call.tool.spec();
                state.key(kind, &[spec.source.as_bytes(), spec.name.as_bytes()])
            }
        };
        Ok(scope.used_for(kind, limit.purpose))
    }

    /// The counters that `call` takes from where it runs, each with its limit; without a key where the call does not show which it is.
    pub(super) fn counters<'c>(
        &'c self,
        state: &'c State,
        call: &'c Counted<'_>,
        root: &'c str,
    ) -> impl Iterator<Item = (&'c PlannedLimit, Option<Key>)> {
        call.tool.plan().limits().iter().map(move |limit| (limit, self.key_of(state, limit, call, root).ok()))
    }

    /// Ends what a call holds: gives all of it back if its body did not run, else puts what it cost in the place of the estimate.
    pub(super) fn settle(&self, tool: &Tool, held: &Reservation, end: Settled, now: UnixNanos) {
        let Settled { outcome, cost, suspended } = end;
        let ran = !matches!(outcome, Outcome::Denied | Outcome::Expired | Outcome::Cancelled);
        let limits = tool.plan().limits();
        let actual = |lease: &Lease| match limits.get(lease.limit).map(|limit| &limit.measure) {
            _ if !ran => Some(0),
            Some(Measure::Usd) => cost,
            _ => None,
        };
        let changed: Vec<(&Lease, i64)> = held
            .leases
            .iter()
            .filter_map(|lease| Some((lease, actual(lease)?)))
            .filter(|(lease, actual)| lease.held.amount != *actual)
            .collect();
        if changed.is_empty() && held.call.is_none() {
            return;
        }
        let mut keys: Vec<Key> = changed.iter().map(|(lease, _)| lease.key).collect();
        keys.extend(held.call);
        // what cannot be settled stays spent
        let Ok(memory) = self.memory() else { return };
        let _: Result<(), StateError> = memory.state.transaction(&keys, now, |entries| {
            for ((lease, actual), entry) in changed.iter().zip(entries.iter_mut()) {
                let Some(limit) = limits.get(lease.limit) else { continue };
                if entry.is_empty() {
                    continue;
                }
                let now = entry.now().0;
                let mut words = Stored::new(entry);
                let settled = limit.meter.settle(&mut words, lease.held, *actual, now);
                words.end(settled)?;
                if *actual > lease.held.amount {
                    keep(limit, entry, now);
                }
            }
            if let (Some(_), Some(entry)) = (held.call, entries.last_mut())
                && !entry.is_empty()
            {
                if suspended {
                    entry.set(0, OPEN | SUSPENDED | if held.remembered { REMEMBERED } else { 0 })?;
                } else {
                    entry.set(0, 0)?;
                    entry.expire_at(Some(now));
                }
            }
            Ok(())
        });
    }
}

/// What became of taking from limits.
enum Taken {
    Held(Box<Reservation>),
    /// Something does not admit it.
    Nothing,
    /// A call of the same id and arguments is open in this other process: whether it lives decides.
    AskAbout(u64),
}

/// What is known of another process that runs the call.
#[derive(Clone, Copy)]
struct Runner {
    process: u64,
    gone: bool,
}

/// Whether a call of the same id and arguments is open.
enum Open {
    /// It is none, or is run right now: this is one more call.
    No,
    /// This process has entered it; whether it lives is not known.
    Run(u64),
    /// Nobody runs it.
    Left { remembered: bool },
}

/// How a call that took from limits ended.
pub(super) struct Settled {
    pub(super) outcome: Outcome,
    /// What it cost, where somebody said so, in millionths of a US dollar.
    pub(super) cost: Option<i64>,
    /// Its body was left to be entered again.
    pub(super) suspended: bool,
}

impl Settled {
    /// Of a call whose body does not run.
    pub(super) const DENIED: Self = Self { outcome: Outcome::Denied, cost: None, suspended: false };
}

/// The entry that says that a call with this id is open. An id means the same call only with the same digest.
fn open_call(state: &State, call: &Counted<'_>) -> Option<Key> {
    let id = call.context.call_id.as_ref()?;
    Some(state.key(Kind::Call, &[call.context.session.as_bytes(), id.as_bytes(), call.digest]))
}

/// One transaction: the entries of all claims, then the one of the open call.
struct Asking<'p> {
    limits: &'p [PlannedLimit],
    claims: &'p [Claim],
    keys: &'p [Key],
    open: Option<Key>,
    /// This one, where the call has an id.
    process: u64,
    now: i64,
    hits: Vec<Hit<'p>>,
}

impl Asking<'_> {
    /// Whether the call was counted before and is not completed.
    fn open_already(&self, entries: &[Entry<'_>], runner: Option<Runner>) -> Open {
        let Some(entry) = self.open.and(entries.last()).filter(|entry| entry.known()) else { return Open::No };
        let (word, process) = (entry.get(0), entry.get(1));
        let remembered = word & REMEMBERED != 0;
        match runner {
            _ if word & OPEN == 0 => Open::No,
            _ if word & SUSPENDED != 0 => Open::Left { remembered },
            _ if process == self.process => Open::No,
            Some(runner) if runner.process == process && runner.gone => Open::Left { remembered },
            Some(_) => Open::No,
            None => Open::Run(process),
        }
    }

    /// Says that this process runs the call.
    fn enter(&self, entries: &mut [Entry<'_>], remembered: bool) -> Result<(), StateError> {
        let (Some(_), Some(entry)) = (self.open, entries.last_mut()) else { return Ok(()) };
        entry.resize(2)?;
        entry.set(0, OPEN | if remembered { REMEMBERED } else { 0 })?;
        entry.set(1, self.process)?;
        entry.expire_at(Some(UnixNanos(self.now.saturating_add(OPEN_CALL))));
        Ok(())
    }

    /// Asks every limit; none is taken from.
    fn ask(&mut self, entries: &mut [Entry<'_>]) {
        for (claim, entry) in self.claims.iter().zip(entries) {
            let Some(limit) = self.limits.get(claim.limit) else { continue };
            let lost = entry.presence() == Presence::Evicted;
            let (known, now) = (!lost || is_outlived(limit, entry), entry.now().0);
            let why = match limit.meter.would_exceed(&Stored::new(entry), claim.amount, now) {
                Ok(None) if known => continue,
                Ok(_) if lost => Why::Unknown(Arc::from("its counter had to make room for others")),
                Ok(Some(usage)) => Why::Exceeded(usage, claim.amount),
                Ok(None) => Why::Unknown(Arc::from("it is not known")),
                Err(Unreadable) => Why::Unknown(Arc::from("its counter is damaged")),
            };
            self.hits.push(Hit { limit, why });
        }
    }

    /// What a counter held that had to make room is taken as all of its limit: it is known again once its window is over.
    fn take_lost(&self, entries: &mut [Entry<'_>]) -> Result<(), StateError> {
        for (claim, entry) in self.claims.iter().zip(entries) {
            let Some(limit) = self.limits.get(claim.limit) else { continue };
            if entry.presence() == Presence::Evicted && entry.is_empty() {
                charge(limit, entry, limit.meter.max)?;
                // once gone it would read as lost again: it stays until it is known
                entry.expire_at(None);
            }
        }
        Ok(())
    }

    /// Takes from every limit, also from one that is exceeded and stops nothing.
    fn take(&self, entries: &mut [Entry<'_>], remembered: bool) -> Result<SmallVec<[Lease; FEW]>, StateError> {
        let mut leases = SmallVec::new();
        for ((claim, entry), key) in self.claims.iter().zip(entries.iter_mut()).zip(self.keys) {
            let Some(limit) = self.limits.get(claim.limit) else { continue };
            let lost = entry.presence() == Presence::Evicted;
            let outlived = lost && is_outlived(limit, entry);
            let held = charge(limit, entry, claim.amount)?;
            if outlived {
                entry.trust();
            }
            leases.push(Lease { limit: claim.limit, key: *key, held });
        }
        self.enter(entries, remembered)?;
        Ok(leases)
    }
}

const fn kind_of(limit: &PlannedLimit) -> Kind {
    match limit.kind {
        LimitKind::Budget => Kind::Budget,
        LimitKind::Rate => Kind::Rate,
        LimitKind::Loop => Kind::Loop,
    }
}

/// Whether what an evicted counter may have held is over: since then all of the limit was taken as spent, and that is over.
pub(super) fn is_outlived(limit: &PlannedLimit, entry: &Entry<'_>) -> bool {
    limit.meter.window != Window::Ever && !entry.is_empty()
}

/// Takes `amount` whether there is room or not, and keeps the entry for as long as it counts.
pub(super) fn charge(limit: &PlannedLimit, entry: &mut Entry<'_>, amount: i64) -> Result<Held, StateError> {
    let now = entry.now().0;
    let mut words = Stored::new(entry);
    let charged = limit.meter.charge(&mut words, amount, now);
    let held = words.end(charged)?;
    keep(limit, entry, held.at);
    Ok(held)
}

/// Keeps the entry for as long as what was taken at `at` counts.
fn keep(limit: &PlannedLimit, entry: &mut Entry<'_>, at: i64) {
    match limit.meter.window {
        Window::Ever => {}
        Window::Rolling(length) => entry.expire_at(Some(UnixNanos(at.saturating_add(length)))),
        Window::Calendar(calendar) => entry.expire_at(Some(UnixNanos(calendar.end(calendar.start(at))))),
    }
}

/// An entry's words, for the machine; what could not be stored ends the transaction.
pub(super) struct Stored<'e, 't> {
    entry: &'e mut Entry<'t>,
    failed: Option<StateError>,
}

impl<'e, 't> Stored<'e, 't> {
    pub(super) const fn new(entry: &'e mut Entry<'t>) -> Self {
        Self { entry, failed: None }
    }

    fn end<T>(self, done: Result<T, Unreadable>) -> Result<T, StateError> {
        match (self.failed, done) {
            (Some(error), _) => Err(error),
            (None, Ok(done)) => Ok(done),
            (None, Err(Unreadable)) => Err(StateError::Misuse("a counter's words are none of its own")),
        }
    }
}

impl Words for Stored<'_, '_> {
    fn len(&self) -> usize {
        self.entry.len()
    }

    fn get(&self, index: usize) -> u64 {
        self.entry.get(index)
    }

    fn set(&mut self, index: usize, word: u64) {
        if let Err(error) = self.entry.set(index, word) {
            self.failed.get_or_insert(error);
        }
    }

    fn grow(&mut self, len: usize) -> bool {
        self.entry.resize(len).is_ok()
    }
}
