//! The command line, run in this process: the wheel brings the same command as the binary.

use crate::outside;
use pyo3::prelude::*;
use std::ffi::OsString;

/// Runs one command line, its first element being the name it was called by; returns the exit code.
#[pyfunction]
pub(crate) fn command_line(py: Python<'_>, arguments: Vec<OsString>) -> i32 {
    outside::detached(py, || counterseal_cli::run_in_process(arguments))
}
