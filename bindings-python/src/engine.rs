//! The one engine of this process: swapped whole, so that a call sees one configuration or the next, never a mixture.

use crate::declared::Declared;
use crate::errors::raised;
use crate::outside;
use crate::policy::Policy;
use arc_swap::ArcSwapOption;
use counterseal::Error;
use counterseal::clock::{Clock, UnixNanos};
use counterseal::decide::{Enforcement, Layer, Layers, Options};
use counterseal::guard::{Config, Guard};
use counterseal::ledger::{self, Home, Sink};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A guard and its number; a tool planned under another number plans again.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) guard: Arc<Guard>,
    pub(crate) generation: u64,
    /// The program's own approver; without one answers come from outside, where anybody can be asked at all.
    pub(crate) approver: Option<Py<PyAny>>,
    /// Whether a framework's own way to ask people is used where a call is made in a run of one.
    pub(crate) native: bool,
}

static RUNNING: ArcSwapOption<Engine> = ArcSwapOption::const_empty();
/// The number of the engine that runs; 0 for none.
static GENERATION: AtomicU64 = AtomicU64::new(0);
/// The last number given out.
static NUMBERED: AtomicU64 = AtomicU64::new(0);

/// The number of the engine in force; no engine has the number 0.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Acquire)
}

/// The engine in force.
pub(crate) fn running() -> Option<Arc<Engine>> {
    RUNNING.load_full()
}

/// The engine in force. Without one the environment is asked for its configuration, and without that this raises.
pub(crate) fn required(py: Python<'_>) -> PyResult<Arc<Engine>> {
    if let Some(engine) = running() {
        return Ok(engine);
    }
    outside::method(py.import("counterseal._configuration")?.as_any(), "from_environment", ())?;
    running().ok_or_else(|| crate::errors::contained(py, "configure"))
}

/// A started engine, as `configure` and the tests hold it.
#[pyclass(frozen, name = "Engine", module = "counterseal._native")]
#[derive(Debug)]
pub(crate) struct PyEngine {
    inner: Arc<Engine>,
}

