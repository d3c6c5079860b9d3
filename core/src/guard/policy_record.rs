//! The record of which policy is in force: once a stream, before the stream's first decided call.

use super::Guard;
use crate::clock::UnixNanos;
use crate::ledger::{PolicyChange, PolicyLayer};
use counterseal_spool::generation;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whether this process's stream says which policy is in force. A forked child has a stream of its own and says it again.
#[derive(Debug)]
pub(super) struct PolicyRecord {
    recorded_in: AtomicU64,
    previous: Option<[u8; 32]>,
}

impl PolicyRecord {
    pub(super) const fn new(previous: Option<[u8; 32]>) -> Self {
        // generations begin at 1, so that 0 is no process
        Self { recorded_in: AtomicU64::new(0), previous }
    }
}

impl Guard {
    #[inline]
    pub(super) fn record_policy_once(&self, now: UnixNanos) {
        let process = generation();
        if self.policy_record.recorded_in.load(Ordering::Relaxed) != process {
            self.record_policy(now, process);
        }
    }

    #[cold]
    fn record_policy(&self, now: UnixNanos, process: u64) {
        let recorded_in = &self.policy_record.recorded_in;
        if recorded_in.swap(process, Ordering::AcqRel) == process {
            return;
        }
        let described = self.layers.describe();
        let layers: Vec<PolicyLayer<'_>> = described
            .iter()
            .map(|layer| PolicyLayer { layer: &layer.layer, version: layer.version, name: Some(&layer.name) })
            .collect();
        let change = PolicyChange {
            policy: self.layers.version(),
            layers: &layers,
            enforcement: self.layers.enforcement().as_str(),
            rules: u64::try_from(self.layers.rule_count()).unwrap_or(u64::MAX),
            previous: self.policy_record.previous,
        };
        if self.ledger.policy(now, &change).is_err() {
            // the call itself will meet the same trouble and end as the fail mode says; the next one tries again
            recorded_in.store(0, Ordering::Release);
        }
    }
}
