//! Calls that wait for people, end to end: asked once, answered by whoever may, run once or not at all.

#![cfg(test)]

mod grants;
mod left;
mod trouble;
mod turns;

use counterseal::approval::store::Store;
use counterseal::approval::{Answer, Approval, ApprovalId, Consent, Edit, Event, Person, State};
use counterseal::call::{CallContext, PROGRAM_SOURCE, ToolSpec, User};
use counterseal::clock::{Clock, UnixNanos};
use counterseal::decide::{Layer, Layers, Options, ReasonCode};
use counterseal::guard::{Admission, Asking, Captured, Config, Guard, Refusal, Resumed, Ticket, Tool};
use counterseal::ledger::record::scalar::Time;
use counterseal::ledger::{self, Entropy, Home, Outcome};
use counterseal::policy;
use counterseal::value::Value;
use serde_json::json;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const POLICY: &str = "
version: 1
name: shop
tools:
  refund: {volatile: [request_id]}
rules:
  - {id: large, tools: [refund], when: args.amount > 100.0, decision: require_approval, reason: a person decides,
     approval: {timeout: 10m}}
  - {id: huge, tools: [refund], when: args.amount > 9000.0, decision: deny, reason: never so much}
  - {id: two, tools: [wire], decision: require_approval, approval: {quorum: 2, bind: [amount], show: [amount]}}
redact: {keys: [password], detect: [email]}
";
const START: i64 = 1_790_000_000_000_000_000;
const LONG: Duration = Duration::from_secs(30);
const MINUTE: i64 = 60_000_000_000;

fn start(home: &Path) -> Arc<Guard> {
    under(home, POLICY)
}

fn under(home: &Path, text: &str) -> Arc<Guard> {
    of_agent(home, text, None)
}

fn of_agent(home: &Path, text: &str, agent: Option<&str>) -> Arc<Guard> {
    let policy = policy::load("policy.yaml", text).unwrap_or_else(|errors| panic!("{errors}"));
    let layer = Layer { name: Arc::from("local"), policy: Arc::new(policy) };
    let layers = Layers::new(vec![layer], Options::default()).unwrap();
    let clock = Clock::manual(UnixNanos(START));
    let ledger = ledger::Options::default();
    let config = Config {
        layers,
        home: home.to_owned(),
        agent: agent.map(Arc::from),
        clock,
        previous: None,
        observer: None,
        asks: true,
        ledger,
    };
    Guard::start(config).unwrap()
}

fn tool(guard: &Guard, name: &str) -> Arc<Tool> {
    guard.tool(ToolSpec { name: name.into(), source: PROGRAM_SOURCE.into(), ..ToolSpec::default() }).unwrap()
}

fn context() -> CallContext {
    CallContext::new("s-1")
}

