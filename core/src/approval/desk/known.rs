//! What the process knows of the home's approvals without reading them again.

use super::trouble::may_pass;
use crate::approval::machine::Approval;
use crate::approval::request::ApprovalId;
use crate::approval::store::{Stamp, Store};
use crate::clock::UnixNanos;
use crate::error::Error;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// File systems stamp changes with a clock that ticks every few milliseconds: within this time of a look, a further change may
/// carry the same stamp.
const TICK: Duration = Duration::from_millis(50);

/// The approvals that may still matter, by id.
#[derive(Debug, Default)]
pub(super) struct Known {
    all: BTreeMap<ApprovalId, Entry>,
    /// When the directory had last changed at the last look.
    looked: Option<i64>,
    /// Whether that was so recent that another change may look the same.
    fresh: bool,
}

#[derive(Debug)]
struct Entry {
    stamp: Stamp,
    /// `None` for one that no call can take and that grants nothing.
    approval: Option<Box<Approval>>,
    /// Why it cannot be read.
    trouble: Option<Error>,
}

impl Entry {
    /// Whether it could not be read for a reason that is not its own.
    fn may_be_readable(&self) -> bool {
        self.trouble.as_ref().is_some_and(may_pass)
    }
}

impl Known {
    /// Looks for changes; whether there may be any.
    pub(super) fn refresh(&mut self, store: &Store, now: UnixNanos) -> Result<bool, Error> {
        let changed = store.changed();
        if changed == self.looked && !self.fresh {
            return Ok(false);
        }
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_nanos());
        let age = i128::try_from(wall).unwrap_or(i128::MAX) - i128::from(changed.unwrap_or(0));
        let ids = store.ids()?;
        self.all.retain(|id, _| ids.binary_search(id).is_ok());
        for id in ids {
            let Some(stamp) = store.stamp(id) else {
                self.all.remove(&id);
                continue;
            };
            if self.all.get(&id).is_none_or(|entry| entry.stamp != stamp || entry.may_be_readable()) {
                self.read(store, id, stamp, now);
            }
        }
        // a look that failed is none: it is looked again
        let unread = self.all.values().any(Entry::may_be_readable);
        self.fresh = unread || age < i128::try_from(TICK.as_nanos()).unwrap_or(0);
        self.looked = changed;
        Ok(true)
    }

    fn read(&mut self, store: &Store, id: ApprovalId, stamp: Stamp, now: UnixNanos) {
        let (approval, trouble) = match store.read(id) {
            Ok(found) => (found.filter(|approval| matters(approval, now)).map(Box::new), None),
            Err(error) => (None, Some(error)),
        };
        self.all.insert(id, Entry { stamp, approval, trouble });
    }

    /// Takes in what this process wrote itself.
    pub(super) fn wrote(&mut self, store: &Store, approval: &Approval, now: UnixNanos) {
        if let Some(stamp) = store.stamp(approval.id()) {
            let kept = matters(approval, now).then(|| Box::new(approval.clone()));
            self.all.insert(approval.id(), Entry { stamp, approval: kept, trouble: None });
        }
    }

    /// The approval, or why it is not there.
    pub(super) fn get(&self, id: ApprovalId) -> Result<Option<&Approval>, &Error> {
        match self.all.get(&id) {
            None => Ok(None),
            Some(Entry { trouble: Some(error), .. }) => Err(error),
            Some(entry) => Ok(entry.approval.as_deref()),
        }
    }

    /// All that may still matter.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Approval> {
        self.all.values().filter_map(|entry| entry.approval.as_deref())
    }
}

/// Whether a call may still take it, or be let run by it.
fn matters(approval: &Approval, now: UnixNanos) -> bool {
    approval.is_open() || approval.grant(now).is_some()
}
