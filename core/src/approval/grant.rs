//! What an approver adds to a yes: like calls that need no asking.

use crate::condition::{Condition as _, Declared, Facts, Lists, Outcome, compile};
use crate::error::{Error, ErrorCode};
use crate::ledger::record::scalar::Time;
use crate::value::Value;
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
        match &self.when {
            Some(source) => self.compiled(source).map(drop),
            None => Ok(()),
        }
    }

    /// Whether its condition holds for these arguments; one that fails does not. Without one, the caller compares the binding.
    #[must_use]
    pub fn admits(&self, args: &Value<'_>) -> bool {
        let Some(source) = &self.when else { return true };
        self.compiled(source).is_ok_and(|condition| matches!(condition.evaluate(&Facts::of_call(args)), Outcome::True))
    }

    fn compiled(&self, source: &str) -> Result<crate::condition::Compiled, Error> {
        compile(source, &Declared { arguments: None, lists: &Lists::default() })
            .map_err(|error| invalid(format!("the grant's condition `{source}` cannot be used: {}", error.message)))
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorCode::ApprovalInvalid, message)
}
