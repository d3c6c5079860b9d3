//! Text from outside, for Python's prompts: shown so that it can neither steer a terminal nor pass for other text.

use counterseal::plain::Plain;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// A text on one line. Lone surrogates, which are no text, are shown as U+FFFD.
#[pyfunction]
pub(crate) fn plain(text: &Bound<'_, PyString>) -> String {
    Plain::line(&text.to_string_lossy()).to_string()
}

/// A text whole, in lines that are told to belong together by what stands before each of them.
#[pyfunction]
pub(crate) fn wrapped(first: &str, text: &Bound<'_, PyString>) -> String {
    counterseal::plain::wrapped(first, &text.to_string_lossy())
}
