//! Calls with an id of their own that are open, in the shared state: a call that is met again is counted and remembered once.
//!
//! Invariant: nothing is counted of a call that is open already only if nobody runs it: it was suspended, or its process died.
//! Calls of one id that run at once are as many calls, whoever gave them the id.

use super::limits::Counted;
use crate::clock::UnixNanos;
use crate::state::{Entry, Key, Kind, State, StateError};

/// How long an open call is remembered that nobody completes: then its id may mean another one.
const LENGTH: i64 = 24 * 3600 * 1_000_000_000;

/// Bits of an open call's first word; 0 once it is not open. The second word is the process whose body runs, the third what
/// its session's facts hold of it ([`super::tool::Items::mark`]).
const OPEN: u64 = 1;
/// The call is in its session's facts with it.
const REMEMBERED: u64 = 2;
/// Its body was left to be entered again.
const SUSPENDED: u64 = 4;

/// What is known of another process that runs the call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runner {
    pub(super) process: u64,
    pub(super) gone: bool,
}

/// Whether a call of the same id and arguments is open.
#[derive(Debug, Clone, Copy)]
pub(super) enum Open {
    /// It is none, or is run right now: this is one more call.
    No,
    /// This process has entered it; whether it lives is not known.
    Run(u64),
    /// Nobody runs it.
    Left { remembered: bool },
}

/// What is said of a call while it is open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    pub(super) remembered: bool,
    /// What its session's facts hold of it, where it is remembered.
    pub(super) mark: u64,
}

/// A call with an id, as this process meets it.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenCall {
    /// The entry that says it is open. An id means the same call only with the same digest.
    pub(super) key: Key,
    /// This process.
    process: u64,
}

impl OpenCall {
    /// `None` of one without an id: it is never met again.
    pub(super) fn of(state: &State, call: &Counted<'_>) -> Result<Option<Self>, StateError> {
        let Some(id) = &call.context.call_id else { return Ok(None) };
        let key = state.key(Kind::Call, &[call.context.session.as_bytes(), id.as_bytes(), call.digest]);
        Ok(Some(Self { key, process: state.this_process()? }))
    }

    /// Whether the call was counted before and is not completed.
    pub(super) fn found(self, entry: &Entry<'_>, runner: Option<Runner>) -> Open {
        if !entry.known() {
            return Open::No;
        }
        let (word, process) = (entry.get(0), entry.get(1));
        let remembered = word & REMEMBERED != 0;
        match runner {
            _ if word & OPEN == 0 => Open::No,
            _ if word & SUSPENDED != 0 => Open::Left { remembered },
            _ if process == self.process => Open::No,
            Some(runner) if runner.process == process && runner.gone => Open::Left { remembered },
            Some(_) => Open::No,
            None => Open::Run(process),
        }
    }

    /// Says that this process runs the call.
    pub(super) fn enter(self, entry: &mut Entry<'_>, said: Said, now: UnixNanos) -> Result<(), StateError> {
        write(entry, OPEN, self.process, said, now)
    }
}

fn write(entry: &mut Entry<'_>, bits: u64, process: u64, said: Said, now: UnixNanos) -> Result<(), StateError> {
    entry.resize(3)?;
    entry.set(0, bits | if said.remembered { REMEMBERED } else { 0 })?;
    entry.set(1, process)?;
    entry.set(2, said.mark)?;
    entry.expire_at(Some(UnixNanos(now.0.saturating_add(LENGTH))));
    Ok(())
}

/// Whether nobody runs the call, and its session's facts hold it just as its tool is now.
pub(super) fn is_remembered(state: &State, call: &Counted<'_>) -> Result<bool, StateError> {
    let Some(open) = OpenCall::of(state, call)? else { return Ok(false) };
    let look = |runner| {
        state.transaction(&[open.key], call.now, |entries| {
            let [entry] = entries else { return Err(StateError::Misuse("one key, another number of entries")) };
            let same = entry.known() && entry.get(2) == call.tool.items().mark();
            Ok((open.found(entry, runner), same))
        })
    };
    let mut found = look(None)?;
    if let (Open::Run(process), _) = found {
        found = look(Some(Runner { process, gone: state.is_gone(process)? }))?;
    }
    Ok(matches!(found, (Open::Left { remembered: true }, true)))
}

/// Says that nobody runs the call any more: its body is to be entered again, or is over.
pub(super) fn leave(entry: &mut Entry<'_>, suspended: bool, said: Said, now: UnixNanos) -> Result<(), StateError> {
    if suspended {
        return write(entry, OPEN | SUSPENDED, 0, said, now);
    }
    if entry.is_empty() {
        return Ok(());
    }
    entry.set(0, 0)?;
    entry.expire_at(Some(now));
    Ok(())
}
