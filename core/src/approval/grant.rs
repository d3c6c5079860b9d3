//! What approvers add to their yes: like calls that need no asking.

use super::request::Request;
use crate::clock::UnixNanos;
use crate::condition::{Condition as _, Declared, Facts, Lists, Outcome, asked_for, compile};
use crate::error::{Error, ErrorCode};
use crate::ledger::record::scalar::Time;
use crate::value::{self, Value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Calls of the same tool in the same session that run without asking again, for as long as the policy stays the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The condition (CEL) on their arguments; left out, the bound arguments have to be the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Arc<str>>,
    /// How many of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

impl Grant {
    /// Whether it can be given.
    ///
    /// # Errors
    /// [`ErrorCode::ApprovalInvalid`] for one that never ends, lets nothing run, or has a condition that cannot be checked.
    pub fn check(&self) -> Result<(), Error> {
        if self.count.is_none() && self.until.is_none() {
            return Err(invalid("a grant has an end: give a count, a time, or both".to_owned()));
        }
        if self.count == Some(0) {
            return Err(invalid("a grant for 0 calls grants nothing; leave it out".to_owned()));
        }
        let Some(source) = &self.when else { return Ok(()) };
        if self.compiled(source)?.asks_session() {
            return Err(invalid(format!(
                "the grant's condition `{source}` asks about the session, which a grant does not see; it can ask about `args` alone"
            )));
        }
        Ok(())
    }

    /// Whether it can be given at `now` beside a yes to this call: what has ended, or names what the call has not, would let nothing
    /// run and say nothing.
    pub(super) fn check_for(&self, request: &Request, now: Time) -> Result<(), Error> {
        if let Some(until) = self.until.filter(|until| *until <= now) {
            return Err(invalid(format!("a grant until {until} is over already; give a later time")));
        }
        let (Some(source), Some(known)) = (&self.when, request.argument_names()) else { return Ok(()) };
        let optional = asked_for(source);
        let condition = self.compiled(source)?;
        let lacks = |name: &&str| !known.contains(*name) && !optional.contains([(*name).to_owned()].as_slice());
        let Some(name) = condition.arguments().find(lacks) else { return Ok(()) };
        let listed = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let listed = if listed.is_empty() { "none".to_owned() } else { listed };
        Err(invalid(format!(
            "the grant's condition `{source}` names the argument `{name}`, and the call has {listed}; \
             ask with `has(args.{name})` for one that like calls may have"
        )))
    }

    /// Whether it is for these arguments; where its condition fails it is not.
    fn admits(&self, same: bool, args: &Value<'_>) -> bool {
        let Some(source) = &self.when else { return same };
        self.compiled(source).is_ok_and(|condition| matches!(condition.evaluate(&Facts::of_call(args)), Outcome::True))
    }

    fn compiled(&self, source: &str) -> Result<crate::condition::Compiled, Error> {
        compile(source, &Declared { arguments: None, lists: &Lists::default() })
            .map_err(|error| invalid(format!("the grant's condition `{source}` cannot be used: {}", error.message)))
    }
}

/// What everybody whose yes counted granted: each of them has to agree to a like call, so that the fewest calls, the earliest end
/// and what all conditions admit was agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted<'a>(Vec<&'a Grant>);

impl<'a> Granted<'a> {
    /// What these grants grant together; `None` where there are none.
    #[must_use]
    pub fn new(each: Vec<&'a Grant>) -> Option<Self> {
        (!each.is_empty()).then_some(Self(each))
    }

    /// How many calls.
    #[must_use]
    pub fn count(&self) -> Option<u32> {
        self.0.iter().filter_map(|grant| grant.count).min()
    }

    /// Until when.
    #[must_use]
    pub fn until(&self) -> Option<Time> {
        self.0.iter().filter_map(|grant| grant.until).min()
    }

    /// The conditions that all have to hold, each once.
    #[must_use]
    pub fn conditions(&self) -> Vec<&'a str> {
        let mut all: Vec<&str> = self.0.iter().filter_map(|grant| grant.when.as_deref()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether the bound arguments have to be the same.
    #[must_use]
    pub fn is_for_same_arguments(&self) -> bool {
        self.0.iter().any(|grant| grant.when.is_none())
    }

    /// Whether it lets another call run, after `used` of them.
    #[must_use]
    pub fn lasts(&self, used: u32, now: UnixNanos) -> bool {
        self.count().is_none_or(|count| used < count) && self.until().is_none_or(|until| now < until.0)
    }

    /// Whether it is for a call with these canonical arguments; `same`: those that are bound are the same.
    #[must_use]
    pub fn admits(&self, same: bool, canonical: &[u8]) -> bool {
        value::decode(canonical).is_ok_and(|args| self.0.iter().all(|grant| grant.admits(same, &args)))
    }

    /// As one grant: the conditions joined. Where one of several has none, the bound arguments have to be the same too.
    #[must_use]
    pub fn as_one(&self) -> Grant {
        let when = match self.conditions().as_slice() {
            [] => None,
            [one] => Some(Arc::from(*one)),
            several => Some(Arc::from(several.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(" && "))),
        };
        Grant { when, count: self.count(), until: self.until() }
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorCode::ApprovalInvalid, message)
}
