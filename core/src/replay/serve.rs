//! Which recorded call one that is made now is: the state of a replay under way.
//!
//! Calls that ran at the same time may come in any order, and no record tells which task made which. So any call of the same tool
//! with the same arguments may be meant that was not given back yet; but one that had ended before another began cannot come after
//! it in the same task. What was made while a call ran that is given back may be its body's, which does not run: nobody has to make it.

use super::call::{Call, named, shown};
use super::divergence::Divergence;
use super::given::{Served, given};
use super::{difference, incomplete, read};
use crate::call::qualified;
use crate::error::Error;
use crate::ledger::Home;
use crate::value::digest::{CallPrefix, DigestKey};
use std::collections::HashMap;

/// A call that is made now.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// Where its tool comes from.
    pub source: &'a str,
    /// The tool's own name.
    pub name: &'a str,
    /// Canonical bytes of its arguments.
    pub arguments: &'a [u8],
    /// The framework's id of the call.
    pub call_id: Option<&'a str>,
    /// The call that its task or thread was given last, or that was given before that was started, by its index.
    pub after: Option<usize>,
    /// Whether no other task or thread lives that could make calls of the run beside this one.
    pub alone: bool,
}

/// A replay of one run.
#[derive(Debug)]
pub struct Replay {
    calls: Vec<Call>,
    /// The calls of each digest, in order.
    like: HashMap<[u8; 32], Vec<usize>>,
    key: DigestKey,
    made: u64,
    /// Every call before it was given back.
    first: usize,
    diverged: Option<Divergence>,
}

impl Replay {
    /// The run called `run` from the ledger of `home`; `session` tells runs of one id apart.
    ///
    /// # Errors
    /// [`crate::ErrorCode::LedgerNotFound`] where no call of it is there, [`crate::ErrorCode::ReplayIncomplete`] where it is in several
    /// sessions, the digest key cannot be read, or a call cannot be given back that no other one's body may have made; else
    /// [`crate::ErrorCode::LedgerIo`], [`crate::ErrorCode::LedgerCorrupt`] and [`crate::ErrorCode::LedgerVersion`].
    pub fn of_run(home: &Home, run: &str, session: Option<&str>) -> Result<Self, Error> {
        let mut key = home.digest_key().map_err(|_| {
            let path = home.digest_key_path();
            let path = path.display();
            incomplete(format!(
                "`{path}` cannot be read, and without it nobody can tell whether arguments are the recorded ones"
            ))
            .with("path", path)
        })?;
        let calls = read::calls(home, run, session)?;
        let mut like: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
        for (index, call) in calls.iter().enumerate() {
            if let Some(digest) = &call.decided.digest {
                like.entry(digest.0).or_default().push(index);
            }
        }
        Ok(Self { calls, like, key: DigestKey::new(&mut key), made: 0, first: 0, diverged: None })
    }

    /// What was recorded of a call.
    ///
    /// # Errors
    /// A [`Divergence`] where no recorded call can be meant; after one every call is told the same.
    pub fn serve(&mut self, made: &Made<'_>) -> Result<Served, Divergence> {
        if let Some(diverged) = &self.diverged {
            return Err(diverged.clone());
        }
        while self.calls.get(self.first).is_some_and(|call| call.served) {
            self.first += 1;
        }
        let index = self.matching(made).inspect_err(|diverged| self.diverged = Some(diverged.clone()))?;
        self.made += 1;
        #[expect(clippy::indexing_slicing, reason = "`matching` gives out indices of calls")]
        let call = &mut self.calls[index];
        call.served = true;
        Ok(Served { index, tool: call.tool().into_owned(), given: given(call) })
    }

    /// How the program fell short of the run, at its end: it diverged before and went on, or left a call out.
    #[must_use]
    pub fn left(&self) -> Option<Divergence> {
        if self.diverged.is_some() {
            return self.diverged.clone();
        }
        let next = self.calls.iter().find(|call| self.is_left(call))?;
        Some(Divergence {
            message: format!("the program made {} of {} calls; the next would be {next}", self.made, self.outer()),
            position: self.made + 1,
            expected: Some(next.shown()),
            found: None,
        })
    }

