//! The one error type of the public API and the one table of its codes.
//!
//! A denial is a value ([`crate::decide::Decision`]), never one of these: nobody can confuse "the engine failed" with
//! "the engine said no". Messages are lower case without a final period, with user input in backticks.

use std::collections::BTreeMap;
use std::fmt;

/// Whether asking again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same input fails the same way.
    Never,
    /// The cause may pass by itself.
    Later,
    /// The retries this component makes by itself are used up.
    Exhausted,
}

impl Retry {
    /// The text used on the wire and in every language.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Later => "later",
            Self::Exhausted => "exhausted",
        }
    }
}

macro_rules! kinds {
    ($($variant:ident $text:literal $doc:literal;)*) => {
        /// The closed set of error kinds; each binding has one exception class per kind.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ErrorKind { $(#[doc = $doc] $variant,)* }

        impl ErrorKind {
            /// The text used on the wire and in every language.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

kinds! {
    Config "config" "a setting, an environment variable or a home that cannot be used";
    Policy "policy" "a policy document that was refused";
    Denied "denied" "a decision that a language surfaces as an error";
    Approval "approval" "an approval that cannot be created, awaited or used";
    Auth "auth" "a credential that was refused";
    Network "network" "a peer that could not be reached";
    Protocol "protocol" "a peer that said something impossible";
    Integrity "integrity" "a ledger, checkpoint or signature that does not verify";
    Limit "limit" "a size, queue or rate bound that was reached";
    Runtime "runtime" "a use at the wrong time: closed, forked, re-entered";
    Internal "internal" "a defect of this product";
}

macro_rules! codes {
    ($($variant:ident $text:literal $kind:ident $retry:ident $doc:literal;)*) => {
        /// Every error code, stable for ever once released.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ErrorCode { $(#[doc = $doc] $variant,)* }

        impl ErrorCode {
            /// All codes, in the order of the published table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable text of the code.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The kind the code belongs to.
            #[must_use]
            pub const fn kind(self) -> ErrorKind {
                match self { $(Self::$variant => ErrorKind::$kind,)* }
            }

            /// Whether trying again can help.
            #[must_use]
            pub const fn retry(self) -> Retry {
                match self { $(Self::$variant => Retry::$retry,)* }
            }

            /// One line for the documentation.
            #[must_use]
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

codes! {
    ConfigInvalid "config_invalid" Config Never "a setting has a value that cannot be used";
    ConfigMissing "config_missing" Config Never "neither a policy nor a key was given";
    ConfigConflict "config_conflict" Config Never "two settings exclude each other";
    ToolInvalid "tool_invalid" Config Never "a tool's declaration cannot be used";
    HomeUnusable "home_unusable" Config Never "the home cannot be created, opened or trusted";
    PolicyUnreadable "policy_unreadable" Policy Never "the policy file cannot be read";
    PolicySyntax "policy_syntax" Policy Never "the policy is not well-formed yaml or json";
    PolicyInvalid "policy_invalid" Policy Never "the policy has a key, value or rule that was refused";
    PolicyCondition "policy_condition" Policy Never "a condition was refused";
    PolicyUnreachable "policy_unreachable" Policy Never "a rule can never match";
    ValueTooDeep "value_too_deep" Limit Never "a value is nested deeper than the limit, or contains itself";
    ValueTooLarge "value_too_large" Limit Never "a value has more bytes, items or keys than the limit";
    ValueDuplicateKey "value_duplicate_key" Config Never "a map has two keys that are the same as text";
    ValueBadKey "value_bad_key" Config Never "a map has a key that has no text form";
    ValueBadText "value_bad_text" Config Never "a string is not valid unicode";
    ValueBadNumber "value_bad_number" Config Never "a number has no exact value";
    ValueMalformed "value_malformed" Config Never "json text is not well-formed";
    ValueUnreadable "value_unreadable" Config Never "a value raised or changed while it was read";
    LedgerIo "ledger_io" Runtime Later "the ledger could not be written or read";
    LedgerFull "ledger_full" Limit Later "no room came free in the spool in time";
    LedgerCorrupt "ledger_corrupt" Integrity Never "the ledger does not verify";
    LedgerVersion "ledger_version" Integrity Never "a file was written by a version this one does not read";
    LedgerNotFound "ledger_not_found" Config Never "there is no ledger or record of that name";
    StateIo "state_io" Runtime Later "the shared state could not be made, opened, mapped or grown";
    StateFull "state_full" Limit Later "the shared state has no room and none could be made";
    StateBusy "state_busy" Limit Later "the shared state was held by another process for too long";
    StateCorrupt "state_corrupt" Integrity Never "the shared state is damaged";
    StateVersion "state_version" Integrity Never "the shared state was written by a version this one does not read";
    CheckpointKey "checkpoint_key" Integrity Never "the checkpoint key is missing or does not fit the checkpoints";
    ApprovalNotFound "approval_not_found" Approval Never "there is no approval of that id in the home";
    ApprovalDecided "approval_decided" Approval Never "the approval is not pending any more";
    ApprovalExpired "approval_expired" Approval Never "the approval's time has run out";
    ApprovalNotEntitled "approval_not_entitled" Approval Never "a yes of this person does not count";
    ApprovalClaimed "approval_claimed" Approval Never "the approval was used before";
    ApprovalInvalid "approval_invalid" Approval Never "an answer, an edit or a grant cannot be used";
    ReplayDivergence "replay_divergence" Runtime Never "a replayed program made another call than the one that was recorded";
    ReplayIncomplete "replay_incomplete" Config Never "what was recorded of a run is not enough to replay it";
    Closed "closed" Runtime Never "used after it was closed";
    Forked "forked" Runtime Never "used in a forked child where only the parent may use it";
    Panic "panic" Internal Never "a defect of this product was contained";
}

/// What went wrong, where, and what to do.
#[derive(Debug, Clone)]
pub struct Error {
    code: ErrorCode,
    message: String,
    details: BTreeMap<&'static str, String>,
}

impl Error {
    /// An error with `message`: lower case, no final period, user input in backticks.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: BTreeMap::new() }
    }

    /// Adds a machine-readable detail such as `path`, `line` or `suggestion`.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.details.insert(key, value.to_string());
        self
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The message for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Machine-readable details, by name.
    #[must_use]
    pub const fn details(&self) -> &BTreeMap<&'static str, String> {
        &self.details
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
