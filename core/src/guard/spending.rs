//! What models take, logged by the program, and how a session stands with its budgets.

use super::Guard;
use super::counter::{Stored, charge, is_outlived};
use crate::call::CallContext;
use crate::clock::UnixNanos;
use crate::condition::SessionView as _;
use crate::decide::{Exceeded, PlannedLimit};
use crate::error::{Error, ErrorCode};
use crate::ledger::{Control, Part};
use crate::policy::Measure;
use crate::session::{ModelUse, Totals};
use crate::state::{Key, Presence, State};
use crate::value::{self, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a `control` record calls the marking of a session.
pub(super) const MARK: &str = "mark";

/// A session as those see it who look at it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Calls, tokens and money.
    pub totals: Totals,
    /// The tags seen, of those that the policy, a tool of this process or a mark of it names; sorted.
    pub tags: Vec<Arc<str>>,
    /// Every budget that its calls take from, but those kept apart by tool or argument; in the order of their ids. One whose
    /// use is not known counts as used up.
    pub budgets: Vec<Exceeded>,
}

impl Guard {
    /// Counts what a model took: in the session, and in every budget of money or tokens. It has happened, so it is counted
    /// whether there is room or not.
    ///
    /// # Errors
    /// `state_io` and others of the shared state: part of it may not be counted.
    pub fn spent(&self, context: &CallContext, used: ModelUse) -> Result<(), Error> {
        let now = self.clock.now();
        let recall = self.recall(context, now);
        let memory = recall.memory().map_err(Error::clone)?;
        memory.sessions.used(recall.root(), used, now)?;
        let tokens = used.prompt_tokens.saturating_add(used.completion_tokens);
        let mut charged = Vec::new();
        for limit in &*self.standing {
            let amount = match limit.measure {
                Measure::Usd => used.cost_micro_usd,
                Measure::Tokens => tokens,
                Measure::Calls | Measure::Sum(_) => 0,
            };
            let key = self.standing_key(&memory.state, limit, context, recall.root());
            if let (true, Some(key), true) = (amount > 0, key, limit.of_all_tools) {
                charged.push((limit, key, i64::try_from(amount).unwrap_or(i64::MAX)));
            }
        }
        for some in charged.chunks(crate::state::MAX_KEYS) {
            let keys: Vec<Key> = some.iter().map(|(_, key, _)| *key).collect();
            memory.state.transaction(&keys, now, |entries| {
                for ((limit, _, amount), entry) in some.iter().zip(entries) {
                    charge(limit, entry, *amount)?;
                }
                Ok::<_, crate::state::StateError>(())
            })?;
        }
        Ok(())
    }

    /// How the session of `context` stands.
    ///
    /// # Errors
    /// `state_io` and others of the shared state, and where the session's history is not known.
    pub fn standing(&self, context: &CallContext) -> Result<Standing, Error> {
        let now = self.clock.now();
        let recall = self.recall(context, now);
        let memory = recall.memory().map_err(Error::clone)?;
        let totals = memory.sessions.totals(recall.root(), now).map_err(|_| {
            Error::new(ErrorCode::StateIo, format!("nothing is known any more of the session `{}`", context.session))
        })?;
        let view = memory.sessions.view(recall.root(), now);
        let tags = self.named_tags.load();
        let tags = tags.iter().filter(|tag| view.saw(tag) == Ok(true)).cloned().collect();
        let mut budgets = Vec::new();
        for limit in &*self.standing {
            if let Some(key) = self.standing_key(&memory.state, limit, context, recall.root()) {
                budgets.push(read(&memory.state, limit, key, now)?);
            }
        }
        Ok(Standing { totals, tags, budgets })
    }

    /// Marks the session with a tag, as if a call of a tool with it had been decided to run.
    ///
    /// # Errors
    /// `tool_invalid` for a tag that the policy's vocabulary does not have; `state_io` and others of the shared state: it is not marked.
    /// Those of the ledger: it is marked, and its record is missing.
    pub fn mark(&self, context: &CallContext, tag: &str) -> Result<(), Error> {
        self.layers.check_tag(tag)?;
        let now = self.clock.now();
        let recall = self.recall(context, now);
        let memory = recall.memory().map_err(Error::clone)?;
        self.name_tags(std::iter::once(&Arc::from(tag)));
        let is_new = memory.sessions.view(recall.root(), now).saw(tag) != Ok(true);
        memory.sessions.mark(recall.root(), tag, now)?;
        if is_new { self.record_mark(&context.session, tag, now) } else { Ok(()) }
    }

    /// A later look at the ledger has to know of it: rules ask for tags, and no call says where this one came from.
    fn record_mark(&self, session: &str, tag: &str, now: UnixNanos) -> Result<(), Error> {
        let text = |text| Value::Str(Cow::Borrowed(text));
        let said = value::map(vec![(Cow::Borrowed("session"), text(session)), (Cow::Borrowed("tag"), text(tag))])?;
        let mut canonical = Vec::new();
        value::encode(&said, &mut canonical)?;
        self.ledger.control(now, &Control { what: MARK, parts: &[Part { name: "note", canonical: &canonical }] })
    }

    /// Remembers names of tags, of which sessions keep only hashes.
    pub(super) fn name_tags<'t>(&self, tags: impl Iterator<Item = &'t Arc<str>>) {
        let known = self.named_tags.load();
        let new: Vec<&Arc<str>> = tags.filter(|tag| !known.contains(*tag)).collect();
        if !new.is_empty() {
            self.named_tags.rcu(|known| known.iter().chain(new.iter().copied()).cloned().collect::<BTreeSet<_>>());
        }
    }
}

fn read(state: &State, limit: &PlannedLimit, key: Key, now: UnixNanos) -> Result<Exceeded, Error> {
    let max = limit.meter.max;
    let usage = state.transaction(&[key], now, |entries| {
        let [entry] = entries else { return Ok(None) };
        if entry.presence() == Presence::Evicted && !is_outlived(limit, entry) {
            return Ok(None);
        }
        let now = entry.now().0;
        Ok::<_, crate::state::StateError>(limit.meter.usage(&Stored::new(entry), 0, now).ok())
    })?;
    let (used, left, resets_at) = usage.map_or((max, 0, None), |usage| (usage.used, usage.left, usage.resets_at));
    Ok(Exceeded { id: Arc::clone(&limit.id), unit: limit.measure.unit(), max, used, left, resets_at })
}
