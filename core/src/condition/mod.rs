//! Conditions: compiled once at load by our checker, evaluated on every call, behind one trait.

use crate::value::Value;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

/// What a condition may look at: everything lent, nothing copied.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The call's arguments: a [`Value::Map`].
    pub args: &'a Value<'a>,
    /// The lists of the policy the condition belongs to.
    pub lists: &'a Lists,
}

/// Named lists of a policy, for `x in lists.name`.
pub type Lists = BTreeMap<String, Vec<serde_json::Value>>;

/// How an evaluation ended. A failed one can only tighten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It could not be evaluated: the part of it that failed, and why.
    Failed(Arc<str>),
}

/// A condition that was checked at load.
pub trait Condition: Debug + Send + Sync {
    /// Evaluates it on one call.
    fn evaluate(&self, facts: &Facts<'_>) -> Outcome;
}

/// Why a condition was refused at load.
#[derive(Debug, Clone)]
pub struct ConditionError {
    /// What is wrong: lower case, no final period, user input in backticks.
    pub message: String,
    /// Which bytes of the source, where known.
    pub span: Option<Range<usize>>,
    /// What to write instead, where known.
    pub suggestion: Option<String>,
}
