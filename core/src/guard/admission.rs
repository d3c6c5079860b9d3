//! The way of one call up to its body: encode, digest, decide, redact, record.

use super::health::count;
use super::limits::{Counted, Reservation, Settled};
use super::memory::{Learner, Recall};
use super::scratch::with_buffer;
use super::ticket::Issue;
use super::{Asking, Guard, PendingSync, Ticket, Tool, ids};
use crate::call::CallContext;
use crate::clock::UnixNanos;
use crate::condition::Facts;
use crate::decide::{Decision, Effect, FailMode, ReasonCode, RecordLevel, RecordSync};
use crate::error::{Error, ErrorCode};
use crate::ledger::{ActionId, ContextEntry, Decided, Part, SyncTicket};
use crate::redact::Redaction;
use crate::value::{self, Value};
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Whether a call may run.
#[derive(Debug)]
pub enum Admission {
    /// It may, once.
    Run(Ticket),
    /// It may as soon as its record is on the disk; or it may now, but had to wait for room.
    Sync(PendingSync),
    /// People are asked; decided again once they have answered ([`Asking::resume`]).
    Ask(Box<Asking>),
    /// It may not.
    Refused(Box<Refusal>),
}

/// Why a call may not run.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// What was decided.
    pub decision: Decision,
    /// The id of the recorded call; `None` where even the refusal could not be recorded.
    pub action_id: Option<ActionId>,
}

/// What sees every decision after it was made and recorded, and cannot change it.
pub trait Observer: std::fmt::Debug + Send + Sync {
    /// Called once a decided call, before its body.
    fn decided(&self, tool: &Tool, decision: &Decision, action_id: Option<ActionId>);
}

impl Guard {
    /// Decides a call and records the decision. Never fails: what goes wrong is a refusal.
    ///
    /// `arguments` is a [`Value::Map`] by parameter name, or why there is none.
    pub fn admit(
        self: &Arc<Self>,
        tool: &Arc<Tool>,
        arguments: Result<&Value<'_>, &Error>,
        context: &CallContext,
    ) -> Admission {
        self.contained(tool, || self.admit_uncontained(tool, arguments, context))
    }

    /// A panic in `admit` is a defect of ours, and the one thing it must not do is let the call run.
    #[inline]
    fn contained(&self, tool: &Tool, admit: impl FnOnce() -> Admission) -> Admission {
        catch_unwind(AssertUnwindSafe(admit)).unwrap_or_else(|_| {
            count(&self.counters.panics);
            refused(tool.plan().refusal(ReasonCode::Internal, None), None)
        })
    }

    fn admit_uncontained(
        self: &Arc<Self>,
        tool: &Arc<Tool>,
        arguments: Result<&Value<'_>, &Error>,
        context: &CallContext,
    ) -> Admission {
        if self.closed.load(Ordering::Acquire) {
            return refused(tool.plan().refusal(ReasonCode::Closed, None), None);
        }
        let Some(action_id) = ids::next() else {
            let why = Arc::from("the system gave no randomness");
            return refused(tool.plan().refusal(ReasonCode::Unrecorded, Some(why)), None);
        };
        let now = self.clock.now();
        with_buffer(|canonical| {
            let captured = captured(arguments, canonical);
            let mut recall = self.recall(context, now);
            let digest = captured.as_ref().ok().map(|_| self.key.call(tool.prefix(), canonical));
            let (mut decision, mut held) = match (&captured, &digest) {
                (Ok(value), Some(digest)) => self.judge(&Counted { tool, value, digest, context, now }, &mut recall),
                (Err(error), _) => {
                    count(&self.counters.capture_failed);
                    (Cow::Owned(not_captured(tool, error)), None)
                }
                (Ok(_), None) => (Cow::Owned(tool.plan().refusal(ReasonCode::Internal, None)), None),
            };
            if let (Effect::Asked, true, Ok(value)) = (decision.effect, self.asks, &captured) {
                return self.ask(tool, value, canonical, decision.into_owned(), &recall, action_id);
            }
            if decision.effect == Effect::Asked {
                // nobody can be asked, and waiting for nobody would be a call that never ends
                let decision = decision.to_mut();
                decision.effect = Effect::Refused;
                decision.reason_code = ReasonCode::NoApprover;
            }
            self.remember(tool, &recall, &mut decision, &mut held);
            let call = RecordedCall { action_id, now, decision: &decision, context, digest, approval: None };
            let learner = self.learner(tool, recall.root(), captured.as_ref().ok().copied());
            let recorded = self.record(tool, &call, captured.ok(), canonical);
            self.conclude(tool, Admitted { action_id, now, held, learner }, decision, recorded)
        })
    }