fn args(amount: f64, request: &'static str) -> Value<'static> {
    Value::Map(vec![
        (Cow::Borrowed("amount"), Value::Float(amount)),
        (Cow::Borrowed("password"), Value::Str(Cow::Borrowed("hunter2-secret"))),
        (Cow::Borrowed("request_id"), Value::Str(Cow::Borrowed(request))),
    ])
}

/// Whoever waits; people may not have been asked yet.
fn begin(guard: &Arc<Guard>, value: &Value<'_>, context: &CallContext) -> Asking {
    match guard.admit(&tool(guard, "refund"), Ok(value), context) {
        Admission::Ask(asking) => *asking,
        other => panic!("people are to be asked: {other:?}"),
    }
}

fn ask(guard: &Arc<Guard>, value: &Value<'_>, context: &CallContext) -> Asking {
    let asking = begin(guard, value, context);
    assert!(asking.waiting().wait_asked(LONG));
    asking
}

fn person(id: &str) -> Person {
    Person { id: Arc::from(id), groups: Vec::new(), verified_by: Some(Arc::from("os")) }
}

/// As another process does it, with the home alone.
fn answer(home: &Path, id: ApprovalId, by: &str, answer: Answer) -> Approval {
    let store = Store::new(&Home::open(home).unwrap());
    let event = Event::Answered { time: Time(UnixNanos(START + 1)), by: person(by), answer, note: None };
    store.lock().unwrap().command(id, event, &mut |_| Ok(())).unwrap()
}

fn yes() -> Answer {
    Answer::Yes(Consent::default())
}

fn run(resumed: Resumed) -> Ticket {
    let Admission::Sync(pending) = resumed.admission else { panic!("it may run: {resumed:?}") };
    match pending.finish(LONG) {
        Admission::Run(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

fn refusal(resumed: Resumed) -> Refusal {
    match resumed.admission {
        Admission::Refused(refusal) => *refusal,
        other => panic!("it may not run: {other:?}"),
    }
}

fn all(home: &Path) -> Vec<Approval> {
    let store = Store::new(&Home::open(home).unwrap());
    store.ids().unwrap().into_iter().map(|id| store.find(id).unwrap()).collect()
}

/// All records of the home with this kind, as JSON.
fn records(home: &Path, kind: &str) -> Vec<serde_json::Value> {
    let mut found: Vec<serde_json::Value> = Vec::new();
    for stream in std::fs::read_dir(home.join("streams")).unwrap() {
        for file in std::fs::read_dir(stream.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|end| end == "jsonl") {
                let text = std::fs::read_to_string(path).unwrap();
                found.extend(text.lines().map(|line| serde_json::from_str(line).unwrap()));
            }
        }
    }
    found.retain(|record| record["kind"] == kind);
    found.sort_by_key(|record| record["time"].as_str().unwrap().to_owned());
    found
}

#[test]
fn another_process_says_yes_and_the_call_runs_once() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let asking = ask(&guard, &args(400.0, "r-1"), &context());
    let id = asking.approval().unwrap();
    let asked = all(home.path()).remove(0);
    assert_eq!(asked.state(), State::Pending);
    assert_eq!(asked.request().reason.as_deref(), Some("a person decides"));
    let shown = &asked.request().shown;
    assert_eq!((shown["amount"].value.clone(), shown["amount"].bound), (json!(400), true));
    assert!(!shown["request_id"].bound);
    assert_eq!(shown["password"].value, json!({"$redacted": ["key"]}));
    let text = std::fs::read_to_string(home.path().join("approvals").join(format!("{id}.json"))).unwrap();
    assert!(!text.contains("hunter2-secret"));
    answer(home.path(), id, "ann", yes());
    assert!(asking.waiting().wait(LONG));
    let ticket = run(asking.resume(Ok(&args(400.0, "r-2"))));
    ticket.complete(Outcome::Success, &Captured::Nothing);
    guard.close(LONG).unwrap();
    let decided = records(home.path(), "decided");
    assert_eq!(decided.len(), 1, "one call, one decision");
    assert_eq!(decided[0]["approval"], id.to_string());
    assert_eq!((&decided[0]["effect"], &decided[0]["decision"]), (&json!("run"), &json!("require_approval")));
    let completed = records(home.path(), "completed");
    assert_eq!((completed.len(), &completed[0]["outcome"]), (1, &json!("success")));
    let states: Vec<_> = records(home.path(), "approval").iter().map(|record| record["state"].clone()).collect();
    assert_eq!(states, [json!("pending"), json!("approved")]);
    let report = ledger::verify::verify(home.path(), &ledger::verify::Options::default()).unwrap();
    assert!(report.problems.is_empty(), "{report:?}");
}

#[test]
fn killed_while_it_waited_and_restarted_it_is_the_same_approval() {
    let home = tempfile::tempdir().unwrap();
    let first = start(home.path());
    let asking = ask(&first, &args(400.0, "r-1"), &context());
    let id = asking.approval().unwrap();
    // the end of the process as its home sees it: the stream's lock comes free
    first.close(LONG).unwrap();
    assert!(asking.waiting().wait(LONG));
    assert_eq!(refusal(asking.resume(Ok(&args(400.0, "r-1")))).decision.reason_code, ReasonCode::Closed);
    let second = start(home.path());
    let again = ask(&second, &args(400.0, "r-9"), &context());
    assert_eq!(again.approval(), Some(id), "a volatile value is another one, the question the same");
    let other = ask(&second, &args(500.0, "r-1"), &context());
    assert_ne!(other.approval(), Some(id));
    answer(home.path(), id, "ann", yes());
    assert!(again.waiting().wait(LONG));
    run(again.resume(Ok(&args(400.0, "r-9")))).complete(Outcome::Success, &Captured::Nothing);
    assert_eq!(all(home.path()).len(), 2);
}

#[test]
fn an_answer_given_while_no_process_lived_is_there_at_once() {
    let home = tempfile::tempdir().unwrap();
    let first = start(home.path());
    let (to_yes, to_no) = (ask(&first, &args(400.0, "r"), &context()), ask(&first, &args(500.0, "r"), &context()));
    let ids = [to_yes.approval().unwrap(), to_no.approval().unwrap()];
    first.close(LONG).unwrap();
    answer(home.path(), ids[0], "ann", yes());
    answer(home.path(), ids[1], "ann", Answer::No);
    let second = start(home.path());
    let again = ask(&second, &args(400.0, "r"), &context());
    assert!(again.waiting().wait(LONG));
    run(again.resume(Ok(&args(400.0, "r")))).complete(Outcome::Success, &Captured::Nothing);
    let denied = ask(&second, &args(500.0, "r"), &context());
    assert!(denied.waiting().wait(LONG));
    let refusal = refusal(denied.resume(Ok(&args(500.0, "r"))));
    assert_eq!(refusal.decision.reason_code, ReasonCode::ApprovalDenied);
    assert_eq!(refusal.decision.reason.as_deref(), Some("`ann` said no"));
    let anew = ask(&second, &args(500.0, "r"), &context());
    assert!(!ids.contains(&anew.approval().unwrap()), "a no was told once, and a yes used once");
}

#[test]
fn the_same_call_twice_is_two_approvals() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let one = ask(&guard, &args(400.0, "r"), &context());
    let two = ask(&guard, &args(400.0, "r"), &context());
    assert_ne!(one.approval(), two.approval());
    let named = CallContext { call_id: Some(Arc::from("call-1")), ..context() };
    let three = ask(&guard, &args(400.0, "r"), &named);
    let re_entered = ask(&guard, &args(400.0, "r"), &named);
    assert_eq!(three.approval(), re_entered.approval(), "one call of the framework is one question");
    assert_ne!(three.approval(), one.approval());
    answer(home.path(), three.approval().unwrap(), "ann", yes());
    assert!(three.waiting().wait(LONG) && re_entered.waiting().wait(LONG));
    let ran = [three.resume(Ok(&args(400.0, "r"))), re_entered.resume(Ok(&args(400.0, "r")))];
    let codes: Vec<_> = ran
        .into_iter()
        .map(|resumed| match resumed.admission {
            Admission::Refused(refusal) => Some(refusal.decision.reason_code),
            _ => None,
        })
        .collect();
    assert_eq!(codes, [None, Some(ReasonCode::ApprovalUsed)], "a yes is good for one run");
}

#[test]
fn arguments_changed_after_the_yes_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let asking = ask(&guard, &args(400.0, "r"), &context());
    asking.answer(person("ann"), yes(), None);
    assert!(asking.waiting().wait(LONG));
    let refusal = refusal(asking.resume(Ok(&args(4000.0, "r"))));
    assert_eq!(refusal.decision.reason_code, ReasonCode::CallChanged);
    guard.close(LONG).unwrap();
    let decided = records(home.path(), "decided");
    assert_eq!((decided.len(), &decided[0]["effect"]), (1, &json!("refused")));
    assert_eq!(records(home.path(), "completed")[0]["outcome"], "denied");
}

