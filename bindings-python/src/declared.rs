//! A guarded tool as this process knows it: what was declared, and what the policy in force says of it.

use crate::engine::{self, Engine};
use crate::errors::raised;
use arc_swap::ArcSwapOption;
use counterseal::Error;
use counterseal::call::ToolSpec;
use counterseal::guard;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// A declaration and its plan, made again when the configuration changes.
#[derive(Debug)]
pub(crate) struct Declared {
    pub(crate) spec: ToolSpec,
    /// What the guarded function takes for arguments that are not given, by name.
    pub(crate) defaults: Vec<(String, Py<PyAny>)>,
    planned: ArcSwapOption<Planned>,
}

/// A tool made ready for one engine.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) engine: Arc<Engine>,
    pub(crate) tool: Arc<guard::Tool>,
}

/// Every live declaration, so that a new configuration is checked against all of them before it holds.
static LIVE: Mutex<Vec<Weak<Declared>>> = Mutex::new(Vec::new());
/// The latest declaration of each name, for calls that are decided by name.
static NAMED: Mutex<Option<HashMap<String, Weak<Declared>>>> = Mutex::new(None);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Declared {
    /// Declares a tool. Where an engine runs already, its policy is checked against the declaration at once.
    pub(crate) fn new(spec: ToolSpec, defaults: Vec<(String, Py<PyAny>)>) -> Result<Arc<Self>, Error> {
        let declared = Self::planned_at_once(spec, defaults)?;
        let mut live = locked(&LIVE);
        if live.len() == live.capacity() {
            live.retain(|known| known.strong_count() > 0);
        }
        live.push(Arc::downgrade(&declared));
        Ok(declared)
    }

    /// Declares a tool for one call: nothing is kept of a name that a model may have made up.
    pub(crate) fn passing(spec: ToolSpec) -> Result<Arc<Self>, Error> {
        Self::planned_at_once(spec, Vec::new())
    }

    fn planned_at_once(spec: ToolSpec, defaults: Vec<(String, Py<PyAny>)>) -> Result<Arc<Self>, Error> {
        let declared = Arc::new(Self { spec, defaults, planned: ArcSwapOption::empty() });
        if let Some(engine) = engine::running() {
            declared.plan(&engine)?;
        }
        Ok(declared)
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.defaults.iter().try_for_each(|(_, default)| visit.call(default))
    }

    /// Makes the declaration known to calls decided by name.
    pub(crate) fn publish(self: &Arc<Self>) {
        let mut named = locked(&NAMED);
        named.get_or_insert_default().insert(self.spec.name.clone(), Arc::downgrade(self));
    }

    /// The latest live declaration of that name.
    pub(crate) fn by_name(name: &str) -> Option<Arc<Self>> {
        locked(&NAMED).as_ref()?.get(name)?.upgrade()
    }

    /// Every live declaration.
    pub(crate) fn all() -> Vec<Arc<Self>> {
        locked(&LIVE).iter().filter_map(Weak::upgrade).collect()
    }

    fn plan(&self, engine: &Arc<Engine>) -> Result<Arc<Planned>, Error> {
        let tool = engine.guard.tool(self.spec.clone())?;
        let planned = Arc::new(Planned { engine: Arc::clone(engine), tool });
        self.planned.store(Some(Arc::clone(&planned)));
        Ok(planned)
    }

    /// The plan for the engine in force. Without one the environment is asked, and without that the call does not run.
    pub(crate) fn planned(&self, py: Python<'_>) -> PyResult<arc_swap::Guard<Option<Arc<Planned>>>> {
        let planned = self.planned.load();
        if planned.as_ref().is_some_and(|planned| planned.engine.generation == engine::generation()) {
            return Ok(planned);
        }
        let engine = engine::required(py)?;
        let planned = self.plan(&engine).map_err(|error| raised(py, &error))?;
        Ok(arc_swap::Guard::from_inner(Some(planned)))
    }

    /// The plan for the engine in force after the arguments were captured: capturing may run Python code, and other threads
    /// with it, and an engine that was swapped out meanwhile may be closed. `None` where `planned` still holds. Runs no
    /// Python code, so that nothing changes again until the caller has asked the engine.
    #[inline]
    pub(crate) fn swapped(&self, planned: &Planned) -> Result<Option<Arc<Planned>>, Error> {
        if planned.engine.generation == engine::generation() {
            return Ok(None);
        }
        // Without an engine in force the one before decides: what it may still permit is its own affair.
        engine::running().map(|engine| self.plan(&engine)).transpose()
    }
}

/// The names of all guarded tools that the program still holds, each once, in order.
#[pyfunction]
pub(crate) fn guarded_tools() -> Vec<String> {
    let names: BTreeSet<_> = Declared::all().iter().map(|declared| declared.spec.name.clone()).collect();
    names.into_iter().collect()
}

/// What the rules in force ask of the guarded tools that none of them can answer, one sentence each; none before `configure`.
#[pyfunction]
pub(crate) fn unanswered() -> Vec<String> {
    let specs: Vec<ToolSpec> = Declared::all().iter().map(|declared| declared.spec.clone()).collect();
    engine::running().map_or_else(Vec::new, |engine| engine.guard.layers().unanswered(&specs))
}
