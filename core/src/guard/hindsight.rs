//! Deciding anew what was recorded: by the guard's own sessions and limits, in a home that is thrown away.
//!
//! The session learns what really happened; limits are taken from by what this policy lets run. What depends on something that the
//! record does not hold is never guessed.

use super::limits::{Counted, Reservation, Settled};
use super::memory::{Learner, texts};
use super::spending::MARK;
use super::{Guard, SubAgents, Tool};
use crate::call::{Beginning, CallContext, User};
use crate::clock::UnixNanos;
use crate::condition::{Facts, SessionView, Unknown};
use crate::decide::{Decision, Effect, Enforcement, Matched, PlannedLimit, ReasonCode, Verdict};
use crate::error::Error;
use crate::ledger::read::Payload;
use crate::ledger::record::typed::{Completed, Control, Decided};
use crate::ledger::{ActionId, Outcome};
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
    /// It needs to know which tags the code declares, of which the policy does not have one.
    Tags,
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
            Self::Tags => "tags",
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
            Self::Tags => {
                "its tool has a tag that this policy does not have; if the code declares it, the tool cannot be guarded under it"
            }
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

/// A recorded call.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'r> {
    /// Its record.
    pub record: &'r Decided,
    /// The payload of its arguments.
    pub arguments: Option<&'r Payload>,
    /// When it was decided; before `record` says so where that tells only what people answered.
    pub at: UnixNanos,
    /// The mode that the program asked for.
    pub enforcement: Option<Enforcement>,
    /// Why it cannot be told, whatever is decided.
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
    sub_agents: SubAgents,
    /// How sessions began that are sub-agents'.
    begun: HashMap<Arc<str>, Arc<Beginning>>,
    /// Counters that a call which cannot be decided may have taken from, and when the last one did; without a key all of a limit's.
    clouded: HashMap<(Arc<str>, Option<Key>), i64>,
}

