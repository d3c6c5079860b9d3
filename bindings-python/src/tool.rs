//! A guarded callable, natively: its declaration, and how its arguments are read.

use crate::arguments::Layout;
use crate::capture::Failure;
use crate::context;
use crate::declared::Declared;
use crate::engine::Engine;
use crate::errors::{contained, denied, raised};
use crate::pending::{Named, Pending};
use crate::ticket::Ticket;
use counterseal::Error;
use counterseal::call::{CallContext, PROGRAM_SOURCE, Risk, ToolSpec};
use counterseal::guard::Admission;
use counterseal::value::{Value, encode, json};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyBytes, PyDict, PyTuple};
use std::sync::Arc;

/// One guarded callable.
#[pyclass(frozen, module = "counterseal._native")]
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) declared: Arc<Declared>,
    layout: Layout,
}

/// A call as its framework knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameworkCall<'a> {
    /// Its id there.
    id: &'a str,
    /// The ids of all calls of its step, where that is made as a whole.
    turn: Option<&'a [String]>,
}

impl Tool {
    /// Decides a call and records it, or raises.
    ///
    /// # Safety
    /// `given` are alive and held by the caller until this returns.
    #[expect(unsafe_code, reason = "lends text from the arguments for as long as it takes to decide")]
    pub(crate) unsafe fn admit<'py>(
        &self,
        py: Python<'py>,
        call: Option<FrameworkCall<'_>>,
        given: &[*mut ffi::PyObject],
    ) -> PyResult<Bound<'py, PyAny>> {
        let context = context::of_call(py)?;
        if let Some(replay) = context.replay(py)? {
            // SAFETY: the caller's promise.
            return unsafe { self.replayed(py, replay, call.map(|call| call.id), given) };
        }
        let planned = self.declared.planned(py)?;
        let Some(planned) = planned.as_ref() else { return Err(contained(py, &self.declared.spec.name)) };
        let turn = |ids: &[String]| ids.iter().map(|id| Arc::from(&**id)).collect();
        let named = call.map(|call| CallContext {
            call_id: Some(Arc::from(call.id)),
            // only where people are asked by the framework's own means does it make them all again
            turn: call.turn.filter(|_| planned.engine.native).map(turn),
            ..CallContext::clone(&context)
        });
        let context = named.as_ref().unwrap_or(&context);
        // SAFETY: the caller's promise; no Python code runs from here until the value is dropped.
        let captured = refusal(unsafe { self.layout.capture(py, given) })?;
        let swapped = self.declared.swapped(planned);
        let admission = swapped.map(|swapped| {
            let planned = swapped.as_ref().unwrap_or(planned);
            let admission = planned.engine.guard.admit(&planned.tool, captured.as_ref(), context);
            (admission, swapped)
        });
        drop(captured);
        let (admission, swapped) = admission.map_err(|error| raised(py, &error))?;
        let engine = &swapped.as_ref().unwrap_or(planned).engine;
        admitted(py, &self.declared.spec.name, admission, engine, || None)
    }

    /// What was recorded of this call, which is neither decided nor run: an object with the `result`, or raises.
    ///
    /// # Safety
    /// As [`Tool::admit`].
    #[cold]
    #[expect(unsafe_code, reason = "lends text from the arguments for as long as it takes to encode them")]
    unsafe fn replayed<'py>(
        &self,
        py: Python<'py>,
        replay: &Py<PyAny>,
        call_id: Option<&str>,
        given: &[*mut ffi::PyObject],
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut canonical = Vec::new();
        // SAFETY: the caller's promise; no Python code runs until the value is dropped.
        let captured = refusal(unsafe { self.layout.capture(py, given) })?;
        let encoded = captured.and_then(|value| encode(&value, &mut canonical));
        encoded.map_err(|error| raised(py, &error))?;
        let spec = &self.declared.spec;
        let call = (&*spec.source, &*spec.name, PyBytes::new(py, &canonical), call_id);
        crate::outside::method(replay.bind(py), "_serve", call)
    }

    /// Goes on with a call after its wait, its arguments captured again: a [`Ticket`], another [`Pending`], or raises.
    ///
    /// # Safety
    /// As [`Tool::admit`].
    #[cold]
    #[expect(unsafe_code, reason = "lends text from the arguments for as long as it takes to compare them")]
    pub(crate) unsafe fn resume<'py>(
        &self,
        py: Python<'py>,
        pending: &Pending,
        given: &[*mut ffi::PyObject],
    ) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: the caller's promise; no Python code runs between the capture and the last use of what it lent.
        pending.resumed(py, || refusal(unsafe { self.layout.capture(py, given) }))
    }
}

/// What Python gets for an admission: a [`Ticket`], or a [`Pending`] to go on with; `named` are the arguments of a call that was
/// decided by name.
#[inline]
pub(crate) fn admitted<'py>(
    py: Python<'py>,
    tool: &str,
    admission: Admission,
    engine: &Engine,
    named: impl FnOnce() -> Named,
) -> PyResult<Bound<'py, PyAny>> {
    match admission {
        Admission::Run(ticket) => Ok(Bound::new(py, Ticket::new(ticket))?.into_any()),
        Admission::Sync(pending) => Ok(Bound::new(py, Pending::disk(tool, pending, named()))?.into_any()),
        Admission::Refused(refusal) => Err(denied(py, tool, &refusal)),
        Admission::Ask(asking) => Ok(Bound::new(py, Pending::people(py, asking, engine, named()))?.into_any()),
    }
}