    /// What rules and limits say of a call, and what it took from the limits.
    #[inline]
    fn judge<'c>(&self, call: &Counted<'c>, recall: &mut Recall<'c>) -> (Cow<'c, Decision>, Option<Box<Reservation>>) {
        let (plan, mode) = (call.tool.plan(), call.context.enforcement);
        recall.look_before(call);
        loop {
            let decision = match plan.asks_session() {
                true => recall.with_facts(call.value, |facts| plan.decide(facts, mode)),
                false => plan.decide(&Facts::of_call(call.value), mode),
            };
            if !call.is_counted() {
                return (decision, None);
            }
            let (decision, held) = self.reserve(call, recall, decision, &[]);
            if decision.effect == Effect::Run && held.is_none() && recall.looked_before() {
                // somebody has entered it meanwhile, so this is one call more
                continue;
            }
            return (decision, held);
        }
    }

    pub(super) fn record(
        &self,
        tool: &Tool,
        call: &RecordedCall<'_>,
        value: Option<&Value<'_>>,
        canonical: &[u8],
    ) -> Result<Option<Box<OnItsWay>>, Error> {
        let RecordedCall { action_id, now, decision, context, digest, approval } = *call;
        let plan = tool.plan();
        let arguments = match (value, decision.record.args) {
            (Some(value), RecordLevel::Redacted) => Some(plan.redaction().apply(value, canonical)),
            (Some(_), RecordLevel::Full) => Some(Cow::Borrowed(canonical)),
            (Some(_), RecordLevel::Digest) | (None, _) => None,
        };
        let annotations = context.annotations.as_deref().map(|bytes| redacted_canonical(plan.redaction(), bytes));
        let arguments = arguments.as_deref().map(|canonical| Part { name: "arguments", canonical });
        let annotations = annotations.as_deref().map(|canonical| Part { name: "annotations", canonical });
        let words = words_of_refusal(plan.redaction(), decision);
        let words = words.as_deref().map(|canonical| Part { name: "error", canonical });
        // From here on the arguments are not read any more: recording may have to wait for room, and what they are lent from
        // may change meanwhile.
        self.record_policy_once(now);
        let entry = |parts: &[Part<'_>]| {
            let decided = Decided {
                action_id,
                time: now,
                call_id: context.call_id.as_deref(),
                digest,
                tool: tool.entry(),
                context: context_entry(self, context),
                decision: decision.verdict,
                effect: decision.effect,
                reason_code: decision.reason_code.as_str(),
                rules: &decision.rules,
                policy: decision.policy,
                enforcement: decision.enforcement,
                estimated_cost: tool.spec().cost_micro_usd,
                approval,
                parts,
                durable: false,
            };
            let durable = decision.record.sync == RecordSync::Durable && decision.effect == Effect::Run;
            let waits = self.ledger.decided_unless_waiting(&decided, durable)?;
            Ok(waits.map(|sync| on_its_way(sync, decided.digest)))
        };
        match (arguments, annotations, words) {
            (None, None, None) => entry(&[]),
            (Some(part), None, None) | (None, Some(part), None) | (None, None, Some(part)) => entry(&[part]),
            (Some(arguments), Some(annotations), None) => entry(&[arguments, annotations]),
            (arguments, annotations, Some(words)) => {
                let parts: Vec<Part<'_>> = arguments.into_iter().chain(annotations).chain([words]).collect();
                entry(&parts)
            }
        }
    }

    pub(super) fn conclude(
        self: &Arc<Self>,
        tool: &Arc<Tool>,
        admitted: Admitted,
        decision: Cow<'_, Decision>,
        recorded: Result<Option<Box<OnItsWay>>, Error>,
    ) -> Admission {
        let Admitted { action_id, now, held, learner } = admitted;
        if let Some(observer) = &self.observer {
            let id = recorded.is_ok().then_some(action_id);
            // an observer cannot change what was decided, so its failure changes nothing either
            if catch_unwind(AssertUnwindSafe(|| observer.decided(tool, &decision, id))).is_err() {
                count(&self.counters.panics);
            }
        }
        let ticket = |held| {
            let level = decision.record.result;
            Ticket::new(Arc::clone(self), Arc::clone(tool), Issue { action_id, decided_at: now, level, held, learner })
        };
        match (recorded, decision.effect) {
            (Ok(None), Effect::Run) => Admission::Run(ticket(held)),
            (Ok(Some(record)), Effect::Run) => Admission::Sync(PendingSync::new(ticket(held), record)),
            (Ok(_), Effect::Refused | Effect::Asked) => refused(decision.into_owned(), Some(action_id)),
            (Err(_), Effect::Run) if tool.plan().fail_mode() == FailMode::Open => {
                count(&self.counters.unrecorded_run);
                Admission::Run(ticket(held))
            }
            (Err(error), Effect::Run) => {
                if let Some(held) = held {
                    self.settle(tool, &held, Settled::DENIED, now);
                }
                self.refused_unrecorded(tool, error.message(), None)
            }
            (Err(_), Effect::Refused | Effect::Asked) => {
                count(&self.counters.unrecorded_refused);
                refused(decision.into_owned(), None)
            }
        }
    }

    pub(super) fn refused_unrecorded(&self, tool: &Tool, why: &str, action_id: Option<ActionId>) -> Admission {
        count(&self.counters.unrecorded_refused);
        refused(tool.plan().refusal(ReasonCode::Unrecorded, Some(Arc::from(why))), action_id)
    }

    pub(super) fn decide_contained(
        &self,
        tool: &Tool,
        arguments: Result<&Value<'_>, &Error>,
        context: &CallContext,
    ) -> Decision {
        // the same limits hold as for a call that runs, or `check` would promise what `admit` refuses
        let decide = || {
            with_buffer(|canonical| match captured(arguments, canonical) {
                Ok(value) => {
                    let now = self.clock.now();
                    let plan = tool.plan();
                    if !plan.asks_session() && plan.limits().is_empty() {
                        return plan.preview(&Facts::of_call(value), context.enforcement).into_owned();
                    }
                    let mut recall = self.recall(context, now);
                    let digest = &self.key.call(tool.prefix(), canonical);
                    let call = Counted { tool, value, digest, context, now };
                    recall.look_before(&call);
                    let decision = recall.with_facts(value, |facts| plan.preview(facts, context.enforcement));
                    if plan.limits().is_empty() {
                        return decision.into_owned();
                    }
                    self.limit_preview(&call, &recall, decision).into_owned()
                }
                Err(error) => not_captured(tool, &error),
            })
        };
        catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|_| {
            count(&self.counters.panics);
            tool.plan().refusal(ReasonCode::Internal, None)
        })
    }
}

