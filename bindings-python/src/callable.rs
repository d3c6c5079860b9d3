//! The guarded form of a callable that no function can stand in for: builtins, classes, partials of them.

use crate::hooks::admit_objects;
use crate::outside;
use crate::pending::Pending;
use crate::ticket::Ticket;
use crate::tool::Tool;
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyDict, PyString, PyTuple};

/// Calls `body` after asking `tool`. Its names and documentation stand in its own dictionary.
#[pyclass(frozen, dict, weakref, module = "counterseal")]
#[derive(Debug)]
pub(crate) struct GuardedCallable {
    tool: Py<Tool>,
    body: Py<PyAny>,
    /// What `body` is bound to: the arguments of the unbound callable begin with it.
    receiver: Option<Py<PyAny>>,
    /// What runs instead of `body` where that only adds arguments to it.
    held: Option<Held>,
}

/// A callable with what partials and methods add to its arguments. Adding them here, not by calling those, gives decision and
/// callable the very same ones.
#[derive(Debug)]
struct Held {
    callable: Py<PyAny>,
    args: Py<PyTuple>,
    keywords: Py<PyDict>,
    /// `combined(args, given)`: the whole positional arguments.
    combined: Py<PyAny>,
}

/// The fields of [`Held`] in order.
type Given = (Py<PyAny>, Py<PyTuple>, Py<PyDict>, Py<PyAny>);

impl Held {
    fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            callable: self.callable.clone_ref(py),
            args: self.args.clone_ref(py),
            keywords: self.keywords.clone_ref(py),
            combined: self.combined.clone_ref(py),
        }
    }

    fn positional<'py>(&self, given: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyTuple>> {
        let py = given.py();
        Ok(outside::call(self.combined.bind(py), (self.args.bind(py), given), None)?.cast_into::<PyTuple>()?)
    }
}

#[pymethods]
impl GuardedCallable {
    #[new]
    #[pyo3(signature = (tool, body, held=None))]
    fn new(tool: Py<Tool>, body: Py<PyAny>, held: Option<Given>) -> Self {
        let held = held.map(|(callable, args, keywords, combined)| Held { callable, args, keywords, combined });
        Self { tool, body, receiver: None, held }
    }

    /// The tool it asks for.
    #[getter]
    fn tool(&self, py: Python<'_>) -> Py<Tool> {
        self.tool.clone_ref(py)
    }

    #[pyo3(signature = (*args, **kwargs))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        // A dict of our own: nobody else changes it between the decision and the call.
        let named = match &self.held {
            Some(held) => held.keywords.bind(py).copy()?,
            None => PyDict::new(py),
        };
        if let Some(kwargs) = kwargs {
            named.update(kwargs.as_mapping())?;
        }
        let given = match &self.receiver {
            Some(receiver) => {
                let all: Vec<_> = std::iter::once(receiver.bind(py).clone()).chain(args.iter()).collect();
                PyTuple::new(py, all)?
            }
            None => args.clone(),
        };
        let (body, mut whole, mut passed) = match &self.held {
            Some(held) => {
                let whole = held.positional(&given)?;
                (held.callable.bind(py), whole.clone(), whole)
            }
            None => (self.body.bind(py), given, args.clone()),
        };
        let (tool, mut named) = (self.tool.bind(py), named);
        let mut ticket = admit_objects(tool, &[whole.as_any(), named.as_any()])?;
        if !ticket.is_exact_instance_of::<Ticket>() {
            if !ticket.is_exact_instance_of::<Pending>() {
                // a replay: what was recorded takes the place of the body
                return ticket.getattr("result");
            }
            // people are asked, and may have it run with other arguments
            let agreed = py.import("counterseal._asking")?;
            let agreed = outside::method(agreed.as_any(), "agreed", (tool, ticket, whole, named))?;
            (ticket, whole, named) = agreed.extract::<(Bound<'_, PyAny>, Bound<'_, PyTuple>, Bound<'_, PyDict>)>()?;
            let bound = usize::from(self.held.is_none() && self.receiver.is_some());
            passed = whole.get_slice(bound, whole.len());
        }
        let ticket = ticket.cast::<Ticket>()?.get();
        match outside::call(body, passed, Some(&named)) {
            Ok(result) => {
                ticket.returned(&result);
                Ok(result)
            }
            Err(error) => {
                ticket.failed(error.value(py));
                Err(error)
            }
        }
    }

    /// Binds as the body binds: a method descriptor becomes a method, anything else stays what it is.
    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        instance: &Bound<'py, PyAny>,
        owner: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let body = slf.get().body.bind(py);
        let get = match body.get_type().getattr("__get__") {
            Ok(get) if !instance.is_none() && !body.is_instance_of::<pyo3::types::PyType>() => get,
            Ok(_) => return Ok(slf.clone().into_any()),
            Err(error) if error.is_instance_of::<PyAttributeError>(py) => return Ok(slf.clone().into_any()),
            Err(error) => return Err(error),
        };
        let bound = get.call1((body, instance, owner))?;
        if bound.is(body) {
            return Ok(slf.clone().into_any());
        }
        // A method says what it is bound to; a descriptor that does not is bound to the instance.
        let receiver = bound.getattr("__self__").unwrap_or_else(|_| instance.clone());
        let made = Self {
            tool: slf.get().tool.clone_ref(py),
            body: bound.unbind(),
            receiver: Some(receiver.unbind()),
            held: slf.get().held.as_ref().map(|held| held.clone_ref(py)),
        };
        Ok(Bound::new(py, made)?.into_any())
    }

    /// By reference, as functions are: pickle itself refuses what is not found under its own module and name.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if let (Ok(_), Ok(name)) = (slf.getattr("__module__"), slf.getattr("__qualname__"))
            && name.is_instance_of::<PyString>()
        {
            return Ok(name);
        }
        let error = py.import("pickle")?.getattr("PicklingError")?;
        Err(PyErr::from_value(error.call1(("a guarded callable without a module and a name cannot be pickled",))?))
    }

    /// Itself, as for functions.
    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// Itself, as for functions.
    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<guarded {}>", self.body.bind(py).repr()?))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tool)?;
        visit.call(&self.receiver)?;
        if let Some(held) = &self.held {
            visit.call(&held.callable)?;
            visit.call(&held.args)?;
            visit.call(&held.keywords)?;
            visit.call(&held.combined)?;
        }
        visit.call(&self.body)
    }
}
