//! What people are asked: fixed when the approval is made.

use super::person::{Approver, Person};
use crate::ledger::record::scalar::{Hash, Id, Time};
use crate::redact::Detector;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Names one approval; 32 hex characters in text.
pub type ApprovalId = Id;

/// What one rule demands of a yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The rule, layer first; what else asked (a default, a limit) where no rule did.
    pub rule: Arc<str>,
    /// Who may say yes; empty: anybody who can answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<Approver>,
    /// How many different people have to.
    pub quorum: u32,
    /// Whether the person on whose behalf the agent acts may not be one of them.
    pub not_by_requester: bool,
}

impl Requirement {
    /// Whether a yes of `person` counts, with `requester` on whose behalf the agent acts.
    ///
    /// Where it matters that two people differ, both have to be known by somebody's word: an id that nobody vouched for
    /// may be anybody's.
    #[must_use]
    pub fn counts(&self, person: &Person, requester: Option<&Person>) -> bool {
        let may = self.approvers.is_empty() || self.approvers.iter().any(|approver| approver.is(person));
        let apart = !self.not_by_requester
            || requester.is_some_and(|requester| {
                requester.verified_by.is_some() && person.verified_by.is_some() && requester.id != person.id
            });
        may && apart
    }
}

/// One argument as people see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// Its canonical JSON, redacted unless the rule's `show` names it.
    pub value: Json,
    /// Whether the yes holds for this very value; otherwise it may be another one when the call runs.
    pub bound: bool,
}

/// The call that people are asked about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Names the call in the ledger.
    pub action_id: Id,
    /// The framework's id of the call; its own where it had none and a later process may run it.
    pub call_id: Option<Arc<str>>,
    /// Where the tool comes from.
    pub source: Arc<str>,
    /// The tool's own name.
    pub tool: Arc<str>,
    /// The agent.
    pub agent: Option<Arc<str>>,
    /// On whose behalf.
    pub requester: Option<Person>,
    /// The conversation.
    pub session: Arc<str>,
    /// One execution in it.
    pub run: Option<Arc<str>>,
}

impl Call {
    /// Whether what people said of the one can hold for the other too: the same tool, session, agent and person on whose behalf.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.source == other.source
            && self.tool == other.tool
            && self.session == other.session
            && self.agent == other.agent
            && self.requester == other.requester
    }

    /// Whether a framework gave it its id: the same call made again has the same one.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.call_id.as_ref().is_some_and(|id| **id != self.action_id.to_string())
    }

    /// Gives it an id where it has none.
    pub fn name_by_action(&mut self) {
        if self.call_id.is_none() {
            self.call_id = Some(Arc::from(self.action_id.to_string()));
        }
    }
}

/// What people are asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The approval's id.
    pub id: ApprovalId,
    /// The call.
    pub call: Call,
    /// The keyed digest of what a yes holds for (`docs/formats.md` §2).
    pub binding: Hash,
    /// Why it is asked, for people: the policy's text.
    pub reason: Option<Arc<str>>,
    /// Why, as a stable code.
    pub reason_code: Arc<str>,
    /// The version of the policy that asks.
    pub policy: Hash,
    /// What the rules demand; every one has to be met.
    pub requirements: Vec<Requirement>,
    /// The arguments that people see, by name.
    pub shown: BTreeMap<String, Shown>,
    /// How many arguments they do not see.
    pub hidden: u32,
    /// When it was asked.
    pub time: Time,
    /// When it expires.
    pub expires: Time,
    /// The stream of the process that waits; another one resumes it once that is dead.
    pub asker: Id,
    /// What the policy redacts in texts, and so in the notes of those who answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<Detector>,
    /// All arguments in canonical form, for a call that a later process may have to run by itself; gone once it ran, or none may
    /// run it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Json>,
}

impl Request {
    /// The names of the call's arguments; `None` where some of them are not told.
    #[must_use]
    pub fn argument_names(&self) -> Option<BTreeSet<String>> {
        // in canonical form a name that begins with `$` has one more
        let plain = |name: &String| name.strip_prefix('$').unwrap_or(name).to_owned();
        match &self.arguments {
            Some(Json::Object(all)) => Some(all.keys().map(plain).collect()),
            _ => (self.hidden == 0).then(|| self.shown.keys().map(plain).collect()),
        }
    }
}
