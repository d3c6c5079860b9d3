//! The native half of the Python package: it reads Python objects, asks the engine, and raises what the engine says.
//!
//! The module is private to the package `counterseal`, whose Python half is typed and holds no policy logic.

mod arguments;
mod by_name;
mod callable;
mod capture;
mod cli;
mod context;
mod decision;
mod declared;
mod engine;
mod errors;
mod hooks;
mod ledger;
mod outside;
mod pending;
mod plain;
mod policy;
mod question;
mod reload;
mod replay;
mod session;
mod ticket;
mod tool;

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicI64, Ordering};

/// The interpreter that imported the module; -1 before.
static INTERPRETER: AtomicI64 = AtomicI64::new(-1);

/// Refuses a second interpreter of the process: the engine in force, every declared tool and the context variable are one
/// for the process, and objects of one interpreter must not reach another. One that is isolated is refused by Python
/// itself, from 3.12 on and in these words; `counterseal/__init__.py` says what to do instead.
#[expect(unsafe_code, reason = "asks for the number of the interpreter")]
fn one_interpreter(py: Python<'_>) -> PyResult<()> {
    // SAFETY: this thread is attached.
    let own = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    if own < 0 {
        return Err(PyErr::fetch(py));
    }
    match INTERPRETER.compare_exchange(-1, own, Ordering::AcqRel, Ordering::Acquire) {
        Err(first) if first != own => {
            Err(PyImportError::new_err("module counterseal._native does not support loading in subinterpreters"))
        }
        _ => Ok(()),
    }
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    one_interpreter(module.py())?;
    errors::keep(module.py())?;
    decision::keep(module.py())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<callable::GuardedCallable>()?;
    module.add_class::<context::Context>()?;
    module.add_class::<decision::Decision>()?;
    module.add_class::<engine::PyEngine>()?;
    module.add_class::<policy::Policy>()?;
    module.add_class::<pending::Pending>()?;
    module.add_class::<reload::Reload>()?;
    module.add_class::<replay::Recording>()?;
    module.add_class::<ticket::Ticket>()?;
    module.add_class::<tool::Tool>()?;
    module.add_function(wrap_pyfunction!(by_name::check, module)?)?;
    module.add_function(wrap_pyfunction!(by_name::enforce, module)?)?;
    module.add_function(wrap_pyfunction!(cli::command_line, module)?)?;
    module.add_function(wrap_pyfunction!(context::context_variable, module)?)?;
    module.add_function(wrap_pyfunction!(context::forget_process_session, module)?)?;
    module.add_function(wrap_pyfunction!(context::replay_alone, module)?)?;
    module.add_function(wrap_pyfunction!(declared::guarded_tools, module)?)?;
    module.add_function(wrap_pyfunction!(declared::unanswered, module)?)?;
    module.add_function(wrap_pyfunction!(decision::restored_decision, module)?)?;
    module.add_function(wrap_pyfunction!(engine::default_home, module)?)?;
    module.add_function(wrap_pyfunction!(engine::home_in_use, module)?)?;
    module.add_function(wrap_pyfunction!(engine::running_engine, module)?)?;
    module.add_function(wrap_pyfunction!(engine::stand_down, module)?)?;
    module.add_function(wrap_pyfunction!(ledger::verify_ledger, module)?)?;
    module.add_function(wrap_pyfunction!(plain::plain, module)?)?;
    module.add_function(wrap_pyfunction!(plain::wrapped, module)?)?;
    module.add_function(wrap_pyfunction!(question::left_calls, module)?)?;
    module.add_function(wrap_pyfunction!(question::take_left, module)?)?;
    module.add_function(wrap_pyfunction!(question::end_left, module)?)?;
    module.add_function(wrap_pyfunction!(question::woken, module)?)?;
    module.add_function(wrap_pyfunction!(session::is_in_scope, module)?)?;
    module.add_function(wrap_pyfunction!(session::log_usage, module)?)?;
    module.add_function(wrap_pyfunction!(session::mark_session, module)?)?;
    module.add_function(wrap_pyfunction!(session::session_standing, module)?)?;
    module.add_function(wrap_pyfunction!(ticket::forked, module)?)?;
    module.add_function(wrap_pyfunction!(ticket::leaves_a_body, module)?)?;
    module.add_function(wrap_pyfunction!(tool::canonical, module)?)?;
    module.add_function(wrap_pyfunction!(tool::canonical_json, module)?)?;
    hooks::add_to(module)
}