/// A call whose decision was recorded or could not be.
pub(super) struct Admitted {
    pub(super) action_id: ActionId,
    pub(super) now: UnixNanos,
    pub(super) held: Option<Box<Reservation>>,
    /// Who learns from the result; taken from the arguments while they can be read.
    pub(super) learner: Option<Box<Learner>>,
}

/// A record that was not taken at once.
#[derive(Debug)]
pub(super) struct OnItsWay {
    pub(super) sync: SyncTicket,
    /// The call's digest in it.
    pub(super) digest: Option<[u8; 32]>,
}

#[cold]
fn on_its_way(sync: SyncTicket, digest: Option<[u8; 32]>) -> Box<OnItsWay> {
    Box::new(OnItsWay { sync, digest })
}

/// What of a call goes into its record beside the tool and the values.
pub(super) struct RecordedCall<'a> {
    pub(super) action_id: ActionId,
    pub(super) now: UnixNanos,
    pub(super) decision: &'a Decision,
    pub(super) context: &'a CallContext,
    pub(super) digest: Option<[u8; 32]>,
    /// The approval it was asked under.
    pub(super) approval: Option<&'a str>,
}

/// The arguments with their canonical bytes in `canonical`, or why there are none.
#[inline]
pub(super) fn captured<'v>(
    arguments: Result<&'v Value<'v>, &Error>,
    canonical: &mut Vec<u8>,
) -> Result<&'v Value<'v>, Error> {
    let value = arguments.map_err(Error::clone)?;
    value::encode(value, canonical)?;
    Ok(value)
}

