//! What is wrong with a policy: every problem found, each with its place and, where one is near, what to write instead.

use crate::error::{Error, ErrorCode};
use std::fmt;
use std::sync::Arc;

/// How many problems are told one by one; the rest are counted.
const TOLD: usize = 100;

/// Where something stands in a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// In a text: line and column from 1, columns in characters.
    Text {
        /// The line, from 1.
        line: u32,
        /// The column, from 1, in characters.
        column: u32,
    },
    /// In a value given by a program: a path such as `rules[2].when`, empty for the whole.
    Path(Arc<str>),
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub struct PolicyError {
    /// What kind of problem: one of the `policy_…` codes.
    pub code: ErrorCode,
    /// What is wrong: lower case, no final period, user input in backticks.
    pub message: String,
    /// Where.
    pub at: At,
    /// What to write instead, where something is near.
    pub suggestion: Option<String>,
}

impl PolicyError {
    /// The line from 1; 0 where the policy was not a text.
    #[must_use]
    pub const fn line(&self) -> u32 {
        match &self.at {
            At::Text { line, .. } => *line,
            At::Path(_) => 0,
        }
    }

    /// The column from 1, in characters; 0 where the policy was not a text.
    #[must_use]
    pub const fn column(&self) -> u32 {
        match &self.at {
            At::Text { column, .. } => *column,
            At::Path(_) => 0,
        }
    }

    /// The path in a policy that was not a text.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match &self.at {
            At::Text { .. } => None,
            At::Path(path) => Some(path),
        }
    }
}

/// All that is wrong with one policy, in the order of the text; never empty.
#[derive(Debug, Clone)]
pub struct PolicyErrors {
    name: String,
    list: Vec<PolicyError>,
    untold: usize,
}

impl PolicyErrors {
    /// The policy's file name, or what the program called it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The problems, at most a hundred.
    #[must_use]
    pub fn list(&self) -> &[PolicyError] {
        &self.list
    }

    /// How many more there are.
    #[must_use]
    pub const fn untold(&self) -> usize {
        self.untold
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match &problem.at {
                At::Text { line, column } => write!(f, "{}:{line}:{column}: {}", self.name, problem.message)?,
                At::Path(path) if path.is_empty() => write!(f, "{}: {}", self.name, problem.message)?,
                At::Path(path) => write!(f, "{}: {path}: {}", self.name, problem.message)?,
            }
            if let Some(suggestion) = &problem.suggestion {
                write!(f, "; {suggestion}")?;
            }
        }
        if self.untold > 0 {
            write!(f, "\n{}: and {} more", self.name, self.untold)?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyErrors {}

impl From<PolicyErrors> for Error {
    fn from(errors: PolicyErrors) -> Self {
        let code = errors.list.first().map_or(ErrorCode::PolicyInvalid, |first| first.code);
        let mut error = Self::new(code, errors.to_string())
            .with("policy", &errors.name)
            .with("problems", errors.list.len() + errors.untold);
        if let Some(first) = errors.list.first() {
            error = match &first.at {
                At::Text { line, column } => error.with("line", line).with("column", column),
                At::Path(path) => error.with("path", path),
            };
            if let Some(suggestion) = &first.suggestion {
                error = error.with("suggestion", suggestion);
            }
        }
        error
    }
}

/// Collects problems while a policy is read.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    list: Vec<PolicyError>,
    untold: usize,
}

impl Problems {
    /// Notes a problem.
    pub(crate) fn push(&mut self, code: ErrorCode, at: &At, message: impl Into<String>, suggestion: Option<String>) {
        if self.full() {
            self.untold += 1;
        } else {
            self.list.push(PolicyError { code, message: message.into(), at: at.clone(), suggestion });
        }
    }

    /// Notes a value or key that was refused and what to write instead.
    pub(crate) fn instead(&mut self, at: &At, message: impl Into<String>, suggestion: impl Into<String>) {
        self.push(ErrorCode::PolicyInvalid, at, message, Some(suggestion.into()));
    }

    /// Notes a name that is none of `known`, and the nearest of them or else what to do `otherwise`. The search is left out
    /// once nothing more is told.
    pub(crate) fn unknown<'k>(
        &mut self,
        at: &At,
        message: impl Into<String>,
        name: &str,
        known: impl Iterator<Item = &'k str>,
        otherwise: impl Into<String>,
    ) {
        let near = if self.full() { None } else { super::suggest::did_you_mean(name, known) };
        self.instead(at, message, near.unwrap_or_else(|| otherwise.into()));
    }

    /// Whether further problems are only counted.
    pub(crate) const fn full(&self) -> bool {
        self.list.len() >= TOLD
    }

    /// Whether nothing was wrong.
    pub(crate) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The problems of the policy called `name`, in the order of its text.
    pub(crate) fn into_errors(mut self, name: &str) -> PolicyErrors {
        self.list.sort_by(|a, b| a.at.cmp(&b.at));
        PolicyErrors { name: name.to_owned(), list: self.list, untold: self.untold }
    }
}
