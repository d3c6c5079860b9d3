//! Deciding anew what was recorded: by the guard's own sessions and limits, in a home that is thrown away.
//!
//! The session learns what really happened; limits are taken from by what this policy lets run. What depends on something that the
//! record does not hold is never guessed.

use super::limits::{Counted, Reservation, Settled};
use super::memory::{Learner, texts};
use super::spending::MARK;
use super::{Guard, Tool};
use crate::call::{CallContext, User};
use crate::condition::{Facts, SessionView, Unknown};
use crate::decide::{Decision, Effect, Matched, PlannedLimit, ReasonCode, Verdict};
use crate::error::Error;
use crate::ledger::Outcome;
use crate::ledger::read::Payload;
use crate::ledger::record::typed::{Completed, Control, Decided};
use crate::limits::Window;
use crate::session::View;
use crate::state::Key;
use crate::value::{self, Value};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Why a recorded call cannot be decided anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Undecidable {
    /// It needs arguments that were not recorded, were redacted or erased.
    Arguments,
    /// It needs what the user said, which is never recorded.
    Said,
    /// It needs results that were not recorded in full.
    Known,
    /// It needs to know how a session was marked, of which a record was erased.
    Marks,
    /// It needs to know what is left of a limit, from which an earlier call may have taken that cannot be decided.
    Limits,
}

impl Undecidable {
    /// The text used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arguments => "arguments",
            Self::Said => "said",
            Self::Known => "known",
            Self::Marks => "marks",
            Self::Limits => "limits",
        }
    }

    /// Why, for people.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Arguments => "it needs arguments that were redacted, erased or recorded as a digest",
            Self::Said => "it asks what the user said, which is not recorded",
            Self::Known => "it asks what results said, which were not recorded in full",
            Self::Marks => "it asks which tags a session was marked with, of which a record was erased",
            Self::Limits => "it takes from a limit from which an earlier call may have taken that cannot be decided",
        }
    }
}

/// What a policy says of a recorded call.
#[derive(Debug, Clone)]
pub struct Second {
    /// The decision; only a guess where `undecidable` says why.
    pub decision: Decision,
    /// Why it cannot be told.
    pub undecidable: Option<Undecidable>,
}

/// Lives through a ledger under a policy.
#[derive(Debug)]
pub struct Hindsight {
    guard: Arc<Guard>,
    /// Calls that may run and have not ended.
    open: HashMap<[u8; 16], Open>,
    /// Sessions of which a result that they would have learned from was not recorded.
    unlearned: HashSet<Arc<str>>,
    /// Whether the record of a mark was erased: any session may have it.
    unmarked: bool,
    /// Counters that a call which cannot be decided may have taken from, and when the last one did; without a key all of a limit's.
    clouded: HashMap<(Arc<str>, Option<Key>), i64>,
}

#[derive(Debug)]
struct Open {
    tool: Arc<Tool>,
    learner: Learner,
    /// Whether all arguments were recorded: without them nobody knows what a result only repeats.
    whole: bool,
    held: Option<Box<Reservation>>,
}

/// A session without what the record does not hold; what was asked for all the same is noted.
#[derive(Debug)]
struct Past<'s> {
    view: View<'s>,
    unlearned: bool,
    unmarked: bool,
    said: Cell<bool>,
    known: Cell<bool>,
    marks: Cell<bool>,
}

impl SessionView for Past<'_> {
    fn saw(&self, tag: &str) -> Result<bool, Unknown> {
        match self.view.saw(tag) {
            Ok(false) if self.unmarked => {
                self.marks.set(true);
                Err(Unknown)
            }
            other => other,
        }
    }

    fn calls(&self, tool: Option<&str>) -> Result<u64, Unknown> {
        self.view.calls(tool)
    }

    fn said(&self, _text: &str) -> Result<bool, Unknown> {
        self.said.set(true);
        Err(Unknown)
    }

    fn known(&self, text: &str) -> Result<bool, Unknown> {
        match self.view.known(text) {
            Ok(false) if self.unlearned => {
                self.known.set(true);
                Err(Unknown)
            }
            other => other,
        }
    }
}