#[test]
fn time_that_runs_out_is_an_end_of_its_own() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let asking = ask(&guard, &args(400.0, "r"), &context());
    guard.clock().set(UnixNanos(START + 10 * MINUTE));
    assert!(asking.waiting().wait(LONG));
    assert_eq!(refusal(asking.resume(Ok(&args(400.0, "r")))).decision.reason_code, ReasonCode::ApprovalExpired);
    assert_eq!(all(home.path())[0].state(), State::Expired);
    guard.close(LONG).unwrap();
    assert_eq!(records(home.path(), "completed")[0]["outcome"], "expired");
    let states: Vec<_> = records(home.path(), "approval").iter().map(|record| record["state"].clone()).collect();
    assert_eq!(states, [json!("pending"), json!("expired")]);
}

#[test]
fn a_question_taken_back_is_cancelled_and_one_left_stays_open() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let asking = ask(&guard, &args(400.0, "r"), &context());
    asking.cancel();
    assert!(asking.waiting().wait(LONG));
    assert_eq!(refusal(asking.resume(Ok(&args(400.0, "r")))).decision.reason_code, ReasonCode::ApprovalCancelled);
    let left = ask(&guard, &args(400.0, "r"), &context());
    let id = left.approval();
    assert_eq!(refusal(left.resume(Ok(&args(400.0, "r")))).decision.reason_code, ReasonCode::ApprovalPending);
    let again = ask(&guard, &args(400.0, "r"), &context());
    assert_eq!(again.approval(), id, "the next like call takes it up");
    answer(home.path(), id.unwrap(), "ann", yes());
    assert!(again.waiting().wait(LONG));
    run(again.resume(Ok(&args(400.0, "r")))).complete(Outcome::Success, &Captured::Nothing);
    guard.close(LONG).unwrap();
    let mut ids: Vec<_> =
        records(home.path(), "decided").iter().map(|record| record["action_id"].to_string()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3, "what was cancelled, what was refused, what ran: each its own");
}