pub(super) fn not_captured(tool: &Tool, error: &Error) -> Decision {
    let code = match error.code() {
        ErrorCode::ValueMalformed => ReasonCode::MalformedArguments,
        _ => ReasonCode::CaptureFailed,
    };
    tool.plan().refusal(code, Some(Arc::from(error.message())))
}

/// What a refused caller was told, as it may be recorded; `None` for a call that runs, and where nothing was said.
#[inline]
fn words_of_refusal(redaction: &Redaction, decision: &Decision) -> Option<Vec<u8>> {
    if decision.effect == Effect::Run {
        return None;
    }
    written_refusal(redaction, decision)
}

#[cold]
fn written_refusal(redaction: &Redaction, decision: &Decision) -> Option<Vec<u8>> {
    let said =
        [("detail", &decision.detail), ("reason", &decision.reason), ("reason_for_agent", &decision.reason_for_agent)];
    let entries: Vec<_> = said
        .into_iter()
        .filter_map(|(name, text)| Some((Cow::Borrowed(name), Value::Str(Cow::Borrowed(text.as_deref()?)))))
        .collect();
    if entries.is_empty() {
        return None;
    }
    let words = value::map(entries).ok()?;
    let mut canonical = Vec::new();
    // words too large to be a value are left out: the record says itself that the call was refused
    value::encode(&words, &mut canonical).ok()?;
    Some(redaction.apply(&words, &canonical).into_owned())
}

/// Redacts canonical bytes whose value is not at hand; what cannot be read back is not recorded.
fn redacted_canonical<'b>(redaction: &Redaction, canonical: &'b [u8]) -> Cow<'b, [u8]> {
    match value::decode(canonical) {
        Ok(value) => redaction.apply(&value, canonical),
        Err(_) => Cow::Borrowed(br#"{"$redacted":["unreadable"]}"#),
    }
}

fn context_entry<'a>(guard: &'a Guard, context: &'a CallContext) -> ContextEntry<'a> {
    ContextEntry {
        agent: context.agent.as_deref().or(guard.agent.as_deref()),
        user: context.user.as_ref().map(|user| &*user.id),
        user_verified_by: context.user.as_ref().and_then(|user| user.verified_by.as_deref()),
        session: &context.session,
        implicit: context.implicit,
        run: context.run.as_deref(),
        parent: context.parent.as_deref(),
    }
}

pub(super) fn refused(decision: Decision, action_id: Option<ActionId>) -> Admission {
    Admission::Refused(Box::new(Refusal { decision, action_id }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{PROGRAM_SOURCE, ToolSpec};
    use crate::clock::Clock;
    use crate::decide::{Layers, Options};
    use crate::guard::Config;
    use crate::ledger;

    #[test]
    fn a_panic_of_the_engine_refuses_the_call_and_no_other() {
        let home = tempfile::tempdir().unwrap();
        let guard = Guard::start(Config {
            layers: Layers::new(Vec::new(), Options::default()).unwrap(),
            home: home.path().join("home"),
            agent: None,
            clock: Clock::System,
            previous: None,
            observer: None,
            asks: false,
            ledger: ledger::Options::default(),
        })
        .unwrap();
        let spec = ToolSpec { name: "tool".into(), source: PROGRAM_SOURCE.into(), ..ToolSpec::default() };
        let tool = guard.tool(spec).unwrap();
        for panics in 1..=3 {
            let admission = guard.contained(&tool, || panic!("a defect"));
            let Admission::Refused(refusal) = admission else { panic!("the call runs") };
            assert_eq!(refusal.decision.reason_code, ReasonCode::Internal);
            assert_eq!(guard.health().panics, panics);
        }
        let context = CallContext::new("s-1");
        assert!(matches!(guard.admit(&tool, Ok(&Value::Map(Vec::new())), &context), Admission::Run(_)));
    }
}
