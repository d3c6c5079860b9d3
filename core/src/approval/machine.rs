//! The life of an approval: a request and the events it took.
//!
//! Invariants, each a property test: a state other than `pending` never changes; `approved` is reached only by a yes that
//! meets every requirement, before its time ran out; one yes permits one run; what was folded once folds the same again.

use super::edit::Edit;
use super::event::{Answer, Event};
use super::grant::Granted;
use super::person::Person;
use super::request::{ApprovalId, Request, Requirement};
use crate::clock::UnixNanos;
use crate::error::{Error, ErrorCode};
use crate::ledger::record::scalar::{Id, Time};
use crate::redact::Redaction;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// People are asked.
    Pending,
    /// They said yes.
    Approved,
    /// Somebody said no.
    Denied,
    /// Its time ran out.
    Expired,
    /// Whoever asked took the question back.
    Cancelled,
}

impl State {
    /// The text used in records and every language.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An approval: what was asked, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    request: Request,
    events: Vec<Event>,
    state: State,
    decided_at: Option<UnixNanos>,
    /// The stream of the process that waits; `None` once nobody does.
    asker: Option<Id>,
    claimed: bool,
    /// The call was left only to be entered again.
    suspended: bool,
    entered_again: bool,
    delivered: bool,
    used: u32,
}

impl Approval {
    /// A question that nobody answered yet.
    #[must_use]
    pub const fn new(request: Request) -> Self {
        let asker = Some(request.asker);
        Self {
            request,
            events: Vec::new(),
            state: State::Pending,
            decided_at: None,
            asker,
            claimed: false,
            suspended: false,
            entered_again: false,
            delivered: false,
            used: 0,
        }
    }

    /// The approval that `events` make of `request`.
    ///
    /// # Errors
    /// Those of [`Approval::apply`], for the first event that could not have happened.
    pub fn fold(request: Request, events: impl IntoIterator<Item = Event>) -> Result<Self, Error> {
        let mut approval = Self::new(request);
        for event in events {
            approval.apply(event)?;
        }
        Ok(approval)
    }

    /// Takes an event, or refuses it and stays as it was. A note is kept without what the policy redacts.
    ///
    /// # Errors
    /// [`ErrorCode::ApprovalDecided`] where it is no longer pending, [`ErrorCode::ApprovalExpired`] where its time has run
    /// out, [`ErrorCode::ApprovalNotEntitled`] for a yes that no requirement counts, [`ErrorCode::ApprovalClaimed`] for a
    /// second claim, [`ErrorCode::ApprovalInvalid`] for a grant that cannot be given or is used up.
    pub fn apply(&mut self, mut event: Event) -> Result<(), Error> {
        if let Event::Answered { note: Some(note), .. } = &mut event {
            *note = Arc::from(Redaction::new(&[], &self.request.redact).text(note));
        }
        match &event {
            Event::Answered { time, by, answer, .. } => self.answer(time.0, by, answer)?,
            Event::Expired { time } => {
                self.must_be_pending()?;
                if !self.is_over(time.0) {
                    return Err(self.error(ErrorCode::ApprovalInvalid, "still has time"));
                }
                self.end(State::Expired, time.0);
            }
            Event::Cancelled { time } => {
                self.must_be_pending()?;
                self.end(State::Cancelled, time.0);
            }
            Event::Resumed { asker, .. } => {
                self.must_be_open()?;
                self.asker = Some(*asker);
            }
            Event::Left { .. } => {
                self.must_be_open()?;
                self.asker = None;
            }
            Event::Claimed { time } => {
                if self.state != State::Approved {
                    return Err(self.error(ErrorCode::ApprovalInvalid, &format!("is {}", self.state.as_str())));
                }
                if self.claimed && !self.suspended {
                    return Err(self.error(ErrorCode::ApprovalClaimed, "was used before, and permits one run"));
                }
                // what has begun may go on however late
                if !self.suspended && self.is_stale(time.0) {
                    return Err(self.error(ErrorCode::ApprovalExpired, "was given too long ago"));
                }
                self.entered_again = self.suspended;
                (self.claimed, self.suspended) = (true, false);
                self.request.arguments = None;
            }
            Event::Suspended { .. } => {
                if !self.claimed || self.suspended {
                    return Err(self.error(ErrorCode::ApprovalInvalid, "lets no call run that could be left"));
                }
                self.suspended = true;
            }
            Event::Delivered { .. } => {
                if matches!(self.state, State::Pending) || self.claimed || self.delivered {
                    return Err(self.error(ErrorCode::ApprovalInvalid, "has no outcome left to deliver"));
                }
                self.delivered = true;
                self.request.arguments = None;
            }
            Event::Used { time, .. } => {
                if self.grant(time.0).is_none() {
                    return Err(self.error(ErrorCode::ApprovalInvalid, "grants nothing, or no longer"));
                }
                self.used = self.used.saturating_add(1);
            }
        }
        self.events.push(event);
        Ok(())
    }

