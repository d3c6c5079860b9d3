//! The session in force, for programs that look at it or say what a model took.

use crate::context::{self, Context};
use crate::engine;
use crate::errors::raised;
use counterseal::call::{CallContext, PROGRAM_SOURCE, ToolSpec};
use counterseal::decide::Exceeded;
use counterseal::limits::Unit;
use counterseal::session::ModelUse;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// How a session stands: `agent`, `tool_calls`, `tags`, `prompt_tokens`, `completion_tokens`, `cost_usd`, and `budgets`, each as [`limit_state`]
/// gives it.
#[pyfunction]
pub(crate) fn session_standing<'py>(
    py: Python<'py>,
    context: Option<&Bound<'py, Context>>,
) -> PyResult<Bound<'py, PyDict>> {
    let (engine, context) = (engine::required(py)?, of(py, context)?);
    let guard = &engine.guard;
    let standing = guard.standing(&context).map_err(|error| raised(py, &error))?;
    let all = PyDict::new(py);
    all.set_item("agent", context.agent.as_deref().or(guard.agent().map(|agent| &**agent)))?;
    all.set_item("tool_calls", standing.totals.calls)?;
    all.set_item("tags", standing.tags.iter().map(|tag| &**tag).collect::<Vec<_>>())?;
    all.set_item("prompt_tokens", standing.totals.prompt_tokens)?;
    all.set_item("completion_tokens", standing.totals.completion_tokens)?;
    all.set_item("cost_usd", millionths(standing.totals.cost_micro_usd.try_into().unwrap_or(i64::MAX)))?;
    let budgets = standing.budgets.iter().map(|budget| limit_state(py, budget)).collect::<PyResult<Vec<_>>>()?;
    all.set_item("budgets", budgets)?;
    Ok(all)
}

/// A limit under the names of `Decision.limit`.
pub(crate) fn limit_state<'py>(py: Python<'py>, limit: &Exceeded) -> PyResult<Bound<'py, PyDict>> {
    let amount = |amount: i64| match limit.unit {
        Unit::Calls | Unit::Tokens => Ok(amount.into_pyobject(py)?.into_any()),
        Unit::MicroUsd | Unit::Millionths => Ok::<_, PyErr>(millionths(amount).into_pyobject(py)?.into_any()),
    };
    let all = PyDict::new(py);
    all.set_item("id", &*limit.id)?;
    all.set_item("unit", limit.unit.as_str())?;
    all.set_item("used", amount(limit.used)?)?;
    all.set_item("left", amount(limit.left)?)?;
    all.set_item("max", amount(limit.max)?)?;
    all.set_item("resets_at", limit.resets_at.map(|nanos| millionths(nanos / 1000)))?;
    Ok(all)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "below 2^53 millionths it is exact, and beyond it people only look at it"
)]
fn millionths(amount: i64) -> f64 {
    amount as f64 / 1e6
}

/// The limit that `limit_state` gave this of; `None` for anything else.
#[expect(clippy::cast_possible_truncation, reason = "floats saturate, and what was beyond 2^53 was rounded before")]
pub(crate) fn restored_limit(state: &Bound<'_, PyDict>) -> PyResult<Option<Exceeded>> {
    let seconds = |name: &str| Ok::<_, PyErr>(state.get_item(name)?.and_then(|value| value.extract::<f64>().ok()));
    let unit: Option<String> = state.get_item("unit")?.and_then(|unit| unit.extract().ok());
    let unit = Unit::ALL.into_iter().find(|known| Some(known.as_str()) == unit.as_deref());
    let id: Option<String> = state.get_item("id")?.and_then(|id| id.extract().ok());
    let (Some(id), Some(unit)) = (id, unit) else { return Ok(None) };
    let amount = |name: &str| match unit {
        Unit::Calls | Unit::Tokens => {
            Ok::<_, PyErr>(state.get_item(name)?.and_then(|value| value.extract::<i64>().ok()))
        }
        Unit::MicroUsd | Unit::Millionths => Ok(seconds(name)?.map(|amount| (amount * 1e6).round() as i64)),
    };
    let (Some(max), Some(used), Some(left)) = (amount("max")?, amount("used")?, amount("left")?) else {
        return Ok(None);
    };
    let resets_at = seconds("resets_at")?.map(|seconds| ((seconds * 1e6).round() as i64).saturating_mul(1000));
    Ok(Some(Exceeded { id: id.into(), unit, max, used, left, resets_at }))
}

/// Marks the session with a tag, as if a call of a tool with it had run.
#[pyfunction]
pub(crate) fn mark_session(py: Python<'_>, context: Option<&Bound<'_, Context>>, tag: &str) -> PyResult<()> {
    if is_replayed(py, context)? {
        return Ok(());
    }
    let (engine, context) = (engine::required(py)?, of(py, context)?);
    engine.guard.mark(&context, tag).map_err(|error| raised(py, &error))
}

/// Counts what a model took, in the session called `session` or the one in force.
#[pyfunction]
pub(crate) fn log_usage(
    py: Python<'_>,
    session: Option<&str>,
    prompt_tokens: u64,
    completion_tokens: u64,
    cost_micro_usd: u64,
) -> PyResult<()> {
    if is_replayed(py, None)? {
        return Ok(());
    }
    let (engine, mut context) = (engine::required(py)?, of(py, None)?);
    if let Some(session) = session
        && session != &*context.session
    {
        let other = context::of_session(session);
        if !engine.guard.are_together(&context, &other).map_err(|error| raised(py, &error))? {
            // another conversation: nothing of the one in force holds in it
            context = other;
        }
    }
    let used = ModelUse { prompt_tokens, completion_tokens, cost_micro_usd };
    engine.guard.spent(&context, used).map_err(|error| raised(py, &error))
}

/// Whether the scopes of all policies let a tool of this name run at all.
#[pyfunction]
pub(crate) fn is_in_scope(py: Python<'_>, tool: &str) -> PyResult<bool> {
    let engine = engine::required(py)?;
    let (source, name) = match tool.rsplit_once('/') {
        Some((source, name)) if source.starts_with("mcp:") => (source, name),
        _ => (PROGRAM_SOURCE, tool),
    };
    let spec = ToolSpec { name: name.to_owned(), source: source.to_owned(), ..ToolSpec::default() };
    let tool = engine.guard.tool(spec).map_err(|error| raised(py, &error))?;
    Ok(tool.plan().is_in_scope())
}

/// Whether this happens in a replay, or of a session that was looked up in one: it was counted when it was recorded.
fn is_replayed(py: Python<'_>, given: Option<&Bound<'_, Context>>) -> PyResult<bool> {
    let is_of_one = given.is_some_and(|context| context.get().is_replayed());
    Ok(context::current(py)?.replay(py)?.is_some() || is_of_one)
}

fn of(py: Python<'_>, given: Option<&Bound<'_, Context>>) -> PyResult<CallContext> {
    match given {
        Some(context) => Ok(context.get().inner().clone()),
        None => Ok(CallContext::clone(&*context::current(py)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::millionths;

    #[test]
    fn money_reads_as_it_was_written() {
        assert_eq!([0, 1, 250_000, 1_200_500_000].map(millionths), [0.0, 1e-6, 0.25, 1200.5]);
    }
}
