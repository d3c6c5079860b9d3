//! One session as a condition sees it: each part is read from the table when it is first asked for, then kept.

use super::facts::{Counter, Item, SessionFacts};
use super::heard::Heard;
use super::{Part, Sessions, all, known};
use crate::clock::UnixNanos;
use crate::condition::{SessionView, Unknown};
use crate::state::{Presence, StateError};
use std::cell::OnceCell;

/// The facts of a session as they were when they were first asked for.
#[derive(Debug)]
pub struct View<'s> {
    sessions: &'s Sessions,
    session: &'s str,
    now: UnixNanos,
    root: OnceCell<Result<String, Unknown>>,
    facts: OnceCell<Result<SessionFacts, Unknown>>,
    heard: OnceCell<Result<Heard, Unknown>>,
    known: OnceCell<Result<Vec<u64>, Unknown>>,
    /// The tool and the tags of the call that asks, where the facts hold it already.
    own: Option<(Item, &'s [Item])>,
}

impl<'s> View<'s> {
    pub(super) const fn new(sessions: &'s Sessions, session: &'s str, now: UnixNanos) -> Self {
        Self {
            sessions,
            session,
            now,
            root: OnceCell::new(),
            facts: OnceCell::new(),
            heard: OnceCell::new(),
            known: OnceCell::new(),
            own: None,
        }
    }

    /// As the session was before a call of `tool` with `tags` that it remembers.
    pub(crate) const fn before(mut self, tool: Item, tags: &'s [Item]) -> Self {
        self.own = Some((tool, tags));
        self
    }

    /// How often the facts hold `item`, but for the call that asks.
    fn count_of(&self, item: Item) -> Result<u64, Unknown> {
        let (tool, tags) = self.own.map_or((None, &[][..]), |(tool, tags)| (Some(tool), tags));
        let own = tool.iter().chain(tags).filter(|own| **own == item).count() as u64;
        Ok(self.facts()?.count_of(item).saturating_sub(own))
    }

    pub(super) fn facts(&self) -> Result<&SessionFacts, Unknown> {
        let read = || {
            let facts = SessionFacts::from_words(self.read(self.session, Part::Facts)?);
            if !facts.is_linked() {
                return Ok(facts);
            }
            let facts = SessionFacts::from_words(self.read(self.root()?, Part::Facts)?);
            // it was linked between the two looks
            if facts.is_linked() { Err(Unknown) } else { Ok(facts) }
        };
        self.facts.get_or_init(read).as_ref().map_err(|unknown| *unknown)
    }

    fn root(&self) -> Result<&str, Unknown> {
        let root = self.root.get_or_init(|| self.sessions.root(self.session, self.now).map_err(|_no| Unknown));
        root.as_deref().map_err(|unknown| *unknown)
    }

    /// The words of one entry; none where nothing was ever held.
    fn read(&self, session: &str, part: Part) -> Result<Vec<u64>, Unknown> {
        let key = self.sessions.key(session, part);
        let read = self.sessions.state.transaction(&[key], self.now, |entries| {
            let [entry] = entries else { return Err(StateError::Misuse("one key, another number of entries")) };
            Ok((entry.presence(), all(entry)))
        });
        match read {
            Ok((Presence::New | Presence::Known, words)) => Ok(words),
            Ok((Presence::Evicted, _)) | Err(_) => Err(Unknown),
        }
    }
}

impl SessionView for View<'_> {
    fn saw(&self, tag: &str) -> Result<bool, Unknown> {
        Ok(self.count_of(self.sessions.secrets.tag(tag))? > 0)
    }

    fn calls(&self, tool: Option<&str>) -> Result<u64, Unknown> {
        match tool {
            Some(tool) => self.count_of(self.sessions.secrets.tool(tool)),
            None => Ok(self.facts()?.counter(Counter::Calls).saturating_sub(u64::from(self.own.is_some()))),
        }
    }

    fn said(&self, text: &str) -> Result<bool, Unknown> {
        let heard = self.heard.get_or_init(|| Ok(Heard::from_words(&self.read(self.root()?, Part::Heard)?)));
        heard.as_ref().map_err(|unknown| *unknown)?.said(self.sessions.secrets.base, text)
    }

    fn known(&self, text: &str) -> Result<bool, Unknown> {
        let held = self.known.get_or_init(|| self.read(self.root()?, Part::Known));
        let held = held.as_ref().map_err(|unknown| *unknown)?;
        known::fact(text).map_or(Ok(false), |fact| known::holds(held, self.sessions.secrets.hash(3, &fact)))
    }
}
