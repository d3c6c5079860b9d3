//! Whose sub-agent a session is, in the ledger: records of calls do not say it, and their limits and facts are those of the session at
//! the top.

use super::Guard;
use crate::clock::UnixNanos;
use crate::error::Error;
use crate::ledger::read::Payload;
use crate::ledger::record::typed;
use crate::ledger::{Control, Part};
use crate::session::Sessions;
use crate::value::{self, Value};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

/// What a `control` record calls the beginning of a session as a sub-agent's.
const SUB_AGENT: &str = "sub_agent";

impl Guard {
    /// Makes `session` a part of `parent`, and says whose facts they have from now on; recorded where it is new.
    pub(super) fn link(
        &self,
        sessions: &Sessions,
        session: &str,
        parent: &str,
        now: UnixNanos,
    ) -> Result<String, Error> {
        let top = sessions.root(parent, now)?;
        if top != session && sessions.root(session, now).ok().as_ref() != Some(&top) {
            // before it is so: once it is, nobody would record it again
            self.record_sub_agent(session, parent, now)?;
        }
        Ok(sessions.link(session, parent, now)?)
    }

    fn record_sub_agent(&self, session: &str, parent: &str, now: UnixNanos) -> Result<(), Error> {
        let text = |text| Value::Str(Cow::Borrowed(text));
        let entries = vec![(Cow::Borrowed("parent"), text(parent)), (Cow::Borrowed("session"), text(session))];
        let mut canonical = Vec::new();
        value::encode(&value::map(entries)?, &mut canonical)?;
        self.ledger.control(now, &Control { what: SUB_AGENT, parts: &[Part { name: "note", canonical: &canonical }] })
    }
}

/// Whose sub-agents' the sessions of a ledger are.
#[derive(Debug, Default)]
pub struct SubAgents {
    /// All that were named for a session.
    parents: HashMap<String, BTreeSet<String>>,
    lost: bool,
}

impl SubAgents {
    /// Takes in a record; `note` is its payload. Comes back with the session and its parent where that is what it tells.
    pub fn control(&mut self, record: &typed::Control, note: Option<&Payload>) -> Option<(String, String)> {
        if record.what != SUB_AGENT {
            return None;
        }
        let said = match note {
            Some(Payload::Value(bytes)) => value::decode(bytes).ok(),
            _ => None,
        };
        let text = |name: &str| match said.as_ref()? {
            Value::Map(entries) => entries.iter().find(|(key, _)| key == name).and_then(|(_, value)| match value {
                Value::Str(text) => Some(text.to_string()),
                _ => None,
            }),
            _ => None,
        };
        let (Some(session), Some(parent)) = (text("session"), text("parent")) else {
            self.lost = true;
            return None;
        };
        self.parents.entry(session.clone()).or_default().insert(parent.clone());
        Some((session, parent))
    }

    /// Whether a record that says it was erased.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        self.lost
    }

    /// The sessions at the top, of whose sub-agents it is: itself where it is nobody's, several where several were named.
    #[must_use]
    pub fn tops<'s>(&'s self, session: &'s str) -> BTreeSet<&'s str> {
        let (mut tops, mut seen, mut open) = (BTreeSet::new(), BTreeSet::new(), vec![session]);
        while let Some(session) = open.pop() {
            match self.parents.get(session) {
                _ if !seen.insert(session) => {}
                Some(parents) => open.extend(parents.iter().map(String::as_str)),
                None => {
                    tops.insert(session);
                }
            }
        }
        if tops.is_empty() {
            tops.insert(session);
        }
        tops
    }
}