impl Hindsight {
    /// Begins with `guard`, which was started in a home of its own and decides nothing else.
    #[must_use]
    pub fn new(guard: Arc<Guard>) -> Self {
        let (open, unlearned, clouded) = (HashMap::new(), HashSet::new(), HashMap::new());
        Self { guard, open, unlearned, unmarked: false, clouded }
    }

    /// Decides a recorded call of `tool` anew; `arguments` is its payload.
    ///
    /// # Errors
    /// The shared state of the home cannot be used.
    pub fn decided(
        &mut self,
        tool: &Arc<Tool>,
        record: &Decided,
        arguments: Option<&Payload>,
    ) -> Result<Second, Error> {
        let guard = Arc::clone(&self.guard);
        let (now, context) = (record.time.0, context(record));
        let (value, whole) = arguments_of(arguments);
        let recall = guard.recall(&context, now);
        let memory = recall.memory().map_err(Error::clone)?;
        let past = Past {
            view: memory.sessions.view(&context.session, now),
            unlearned: self.unlearned.contains(&context.session),
            unmarked: self.unmarked,
            said: Cell::new(false),
            known: Cell::new(false),
            marks: Cell::new(false),
        };
        let facts = Facts { args: &value, session: Some(&past) };
        let decision = tool.plan().preview(&facts, None).into_owned();
        let mut undecidable = None;
        if !whole || past.said.get() || past.known.get() || past.marks.get() {
            let missing = match (past.said.get(), past.known.get(), past.marks.get()) {
                (true, _, _) => Undecidable::Said,
                (_, true, _) => Undecidable::Known,
                (_, _, true) => Undecidable::Marks,
                _ => Undecidable::Arguments,
            };
            undecidable = depends_on_failures(tool, &facts, &decision).then_some(missing);
        }
        let ran = record.effect == Effect::Run;
        let mut held = None;
        let mut second = decision;
        if let (Some(digest), false) = (&record.digest, tool.plan().limits().is_empty()) {
            let counted = Counted { tool, value: &value, digest: &digest.0, context: &context, now };
            let counters: Vec<_> = guard.counters(&memory.state, &counted, recall.root()).collect();
            if undecidable.is_none() {
                let asked = second.effect != Effect::Refused;
                let (limited, taken) = guard.reserve(&counted, &recall, Cow::Owned(second), &[]);
                second = limited.into_owned();
                held = taken;
                if !whole && second.reason_code == ReasonCode::LimitFailed {
                    undecidable = Some(Undecidable::Arguments);
                } else if asked
                    && second.verdict != Verdict::Deny
                    && counters.iter().any(|(limit, key)| self.is_clouded(limit, *key, now.0))
                {
                    // what was taken so far is the least that it can be, so a deny would be one all the same
                    undecidable = Some(Undecidable::Limits);
                    if let Some(held) = held.take() {
                        guard.settle(tool, &held, Settled::DENIED, now);
                    }
                }
            }
            if undecidable.is_some() {
                let clouds = counters.iter().map(|(limit, key)| ((Arc::clone(&limit.id), *key), now.0));
                self.clouded.extend(clouds);
            }
        }
        let runs = undecidable.is_none() && second.effect == Effect::Run;
        if ran || runs {
            let items = tool.items();
            if !held.as_ref().is_some_and(|held| held.remembered) {
                memory.sessions.decided(&context.session, items.tool, &items.tags, now)?;
            }
            let learner = Learner { session: Arc::clone(&context.session), own: texts(&value) };
            self.open.insert(record.action_id.0, Open { tool: Arc::clone(tool), learner, whole, held });
        }
        Ok(Second { decision: second, undecidable })
    }

    /// Whether it is not known what was taken from the counter within its window.
    fn is_clouded(&self, limit: &PlannedLimit, key: Option<Key>, now: i64) -> bool {
        let within = |since: &i64| match limit.meter.window {
            Window::Ever => true,
            Window::Rolling(length) => now < since.saturating_add(length),
            Window::Calendar(calendar) => now < calendar.end(calendar.start(*since)),
        };
        let of = |key: Option<Key>| self.clouded.get(&(Arc::clone(&limit.id), key)).is_some_and(within);
        of(None) || (key.is_some() && of(key))
    }

