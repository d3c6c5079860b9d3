//! What an operator must be able to see of a running guard.

use super::Guard;
use crate::decide::Enforcement;
use crate::ledger;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counted since the guard was started; they only grow.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) capture_failed: AtomicU64,
    pub(super) unrecorded_refused: AtomicU64,
    pub(super) unrecorded_run: AtomicU64,
    pub(super) incomplete: AtomicU64,
    pub(super) panics: AtomicU64,
    pub(super) forgotten: AtomicU64,
    pub(super) limit_unknown: AtomicU64,
}

/// One more; relaxed, because nothing is ordered by these.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The state of a guard and its ledger.
#[derive(Debug, Clone, Serialize)]
pub struct Health {
    /// SHA-256 of the policy in force, 64 hex characters.
    pub policy: String,
    /// The mode in force.
    pub enforcement: Enforcement,
    /// Rules of all layers.
    pub rules: usize,
    /// Calls whose arguments could not be captured: refused.
    pub capture_failed: u64,
    /// Conditions that could not be evaluated: they tightened.
    pub condition_failed: u64,
    /// Calls refused because they could not be recorded.
    pub unrecorded_refused: u64,
    /// Calls that ran unrecorded because the policy's fail mode is `open`.
    pub unrecorded_run: u64,
    /// Calls whose end could not be recorded.
    pub incomplete: u64,
    /// Calls that the session could not remember; refused where a rule asks sessions for what would be missing.
    pub forgotten: u64,
    /// Calls whose limits nobody knew: they tightened.
    pub limit_unknown: u64,
    /// Defects of this product that were contained; each refused a call.
    pub panics: u64,
    /// The ledger's own state.
    pub ledger: ledger::Health,
}

impl Guard {
    pub(super) fn count_unrecorded_run(&self) {
        count(&self.counters.unrecorded_run);
    }

    /// What the ledger's last record counts.
    pub(super) fn counted(&self) -> [(&'static str, u64); 8] {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("capture_failed", read(&self.counters.capture_failed)),
            ("condition_failed", self.layers.condition_failures()),
            ("forgotten", read(&self.counters.forgotten)),
            ("incomplete", read(&self.counters.incomplete)),
            ("limit_unknown", read(&self.counters.limit_unknown)),
            ("panics", read(&self.counters.panics)),
            ("unrecorded_refused", read(&self.counters.unrecorded_refused)),
            ("unrecorded_run", read(&self.counters.unrecorded_run)),
        ]
    }

    /// The state now; cheap enough to be asked every second.
    #[must_use]
    pub fn health(&self) -> Health {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Health {
            policy: ledger::hex_text(&self.layers.version()),
            enforcement: self.layers.enforcement(),
            rules: self.layers.rule_count(),
            capture_failed: read(&self.counters.capture_failed),
            condition_failed: self.layers.condition_failures(),
            unrecorded_refused: read(&self.counters.unrecorded_refused),
            unrecorded_run: read(&self.counters.unrecorded_run),
            incomplete: read(&self.counters.incomplete),
            forgotten: read(&self.counters.forgotten),
            limit_unknown: read(&self.counters.limit_unknown),
            panics: read(&self.counters.panics),
            ledger: self.ledger.health(),
        }
    }
}
