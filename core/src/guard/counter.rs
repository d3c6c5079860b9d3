//! A limit's counter in the shared state: what the limit's machine reads and writes of it, and for how long it is kept.

use crate::clock::UnixNanos;
use crate::decide::PlannedLimit;
use crate::limits::{Held, Unreadable, Window, Words};
use crate::state::{Entry, StateError};

/// Whether what an evicted counter may have held is over: since then all of the limit was taken as spent, and that is over.
pub(super) fn is_outlived(limit: &PlannedLimit, entry: &Entry<'_>) -> bool {
    limit.meter.window != Window::Ever && !entry.is_empty()
}

/// Takes `amount` whether there is room or not, and keeps the entry for as long as it counts.
pub(super) fn charge(limit: &PlannedLimit, entry: &mut Entry<'_>, amount: i64) -> Result<Held, StateError> {
    let now = entry.now().0;
    let mut words = Stored::new(entry);
    let charged = limit.meter.charge(&mut words, amount, now);
    let held = words.end(charged)?;
    keep(limit, entry, held.at);
    Ok(held)
}

/// Keeps the entry for as long as what was taken at `at` counts.
pub(super) fn keep(limit: &PlannedLimit, entry: &mut Entry<'_>, at: i64) {
    match limit.meter.window {
        Window::Ever => {}
        Window::Rolling(length) => entry.expire_at(Some(UnixNanos(at.saturating_add(length)))),
        Window::Calendar(calendar) => entry.expire_at(Some(UnixNanos(calendar.end(calendar.start(at))))),
    }
}

/// An entry's words, for the machine; what could not be stored ends the transaction.
pub(super) struct Stored<'e, 't> {
    entry: &'e mut Entry<'t>,
    failed: Option<StateError>,
}

impl<'e, 't> Stored<'e, 't> {
    pub(super) const fn new(entry: &'e mut Entry<'t>) -> Self {
        Self { entry, failed: None }
    }

    pub(super) fn end<T>(self, done: Result<T, Unreadable>) -> Result<T, StateError> {
        match (self.failed, done) {
            (Some(error), _) => Err(error),
            (None, Ok(done)) => Ok(done),
            (None, Err(Unreadable)) => Err(StateError::Misuse("a counter's words are none of its own")),
        }
    }
}

impl Words for Stored<'_, '_> {
    fn len(&self) -> usize {
        self.entry.len()
    }

    fn get(&self, index: usize) -> u64 {
        self.entry.get(index)
    }

    fn set(&mut self, index: usize, word: u64) {
        if let Err(error) = self.entry.set(index, word) {
            self.failed.get_or_insert(error);
        }
    }

    fn grow(&mut self, len: usize) -> bool {
        self.entry.resize(len).is_ok()
    }
}