#[pymethods]
impl PyEngine {
    /// Starts a guard and checks every tool of the program against its policy. Nothing is in force yet.
    #[new]
    #[expect(clippy::too_many_arguments, reason = "one keyword of Python for each setting")]
    #[pyo3(signature = (
        *, policy, home, agent, mode, require_policy, manual_clock, checkpoints=None, asks=false, approver=None, native=false,
    ))]
    fn new(
        py: Python<'_>,
        policy: Option<&Policy>,
        home: PathBuf,
        agent: Option<&str>,
        mode: Option<&str>,
        require_policy: bool,
        manual_clock: Option<i64>,
        checkpoints: Option<PathBuf>,
        asks: bool,
        approver: Option<Py<PyAny>>,
        native: bool,
    ) -> PyResult<Self> {
        let layers = policy.map(|policy| Layer { name: Arc::from("local"), policy: Arc::clone(&policy.inner) });
        let options = Options { enforcement: mode.and_then(enforcement), require_policy };
        let started = outside::detached(py, || {
            let layers = Layers::new(layers.into_iter().collect(), options)?;
            let sinks = checkpoints.map(|file| Sink::at(&file)).transpose()?.into_iter().collect();
            let clock = manual_clock.map_or(Clock::System, |start| Clock::manual(UnixNanos(start)));
            Guard::start(Config {
                layers,
                home,
                agent: agent.map(Arc::from),
                clock,
                previous: running().map(|engine| engine.guard.layers().version()),
                observer: None,
                asks,
                ledger: ledger::Options { sinks, while_waiting: outside::while_waiting, ..ledger::Options::default() },
            })
        });
        let guard = started.map_err(|error| raised(py, &error))?;
        if fits_tools(&guard).is_err() {
            // A tool that the program has let go of may still wait for the garbage collector, and must not stand in the way.
            py.import("gc")?.call_method0("collect")?;
            fits_tools(&guard).map_err(|error| raised(py, &error))?;
        }
        let generation = NUMBERED.fetch_add(1, Ordering::AcqRel) + 1;
        Ok(Self { inner: Arc::new(Engine { guard, generation, approver, native }) })
    }

    /// Puts this engine in force and returns the one before it.
    fn take_over(&self) -> Option<Self> {
        let before = RUNNING.swap(Some(Arc::clone(&self.inner)));
        GENERATION.store(self.inner.generation, Ordering::Release);
        before.map(|inner| Self { inner })
    }

    /// Whether no call is under way in it: every ticket holds the guard, and a call that has none yet and waits is known.
    fn is_idle(&self) -> bool {
        Arc::strong_count(&self.inner.guard) == 1 && !outside::anybody_waits()
    }

    /// What is in force: `policies`, `enforcement`, `rules`, `limits`, `in_force` (the line's text), `warning`.
    fn summary<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let summary = self.inner.guard.summary();
        let all = PyDict::new(py);
        all.set_item("policies", summary.policies.iter().map(|name| &**name).collect::<Vec<_>>())?;
        all.set_item("enforcement", summary.enforcement.as_str())?;
        all.set_item("rules", summary.rules)?;
        all.set_item("limits", summary.limits)?;
        all.set_item("in_force", summary.in_force)?;
        all.set_item("warning", summary.warning)?;
        Ok(all)
    }

    /// The state of the guard and its ledger, as JSON text.
    fn health(&self, py: Python<'_>) -> PyResult<String> {
        serde_json::to_string(&self.inner.guard.health()).map_err(|_| crate::errors::contained(py, "health"))
    }

    /// Waits until everything recorded so far is on the disk, at most `timeout` seconds: records written by this process,
    /// records that still wait, records given up.
    fn flush(&self, py: Python<'_>, timeout: f64) -> (u64, u64, u64) {
        let guard = &self.inner.guard;
        let report = outside::detached(py, || guard.flush(seconds(timeout)));
        (report.written, report.pending, report.dropped)
    }

    /// Refuses every further call, and closes the ledger: what is recorded is written, sealed and signed.
    fn close(&self, py: Python<'_>, timeout: f64) -> PyResult<()> {
        let guard = &self.inner.guard;
        outside::detached(py, || guard.close(seconds(timeout))).map_err(|error| raised(py, &error))
    }

    /// Moves a manual clock to that many nanoseconds since 1970.
    fn set_clock(&self, nanoseconds: i64) {
        self.inner.guard.clock().set(UnixNanos(nanoseconds));
    }
}

/// Where the home is if nothing says otherwise: in the user's state directory.
#[pyfunction]
pub(crate) fn default_home(py: Python<'_>) -> PyResult<PathBuf> {
    Home::default_path().map_err(|error| raised(py, &error))
}

/// The home of the engine in force, else where it is if nothing says otherwise.
#[pyfunction]
pub(crate) fn home_in_use(py: Python<'_>) -> PyResult<PathBuf> {
    match running() {
        Some(engine) => Ok(engine.guard.home().to_owned()),
        None => default_home(py),
    }
}

/// The engine in force, if any.
#[pyfunction]
pub(crate) fn running_engine() -> Option<PyEngine> {
    running().map(|inner| PyEngine { inner })
}

/// Takes the engine in force away: guarded calls ask the environment again, or raise.
#[pyfunction]
pub(crate) fn stand_down() -> Option<PyEngine> {
    GENERATION.store(0, Ordering::Release);
    RUNNING.swap(None).map(|inner| PyEngine { inner })
}

/// Checks the policy against every tool of the program.
fn fits_tools(guard: &Guard) -> Result<(), Error> {
    Declared::all().iter().try_for_each(|declared| guard.tool(declared.spec.clone()).map(drop))
}

fn enforcement(text: &str) -> Option<Enforcement> {
    [Enforcement::Observe, Enforcement::StepUp, Enforcement::Progressive, Enforcement::Block]
        .into_iter()
        .find(|mode| mode.as_str() == text)
}

fn seconds(timeout: f64) -> Duration {
    Duration::try_from_secs_f64(timeout.max(0.0)).unwrap_or(Duration::MAX)
}
