//! What the policy says of asking: of one rule, and of all rules that ask about one call.

use super::binding::Binding;
use super::request::Requirement;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How long people have where the policy does not say.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// What has to be met and shown before a call may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What each rule demands.
    pub requirements: Vec<Requirement>,
    /// How long people have: the shortest of the rules'.
    pub timeout: Duration,
    /// What a yes holds for: whatever any of the rules binds.
    pub binding: Binding,
    /// The arguments that people see, unredacted; `None`: all, redacted.
    pub show: Option<BTreeSet<Arc<str>>>,
}
