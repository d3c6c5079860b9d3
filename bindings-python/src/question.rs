//! The question behind a call that waits for people: what the program's own approver sees and says, and who is woken afterwards.

use crate::decision::action_text;
use crate::engine;
use crate::errors::raised;
use crate::outside;
use arc_swap::ArcSwapOption;
use counterseal::approval::desk::Settled;
use counterseal::approval::store::Store;
use counterseal::approval::{Answer, Approval, Consent, Edit, Event, Grant, Person};
use counterseal::clock::Clock;
use counterseal::guard::Asking;
use counterseal::ledger::record::scalar::{Id, Time};
use counterseal::ledger::{ActionId, Home};
use counterseal::{Error, ErrorCode};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::collections::VecDeque;
use std::path::Path;
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

/// How a question ended: `state`, `decided_by`, `note`, `grant` and `arguments` as JSON texts, the latter as people want them;
/// `None` where it could not be asked. `canonical` are the arguments as they were.
pub(crate) fn ended<'py>(py: Python<'py>, settled: &Settled, canonical: &[u8]) -> PyResult<Option<Bound<'py, PyDict>>> {
    let (Settled::Approved(approval)
    | Settled::Granted(approval)
    | Settled::Over(approval)
    | Settled::UsedUp(approval)) = settled
    else {
        return Ok(None);
    };
    let edited = approval.edit().and_then(|edit| edit.apply(canonical).ok());
    let grant = approval.granted().and_then(|granted| serde_json::to_string(&granted.as_one()).ok());
    let answered = approval.last_answer();
    let all = PyDict::new(py);
    all.set_item("state", approval.state().as_str())?;
    all.set_item("decided_by", answered.map(|(by, _)| &*by.id))?;
    all.set_item("note", answered.and_then(|(_, note)| note.map(|note| &**note)))?;
    all.set_item("grant", grant)?;
    all.set_item("edited", edited.is_some())?;
    all.set_item("arguments", String::from_utf8_lossy(edited.as_deref().unwrap_or(canonical)))?;
    Ok(Some(all))
}

/// The calls of processes that are gone, which this one may run, each by name: what to call in which context. Only the one whose
/// approval's id begins so, where that is said; the home has to have it.
#[pyfunction]
#[pyo3(signature = (beginning=None))]
pub(crate) fn left_calls<'py>(py: Python<'py>, beginning: Option<&str>) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let engine = engine::required(py)?;
    let look = || -> Result<Vec<Approval>, Error> {
        let home = engine.guard.home();
        let named = |beginning| Store::new(&Home::open(home)?).named(beginning);
        let wanted: Option<Id> = beginning.map(named).transpose()?;
        let mut left = engine.guard.left_calls()?;
        left.retain(|approval| wanted.is_none_or(|id| approval.id() == id));
        Ok(left)
    };
    let left = outside::detached(py, look).map_err(|error: Error| raised(py, &error))?;
    let described = left.iter().map(|approval| {
        let (request, call) = (approval.request(), &approval.request().call);
        let user = call.requester.as_ref();
        let all = PyDict::new(py);
        all.set_item("id", approval.id().to_string())?;
        all.set_item("action_id", action_text(ActionId(call.action_id.0)))?;
        all.set_item("source", &*call.source)?;
        all.set_item("tool_name", &*call.tool)?;
        all.set_item("arguments", request.arguments.as_ref().map(ToString::to_string))?;
        all.set_item("call_id", call.call_id.as_deref())?;
        all.set_item("session", &*call.session)?;
        all.set_item("run", call.run.as_deref())?;
        all.set_item("user", user.map(|user| &*user.id))?;
        all.set_item("verified_by", user.and_then(|user| user.verified_by.as_deref()))?;
        Ok(all)
    });
    described.collect()
}

/// Makes such a call this process's; whether it still was nobody's.
#[pyfunction]
pub(crate) fn take_left(py: Python<'_>, id: &str) -> PyResult<bool> {
    let engine = engine::required(py)?;
    let Ok(ActionId(id)) = id.parse::<ActionId>() else { return Ok(false) };
    outside::detached(py, || engine.guard.take_left(Id(id))).map_err(|error| raised(py, &error))
}

/// Ends the question of such a call that this process took, and that is not going to run by it. A question that is still open is
/// taken back; an answer counts as told. Does nothing where the question has reached a call.
#[pyfunction]
pub(crate) fn end_left(py: Python<'_>, id: &str) -> PyResult<()> {
    let engine = engine::required(py)?;
    let Ok(ActionId(id)) = id.parse::<ActionId>() else { return Ok(()) };
    outside::detached(py, || engine.guard.end_left(Id(id))).map_err(|error| raised(py, &error))
}

/// Refuses an answer that the question could not take as it stands now; nothing is answered. One that has ended takes none, and
/// says so itself.
pub(crate) fn must_be_usable(home: &Path, id: Id, by: Person, answer: Answer) -> Result<(), Error> {
    let Some(mut approval) = Store::new(&Home::open(home)?).read(id)? else { return Ok(()) };
    let event = Event::Answered { time: Time(Clock::System.now()), by, answer, note: None };
    match approval.apply(event) {
        Err(error) if matches!(error.code(), ErrorCode::ApprovalInvalid | ErrorCode::ApprovalNotEntitled) => Err(error),
        _ => Ok(()),
    }
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
    let consent = Consent { edit, grant };
    consent.check()?;
    Ok(Answer::Yes(consent))
}
