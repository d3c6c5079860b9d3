//! On whose behalf a call is made: one immutable object in a context variable, a new one for each `with`.

use crate::capture;
use crate::errors::raised;
use crate::outside;
use arc_swap::ArcSwapOption;
use counterseal::call::{CallContext, User};
use counterseal::value::encode;
use counterseal::{Error, ErrorCode};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What `session`, `run` and `annotate` put in force.
#[pyclass(frozen, module = "counterseal._native")]
#[derive(Debug)]
pub(crate) struct Context {
    inner: CallContext,
    annotated: Option<Py<PyDict>>,
    /// What gives recorded results in the place of bodies; holds in every context within this one.
    replay: Option<Py<PyAny>>,
}

/// The bound `get` of the context variable: the variable's own C function is not in the stable ABI.
static GET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static VARIABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
/// The context where the program named none: the process's own session.
static IMPLICIT: ArcSwapOption<CallContext> = ArcSwapOption::const_empty();

/// Whether the program ever named a session, and whether it was warned of a call outside of any.
static NAMED: AtomicBool = AtomicBool::new(false);
static WARNED: AtomicBool = AtomicBool::new(false);

/// The context variable itself, whose default is `None`.
pub(crate) fn variable(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    let made = VARIABLE.get_or_try_init(py, || {
        let options = PyDict::new(py);
        options.set_item("default", py.None())?;
        let made = py.import("_contextvars")?.getattr("ContextVar")?.call(("counterseal",), Some(&options))?;
        Ok::<_, PyErr>(made.unbind())
    });
    made.map(|made| made.bind(py))
}

/// The context in force, held: asking for it may run Python code, so it is asked for before anything is lent from arguments.
pub(crate) enum Current<'py> {
    Implicit(arc_swap::Guard<Arc<CallContext>>),
    Named(Bound<'py, Context>),
}

impl std::ops::Deref for Current<'_> {
    type Target = CallContext;

    fn deref(&self) -> &CallContext {
        match self {
            Self::Implicit(context) => context,
            Self::Named(context) => &context.get().inner,
        }
    }
}

/// Replays of this process that are under way and let nobody else call tools. A thread that was started without the context
/// of one would otherwise run bodies for real in the middle of it.
static ALONE: AtomicUsize = AtomicUsize::new(0);