    /// What has to happen because of the time alone.
    #[must_use]
    pub fn due(&self, now: UnixNanos) -> Option<Event> {
        (self.state == State::Pending && self.is_over(now)).then_some(Event::Expired { time: Time(now) })
    }

    /// Whether its time ran out unseen, or that of a yes that no call came for, so that arguments are kept for nothing.
    #[must_use]
    pub fn is_overdue(&self, now: UnixNanos) -> bool {
        self.due(now).is_some() || (self.request.arguments.is_some() && !self.can_be_taken(now))
    }

    /// What was asked.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> ApprovalId {
        self.request.id
    }

    /// What happened, in order.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// When it left `pending`.
    #[must_use]
    pub const fn decided_at(&self) -> Option<UnixNanos> {
        self.decided_at
    }

    /// The stream of the process that waits for it.
    #[must_use]
    pub const fn asker(&self) -> Option<Id> {
        self.asker
    }

    /// Whether its outcome has not reached a call yet, or has to reach it again, so that a like call may still take it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        (!self.claimed || self.suspended) && !self.delivered
    }

    /// Whether the call that it let run was left only to be entered again.
    #[must_use]
    pub const fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Whether its last claim was of a call that had been left and was entered again.
    #[must_use]
    pub const fn is_entered_again(&self) -> bool {
        self.entered_again
    }

    /// Whether a like call may take it up now: it has not reached a call, and nothing in it has run out.
    #[must_use]
    pub fn can_be_taken(&self, now: UnixNanos) -> bool {
        let lasts = match self.state {
            State::Pending => !self.is_over(now),
            State::Approved => self.suspended || !self.is_stale(now),
            State::Denied => true,
            State::Expired | State::Cancelled => false,
        };
        self.is_open() && lasts
    }

    /// Whether the yes is used up.
    #[must_use]
    pub const fn is_claimed(&self) -> bool {
        self.claimed
    }

    /// Whether a yes of `person` would count for anything.
    #[must_use]
    pub fn may_approve(&self, person: &Person) -> bool {
        let requester = self.request.call.requester.as_ref();
        self.request.requirements.iter().any(|requirement| requirement.counts(person, requester))
    }

    /// The answers that still count: of each person the last, and of the yeses only those that change the call as the last does.
    pub fn answers(&self) -> impl Iterator<Item = (&Person, &Answer, Option<&Arc<str>>)> {
        let mut seen = BTreeSet::new();
        let mut change: Option<Option<&Edit>> = None;
        self.events.iter().rev().filter_map(move |event| {
            let Event::Answered { by, answer, note, .. } = event else { return None };
            if !seen.insert(&by.id) {
                return None;
            }
            if let Answer::Yes(consent) = answer
                && *change.get_or_insert(consent.edit.as_ref()) != consent.edit.as_ref()
            {
                return None;
            }
            Some((by, answer, note.as_ref()))
        })
    }

    /// The other arguments that were agreed to; `None` unless it is approved, and where they are the agent's.
    #[must_use]
    pub fn edit(&self) -> Option<&Edit> {
        let agreed = || self.answers().find_map(|(_, answer, _)| answer.consent());
        if self.state == State::Approved { agreed()?.edit.as_ref() } else { None }
    }

    /// What was granted with it, by everybody whose yes counted; `None` unless it is approved, and where one of them granted
    /// nothing.
    #[must_use]
    pub fn granted(&self) -> Option<Granted<'_>> {
        let each =
            || self.answers().filter_map(|(_, answer, _)| answer.consent()).map(|consent| consent.grant.as_ref());
        if self.state == State::Approved { each().collect::<Option<Vec<_>>>().and_then(Granted::new) } else { None }
    }

    /// The last answer: who, and what the person added.
    #[must_use]
    pub fn last_answer(&self) -> Option<(&Person, Option<&Arc<str>>)> {
        self.answers().next().map(|(by, _, note)| (by, note))
    }

    /// How many more people have to say yes, by requirement.
    #[must_use]
    pub fn missing(&self) -> Vec<u32> {
        let requester = self.request.call.requester.as_ref();
        self.request.requirements.iter().map(|requirement| self.lacks(requirement, requester)).collect()
    }

    /// Whether people were asked under that rule, and their yeses are all that it demands by now, with `requester` on whose
    /// behalf the agent acts.
    #[must_use]
    pub fn meets(&self, requirement: &Requirement, requester: Option<&Person>) -> bool {
        self.request.requirements.iter().any(|asked| asked.rule == requirement.rule)
            && self.lacks(requirement, requester) == 0
    }

    fn lacks(&self, requirement: &Requirement, requester: Option<&Person>) -> u32 {
        let yes = self.answers().filter(|(_, answer, _)| matches!(answer, Answer::Yes(_)));
        let counted = yes.filter(|(person, ..)| requirement.counts(person, requester)).count();
        requirement.quorum.saturating_sub(u32::try_from(counted).unwrap_or(u32::MAX))
    }

    /// What was granted, as long as it lets another call run.
    #[must_use]
    pub fn grant(&self, now: UnixNanos) -> Option<Granted<'_>> {
        self.granted().filter(|granted| granted.lasts(self.used, now))
    }

    /// How many calls it let run by its grant.
    #[must_use]
    pub const fn used(&self) -> u32 {
        self.used
    }

    fn answer(&mut self, now: UnixNanos, by: &Person, answer: &Answer) -> Result<(), Error> {
        self.must_be_pending()?;
        if self.is_over(now) {
            return Err(self.error(ErrorCode::ApprovalExpired, "has expired"));
        }
        match answer {
            // a no needs no standing: it can only keep a call from running
            Answer::No => self.end(State::Denied, now),
            Answer::Yes(consent) => {
                if !self.may_approve(by) {
                    return Err(self.not_entitled(by));
                }
                consent.check_for(&self.request, Time(now))?;
                let answered = Event::Answered { time: Time(now), by: by.clone(), answer: answer.clone(), note: None };
                self.events.push(answered);
                let met = self.missing().iter().all(|missing| *missing == 0);
                self.events.pop();
                if met {
                    self.end(State::Approved, now);
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, state: State, now: UnixNanos) {
        self.state = state;
        self.decided_at = Some(now);
        if matches!(state, State::Expired | State::Cancelled) {
            // no process runs the call by it any more
            self.request.arguments = None;
        }
    }

    fn is_over(&self, now: UnixNanos) -> bool {
        now >= self.request.expires.0
    }

    /// A yes is good for as long as people had to give it.
    fn is_stale(&self, now: UnixNanos) -> bool {
        let life = self.request.expires.0.0.saturating_sub(self.request.time.0.0);
        self.decided_at.is_none_or(|decided| now.0 >= decided.0.saturating_add(life))
    }

    fn must_be_pending(&self) -> Result<(), Error> {
        if self.state == State::Pending {
            return Ok(());
        }
        Err(self.error(ErrorCode::ApprovalDecided, &format!("is {} already", self.state.as_str())))
    }

    fn must_be_open(&self) -> Result<(), Error> {
        if self.is_open() { Ok(()) } else { Err(self.error(ErrorCode::ApprovalClaimed, "is over")) }
    }

    fn not_entitled(&self, by: &Person) -> Error {
        let requirements = &self.request.requirements;
        let listed: BTreeSet<String> =
            requirements.iter().flat_map(|one| &one.approvers).map(|approver| format!("`{approver}`")).collect();
        let listed = listed.into_iter().collect::<Vec<_>>().join(", ");
        let apart = requirements.iter().any(|one| one.not_by_requester);
        let mut why = format!("a yes of `{}` does not count", by.id);
        if !listed.is_empty() {
            why.push_str(&format!("; it takes {listed}"));
        }
        if apart {
            why.push_str("; it may not be the person on whose behalf the agent acts, and both have to be verified");
        }
        Error::new(ErrorCode::ApprovalNotEntitled, why).with("approval", self.request.id)
    }

    fn error(&self, code: ErrorCode, what: &str) -> Error {
        Error::new(code, format!("the approval `{}` {what}", self.request.id)).with("approval", self.request.id)
    }
}