    /// Takes in what the program did with a session; `note` is its payload.
    ///
    /// # Errors
    /// As [`Hindsight::decided`].
    pub fn control(&mut self, record: &Control, note: Option<&Payload>) -> Result<(), Error> {
        if record.what != MARK {
            return Ok(());
        }
        let said = match note {
            Some(Payload::Value(bytes)) => value::decode(bytes).ok(),
            _ => None,
        };
        let Some(Value::Map(entries)) = said else {
            self.unmarked = true;
            return Ok(());
        };
        let text = |name: &str| match entries.iter().find(|(key, _)| key == name) {
            Some((_, Value::Str(text))) => Some(text),
            _ => None,
        };
        if let (Some(session), Some(tag)) = (text("session"), text("tag")) {
            self.guard.memory()?.sessions.mark(session, tag, record.time.0)?;
        }
        Ok(())
    }

    /// Takes in how a recorded call ended; `result` is its payload.
    pub fn completed(&mut self, record: &Completed, result: Option<&Payload>) {
        let Some(open) = self.open.remove(&record.action_id.0) else { return };
        let now = record.time.0;
        if let Some(held) = &open.held {
            let end = Settled { outcome: Outcome::from(record.outcome), cost: record.cost, suspended: false };
            self.guard.settle(&open.tool, held, end, now);
        }
        if open.tool.plan().facts().is_empty()
            || Outcome::from(record.outcome) != Outcome::Success
            || record.result.is_none()
        {
            return;
        }
        match result {
            Some(Payload::Value(bytes)) if open.whole => match value::decode(bytes) {
                Ok(result) => self.guard.learn(&open.tool, &open.learner, &result, now),
                // redacted: what was taken out may have been a fact
                Err(_) => {
                    self.unlearned.insert(open.learner.session);
                }
            },
            _ => {
                self.unlearned.insert(open.learner.session);
            }
        }
    }
}

/// Whether the decision may be another one if conditions that failed did not fail: then what they needed is missing.
fn depends_on_failures(tool: &Tool, facts: &Facts<'_>, decision: &Decision) -> bool {
    if decision.reason_code == ReasonCode::OutOfScope {
        return false;
    }
    let explained = tool.plan().explain(facts, None);
    let rules = || explained.layers.iter().flat_map(|layer| &layer.rules);
    let failed = rules().any(|rule| rule.matched == Matched::Failed);
    // one that failed and is stricter would have decided itself, and one that is milder changes nothing
    let firm = rules().any(|rule| rule.matched == Matched::Yes && decision.rules.contains(&rule.id));
    failed && !firm
}

fn context(record: &Decided) -> CallContext {
    let user = record.user.as_ref();
    CallContext {
        agent: record.agent.as_deref().map(Arc::from),
        user: user
            .map(|user| User { id: Arc::from(&*user.id), verified_by: user.verified_by.as_deref().map(Arc::from) }),
        session: Arc::from(&*record.session),
        implicit: record.implicit,
        run: record.run.as_deref().map(Arc::from),
        parent: record.parent.as_deref().map(Arc::from),
        // calls were counted once when they were recorded
        call_id: None,
        annotations: None,
        beginning: None,
        enforcement: None,
    }
}

/// The recorded arguments, and whether they are all that the call had. What is missing is opaque: looking at it fails.
fn arguments_of(payload: Option<&Payload>) -> (Value<'_>, bool) {
    let missing = || (Value::Opaque(Cow::Borrowed("not recorded")), false);
    let Some(Payload::Value(bytes)) = payload else { return missing() };
    if let Ok(value) = value::decode(bytes) {
        return (value, true);
    }
    match value::decode_redacted(bytes) {
        Ok(value) if !has_redacted_key(&value) => (value, false),
        _ => missing(),
    }
}

/// Whether a name was taken out: then it cannot be told which arguments there are.
fn has_redacted_key(value: &Value<'_>) -> bool {
    match value {
        Value::List(items) => items.iter().any(has_redacted_key),
        Value::Map(entries) => entries.iter().any(|(key, item)| key.starts_with("$redacted") || has_redacted_key(item)),
        _ => false,
    }
}
