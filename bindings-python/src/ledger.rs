//! Verifying a ledger from Python.

use crate::errors::raised;
use crate::outside;
use counterseal::ledger::note::VerifierKey;
use counterseal::ledger::verify::{Options, verify};
use counterseal::{Error, ErrorCode};
use pyo3::prelude::*;
use std::path::PathBuf;

/// Verifies the home at `path`: whether it holds, the report as JSON text, and the report for people.
#[pyfunction]
#[pyo3(signature = (path, *, deep, outside, first_key, copy))]
pub(crate) fn verify_ledger(
    py: Python<'_>,
    path: PathBuf,
    deep: bool,
    outside: Option<PathBuf>,
    first_key: Option<&str>,
    copy: bool,
) -> PyResult<(bool, String, String)> {
    let report = outside::detached(py, || {
        let first_key = first_key.map(read_key).transpose()?;
        verify(&path, &Options { deep, outside, first_key, copy })
    });
    let report = report.map_err(|error| raised(py, &error))?;
    let json = serde_json::to_string(&report).map_err(|_| crate::errors::contained(py, "verify"))?;
    Ok((report.holds(), json, report.to_string()))
}

fn read_key(text: &str) -> Result<VerifierKey, Error> {
    text.parse().map_err(|_| {
        let why = format!("`{text}` is not a first key; give the line that `counterseal init` printed");
        Error::new(ErrorCode::ConfigInvalid, why)
    })
}