/// A capture's failure is something to decide on, unless it is an interrupt of the program.
pub(crate) fn refusal(captured: Result<Value<'_>, Failure>) -> PyResult<Result<Value<'_>, Error>> {
    match captured {
        Ok(value) => Ok(Ok(value)),
        Err(failure) => failure.into_error().map(Err),
    }
}

/// A risk by its text.
pub(crate) fn risk(text: &str) -> Option<Risk> {
    [Risk::Low, Risk::Medium, Risk::High].into_iter().find(|risk| risk.as_str() == text)
}

#[pymethods]
impl Tool {
    /// `named`, `constants`, `rest`, `hidden`, `receiver` and `behind` are those of [`Layout::new`].
    #[new]
    #[pyo3(signature = (
        name, *, description, parameters, named, constants, rest, hidden, receiver, behind, defaults, tags, risk_of,
        connector, action, cost_micro_usd, keeps_arguments=false,
    ))]
    #[expect(clippy::too_many_arguments, reason = "called by keyword, from one place")]
    fn new(
        py: Python<'_>,
        name: String,
        description: String,
        parameters: Option<Vec<String>>,
        named: Vec<(String, usize)>,
        constants: Vec<(String, Py<PyAny>)>,
        rest: Option<usize>,
        hidden: Vec<String>,
        receiver: Option<(String, usize)>,
        behind: Option<Vec<(String, u8, Bound<'_, PyTuple>)>>,
        defaults: Vec<(String, Py<PyAny>)>,
        tags: Vec<String>,
        risk_of: Option<&str>,
        connector: Option<String>,
        action: Option<String>,
        cost_micro_usd: Option<i64>,
        keeps_arguments: bool,
    ) -> PyResult<Self> {
        let spec = ToolSpec {
            name,
            source: PROGRAM_SOURCE.to_owned(),
            description,
            schema: None,
            parameters,
            tags,
            risk: risk_of.and_then(risk),
            connector,
            action,
            cost_micro_usd,
            keeps_arguments,
        };
        let layout = Layout::new(named, constants, rest, hidden, receiver, behind)?;
        let declared = Declared::new(spec, defaults).map_err(|error| raised(py, &error))?;
        declared.publish();
        Ok(Self { declared, layout })
    }

    /// The tool's name.
    #[getter]
    fn name(&self) -> &str {
        &self.declared.spec.name
    }

    /// Name and kind of each parameter behind positional and keyword arguments, where they are known.
    #[getter]
    fn behind(&self) -> Option<Vec<(&str, u8)>> {
        self.layout.parameters()
    }

    /// The functions that the generated function calls before its body: `admit`, which waits where it has to; `admit_or_wait`,
    /// which returns a [`Pending`] instead; and `resume`, which takes that back after the wait, and the arguments after it.
    fn hooks<'py>(slf: &Bound<'py, Self>) -> PyResult<[Bound<'py, PyAny>; 3]> {
        crate::hooks::bound_to(slf)
    }

    /// As the hook `admit_or_wait`, for a call that a framework makes: positional and keyword arguments as its body gets them,
    /// and the framework's own id of the call, where it has one, with those of the calls that it makes in one step with it.
    #[pyo3(signature = (call_id, args, kwargs, turn=None, /))]
    fn admit_call<'py>(
        slf: &Bound<'py, Self>,
        call_id: Option<&str>,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
        turn: Option<Vec<String>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = call_id.map(|id| FrameworkCall { id, turn: turn.as_deref() });
        crate::hooks::admit_or_wait_objects(slf, call, &[args.as_any(), kwargs.as_any()])
    }

    /// As the hook `resume`, after [`Tool::admit_call`] gave something to wait for.
    #[pyo3(signature = (pending, args, kwargs, /))]
    fn resume_call<'py>(
        slf: &Bound<'py, Self>,
        pending: &Bound<'py, Pending>,
        args: &Bound<'py, PyTuple>,
        kwargs: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        crate::hooks::resume_objects(slf, pending, &[args.as_any(), kwargs.as_any()])
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.declared.traverse(&visit)?;
        self.layout.traverse(&visit)
    }
}

/// The canonical bytes of a value, as rules, digests and records see it.
#[pyfunction]
pub(crate) fn canonical<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(object.py(), &context::canonical(object)?))
}

/// The canonical bytes of a JSON text, read as strictly as a call's arguments.
#[pyfunction]
pub(crate) fn canonical_json<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyBytes>> {
    let mut bytes = Vec::new();
    json::parse(text).and_then(|value| encode(&value, &mut bytes)).map_err(|error| raised(py, &error))?;
    Ok(PyBytes::new(py, &bytes))
}
