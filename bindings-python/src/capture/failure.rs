//! Why a capture stopped: a refusal that names the argument, or an interrupt that must reach the program.

use counterseal::{Error, ErrorCode};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use std::fmt::Write;

/// One step from a value into one of its parts.
#[derive(Debug)]
pub(crate) enum Step {
    /// Into a list.
    Index(usize),
    /// Into a map, a field or an argument.
    Name(String),
}

/// A capture that could not be finished.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The value is refused; the call is decided as one whose arguments cannot be known. The path is innermost first.
    Refused { code: ErrorCode, why: String, path: Vec<Step> },
    /// What the engine itself says of the value.
    Core(Error),
    /// Not an `Exception`: the program is being interrupted or ended, and it is told so.
    Interrupted(PyErr),
}

impl Failure {
    /// A refusal of the value at hand.
    pub(crate) fn refused(code: ErrorCode, why: impl Into<String>) -> Self {
        Self::Refused { code, why: why.into(), path: Vec::new() }
    }

    pub(super) fn too_deep() -> Self {
        Self::refused(
            ErrorCode::ValueTooDeep,
            format!("is nested deeper than {} levels, or contains itself", super::MAX_DEPTH),
        )
    }

    pub(super) fn too_many() -> Self {
        Self::refused(ErrorCode::ValueTooLarge, format!("has more than {} values", counterseal::value::MAX_VALUES))
    }

    /// The value is not what it was when it was read.
    pub(super) fn changed() -> Self {
        Self::refused(ErrorCode::ValueUnreadable, "changed while it was read")
    }

    /// What the program's code raised while a value was read. Its message is left out: it may quote the value.
    pub(crate) fn raised(py: Python<'_>, error: PyErr) -> Self {
        if !error.is_instance_of::<PyException>(py) {
            return Self::Interrupted(error);
        }
        let kind = error.get_type(py).name().map_or_else(|_| "an exception".to_owned(), |name| format!("`{name}`"));
        Self::refused(ErrorCode::ValueUnreadable, format!("raised {kind} while it was read"))
    }

    /// The same failure, seen from one level further out.
    pub(crate) fn within(mut self, step: impl FnOnce() -> Step) -> Self {
        if let Self::Refused { path, .. } = &mut self {
            path.push(step());
        }
        self
    }

    /// The engine's error, naming the argument; or what must reach the program.
    pub(crate) fn into_error(self) -> Result<Error, PyErr> {
        match self {
            Self::Interrupted(error) => Err(error),
            Self::Core(error) => Ok(error),
            Self::Refused { code, why, path } => {
                let path = written(&path);
                if path.is_empty() {
                    return Ok(Error::new(code, format!("the value {why}")));
                }
                Ok(Error::new(code, format!("`{path}` {why}")).with("path", path))
            }
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

/// `order.lines[3].sku`, from steps that are innermost first.
fn written(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path.iter().rev() {
        // Writing into a string cannot fail.
        let _ = match step {
            Step::Index(index) => write!(text, "[{index}]"),
            Step::Name(name) if text.is_empty() => write!(text, "{name}"),
            Step::Name(name) => write!(text, ".{name}"),
        };
    }
    text
}