/// Begins or ends a replay that lets nobody else call tools.
#[pyfunction]
pub(crate) fn replay_alone(begins: bool) {
    if begins {
        ALONE.fetch_add(1, Ordering::SeqCst);
    } else {
        ALONE.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Current<'_> {
    /// What gives recorded results in the place of bodies; an error where a replay is under way that this call is not in.
    #[inline]
    pub(crate) fn replay(&self, py: Python<'_>) -> PyResult<Option<&Py<PyAny>>> {
        let replay = match self {
            Self::Implicit(_) => None,
            Self::Named(context) => context.get().replay.as_ref(),
        };
        if replay.is_none() && ALONE.load(Ordering::Relaxed) > 0 {
            return Err(outside_of_replay(py));
        }
        Ok(replay)
    }
}

#[cold]
fn outside_of_replay(py: Python<'_>) -> PyErr {
    let why = "a replay is under way in this process, and this thread was started without its context, so the call would be made for \
               real; start it with `contextvars.copy_context().run`, or give `elsewhere=True` to `replay` where other work goes on";
    raised(py, &Error::new(ErrorCode::ReplayIncomplete, why))
}

/// The context in force.
pub(crate) fn current(py: Python<'_>) -> PyResult<Current<'_>> {
    let get = match GET.get(py) {
        Some(get) => get,
        None => {
            let get = variable(py)?.getattr("get")?.unbind();
            GET.get_or_init(py, || get)
        }
    };
    let found = get.bind(py).call0()?;
    if found.is_none() {
        return Ok(Current::Implicit(implicit(py)?));
    }
    Ok(Current::Named(found.cast_into::<Context>()?))
}

/// The context in force, for a call: one in the process's own session is most likely lost where the program names sessions.
#[inline]
pub(crate) fn of_call(py: Python<'_>) -> PyResult<Current<'_>> {
    let context = current(py)?;
    if context.implicit && NAMED.load(Ordering::Relaxed) && !WARNED.load(Ordering::Relaxed) {
        warn(py);
    }
    Ok(context)
}

#[cold]
fn warn(py: Python<'_>) {
    if WARNED.swap(true, Ordering::Relaxed) {
        return;
    }
    let said = py
        .import("counterseal._contexts")
        .and_then(|module| outside::method(module.as_any(), "warn_of_implicit_session", ()));
    if let Err(error) = said {
        // whatever listens to the log must not stop a call
        error.write_unraisable(py, None);
    }
}

fn implicit(py: Python<'_>) -> PyResult<arc_swap::Guard<Arc<CallContext>>> {
    let known = IMPLICIT.load();
    if let Some(context) = known.as_ref() {
        return Ok(arc_swap::Guard::from_inner(Arc::clone(context)));
    }
    let id: String = outside::method(py.import("counterseal._contexts")?.as_any(), "process_session", ())?.extract()?;
    let made = Arc::new(CallContext { implicit: true, ..CallContext::new(id) });
    IMPLICIT.store(Some(Arc::clone(&made)));
    Ok(arc_swap::Guard::from_inner(made))
}

/// Forgets the process's own session: a forked child has another.
#[pyfunction]
pub(crate) fn forget_process_session() {
    IMPLICIT.store(None);
}

/// The context of a conversation of which nothing else is known.
pub(crate) fn of_session(session: &str) -> CallContext {
    CallContext { beginning: Some(Arc::default()), ..CallContext::new(session) }
}

impl Context {
    pub(crate) const fn inner(&self) -> &CallContext {
        &self.inner
    }

    pub(crate) const fn is_replayed(&self) -> bool {
        self.replay.is_some()
    }
}

#[pymethods]
impl Context {
    /// A context within `outer`, or within the process's own session.
    #[new]
    #[pyo3(signature = (outer, *, session=None, user=None, verified_by=None, user_text=None, parent=None, run=None, annotations=None, replay=None, call_id=None))]
    #[expect(clippy::too_many_arguments, reason = "by keyword, from the package's own functions")]
    fn new(
        py: Python<'_>,
        outer: Option<&Bound<'_, Self>>,
        session: Option<&str>,
        user: Option<&str>,
        verified_by: Option<&str>,
        user_text: Option<&str>,
        parent: Option<&str>,
        run: Option<&str>,
        annotations: Option<&Bound<'_, PyDict>>,
        replay: Option<Py<PyAny>>,
        call_id: Option<&str>,
    ) -> PyResult<Self> {
        let mut inner = match outer {
            Some(outer) => outer.get().inner.clone(),
            None => CallContext::clone(&*implicit(py)?),
        };
        let mut annotated = outer.and_then(|outer| outer.get().annotated.as_ref().map(|all| all.clone_ref(py)));
        if let Some(session) = session {
            NAMED.store(true, Ordering::Relaxed);
            inner = inner.enter(session, user_text.map(Box::from), parent.map(Arc::from));
            annotated = None;
        }
        if let Some(user) = user {
            inner.user = Some(User { id: user.into(), verified_by: verified_by.map(Arc::from) });
        }
        if let Some(run) = run {
            inner.run = Some(run.into());
        }
        // the id of one call, and not of those that its body makes
        inner.call_id = call_id.map(Arc::from);
        if let Some(more) = annotations {
            let all = match &annotated {
                Some(before) => before.bind(py).copy()?,
                None => PyDict::new(py),
            };
            all.update(more.as_mapping())?;
            inner.annotations = Some(canonical(all.as_any())?.into());
            annotated = Some(all.unbind());
        }
        let replay =
            replay.or_else(|| outer.and_then(|outer| outer.get().replay.as_ref().map(|one| one.clone_ref(py))));
        Ok(Self { inner, annotated, replay })
    }

    #[getter]
    fn session(&self) -> &str {
        &self.inner.session
    }

    #[getter]
    const fn implicit(&self) -> bool {
        self.inner.implicit
    }

    #[getter]
    fn run(&self) -> Option<&str> {
        self.inner.run.as_deref()
    }

    /// What gives recorded results in the place of bodies, if anything does.
    #[getter]
    fn replay(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.replay.as_ref().map(|replay| replay.clone_ref(py))
    }

    #[getter]
    fn user(&self) -> Option<&str> {
        self.inner.user.as_ref().map(|user| &*user.id)
    }
}

/// The canonical bytes of a Python value.
pub(crate) fn canonical(object: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let py = object.py();
    let value = capture::owned_value(object, capture::Budget::new(), 0)
        .map_err(|failure| failure.into_error().map_or_else(|error| error, |error| raised(py, &error)))?;
    let mut bytes = Vec::new();
    encode(&value, &mut bytes).map_err(|error| raised(py, &error))?;
    Ok(bytes)
}

/// The context variable, for the Python half.
#[pyfunction]
pub(crate) fn context_variable(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    variable(py).cloned()
}
