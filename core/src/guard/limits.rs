//! Limits on the way of a call: all that speak of its tool are asked and taken from in one transaction, after the rules.
//!
//! Nothing is taken from any of them unless the call runs. What was taken counts as spent from then on, so that nothing has to be
//! done about a process that dies; it is given back where the body does not run after all.

use super::counter::{Stored, charge, is_outlived, keep};
use super::health::count;
use super::memory::Recall;
use super::open_call::{self, Open, OpenCall, Runner, Said};
use super::{Guard, Tool};
use crate::call::CallContext;
use crate::clock::UnixNanos;
use crate::decide::{Decision, Effect, Hit, PlannedLimit, Why, limited, passed, stop, two_words};
use crate::ledger::Outcome;
use crate::limits::{Held, Unreadable};
use crate::policy::{LimitKind, Measure, Per};
use crate::session::Sessions;
use crate::state::{Entry, Key, Kind, Presence, State, StateError};
use crate::value::Value;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::sync::Arc;

/// Limits of a tool that are kept off the heap on the way of a call.
const FEW: usize = 4;

/// What one call has taken from limits.
#[derive(Debug)]
pub(super) struct Reservation {
    leases: SmallVec<[Lease; FEW]>,
    /// The entry that says the call is open, where it has an id.
    call: Option<Key>,
    /// Whether that entry was made: without limits, and where no rule asks sessions, only a call that is left needs it.
    entered: bool,
    /// What the session's facts hold of it.
    mark: u64,
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

impl Counted<'_> {
    /// Whether its limits, or whether it is met again, have to be looked for.
    #[inline]
    pub(super) fn is_counted(&self) -> bool {
        !self.tool.plan().limits().is_empty() || self.context.call_id.is_some()
    }
}

impl Guard {
    /// Takes what `call` needs from every limit of its tool if it may run by `decision` and by all of them; otherwise takes
    /// nothing. What comes back is the decision with what the limits say. Limits that ask, and that people `agreed` to pass, stop
    /// nothing, and the decision says that they asked. A call that may run is remembered in its session with the same transaction.
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

    #[inline]
    fn limit<'d>(
        &self,
        call: &Counted<'_>,
        recall: &Recall<'_>,
        decision: Cow<'d, Decision>,
        agreed: Option<&[Arc<str>]>,
    ) -> (Cow<'d, Decision>, Option<Box<Reservation>>) {
        if decision.effect == Effect::Refused {
            return (decision, None);
        }
        let asked = call.context.enforcement;
        let may_run = agreed.is_some() && decision.effect == Effect::Run;
        let (hits, held) = self.ask_all(call, recall, agreed, may_run).unwrap_or_else(|why| {
            let unknown = |limit| Hit { limit, why: Why::Unknown(Arc::clone(&why)) };
            (call.tool.plan().limits().iter().map(unknown).collect(), None)
        });
        if agreed.is_some() && hits.iter().any(|hit| matches!(hit.why, Why::Unknown(_))) {
            count(&self.counters.limit_unknown);
        }
        let agreed = agreed.unwrap_or_default();
        let decision =
            if agreed.is_empty() { limited(decision, &hits, asked) } else { passed(decision, &hits, agreed, asked) };
        (decision, held)
    }

    /// What the limits of the call's tool say, and what was taken from them; an error where that cannot be known.
    #[inline]
    fn ask_all<'c>(
        &self,
        call: &Counted<'c>,
        recall: &Recall<'_>,
        agreed: Option<&[Arc<str>]>,
        may_run: bool,
    ) -> Result<Asked<'c>, Arc<str>> {
        let unknown = |error: StateError| Arc::<str>::from(error.to_string());
        let memory = recall.memory().map_err(|error| Arc::<str>::from(error.message()))?;
        let state = &*memory.state;
        let (mut keys, claims, hits) = self.claims(state, call, recall.root());
        let open = OpenCall::of(state, call).map_err(unknown)?;
        keys.extend(open.map(|open| open.key));
        keys.extend(may_run.then(|| memory.sessions.facts_key(recall.root())));
        let failed = hits.len();
        let before = recall.looks_before();
        let mut asking = Asking { call, agreed, may_run, before, claims: &claims, keys: &keys, open, hits, failed };
        let held = asking.attempt(state).map_err(unknown)?;
        Ok((asking.hits, held))
    }

    /// What the call is to take from each limit and the keys of their counters, or why it cannot be said.
    #[inline]
    fn claims<'c>(&self, state: &State, call: &Counted<'c>, root: &str) -> (Keys, Claims, Vec<Hit<'c>>) {
        let (mut keys, mut claims, mut hits) = (Keys::new(), Claims::new(), Vec::new());
        let cost = call.tool.spec().cost_micro_usd;
        for (place, limit) in call.tool.plan().limits().iter().enumerate() {
            match (self.key_of(state, limit, call, root), limit.amount(call.value, cost)) {
                (Ok(key), Ok(amount)) => {
                    keys.push(key);
                    claims.push(Claim { limit: place, amount });
                }
                (Err(why), _) | (_, Err(why)) => hits.push(Hit { limit, why: Why::Failed(why) }),
            }
        }
        (keys, claims, hits)
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
        let call = held.call.filter(|_| held.entered || suspended);
        if changed.is_empty() && call.is_none() {
            return;
        }
        let mut keys: Vec<Key> = changed.iter().map(|(lease, _)| lease.key).collect();
        keys.extend(call);
        let said = Said { remembered: held.remembered, mark: held.mark };
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
            match (call, entries.last_mut()) {
                (Some(_), Some(entry)) => open_call::leave(entry, suspended, said, now),
                _ => Ok(()),
            }
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

type Keys = SmallVec<[Key; FEW + 2]>;
type Claims = SmallVec<[Claim; FEW]>;
/// The limits that do not let a call through, and what it took.
type Asked<'c> = (Vec<Hit<'c>>, Option<Box<Reservation>>);

