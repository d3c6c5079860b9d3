//! The question behind a call that waits for people: what the program's own approver sees and says, and who is woken afterwards.

use crate::decision::action_text;
use crate::outside;
use arc_swap::ArcSwapOption;
use counterseal::approval::{Answer, Consent, Edit, Grant, Person};
use counterseal::guard::Asking;
use counterseal::{Error, ErrorCode};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Numbers of questions that have ended, until the thread that wakes event loops takes them.
#[derive(Debug, Default)]
struct Ended {
    numbers: Mutex<VecDeque<u64>>,
    more: Condvar,
}

static ENDED: ArcSwapOption<Ended> = ArcSwapOption::const_empty();

impl Ended {
    fn of_process() -> Arc<Self> {
        loop {
            if let Some(ended) = ENDED.load_full() {
                return ended;
            }
            ENDED.compare_and_swap(std::ptr::null::<Self>(), Some(Arc::default()));
        }
    }

    fn numbers(&self) -> MutexGuard<'_, VecDeque<u64>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves what a parent waited for to the parent: a thread that is not in this process may hold its mutex.
pub(crate) fn forget_ended() {
    std::mem::forget(ENDED.swap(None));
}

/// Has [`woken`] give `number` out once the question has ended, or as soon as people are asked.
pub(crate) fn wake(asking: &Asking, number: u64, when_asked: bool) {
    let ended = Ended::of_process();
    let call = Box::new(move || {
        ended.numbers().push_back(number);
        ended.more.notify_one();
    });
    if when_asked {
        asking.waiting().on_asked(call);
    } else {
        asking.waiting().on_settled(call);
    }
}

/// Waits until questions have ended, and gives out their numbers, each once.
#[pyfunction]
pub(crate) fn woken(py: Python<'_>) -> Vec<u64> {
    let ended = Ended::of_process();
    outside::detached(py, || {
        let mut numbers = ended.numbers();
        while numbers.is_empty() {
            numbers = ended.more.wait(numbers).unwrap_or_else(PoisonError::into_inner);
        }
        numbers.drain(..).collect()
    })
}

/// What people are asked, by name; `arguments` is the JSON text of what they see.
pub(crate) fn described<'py>(py: Python<'py>, asking: &Asking) -> PyResult<Bound<'py, PyDict>> {
    let (decision, context) = (asking.decision(), asking.context());
    let arguments: serde_json::Map<_, _> =
        asking.shown().iter().map(|(name, shown)| (name.clone(), shown.value.clone())).collect();
    let unbound: Vec<&String> = asking.shown().iter().filter(|(_, shown)| !shown.bound).map(|(name, _)| name).collect();
    let all = PyDict::new(py);
    all.set_item("tool_name", &*asking.tool().spec().name)?;
    all.set_item("arguments", serde_json::Value::Object(arguments).to_string())?;
    all.set_item("may_change", unbound)?;
    all.set_item("hidden", asking.hidden())?;
    all.set_item("reason", decision.reason.as_deref())?;
    all.set_item("reason_code", decision.reason_code.as_str())?;
    all.set_item("rules", decision.rules.iter().map(|rule| &**rule).collect::<Vec<_>>())?;
    all.set_item("agent_id", asking.agent())?;
    all.set_item("user_id", context.user.as_ref().map(|user| &*user.id))?;
    all.set_item("user_verified_by", context.user.as_ref().and_then(|user| user.verified_by.as_deref()))?;
    all.set_item("session_id", &*context.session)?;
    all.set_item("run_id", context.run.as_deref())?;
    all.set_item("call_id", context.call_id.as_deref())?;
    all.set_item("action_id", action_text(asking.action_id()))?;
    all.set_item("seconds", asking.expires_in().as_secs_f64())?;
    Ok(all)
}

/// Whoever answers, as the program says.
pub(crate) fn person(id: &str, groups: Vec<String>, verified_by: Option<&str>) -> Person {
    let groups = groups.into_iter().map(Arc::from).collect();
    Person { id: Arc::from(id), groups, verified_by: verified_by.map(Arc::from) }
}

/// An answer; `edit` and `grant` are JSON texts in the form that the home keeps.
pub(crate) fn answer(yes: bool, edit: Option<&str>, grant: Option<&str>) -> Result<Answer, Error> {
    if !yes {
        return Ok(Answer::No);
    }
    let unreadable = |what: &str, error: &serde_json::Error| {
        Error::new(ErrorCode::ApprovalInvalid, format!("the {what} cannot be read: {error}"))
    };
    let edit = edit
        .map(|text| serde_json::from_str(text).map_err(|error| unreadable("edit", &error)).and_then(Edit::from_json))
        .transpose()?;
    let grant: Option<Grant> =
        grant.map(|text| serde_json::from_str(text).map_err(|error| unreadable("grant", &error))).transpose()?;
    grant.as_ref().map_or(Ok(()), Grant::check)?;
    Ok(Answer::Yes(Consent { edit, grant }))
}
