//! What a decision is: a value, never an error.

use std::sync::Arc;

/// What the policy says of a call. The order is the order of strictness: the greatest wins.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may run.
    Allow,
    /// A person has to say yes first.
    RequireApproval,
    /// It may not run.
    Deny,
}

impl Verdict {
    /// The text used in policies, records and every language.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::RequireApproval => "require_approval",
            Self::Deny => "deny",
        }
    }
}

/// What the enforcement mode made of the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The body runs.
    Run,
    /// The body does not run.
    Refused,
    /// People are asked; the body waits.
    Asked,
}

impl Effect {
    /// The text used in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Refused => "refused",
            Self::Asked => "asked",
        }
    }
}

/// How much of a verdict is enforced. The order is the order of strictness.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// Everything runs; the verdict is recorded.
    Observe,
    /// A deny becomes a require_approval.
    StepUp,
    /// As decided.
    #[default]
    Progressive,
    /// A require_approval becomes a deny.
    Block,
}

impl Enforcement {
    /// The text used in policies, records and every language.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::StepUp => "step_up",
            Self::Progressive => "progressive",
            Self::Block => "block",
        }
    }

    /// What this mode makes of a verdict.
    #[must_use]
    pub const fn effect(self, verdict: Verdict) -> Effect {
        match (self, verdict) {
            (_, Verdict::Allow) | (Self::Observe, _) => Effect::Run,
            (Self::Block, Verdict::RequireApproval) | (Self::Progressive | Self::Block, Verdict::Deny) => {
                Effect::Refused
            }
            (Self::StepUp, Verdict::Deny) | (Self::StepUp | Self::Progressive, Verdict::RequireApproval) => {
                Effect::Asked
            }
        }
    }
}

macro_rules! reason_codes {
    ($($variant:ident $text:literal $doc:literal;)*) => {
        /// Why a decision is what it is: a closed set of stable codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ReasonCode { $(#[doc = $doc] $variant,)* }

        impl ReasonCode {
            /// All codes, in the order of the published table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// One line for the documentation.
            #[must_use]
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

reason_codes! {
    Rule "rule" "a rule of the policy asked for it";
    Default "default" "no rule matched, so the policy's default holds";
    NoPolicy "no_policy_configured" "there is no policy, or one without any rule, scope or limit";
    OutOfScope "out_of_scope" "the tool is not in the policy's scope";
    ConditionFailed "condition_failed" "a condition could not be evaluated, which only tightens";
    MalformedArguments "malformed_arguments" "the arguments are not well-formed";
    CaptureFailed "capture_failed" "an argument could not be captured";
    CallChanged "call_changed" "the arguments changed while the call waited";
    UnknownTag "unknown_tag" "the tool declares a tag that the policy's vocabulary does not have";
    BudgetExceeded "budget_exceeded" "a budget has not enough left";
    RateLimited "rate_limited" "a rate limit is reached";
    LoopDetected "loop_detected" "the same call was made too often";
    LimitUnknown "limit_unknown" "nobody knows how much is left of a limit, which only tightens";
    LimitFailed "limit_failed" "a limit cannot count the call's argument, which only tightens";
    NoApprover "no_approver" "a person has to say yes and nobody can be asked";
    SessionUnknown "session_unknown" "what the session does cannot be remembered, and a rule asks for it";
    ApprovalDenied "approval_denied" "somebody who was asked said no";
    ApprovalExpired "approval_expired" "nobody said yes in time";
    ApprovalCancelled "approval_cancelled" "the question was taken back before it was answered";
    ApprovalPending "approval_pending" "people are asked, and the call cannot wait here for their answer";
    ApprovalUsed "approval_used" "the yes was used by another call that waited for the same";
    ApprovalOutdated "approval_outdated" "more has to be approved now than people were asked";
    ApprovalFailed "approval_failed" "people could not be asked, or their answer could not be used";
    Unbindable "unbindable" "an argument has no value that people could agree to";
    Unrecorded "unrecorded" "the decision could not be recorded";
    Closed "closed" "the guard was closed";
    Internal "internal" "a defect of this product was contained";
}

/// How a language surfaces a refusal: each has an exception of its own where the language has those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The policy does not allow it.
    Policy,
    /// A budget has not enough left.
    Budget,
    /// Too many calls, or the same one too often.
    Rate,
    /// Somebody who was asked said no.
    SaidNo,
    /// Nobody who was asked said yes in time.
    TimedOut,
}

impl RefusalKind {
    /// The stable text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy_denied",
            Self::Budget => "budget_exceeded",
            Self::Rate => "rate_limited",
            Self::SaidNo => "approval_denied",
            Self::TimedOut => "approval_timeout",
        }
    }
}

impl ReasonCode {
    /// Whether a call was refused for what became of its question: all else that was decided of it is what was when people were asked.
    #[must_use]
    pub const fn is_of_waiting(self) -> bool {
        matches!(
            self,
            Self::CallChanged
                | Self::ApprovalDenied
                | Self::ApprovalExpired
                | Self::ApprovalCancelled
                | Self::ApprovalPending
                | Self::ApprovalUsed
                | Self::ApprovalOutdated
                | Self::ApprovalFailed
                | Self::Closed
        )
    }

    /// How a refusal for this reason is surfaced.
    #[must_use]
    pub const fn refusal(self) -> RefusalKind {
        match self {
            Self::BudgetExceeded => RefusalKind::Budget,
            Self::RateLimited | Self::LoopDetected => RefusalKind::Rate,
            Self::ApprovalDenied => RefusalKind::SaidNo,
            Self::ApprovalExpired => RefusalKind::TimedOut,
            _ => RefusalKind::Policy,
        }
    }
}

/// What was decided of one call and why.
///
/// Texts are shared with the policy, so that an allow copies nothing.
#[derive(Debug, Clone)]
pub struct Decision {
    /// What the policy says.
    pub verdict: Verdict,
    /// What the enforcement mode made of it.
    pub effect: Effect,
    /// Why, as a stable code.
    pub reason_code: ReasonCode,
    /// Why, for people.
    pub reason: Option<Arc<str>>,
    /// What the model is told.
    pub reason_for_agent: Option<Arc<str>>,
    /// Ids of the rules that asked for the verdict, layer first: `local/big-refunds`.
    pub rules: Arc<[Arc<str>]>,
    /// SHA-256 of the policy's canonical form.
    pub policy: [u8; 32],
    /// The mode that was in force.
    pub enforcement: Enforcement,
    /// The part of a condition that failed, for `condition_failed`; or what could not be captured.
    pub detail: Option<Arc<str>>,
    /// How the call is recorded.
    pub record: super::RecordSettings,
    /// The limit that has not enough left, where that is why.
    pub limit: Option<Arc<super::Exceeded>>,
}

impl Decision {
    /// A refusal that no mode loosens: what could not be captured, recorded or trusted does not run.
    ///
    /// `policy` and `enforcement` are those in force, for the record.
    #[must_use]
    pub fn refusal(code: ReasonCode, detail: Option<Arc<str>>, policy: [u8; 32], enforcement: Enforcement) -> Self {
        Self {
            verdict: Verdict::Deny,
            effect: Effect::Refused,
            reason_code: code,
            reason: Some(Arc::from(code.describe())),
            reason_for_agent: None,
            rules: Arc::from([]),
            policy,
            enforcement,
            detail,
            record: super::RecordSettings::default(),
            limit: None,
        }
    }
}