#[test]
fn what_people_changed_is_decided_again() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let edited = |amount: f64| {
        let edit = Edit::from_json(json!([{"op": "replace", "path": "/amount", "value": amount}])).unwrap();
        Answer::Yes(Consent { edit: Some(edit), grant: None })
    };
    let asking = ask(&guard, &args(400.0, "r"), &context());
    asking.answer(person("ann"), edited(150.0), None);
    assert!(asking.waiting().wait(LONG));
    let resumed = asking.resume(Ok(&args(400.0, "r")));
    let arguments = String::from_utf8(resumed.edited.clone().unwrap()).unwrap();
    assert_eq!(arguments, r#"{"amount":150,"password":"hunter2-secret","request_id":"r"}"#);
    run(resumed).complete(Outcome::Success, &Captured::Nothing);
    let asking = ask(&guard, &args(400.0, "r"), &context());
    asking.answer(person("ann"), edited(9500.0), None);
    assert!(asking.waiting().wait(LONG));
    let refusal = refusal(asking.resume(Ok(&args(400.0, "r"))));
    assert_eq!(refusal.decision.reason.as_deref(), Some("never so much"), "nobody's yes goes over a deny");
}

fn of(user: &str) -> CallContext {
    let user = User { id: Arc::from(user), verified_by: Some(Arc::from("os")) };
    CallContext { user: Some(user), ..context() }
}

#[test]
fn a_yes_under_a_milder_policy_is_not_enough_for_a_stricter_one() {
    for stricter in ["quorum: 2", "approvers: [ceo]", "not_by: [requester]"] {
        let home = tempfile::tempdir().unwrap();
        let mild = start(home.path());
        let asking = ask(&mild, &args(400.0, "r"), &of("ann"));
        let id = asking.approval().unwrap();
        mild.close(LONG).unwrap();
        drop(asking);
        answer(home.path(), id, "ann", yes());
        let strict = under(home.path(), &POLICY.replacen("timeout: 10m", &format!("timeout: 10m, {stricter}"), 1));
        let again = ask(&strict, &args(400.0, "r"), &of("ann"));
        assert!(again.waiting().wait(LONG));
        assert_eq!(again.approval(), Some(id), "{stricter}");
        let refusal = refusal(again.resume(Ok(&args(400.0, "r"))));
        assert_eq!(refusal.decision.reason_code, ReasonCode::ApprovalOutdated, "{stricter}");
    }
}

#[test]
fn a_question_is_taken_up_for_the_same_person_and_agent_alone() {
    let home = tempfile::tempdir().unwrap();
    let first = start(home.path());
    let asking = ask(&first, &args(400.0, "r"), &of("alice"));
    let id = asking.approval();
    first.close(LONG).unwrap();
    drop(asking);
    let second = start(home.path());
    let agent = CallContext { agent: Some(Arc::from("other")), ..of("alice") };
    for other in [of("bob"), context(), agent] {
        assert_ne!(ask(&second, &args(400.0, "r"), &other).approval(), id);
    }
    assert_eq!(ask(&second, &args(400.0, "r"), &of("alice")).approval(), id);
}

#[test]
fn a_quorum_waits_for_the_second_yes() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let Admission::Ask(asking) = guard.admit(&tool(&guard, "wire"), Ok(&args(5.0, "r")), &context()) else {
        panic!("people are to be asked")
    };
    assert!(asking.waiting().wait_asked(LONG));
    let id = asking.approval().unwrap();
    let asked = all(home.path()).remove(0);
    assert_eq!((asked.request().shown.len(), asked.request().hidden), (1, 2));
    assert_eq!(answer(home.path(), id, "ann", yes()).state(), State::Pending);
    assert_eq!(answer(home.path(), id, "ann", yes()).state(), State::Pending);
    assert_eq!(answer(home.path(), id, "bob", yes()).state(), State::Approved);
    assert!(asking.waiting().wait(LONG));
    run(asking.resume(Ok(&args(5.0, "another")))).complete(Outcome::Success, &Captured::Nothing);
}