/// The limits of one call, asked and taken from in one transaction.
struct Asking<'p, 'c> {
    call: &'p Counted<'c>,
    /// The limits that people agreed to pass; `None`: nothing is taken.
    agreed: Option<&'p [Arc<str>]>,
    /// As far as the rules go: then it takes from every limit and is remembered in its session.
    may_run: bool,
    /// The rules saw the session as it was before the call: nothing is taken if somebody runs it meanwhile.
    before: bool,
    claims: &'p [Claim],
    /// Of the claims' counters, then of the open call, then of the session's facts where the call may run.
    keys: &'p [Key],
    open: Option<OpenCall>,
    hits: Vec<Hit<'c>>,
    /// How many of them no counter was asked for.
    failed: usize,
}

/// The entries of a transaction, by what they are for.
struct Entries<'e, 't> {
    /// One for each claim.
    counters: &'e mut [Entry<'t>],
    open: Option<(OpenCall, &'e mut Entry<'t>)>,
    facts: Option<&'e mut Entry<'t>>,
}

impl Asking<'_, '_> {
    /// Asks, and takes where every limit lets the call through.
    #[inline]
    fn attempt(&mut self, state: &State) -> Result<Option<Box<Reservation>>, StateError> {
        let mut taken = self.remembering(state, None)?;
        if let Taken::AskAbout(process) = taken {
            taken = self.of_another(state, process)?;
        }
        Ok(match taken {
            Taken::Held(held) => Some(held),
            Taken::Nothing | Taken::AskAbout(_) => None,
        })
    }

    /// Once more, knowing whether the process lives that runs the same call.
    #[cold]
    fn of_another(&mut self, state: &State, process: u64) -> Result<Taken, StateError> {
        // one that cannot be asked about lives, and another one's call is one more call
        let gone = state.is_gone(process).unwrap_or(false);
        self.remembering(state, Some(Runner { process, gone }))
    }

    /// With the session's facts where they are wanted and have room.
    #[inline]
    fn remembering(&mut self, state: &State, runner: Option<Runner>) -> Result<Taken, StateError> {
        match (self.transaction(state, self.keys, runner), self.keys.split_last()) {
            // the limits' counters may have their room though the session gets none
            (Err(StateError::Full(_) | StateError::Io { .. }), Some((_, limits_alone))) if self.may_run => {
                self.transaction(state, limits_alone, runner)
            }
            (done, _) => done,
        }
    }

