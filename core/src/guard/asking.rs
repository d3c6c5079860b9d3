//! A call that waits for people: asked when it was decided, decided again when they have answered.

use super::admission::{Admitted, RecordedCall, captured, not_captured, refused};
use super::completion::End;
use super::health::count;
use super::limits::{Counted, Reservation};
use super::memory::Recall;
use super::scratch::with_buffer;
use super::{Admission, Captured, Guard, Tool, ids};
use crate::approval::desk::{Office, Question, Settled, Wait};
use crate::approval::{Answer, Approval, ApprovalId, Binding, Call, Person, Request, Shown, State, Terms, has_opaque};
use crate::call::CallContext;
use crate::clock::UnixNanos;
use crate::decide::{Decision, Effect, ReasonCode, RecordSync};
use crate::error::{Error, ErrorCode};
use crate::ledger::record::scalar::{Hash, Id, Time};
use crate::ledger::{ActionId, ApprovalChange, Outcome, StreamId};
use crate::redact::Redaction;
use crate::value::{self, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A call that waits for people. Dropped before they answered, the question stays open and the next like call takes it up.
#[derive(Debug)]
pub struct Asking {
    guard: Arc<Guard>,
    tool: Arc<Tool>,
    context: CallContext,
    action_id: ActionId,
    decision: Decision,
    binding: Binding,
    bound: [u8; 32],
    canonical: Arc<[u8]>,
    shown: BTreeMap<String, Shown>,
    hidden: u32,
    timeout: Duration,
    wait: Wait,
    over: bool,
}

/// What became of a call after people answered.
#[derive(Debug)]
pub struct Resumed {
    /// Whether it may run.
    pub admission: Admission,
    /// The canonical arguments it runs with where people changed them.
    pub edited: Option<Vec<u8>>,
}

impl Office for Guard {
    fn now(&self) -> UnixNanos {
        self.clock.now()
    }

    fn stream(&self) -> Result<StreamId, Error> {
        self.ledger.stream()
    }

    fn record(&self, time: UnixNanos, change: &ApprovalChange<'_>) -> Result<(), Error> {
        self.ledger.approval(time, change)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl Guard {
    /// Asks people about a call whose decision is `asked`; nothing is recorded of the call itself until they answered.
    pub(super) fn ask(
        self: &Arc<Self>,
        tool: &Arc<Tool>,
        value: &Value<'_>,
        canonical: &[u8],
        decision: Decision,
        recall: &Recall<'_>,
        action_id: ActionId,
    ) -> Admission {
        let context = recall.context();
        let terms = recall.with_facts(value, |facts| tool.plan().terms(facts, context.enforcement));
        if let Some(name) = terms.binding.unbindable(value) {
            let why = format!("`{name}` has no value that people could agree to");
            return self.ended(tool, value, canonical, context, action_id, decision, ReasonCode::Unbindable, Some(why));
        }
        let bound = match self.bound(tool, &terms.binding, value, context) {
            Ok(bound) => bound,
            Err(error) => return refused(not_captured(tool, &error), None),
        };
        let (shown, hidden) = shown(tool.plan().redaction(), &terms, value);
        let kept = tool.spec().keeps_arguments && !has_opaque(value);
        let mut call = self.call(tool, context, action_id);
        if kept {
            // whoever runs it later names it by this
            call.name_by_action();
        }
        let request = Request {
            // the desk's to fill in: it may be asked already
            id: Id([0; 16]),
            asker: Id([0; 16]),
            time: Time(UnixNanos(0)),
            expires: Time(UnixNanos(0)),
            call,
            binding: Hash(bound),
            reason: decision.reason.clone(),
            reason_code: Arc::from(decision.reason_code.as_str()),
            policy: Hash(decision.policy),
            requirements: terms.requirements,
            shown: shown.clone(),
            hidden,
            redact: tool.plan().redaction().detectors().collect(),
            arguments: if kept { serde_json::from_slice(canonical).ok() } else { None },
        };
        let canonical: Arc<[u8]> = Arc::from(canonical);
        let turn = context.turn.clone();
        let question = Question { request, timeout: terms.timeout, canonical: Arc::clone(&canonical), turn };
        let office: Weak<Self> = Arc::downgrade(self);
        let wait = self.desk.ask(office, Box::new(question));
        Admission::Ask(Box::new(Asking {
            guard: Arc::clone(self),
            tool: Arc::clone(tool),
            context: context.clone(),
            action_id,
            decision,
            binding: terms.binding,
            bound,
            canonical,
            shown,
            hidden,
            timeout: terms.timeout,
            wait,
            over: false,
        }))
    }

    fn call(&self, tool: &Tool, context: &CallContext, action_id: ActionId) -> Call {
        Call {
            action_id: Id(action_id.0),
            call_id: context.call_id.clone(),
            source: Arc::from(&*tool.spec().source),
            tool: Arc::from(&*tool.spec().name),
            agent: context.agent.clone().or_else(|| self.agent.clone()),
            requester: requester(context),
            session: Arc::clone(&context.session),
            run: context.run.clone(),
        }
    }

    fn bound(
        &self,
        tool: &Tool,
        binding: &Binding,
        args: &Value<'_>,
        context: &CallContext,
    ) -> Result<[u8; 32], Error> {
        let bound = binding.canonical(args)?;
        Ok(self.key.binding(&tool.spec().source, &tool.spec().name, &context.session, &bound))
    }

    /// Refuses a call that was to be asked about, and records that and how it ended.
    #[expect(clippy::too_many_arguments, reason = "all that a record of a refused call holds")]
    fn ended(
        self: &Arc<Self>,
        tool: &Arc<Tool>,
        value: &Value<'_>,
        canonical: &[u8],
        context: &CallContext,
        action_id: ActionId,
        mut decision: Decision,
        code: ReasonCode,
        detail: Option<String>,
    ) -> Admission {
        decision.effect = Effect::Refused;
        decision.reason_code = code;
        decision.detail = detail.map(Arc::from);
        self.record_asked(tool, Some(value), canonical, context, action_id, decision, None, None)
    }
}

impl Asking {
    /// The tool that waits.
    #[must_use]
    pub const fn tool(&self) -> &Arc<Tool> {
        &self.tool
    }

    /// What was decided when it was asked.
    #[must_use]
    pub const fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The canonical arguments at that time, for the program's own approver.
    #[must_use]
    pub const fn canonical(&self) -> &Arc<[u8]> {
        &self.canonical
    }

    /// The call's id, under which it is recorded: that of the call that was asked about first, once people are asked.
    #[must_use]
    pub fn action_id(&self) -> ActionId {
        self.wait.action_id().unwrap_or(self.action_id)
    }

    /// The agent.
    #[must_use]
    pub fn agent(&self) -> Option<&str> {
        self.context.agent.as_deref().or(self.guard.agent.as_deref())
    }

    /// On whose behalf.
    #[must_use]
    pub const fn context(&self) -> &CallContext {
        &self.context
    }

    /// The arguments as people see them, by name.
    #[must_use]
    pub const fn shown(&self) -> &BTreeMap<String, Shown> {
        &self.shown
    }

    /// How many arguments they do not see.
    #[must_use]
    pub const fn hidden(&self) -> u32 {
        self.hidden
    }

    /// How long people have from now on.
    #[must_use]
    pub fn expires_in(&self) -> Duration {
        let Some(expires) = self.wait.expires() else { return self.timeout };
        let left = expires.0.saturating_sub(self.guard.clock.now().0);
        Duration::from_nanos(u64::try_from(left).unwrap_or(0))
    }

    /// The approval's id, once it is on the disk.
    #[must_use]
    pub fn approval(&self) -> Option<ApprovalId> {
        self.wait.id()
    }

    /// To wait with.
    #[must_use]
    pub const fn waiting(&self) -> &Wait {
        &self.wait
    }

    /// What the program itself answers, by its own approver. One that cannot be used ends the question.
    pub fn answer(&self, by: Person, answer: Answer, note: Option<Arc<str>>) {
        self.guard.desk.answer(&self.wait, by, answer, note);
    }

    /// Takes the question back; the end comes by [`Asking::waiting`].
    pub fn cancel(&self) {
        self.guard.desk.cancel(&self.wait);
    }

    /// Decides the call again with the arguments that its body would get now, and refuses where people did not agree to
    /// exactly that. A question that has not ended is left open, and the call refused as `approval_pending`.
    #[must_use]
    pub fn resume(mut self, arguments: Result<&Value<'_>, &Error>) -> Resumed {
        self.over = true;
        catch_unwind(AssertUnwindSafe(|| self.resume_uncontained(arguments))).unwrap_or_else(|_| {
            count(&self.guard.counters.panics);
            let decision = self.tool.plan().refusal(ReasonCode::Internal, None);
            Resumed { admission: refused(decision, None), edited: None }
        })
    }

    fn resume_uncontained(&self, arguments: Result<&Value<'_>, &Error>) -> Resumed {
        let only = |admission| Resumed { admission, edited: None };
        with_buffer(|canonical| {
            let value = captured(arguments, canonical);
            let of = value.as_ref().ok().copied();
            let refuse = |ended: Ended, approval: Option<&Approval>| only(self.refuse(of, canonical, ended, approval));
            let (approval, edit) = match self.wait.settled() {
                None => {
                    self.guard.desk.leave(&self.wait);
                    return refuse(Ended::code(ReasonCode::ApprovalPending), None);
                }
                Some(Settled::Failed(error)) => return refuse(Ended::failed(&error), None),
                Some(Settled::UsedUp(approval)) => {
                    return refuse(Ended::code(ReasonCode::ApprovalUsed), Some(&approval));
                }
                Some(Settled::Over(approval)) => return refuse(Ended::of(&approval), Some(&approval)),
                Some(Settled::Granted(approval)) => (approval, None),
                Some(Settled::Approved(approval)) => {
                    let edit = approval.edit().cloned();
                    (approval, edit)
                }
            };
            let Some(value) = of else { return refuse(Ended::code(ReasonCode::CallChanged), Some(&approval)) };
            match self.guard.bound(&self.tool, &self.binding, value, &self.context) {
                Ok(bound) if bound == self.bound => {}
                _ => return refuse(Ended::code(ReasonCode::CallChanged), Some(&approval)),
            }
            let Some(edit) = edit else {
                return only(self.decide_again(value, canonical, &approval));
            };
            let edited = edit.apply(canonical);
            let again = edited.as_ref().map_err(Error::clone).and_then(|edited| {
                let value = value::decode(edited)?;
                Ok(self.decide_again(&value, edited, &approval))
            });
            match again {
                Ok(admission) => Resumed { admission, edited: edited.ok() },
                Err(error) => refuse(Ended::failed(&error), Some(&approval)),
            }
        })
    }

    /// The policy has the last word on what is about to run, and people on no more than they were asked.
    fn decide_again(&self, value: &Value<'_>, canonical: &[u8], approval: &Approval) -> Admission {
        let plan = self.tool.plan();
        let mode = self.context.enforcement;
        let now = self.guard.clock.now();
        let digest = &self.guard.key.call(self.tool.prefix(), canonical);
        let call = Counted { tool: &self.tool, value, digest, context: &self.context, now };
        let mut recall = self.guard.recall(&self.context, now);
        recall.look_before(&call);
        let mut decision = recall.with_facts(value, |facts| plan.decide(facts, mode).into_owned());
        let outdated =
            || self.refuse(Some(value), canonical, Ended::code(ReasonCode::ApprovalOutdated), Some(approval));
        match decision.effect {
            Effect::Refused => return self.recorded(Some(value), canonical, decision, None, Some(approval)),
            Effect::Asked => {
                let wanted = recall.with_facts(value, |facts| plan.terms(facts, mode)).requirements;
                let requester = requester(&self.context);
                if !wanted.iter().all(|requirement| approval.meets(requirement, requester.as_ref())) {
                    return outdated();
                }
                decision = recall.with_facts(value, |facts| plan.decide_let_run(facts, mode));
            }
            Effect::Run => {}
        }
        let mut decision = Cow::Owned(decision);
        let mut held = None;
        if call.is_counted() {
            (decision, held) = self.guard.reserve(&call, &recall, decision, &self.decision.rules);
        }
        match decision.effect {
            Effect::Asked => return outdated(),
            // somebody has entered it meanwhile: this would be one call more than people said yes to
            Effect::Run if held.is_none() && recall.looks_before() => return outdated(),
            Effect::Run => self.guard.remember(&self.tool, &recall, &mut decision, &mut held),
            Effect::Refused => {}
        }
        let mut decision = decision.into_owned();
        // at most once is promised for it, so that its record is on the disk before it runs
        decision.record.sync = RecordSync::Durable;
        self.recorded(Some(value), canonical, decision, held, Some(approval))
    }

    fn refuse(
        &self,
        value: Option<&Value<'_>>,
        canonical: &[u8],
        ended: Ended,
        approval: Option<&Approval>,
    ) -> Admission {
        let mut decision = self.decision.clone();
        decision.effect = Effect::Refused;
        decision.reason_code = ended.code;
        decision.reason = Some(Arc::from(ended.reason.unwrap_or_else(|| ended.code.describe().to_owned())));
        decision.detail = ended.detail;
        self.recorded(value, canonical, decision, None, approval)
    }

    fn recorded(
        &self,
        value: Option<&Value<'_>>,
        canonical: &[u8],
        decision: Decision,
        held: Option<Box<Reservation>>,
        approval: Option<&Approval>,
    ) -> Admission {
        // the call that was asked first is the one that people saw, and the one that runs
        let action_id = match approval {
            Some(approval)
                if matches!(self.wait.settled(), Some(Settled::Approved(_) | Settled::Over(_)))
                    && !approval.is_entered_again() =>
            {
                ActionId(approval.request().call.action_id.0)
            }
            Some(_) => self.action_id,
            // the question stays open, and whoever takes it up runs the call that people see under its id
            None => ids::next().unwrap_or(self.action_id),
        };
        let mut admission =
            self.guard.record_asked(&self.tool, value, canonical, &self.context, action_id, decision, held, approval);
        if matches!(self.wait.settled(), Some(Settled::Approved(_))) {
            match &mut admission {
                Admission::Run(ticket) => ticket.agreed_to(&self.wait),
                Admission::Sync(pending) => pending.agreed_to(&self.wait),
                Admission::Refused(_) | Admission::Ask(_) => {}
            }
        }
        admission
    }
}

/// On whose behalf the agent acts.
fn requester(context: &CallContext) -> Option<Person> {
    context.user.as_ref().map(|user| Person {
        id: Arc::clone(&user.id),
        groups: Vec::new(),
        verified_by: user.verified_by.clone(),
    })
}

impl Drop for Asking {
    fn drop(&mut self) {
        if !self.over && !self.wait.is_settled() {
            self.guard.desk.leave(&self.wait);
        }
    }
}

impl Guard {
    /// Records a call that people were asked about, and how it ended where it does not run.
    #[expect(clippy::too_many_arguments, reason = "all that a record holds")]
    fn record_asked(
        self: &Arc<Self>,
        tool: &Arc<Tool>,
        value: Option<&Value<'_>>,
        canonical: &[u8],
        context: &CallContext,
        action_id: ActionId,
        decision: Decision,
        held: Option<Box<Reservation>>,
        approval: Option<&Approval>,
    ) -> Admission {
        let now = self.clock.now();
        let id = approval.map(|approval| approval.id().to_string());
        let digest = value.map(|_| self.key.call(tool.prefix(), canonical));
        let call = RecordedCall { action_id, now, decision: &decision, context, digest, approval: id.as_deref() };
        let learner = self.learner(tool, self.recall(context, now).root(), value);
        let recorded = self.record(tool, &call, value, canonical);
        let ended = (decision.effect == Effect::Refused && recorded.is_ok()).then(|| outcome(decision.reason_code));
        let level = decision.record.result;
        let admission = self.conclude(tool, Admitted { action_id, now, held, learner }, Cow::Owned(decision), recorded);
        if let Some(outcome) = ended {
            let end = End { action_id, ended: now, duration: 0, outcome, level, cost: None };
            self.record_completion(tool, &end, &Captured::Nothing);
        }
        admission
    }
}

/// How a call that does not run ended.
const fn outcome(code: ReasonCode) -> Outcome {
    match code {
        ReasonCode::ApprovalExpired => Outcome::Expired,
        ReasonCode::ApprovalCancelled => Outcome::Cancelled,
        _ => Outcome::Denied,
    }
}

/// Why a call that waited does not run.
struct Ended {
    code: ReasonCode,
    reason: Option<String>,
    detail: Option<Arc<str>>,
}

impl Ended {
    const fn code(code: ReasonCode) -> Self {
        Self { code, reason: None, detail: None }
    }

    fn failed(error: &Error) -> Self {
        let code = match error.code() {
            ErrorCode::Closed => ReasonCode::Closed,
            ErrorCode::ApprovalExpired => ReasonCode::ApprovalExpired,
            _ => ReasonCode::ApprovalFailed,
        };
        Self { code, reason: None, detail: Some(Arc::from(error.message())) }
    }

    fn of(approval: &Approval) -> Self {
        match approval.state() {
            State::Denied => {
                let (by, note) = approval.last_answer().map_or((None, None), |(by, note)| (Some(by), note.cloned()));
                let reason = by.map(|by| format!("`{}` said no", by.id));
                Self { code: ReasonCode::ApprovalDenied, reason, detail: note }
            }
            State::Expired => Self::code(ReasonCode::ApprovalExpired),
            _ => Self::code(ReasonCode::ApprovalCancelled),
        }
    }
}

/// The arguments as people see them, and how many they do not see.
fn shown(redaction: &Redaction, terms: &Terms, args: &Value<'_>) -> (BTreeMap<String, Shown>, u32) {
    let Value::Map(entries) = args else { return (BTreeMap::new(), 0) };
    let mut all = BTreeMap::new();
    let mut hidden = 0_u32;
    for entry in entries {
        let (name, _) = entry;
        let open = terms.show.as_ref().is_some_and(|show| show.contains(&**name));
        if terms.show.is_some() && !open {
            hidden = hidden.saturating_add(1);
            continue;
        }
        let alone = Value::Map(vec![entry.clone()]);
        let mut canonical = Vec::new();
        // what cannot be encoded never got here: the whole was
        let _encoded = value::encode(&alone, &mut canonical);
        let seen = if open { Cow::Borrowed(canonical.as_slice()) } else { redaction.apply(&alone, &canonical) };
        let parsed: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(&seen).ok();
        let member = parsed.and_then(|members| members.into_iter().next());
        let (key, value) = member.unwrap_or_else(|| (name.to_string(), serde_json::Value::Null));
        all.insert(key, Shown { value, bound: terms.binding.holds(name) });
    }
    (all, hidden)
}
