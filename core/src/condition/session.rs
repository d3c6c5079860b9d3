//! What a condition can ask of the session that a call belongs to.

use std::fmt::Debug;

/// The session's history is not known: it was evicted, or the state is out of reach. The condition that asks then fails,
/// which can only tighten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown;

/// The facts of one session, looked up when a condition asks.
pub trait SessionView: Debug {
    /// Whether a call of a tool with this tag was decided to run before, or the program marked the session with it.
    ///
    /// # Errors
    /// [`Unknown`] where the history is not known.
    fn saw(&self, tag: &str) -> Result<bool, Unknown>;

    /// How many calls were decided to run before: of the tool called so, or of all.
    ///
    /// # Errors
    /// [`Unknown`] where the history is not known.
    fn calls(&self, tool: Option<&str>) -> Result<u64, Unknown>;

    /// Whether the user's own text has this text in it: whole words, whatever their case (`docs/conditions.md`).
    ///
    /// # Errors
    /// [`Unknown`] where the history is not known.
    fn said(&self, text: &str) -> Result<bool, Unknown>;

    /// Whether a result of a trusted tool gave this text, as the policy's `facts_from_result` says.
    ///
    /// # Errors
    /// [`Unknown`] where the history is not known.
    fn known(&self, text: &str) -> Result<bool, Unknown>;
}
