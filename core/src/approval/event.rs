//! What happens to an approval.

use super::edit::Edit;
use super::grant::Grant;
use super::person::Person;
use super::request::Request;
use crate::error::{Error, ErrorCode};
use crate::ledger::record::scalar::{Id, Time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a yes says besides yes. Yeses count together only where they change the call alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// Other arguments than the agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<Edit>,
    /// Like calls that need no asking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
}

impl Consent {
    /// Whether it can be said of any call.
    ///
    /// # Errors
    /// Those of [`Grant::check`], and [`ErrorCode::ApprovalInvalid`] for a grant beside a change that does not say which calls it is
    /// for: the same as this one would be those with the arguments that were just changed.
    pub fn check(&self) -> Result<(), Error> {
        let Some(grant) = &self.grant else { return Ok(()) };
        grant.check()?;
        if self.edit.is_some() && grant.when.is_none() {
            let message = "a yes that changes the call cannot let calls with the same arguments run, which are the agent's own; \
                           give the grant a condition (`when`) that says which calls it is for, or leave it out";
            return Err(Error::new(ErrorCode::ApprovalInvalid, message));
        }
        Ok(())
    }

    /// Whether it can be said of this call at `now`.
    pub(super) fn check_for(&self, request: &Request, now: Time) -> Result<(), Error> {
        self.check()?;
        self.grant.as_ref().map_or(Ok(()), |grant| grant.check_for(request, now))
    }
}

/// What somebody says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It may run.
    Yes(Consent),
    /// It may not.
    No,
}

impl Answer {
    /// What a yes says besides yes.
    #[must_use]
    pub const fn consent(&self) -> Option<&Consent> {
        match self {
            Self::Yes(consent) => Some(consent),
            Self::No => None,
        }
    }
}

/// What happens to an approval. Refused where its state does not take it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// Somebody answered.
    Answered {
        /// When.
        time: Time,
        /// Who.
        by: Person,
        /// What.
        answer: Answer,
        /// What the person adds, for the record and, with a no, for the agent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Arc<str>>,
    },
    /// Its time ran out.
    Expired {
        /// When that was seen.
        time: Time,
    },
    /// Whoever asked takes the question back.
    Cancelled {
        /// When.
        time: Time,
    },
    /// A process waits for it in the place of another one that is dead or stopped waiting.
    Resumed {
        /// When.
        time: Time,
        /// The stream of the process that waits now.
        asker: Id,
    },
    /// Nobody waits for it now, and it stays open.
    Left {
        /// When.
        time: Time,
    },
    /// The yes is used up: one run is permitted.
    Claimed {
        /// When.
        time: Time,
    },
    /// The call that it let run was left only to be entered again: by a call of the same id, which needs no other yes.
    Suspended {
        /// When.
        time: Time,
    },
    /// The no, the end of its time or the cancellation reached the call.
    Delivered {
        /// When.
        time: Time,
    },
    /// Its grant let a like call run.
    Used {
        /// When.
        time: Time,
        /// The call.
        action_id: Id,
    },
}

impl Event {
    /// When it happened.
    #[must_use]
    pub const fn time(&self) -> Time {
        match self {
            Self::Answered { time, .. }
            | Self::Expired { time }
            | Self::Cancelled { time }
            | Self::Resumed { time, .. }
            | Self::Left { time }
            | Self::Claimed { time }
            | Self::Suspended { time }
            | Self::Delivered { time }
            | Self::Used { time, .. } => *time,
        }
    }
}
