//! What the guard hands to the ledger: borrowed, so that recording copies each byte once, into the spool.

use crate::clock::UnixNanos;
use crate::decide::{Effect, Enforcement, Verdict};
use std::sync::Arc;

/// 128 random bits that name one decided call; 32 hex characters in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActionId(pub [u8; 16]);

/// A value that goes to the sidecar: its part's name and its redacted canonical bytes.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// `arguments`, `result`, `annotations`, `error` or `note`.
    pub name: &'static str,
    /// Canonical bytes of the redacted value; empty where they were left out because the record would be too large.
    pub canonical: &'a [u8],
}

/// The tool of a decided call; everything but the name is fixed when the tool is guarded.
///
/// `S` is how texts in lists are held: shared with the policy on the hot path, lent by the spool in the writer.
#[derive(Debug, Clone, Copy)]
pub struct ToolEntry<'a, S = Arc<str>> {
    /// Where the tool comes from.
    pub source: &'a str,
    /// The tool's own name.
    pub name: &'a str,
    /// SHA-256 of its definition.
    pub digest: [u8; 32],
    /// Tags of policy and code together, sorted.
    pub tags: &'a [S],
    /// `low`, `medium` or `high`.
    pub risk: Option<&'a str>,
    /// The system it acts on.
    pub connector: Option<&'a str>,
    /// What it does there.
    pub action: Option<&'a str>,
}

/// On whose behalf and in which conversation.
#[derive(Debug, Clone, Copy)]
pub struct ContextEntry<'a> {
    /// The agent's id.
    pub agent: Option<&'a str>,
    /// The user's id.
    pub user: Option<&'a str>,
    /// Who vouched for the user's id.
    pub user_verified_by: Option<&'a str>,
    /// The conversation.
    pub session: &'a str,
    /// True where the program named no session.
    pub implicit: bool,
    /// One execution in the session.
    pub run: Option<&'a str>,
    /// The call id of the call that made this one.
    pub parent: Option<&'a str>,
}

/// A decided call, recorded before its body runs. `S`: see [`ToolEntry`].
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a, S = Arc<str>> {
    /// Names the call in every later record.
    pub action_id: ActionId,
    /// When it was decided.
    pub time: UnixNanos,
    /// The framework's id of the call; the action id's text where none was given.
    pub call_id: Option<&'a str>,
    /// The call digest; `None` where the arguments could not be captured.
    pub digest: Option<[u8; 32]>,
    /// Which tool.
    pub tool: ToolEntry<'a, S>,
    /// In which conversation.
    pub context: ContextEntry<'a>,
    /// What the policy said.
    pub decision: Verdict,
    /// What the mode made of it.
    pub effect: Effect,
    /// Why, as a stable code.
    pub reason_code: &'a str,
    /// Ids of the rules that asked for it.
    pub rules: &'a [S],
    /// The policy's version.
    pub policy: [u8; 32],
    /// The mode in force.
    pub enforcement: Enforcement,
    /// Expected cost in micro-USD.
    pub estimated_cost: Option<i64>,
    /// The approval it runs on.
    pub approval: Option<&'a str>,
    /// Values for the sidecar.
    pub parts: &'a [Part<'a>],
    /// Whether the caller waits until the record is on the disk.
    pub durable: bool,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The body returned.
    Success,
    /// The body raised.
    Error,
    /// It was refused.
    Denied,
    /// The approval's time ran out.
    Expired,
    /// The wait for people was called off.
    Cancelled,
    /// The framework took the call back before it ended.
    Interrupted,
    /// Nobody knows.
    Unknown,
}

impl Outcome {
    /// The text used in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultEntry {
    /// There is none.
    None,
    /// It has no value: a generator, a stream, something opaque.
    Uncaptured,
    /// Its digest and its full size in canonical bytes.
    Digest([u8; 32], u64),
}

/// The end of a call.
#[derive(Debug, Clone, Copy)]
pub struct Completed<'a> {
    /// The call.
    pub action_id: ActionId,
    /// When it ended.
    pub time: UnixNanos,
    /// How it ended.
    pub outcome: Outcome,
    /// How long the body took, in nanoseconds of the monotonic clock.
    pub duration: u64,
    /// What came back.
    pub result: ResultEntry,
    /// Settled cost in micro-USD.
    pub cost: Option<i64>,
    /// Settled tokens.
    pub tokens: Option<u64>,
    /// Values for the sidecar.
    pub parts: &'a [Part<'a>],
}