#[derive(Debug)]
struct Open {
    tool: Arc<Tool>,
    learner: Learner,
    /// Whether all arguments were recorded: without them nobody knows what a result only repeats.
    whole: bool,
    /// Whether it ran when it was recorded: else its end is that of a call that was refused.
    ran: bool,
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
        Self {
            guard,
            open: HashMap::new(),
            unlearned: HashSet::new(),
            unmarked: false,
            sub_agents: SubAgents::default(),
            begun: HashMap::new(),
            clouded: HashMap::new(),
        }
    }

    /// Decides a recorded call of `tool` anew.
    ///
    /// # Errors
    /// The shared state of the home cannot be used.
    pub fn decided(&mut self, tool: &Arc<Tool>, call: &Recorded<'_>) -> Result<Second, Error> {
        let guard = Arc::clone(&self.guard);
        let (record, now) = (call.record, call.at);
        let context = CallContext { beginning: self.begun.get(&*record.session).cloned(), ..context(call) };
        let (value, whole) = arguments_of(call.arguments);
        let recall = guard.recall(&context, now);
        let memory = recall.memory().map_err(Error::clone)?;
        let root = recall.root();
        let past = Past {
            view: memory.sessions.view(root, now),
            unlearned: self.unlearned.contains(root),
            unmarked: self.unmarked,
            said: Cell::new(false),
            known: Cell::new(false),
            marks: Cell::new(false),
        };
        let facts = Facts { args: &value, session: Some(&past) };
        let mut mode = call.enforcement;
        let mut decision = tool.plan().preview(&facts, mode).into_owned();
        let same_policy = record.policy.0 == guard.layers.version();
        if same_policy && decision.verdict == record.decision && decision.enforcement < record.enforcement {
            // the call or its program asked for more than the policy
            mode = Some(record.enforcement);
            decision = tool.plan().preview(&facts, mode).into_owned();
        }
        let context = &CallContext { enforcement: mode, ..context.clone() };
        let mut undecidable = call.undecidable;
        if undecidable.is_none() && (!whole || past.said.get() || past.known.get() || past.marks.get()) {
            let missing = match (past.said.get(), past.known.get(), past.marks.get()) {
                (true, _, _) => Undecidable::Said,
                (_, true, _) => Undecidable::Known,
                (_, _, true) => Undecidable::Marks,
                _ => Undecidable::Arguments,
            };
            undecidable = depends_on_failures(tool, &facts, &decision, mode).then_some(missing);
        }
        let ran = record.effect == Effect::Run;
        let mut held = None;
        let mut remembered = false;
        let mut second = decision;
        if tool.plan().limits().is_empty() && ran && record.approval.is_some() && second.effect == Effect::Asked {
            second = as_asked(tool.plan().decide_let_run(&facts, mode));
        }
        if let (Some(digest), false) = (&record.digest, tool.plan().limits().is_empty()) {
            let counted = Counted { tool, value: &value, digest: &digest.0, context, now };
            let counters: Vec<_> = guard.counters(&memory.state, &counted, root).collect();
            if undecidable.is_none() {
                let asked = second.effect != Effect::Refused;
                let (limited, taken) = guard.reserve(&counted, &recall, Cow::Owned(second), &[]);
                second = limited.into_owned();
                held = taken;
                if ran && second.effect == Effect::Asked {
                    // it ran, so who is asked says yes, and it takes what a call takes that people let run
                    let agreed: Vec<Arc<str>> =
                        tool.plan().limits().iter().map(|limit| Arc::clone(&limit.id)).collect();
                    let let_run = tool.plan().decide_let_run(&facts, mode);
                    let (limited, taken) = guard.reserve(&counted, &recall, Cow::Owned(let_run), &agreed);
                    held = taken;
                    if record.approval.is_some() {
                        second = as_asked(limited.into_owned());
                    }
                }
                if !whole && second.reason_code == ReasonCode::LimitFailed {
                    undecidable = Some(Undecidable::Arguments);
                } else if asked
                    && second.verdict != Verdict::Deny
                    && counters.iter().any(|(limit, key)| self.is_clouded(limit, *key, now.0))
                {
                    // what was taken so far is the least that it can be, so a deny would be one all the same
                    undecidable = Some(Undecidable::Limits);
                }
                remembered = held.as_ref().is_some_and(|held| held.remembered);
                if let Some(held) = held.take_if(|_| undecidable.is_some()) {
                    guard.settle(tool, &held, Settled::DENIED, now);
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
            if !remembered {
                memory.sessions.decided(root, items.tool, &items.tags, now)?;
            }
            let learner = Learner { session: Arc::clone(root), own: texts(&value) };
            self.open.insert(record.action_id.0, Open { tool: Arc::clone(tool), learner, whole, ran, held });
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
        if let Some((session, parent)) = self.sub_agents.control(record, note) {
            self.guard.memory()?.sessions.link(&session, &parent, record.time.0)?;
            let beginning = Beginning::new(None, Some(Arc::from(parent)));
            self.begun.insert(Arc::from(session), Arc::new(beginning));
        }
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

    /// Whose sub-agents' the sessions are, as far as records told it.
    #[must_use]
    pub const fn sub_agents(&self) -> &SubAgents {
        &self.sub_agents
    }

    /// Takes in how a recorded call ended; `result` is its payload.
    pub fn completed(&mut self, record: &Completed, result: Option<&Payload>) {
        let Some(open) = self.open.remove(&record.action_id.0) else { return };
        if !open.ran {
            return;
        }
        let now = record.time.0;
        if let Some(held) = &open.held {
            let outcome = Outcome::from(record.outcome);
            // a body that was left in the middle is entered again by a call of its id, which is the same call
            let end = Settled { outcome, cost: record.cost, suspended: outcome == Outcome::Interrupted };
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

/// What was decided of a call that people let run, with what its mode makes of that where they were not asked yet.
fn as_asked(decision: Decision) -> Decision {
    Decision { effect: decision.enforcement.effect(decision.verdict), ..decision }
}

/// Whether the decision may be another one if conditions that failed did not fail: then what they needed is missing.
fn depends_on_failures(tool: &Tool, facts: &Facts<'_>, decision: &Decision, mode: Option<Enforcement>) -> bool {
    if decision.reason_code == ReasonCode::OutOfScope {
        return false;
    }
    let explained = tool.plan().explain(facts, mode);
    let rules = || explained.layers.iter().flat_map(|layer| &layer.rules);
    let failed = rules().any(|rule| rule.matched == Matched::Failed);
    // one that failed and is stricter would have decided itself, and one that is milder changes nothing
    let firm = rules().any(|rule| rule.matched == Matched::Yes && decision.rules.contains(&rule.id));
    failed && !firm
}

fn context(call: &Recorded<'_>) -> CallContext {
    let record = call.record;
    let user = record.user.as_ref();
    CallContext {
        agent: record.agent.as_deref().map(Arc::from),
        user: user
            .map(|user| User { id: Arc::from(&*user.id), verified_by: user.verified_by.as_deref().map(Arc::from) }),
        implicit: record.implicit,
        run: record.run.as_deref().map(Arc::from),
        parent: record.parent.as_deref().map(Arc::from),
        // one that the framework did not give is the call's own
        call_id: (record.call_id != ActionId(record.action_id.0).to_string()).then(|| Arc::from(&*record.call_id)),
        enforcement: call.enforcement,
        ..CallContext::new(&*record.session)
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