    fn matching(&self, made: &Made<'_>) -> Result<usize, Divergence> {
        let digest = self.key.call(&CallPrefix::new(made.source, made.name), made.arguments);
        let after = made.after.and_then(|after| self.calls.get(after));
        let comes_after = |call: &Call| after.is_none_or(|after| call.begins > after.ends);
        let indices = self.like.get(&digest).map(Vec::as_slice).unwrap_or_default();
        let like = || {
            indices.iter().filter_map(|index| Some((*index, self.calls.get(*index)?))).filter(|(_, call)| !call.served)
        };
        // One that a body may have made comes last: the program may make the same call too.
        let found = like().filter(|(_, call)| comes_after(call)).min_by_key(|(_, call)| {
            let is_named = made.call_id.is_some_and(|id| *id == call.decided.call_id);
            (!is_named, self.may_be_inner(call), call.begins)
        });
        let Some((index, found)) = found else {
            let early = after.filter(|_| like().next().is_some());
            return Err(self.divergence(made, self.expected(made, after), early));
        };
        if made.alone {
            // Nobody is there who could still make the calls before it.
            let before = self.unmade(None).filter(|unmade| unmade.begins < found.begins);
            if let Some(expected) = before {
                return Err(self.divergence(made, Some(expected), None));
            }
        }
        Ok(index)
    }

    /// Whether it was made while a call ran that was given back without its body: then that may have made it.
    fn may_be_inner(&self, call: &Call) -> bool {
        call.around.iter().filter_map(|outer| self.calls.get(*outer)).any(|outer| outer.served)
    }

    /// Whether the program still has to make it.
    fn is_left(&self, call: &Call) -> bool {
        !call.served && !self.may_be_inner(call)
    }

    /// The first call that is left, in a task that was given `after`.
    fn unmade(&self, after: Option<&Call>) -> Option<&Call> {
        let rest = self.calls.iter().skip(self.first);
        rest.filter(|call| after.is_none_or(|after| call.begins > after.ends)).find(|call| self.is_left(call))
    }

    /// The recorded call that was most likely meant.
    fn expected(&self, made: &Made<'_>, after: Option<&Call>) -> Option<&Call> {
        let left = || self.calls.iter().filter(|call| self.is_left(call));
        let by_id = || made.call_id.and_then(|id| left().find(|call| call.decided.call_id == id));
        let of_tool = || left().find(|call| !made.alone && call.is_of(made.source, made.name));
        by_id().or_else(of_tool).or_else(|| self.unmade(after))
    }

    /// How many calls the program has to make, as far as it is known.
    fn outer(&self) -> usize {
        self.calls.iter().filter(|call| call.served || !self.may_be_inner(call)).count()
    }

    /// `early`: the call of this task that had ended only after the like one began.
    fn divergence(&self, made: &Made<'_>, expected: Option<&Call>, early: Option<&Call>) -> Divergence {
        let position = self.made + 1;
        let arguments = String::from_utf8_lossy(made.arguments);
        let call = || named(made.source, made.name, &arguments);
        let message = match (early, expected) {
            (Some(early), _) => {
                format!("call {position} is {}, which the recorded run made before {early} had ended", call())
            }
            (None, None) => format!("call {position} is {}; the recorded run made {}", call(), self.outer()),
            (None, Some(expected)) if expected.is_of(made.source, made.name) => {
                let told = difference::told(expected.arguments.as_deref(), &arguments);
                let tool = expected.tool();
                format!("call {position} is not the recorded one: `{tool}` got other arguments: {told}")
            }
            (None, Some(expected)) => {
                format!("call {position} is not the recorded one: recorded was {expected}, made was {}", call())
            }
        };
        let tool = qualified(made.source, made.name);
        let found = Some(shown(&tool, Some(&arguments)));
        Divergence { message, position, expected: expected.map(Call::shown), found }
    }
}