    #[inline]
    fn transaction(&mut self, state: &State, keys: &[Key], runner: Option<Runner>) -> Result<Taken, StateError> {
        self.hits.truncate(self.failed);
        state.transaction(keys, self.call.now, |entries| {
            let (counters, others) = entries.split_at_mut(self.claims.len().min(entries.len()));
            let mut others = others.iter_mut();
            let open = self.open.and_then(|open| Some((open, others.next()?)));
            self.run(Entries { counters, open, facts: others.next() }, runner)
        })
    }

    /// What is done in the transaction.
    #[inline]
    fn run(&mut self, mut entries: Entries<'_, '_>, runner: Option<Runner>) -> Result<Taken, StateError> {
        let items = self.call.tool.items();
        if let Some((open, entry)) = &mut entries.open {
            match open.found(entry, runner) {
                Open::No if self.before => return Ok(Taken::Nothing),
                Open::No => {}
                Open::Run(process) => return Ok(Taken::AskAbout(process)),
                Open::Left { remembered } => {
                    let said = Said { remembered, mark: entry.get(2) };
                    if self.may_run {
                        open.enter(entry, said, self.call.now)?;
                    }
                    return Ok(self.held(SmallVec::new(), said, true));
                }
            }
        }
        self.ask(entries.counters);
        let Some(agreed) = self.agreed else { return Ok(Taken::Nothing) };
        let asked = self.call.context.enforcement;
        if !self.may_run || stop(&self.hits, agreed, asked) {
            self.take_lost(entries.counters)?;
            return Ok(Taken::Nothing);
        }
        let remembered =
            entries.facts.map_or(Ok(false), |facts| Sessions::decided_in(facts, items.tool, &items.tags))?;
        let leases = self.take(entries.counters)?;
        let plan = self.call.tool.plan();
        let entered = !plan.limits().is_empty() || plan.asks_session();
        let said = Said { remembered, mark: items.mark() };
        if let Some((open, entry)) = entries.open.filter(|_| entered) {
            open.enter(entry, said, self.call.now)?;
        }
        Ok(self.held(leases, said, entered))
    }

    #[inline]
    fn held(&self, leases: SmallVec<[Lease; FEW]>, said: Said, entered: bool) -> Taken {
        let call = self.open.map(|open| open.key);
        Taken::Held(Box::new(Reservation { leases, call, entered, mark: said.mark, remembered: said.remembered }))
    }

    /// Asks every limit; none is taken from.
    #[inline]
    fn ask(&mut self, counters: &mut [Entry<'_>]) {
        let limits = self.call.tool.plan().limits();
        for (claim, entry) in self.claims.iter().zip(counters) {
            let Some(limit) = limits.get(claim.limit) else { continue };
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
    fn take_lost(&self, counters: &mut [Entry<'_>]) -> Result<(), StateError> {
        let limits = self.call.tool.plan().limits();
        for (claim, entry) in self.claims.iter().zip(counters) {
            let Some(limit) = limits.get(claim.limit) else { continue };
            if entry.presence() == Presence::Evicted && entry.is_empty() {
                charge(limit, entry, limit.meter.max)?;
                // once gone it would read as lost again: it stays until it is known
                entry.expire_at(None);
            }
        }
        Ok(())
    }

    /// Takes from every limit, also from one that is exceeded and stops nothing.
    #[inline]
    fn take(&self, counters: &mut [Entry<'_>]) -> Result<SmallVec<[Lease; FEW]>, StateError> {
        let limits = self.call.tool.plan().limits();
        let mut leases = SmallVec::new();
        for ((claim, entry), key) in self.claims.iter().zip(counters).zip(self.keys) {
            let Some(limit) = limits.get(claim.limit) else { continue };
            let lost = entry.presence() == Presence::Evicted;
            let outlived = lost && is_outlived(limit, entry);
            let held = charge(limit, entry, claim.amount)?;
            if outlived {
                entry.trust();
            }
            leases.push(Lease { limit: claim.limit, key: *key, held });
        }
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
