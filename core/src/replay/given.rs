//! What comes back in the place of a body, as far as the ledger holds it.

use super::call::Call;
use super::incomplete;
use crate::decide::{Decision, Effect, ReasonCode, RecordSettings};
use crate::error::Error;
use crate::guard::Refusal;
use crate::ledger::ActionId;
use crate::ledger::record::typed::Outcome;
use std::sync::Arc;

/// A recorded call, given back.
#[derive(Debug)]
pub struct Served {
    /// Its index in the run.
    pub index: usize,
    /// Its tool, for people.
    pub tool: String,
    /// What becomes of it; [`crate::ErrorCode::ReplayIncomplete`] where the record does not hold that.
    pub given: Result<Given, Error>,
}

/// What comes back in the place of a body.
#[derive(Debug)]
pub enum Given {
    /// Canonical JSON of the result; `None` where there was nothing to say of it.
    Returned(Option<String>),
    /// Canonical JSON of what was raised (`docs/formats.md` §4): a text, or an object where it was redacted.
    Raised(String),
    /// It was refused.
    Refused(Box<Refusal>),
}

/// What becomes of a call, as it was recorded.
pub(super) fn given(call: &Call) -> Result<Given, Error> {
    if let Some(why) = call.missing() {
        return Err(incomplete(format!("{call} cannot be replayed: {why}")));
    }
    Ok(match (refusal(call), &call.completed, &call.error) {
        (Some(refusal), ..) => Given::Refused(Box::new(refusal)),
        (None, Some(completed), Some(error)) if completed.outcome == Outcome::Error => Given::Raised(error.clone()),
        _ => Given::Returned(call.result.clone()),
    })
}

/// The refusal of a call in the words that were recorded with it; `None` of one that ran.
fn refusal(call: &Call) -> Option<Refusal> {
    let decided = &call.decided;
    let code = ReasonCode::ALL.iter().find(|code| code.as_str() == decided.reason_code)?;
    if decided.effect == Effect::Run {
        return None;
    }
    let said: Option<serde_json::Value> = call.error.as_deref().and_then(|error| serde_json::from_str(error).ok());
    let word = |name: &str| said.as_ref().and_then(|said| said.get(name)?.as_str()).map(Arc::from);
    let decision = Decision {
        verdict: decided.decision,
        effect: decided.effect,
        reason_code: *code,
        reason: word("reason"),
        reason_for_agent: word("reason_for_agent"),
        rules: decided.rules.iter().map(|rule| Arc::from(rule.as_str())).collect(),
        policy: decided.policy.0,
        enforcement: decided.enforcement,
        detail: word("detail"),
        // it is recorded
        record: RecordSettings::default(),
        // what was left of a limit is not
        limit: None,
    };
    Some(Refusal { decision, action_id: Some(ActionId(decided.action_id.0)) })
}
