//! Settings of a tool that policy, tool and rule may give: what failure means, and how calls are recorded.

/// What happens to a call that cannot be decided or recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailMode {
    /// It does not run.
    #[default]
    Closed,
    /// It runs. A defect inside the engine refuses it all the same.
    Open,
}

impl FailMode {
    /// The text used in policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }
}

/// How much of a value is recorded. The order is how little: the greatest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordLevel {
    /// All of it.
    Full,
    /// All but what the redaction takes out.
    Redacted,
    /// Its digest alone.
    Digest,
}

impl RecordLevel {
    /// The text used in policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Redacted => "redacted",
            Self::Digest => "digest",
        }
    }
}

/// When a record counts as written. The order is how soon: the greatest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordSync {
    /// With the next timed sync: it survives the death of the process, not of the machine.
    Timer,
    /// Before the call runs.
    Durable,
}

impl RecordSync {
    /// The text used in policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timer => "timer",
            Self::Durable => "durable",
        }
    }
}

/// How one call is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
pub struct RecordSettings {
    /// How its arguments are kept.
    pub args: RecordLevel,
    /// How its result is kept.
    pub result: RecordLevel,
    /// When its records count as written.
    pub sync: RecordSync,
}

impl Default for RecordSettings {
    fn default() -> Self {
        Self { args: RecordLevel::Redacted, result: RecordLevel::Digest, sync: RecordSync::Timer }
    }
}

impl RecordSettings {
    /// Of both, what keeps less and is written sooner.
    #[must_use]
    pub(crate) fn strictest(self, other: Self) -> Self {
        Self { args: self.args.max(other.args), result: self.result.max(other.result), sync: self.sync.max(other.sync) }
    }
}