#[test]
fn whoever_takes_a_question_up_is_told_the_time_that_is_left() {
    let home = tempfile::tempdir().unwrap();
    let first = start(home.path());
    let asking = ask(&first, &args(400.0, "r"), &context());
    assert_eq!(asking.expires_in(), Duration::from_mins(10));
    let id = asking.approval().unwrap();
    first.close(LONG).unwrap();
    drop(asking);
    let second = start(home.path());
    second.clock().set(UnixNanos(START + 7 * MINUTE));
    let again = ask(&second, &args(400.0, "r"), &context());
    assert_eq!((again.approval(), again.expires_in()), (Some(id), Duration::from_mins(3)));
}

#[test]
fn notes_are_recorded_without_what_the_policy_redacts() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let asking = ask(&guard, &args(400.0, "r"), &context());
    asking.answer(person("ann"), Answer::No, Some(Arc::from("ask bob@example.com first")));
    assert!(asking.waiting().wait(LONG));
    let refusal = refusal(asking.resume(Ok(&args(400.0, "r"))));
    assert_eq!(refusal.decision.detail.as_deref(), Some("ask [email] first"), "the agent is told no more");
    guard.close(LONG).unwrap();
    for file in walked(home.path()) {
        assert!(!String::from_utf8_lossy(&std::fs::read(&file).unwrap()).contains("bob@"), "{}", file.display());
    }
}

/// Every file of the home.
fn walked(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walked(&path) } else { vec![path] }).collect()
}

#[test]
fn what_has_no_value_cannot_be_agreed_to() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let value = Value::Map(vec![
        (Cow::Borrowed("amount"), Value::Float(400.0)),
        (Cow::Borrowed("client"), Value::List(vec![Value::Opaque(Cow::Borrowed("socket.socket"))])),
    ]);
    let Admission::Refused(refusal) = guard.admit(&tool(&guard, "refund"), Ok(&value), &context()) else {
        panic!("it may not run")
    };
    assert_eq!(refusal.decision.reason_code, ReasonCode::Unbindable);
    assert!(all(home.path()).is_empty());
}

#[test]
fn a_damaged_approval_refuses_its_call() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let asking = ask(&guard, &args(400.0, "r"), &context());
    let path = home.path().join("approvals").join(format!("{}.json", asking.approval().unwrap()));
    let text = std::fs::read_to_string(&path).unwrap();
    let forged =
        text.replace(r#""events":[]"#, r#""events":[{"event":"claimed","time":"2026-11-21T08:00:00.000000000Z"}]"#);
    assert_ne!(text, forged);
    std::fs::write(&path, forged).unwrap();
    assert!(asking.waiting().wait(LONG));
    assert_eq!(refusal(asking.resume(Ok(&args(400.0, "r")))).decision.reason_code, ReasonCode::ApprovalFailed);
}

#[test]
fn a_thousand_waits_are_one_thread() {
    let home = tempfile::tempdir().unwrap();
    Home::open_or_create(home.path(), &mut Entropy::system()).unwrap();
    let guard = start(home.path());
    let before = threads();
    let refund = tool(&guard, "refund");
    let asked: Vec<Box<Asking>> = (0..1_000)
        .map(|_| match guard.admit(&refund, Ok(&args(400.0, "r")), &context()) {
            Admission::Ask(asking) => asking,
            other => panic!("{other:?}"),
        })
        .collect();
    let (told, hears) = std::sync::mpsc::channel();
    for asking in &asked {
        let told = told.clone();
        asking.waiting().on_settled(Box::new(move || told.send(()).unwrap()));
    }
    // the desk and the ledger's writer, and whatever tests run beside this one
    assert!(threads() < before + 100);
    for asking in &asked {
        asking.answer(person("ann"), yes(), None);
    }
    for _ in 0..1_000 {
        hears.recv_timeout(LONG).unwrap();
    }
    let tickets: Vec<_> = asked.into_iter().map(|asking| asking.resume(Ok(&args(400.0, "r"))).admission).collect();
    assert!(tickets.iter().all(|admission| matches!(admission, Admission::Sync(_))));
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}
