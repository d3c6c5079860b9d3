//! How a replayed program went another way than the one that was recorded.

use std::fmt;

/// A call that is not the recorded one, or one that was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// The difference, for people.
    pub message: String,
    /// Which call of the program it is, from 1.
    pub position: u64,
    /// The recorded call, as the JSON object `{"tool","arguments"}`, with null for arguments that were not kept; `None` where the
    /// run was over.
    pub expected: Option<String>,
    /// The same of the call that was made; `None` where the program made none.
    pub found: Option<String>,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Divergence {}
