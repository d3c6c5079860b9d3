//! The guarded form of a callable that no function can stand in for: builtins, classes, partials of them.

use crate::hooks::admit_objects;
use crate::outside;
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
}

#[pymethods]
impl GuardedCallable {
    #[new]
    const fn new(tool: Py<Tool>, body: Py<PyAny>) -> Self {
        Self { tool, body, receiver: None }
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
        let named = kwargs.cloned().unwrap_or_else(|| PyDict::new(py));
        let whole = match &self.receiver {
            Some(receiver) => {
                let all: Vec<_> = std::iter::once(receiver.bind(py).clone()).chain(args.iter()).collect();
                PyTuple::new(py, all)?
            }
            None => args.clone(),
        };
        let ticket = admit_objects(self.tool.bind(py), &[whole.as_any(), named.as_any()])?;
        let ticket = ticket.cast::<Ticket>()?.get();
        match outside::call(self.body.bind(py), args.clone(), kwargs) {
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
        let made = Self { tool: slf.get().tool.clone_ref(py), body: bound.unbind(), receiver: Some(receiver.unbind()) };
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
        visit.call(&self.body)
    }
}
