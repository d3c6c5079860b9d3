//! Decides one call on the compiled policy: pure, no clock, no I/O.
//!
//! [`Layers`] are the policies in force; [`Layers::plan`] works out all that is fixed for one tool, once; then
//! [`ToolPlan::decide`] costs what that tool's own conditions cost.

mod asking;
mod builtin;
mod coverage;
mod decision;
mod explain;
mod ladder;
mod layers;
mod learning;
mod limited;
mod plan;
mod settings;
mod tool;

pub use decision::{Decision, Effect, Enforcement, ReasonCode, RefusalKind, Verdict};
pub use explain::{Explanation, LayerExplanation, Matched, RuleExplanation};
pub use layers::{Layer, LayerInfo, Layers, Options};
pub use limited::Exceeded;
pub use plan::ToolPlan;
pub use settings::{FailMode, RecordLevel, RecordSettings, RecordSync};
pub use tool::ScopeVerdict;

pub(crate) use limited::{Hit, PlannedLimit, Why, limited, passed, stop, two_words};
pub(crate) use tool::arguments;
