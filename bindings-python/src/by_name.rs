//! Calls that are decided by a tool's name: `check` and `enforce`.

use crate::capture::{self, Budget, Failure};
use crate::context;
use crate::decision::Decision;
use crate::declared::Declared;
use crate::errors::{contained, raised, unless_ending};
use crate::tool::{Tool, admitted, refusal};
use counterseal::call::{PROGRAM_SOURCE, ToolSpec};
use counterseal::value::{Value, json, map};
use counterseal::{Error, ErrorCode};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use std::borrow::Cow;
use std::sync::Arc;

/// Decides without recording or counting anything.
#[pyfunction]
pub(crate) fn check(py: Python<'_>, tool: &Bound<'_, PyAny>, arguments: &Bound<'_, PyAny>) -> PyResult<Decision> {
    checked(py, tool, arguments).map_err(|error| unless_ending(py, error))
}

fn checked(py: Python<'_>, tool: &Bound<'_, PyAny>, arguments: &Bound<'_, PyAny>) -> PyResult<Decision> {
    let declared = declared(tool)?;
    let planned = declared.planned(py)?;
    let Some(planned) = planned.as_ref() else { return Err(contained(py, "check")) };
    let context = context::of_call(py)?;
    // Last: the values are lent, and no Python code may run while they live.
    let given = refusal(named(&declared, arguments))?;
    let decision = declared.swapped(planned).map(|swapped| {
        let planned = swapped.as_ref().unwrap_or(planned);
        planned.engine.guard.check(&planned.tool, given.as_ref(), &context)
    });
    drop(given);
    Ok(Decision::new(decision.map_err(|error| raised(py, &error))?, None))
}

/// Decides and records a call that the program runs itself; raises if it may not run. As the tool's own hook: a ticket,
/// or one that holds once its record is on the disk.
#[pyfunction]
pub(crate) fn enforce<'py>(
    py: Python<'py>,
    tool: &Bound<'py, PyAny>,
    arguments: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    enforced(py, tool, arguments).map_err(|error| unless_ending(py, error))
}

fn enforced<'py>(
    py: Python<'py>,
    tool: &Bound<'py, PyAny>,
    arguments: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let declared = declared(tool)?;
    let planned = declared.planned(py)?;
    let Some(planned) = planned.as_ref() else { return Err(contained(py, "enforce")) };
    let context = context::of_call(py)?;
    if context.replay(py)?.is_some() {
        let why =
            "a call that the program runs itself cannot be replayed: its body would run; guard the function instead";
        return Err(raised(py, &Error::new(ErrorCode::ReplayIncomplete, why).with("tool", &declared.spec.name)));
    }
    // Last, as in `check`.
    let given = given(&declared, arguments)?;
    let admission = declared.swapped(planned).map(|swapped| {
        let planned = swapped.as_ref().unwrap_or(planned);
        let admission = planned.engine.guard.admit(&planned.tool, given.as_ref(), &context);
        (admission, swapped)
    });
    drop(given);
    let (admission, swapped) = admission.map_err(|error| raised(py, &error))?;
    let engine = &swapped.as_ref().unwrap_or(planned).engine;
    let held = || Some((Arc::clone(&declared), arguments.clone().unbind()));
    admitted(py, &declared.spec.name, admission, engine, held)
}

/// The declaration of a guarded callable's tool, of a name that was guarded, or of a name alone.
fn declared(tool: &Bound<'_, PyAny>) -> PyResult<Arc<Declared>> {
    if let Ok(tool) = tool.cast::<Tool>() {
        return Ok(Arc::clone(&tool.get().declared));
    }
    let name: String = tool.extract()?;
    if let Some(declared) = Declared::by_name(&name) {
        return Ok(declared);
    }
    let spec = ToolSpec { name, source: PROGRAM_SOURCE.to_owned(), ..ToolSpec::default() };
    Declared::passing(spec).map_err(|error| raised(tool.py(), &error))
}

/// Arguments by name as they are now, or why there are none.
pub(crate) fn given<'a>(declared: &'a Declared, arguments: &'a Bound<'_, PyAny>) -> PyResult<Result<Value<'a>, Error>> {
    refusal(named(declared, arguments))
}

/// Arguments by name out of a dict or JSON text, with the defaults of the guarded function where none was given.
#[expect(unsafe_code, reason = "lends text from the arguments for as long as it takes to decide")]
fn named<'a>(declared: &'a Declared, given: &'a Bound<'_, PyAny>) -> Result<Value<'a>, Failure> {
    let defaults = missing_defaults(declared, given)?;
    let value = if let Ok(text) = given.cast::<PyString>() {
        parsed(text.to_str().map_err(|_| malformed("the arguments are not valid unicode text"))?)?
    } else if let Ok(bytes) = given.cast::<PyBytes>() {
        let text = std::str::from_utf8(bytes.as_bytes());
        parsed(text.map_err(|_| malformed("the arguments are not utf-8 text"))?)?
    } else {
        // SAFETY: the caller holds the arguments, and no Python code runs from here until the value is dropped.
        unsafe { capture::value(given) }?
    };
    let Value::Map(mut entries) = value else {
        let why = "the arguments are not given by name; give a dict or the text of one json object";
        return Err(malformed(why).into());
    };
    for (name, default) in defaults {
        if !entries.iter().any(|(given, _)| given == name) {
            entries.push((Cow::Borrowed(name), default));
        }
    }
    Ok(map(entries)?)
}

/// The defaults that may be needed, read before anything is lent from the arguments: reading one may run Python code.
fn missing_defaults<'a>(
    declared: &'a Declared,
    given: &Bound<'_, PyAny>,
) -> Result<Vec<(&'a str, Value<'static>)>, Failure> {
    let mut defaults = Vec::new();
    for (name, default) in &declared.defaults {
        if !given.cast::<PyDict>().is_ok_and(|given| given.contains(name).unwrap_or(false)) {
            let default = default.bind(given.py());
            defaults.push((name.as_str(), capture::owned_value(default, Budget::new(), 1)?));
        }
    }
    Ok(defaults)
}

/// A text that gives one argument twice is as malformed as one that is no JSON.
fn parsed(text: &str) -> Result<Value<'_>, Error> {
    json::parse(text).map_err(|error| match error.code() {
        ErrorCode::ValueDuplicateKey => malformed(error.message()),
        _ => error,
    })
}

fn malformed(why: &str) -> Error {
    Error::new(ErrorCode::ValueMalformed, why)
}
