//! Conditions: compiled once at load by our checker, evaluated on every call, behind one trait.
//!
//! The syntax is CEL's, read by the `cel` crate's parser; the checker turns the syntax tree into a typed one of our own,
//! which is evaluated. The crate's own evaluator is not used: it copies and looks up by text (227 ns for one comparison
//! of an argument, 491 ns for two), its equality cannot fail, and it has no exact decimals. Where the two languages
//! overlap they agree, which `core/tests/conditions_agree_with_cel.rs` tests. `docs/conditions.md` is the language's page.

mod ask;
mod bounds;
mod check;
mod compiled;
mod demands;
mod evaluate;
mod failure;
mod fence;
mod functions;
pub mod glob;
mod instant;
mod lists;
mod node;
mod number;
mod optional;
mod scope;
mod seen;
mod session;
mod span;
mod types;

pub use bounds::{Bound, Constant, Relation};
pub use compiled::{Compiled, Declared, compile};
pub use lists::Lists;
pub use session::{SessionView, Unknown};
pub use types::{ArgumentType, ArgumentTypes};

pub(crate) use optional::{Path, asked_for, lacks};

pub(crate) use lists::{instead_of_odd, odd_one};
pub(crate) use types::MAX_SCHEMA_DEPTH;

use crate::value::Value;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

/// What a condition may look at: everything lent, nothing copied. The lists of its policy are in the condition itself.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The call's arguments: a [`Value::Map`].
    pub args: &'a Value<'a>,
    /// The call's session; a condition that asks it fails where there is none.
    pub session: Option<&'a dyn SessionView>,
}

impl<'a> Facts<'a> {
    /// A call without a session.
    #[must_use]
    pub const fn of_call(args: &'a Value<'a>) -> Self {
        Self { args, session: None }
    }
}

/// How an evaluation ended. A failed one can only tighten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It could not be evaluated: the part of it that failed, and why. Never contains a value of the call.
    Failed(Arc<str>),
}

/// A condition that was checked at load.
pub trait Condition: Debug + Send + Sync {
    /// Evaluates it on one call.
    fn evaluate(&self, facts: &Facts<'_>) -> Outcome;
}

/// Why a condition was refused at load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionError {
    /// What is wrong: lower case, no final period, user input in backticks.
    pub message: String,
    /// Which bytes of the source, where known.
    pub span: Option<Range<usize>>,
    /// What to write instead, where known.
    pub suggestion: Option<String>,
}

impl std::fmt::Display for ConditionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        self.suggestion.as_ref().map_or(Ok(()), |suggestion| write!(f, "; {suggestion}"))
    }
}

impl std::error::Error for ConditionError {}
