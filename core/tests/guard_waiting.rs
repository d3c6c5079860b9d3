//! A call that had to wait before its body: what others may have changed meanwhile is looked at again.

#![cfg(test)]

use counterseal::call::{CallContext, PROGRAM_SOURCE, ToolSpec};
use counterseal::clock::Clock;
use counterseal::decide::{Layer, Layers, Options, ReasonCode};
use counterseal::guard::{Admission, Captured, Config, Guard, PendingSync, Tool};
use counterseal::ledger::{self, Outcome};
use counterseal::policy;
use counterseal::value::Value;
use counterseal::{Error, ErrorCode};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
const POLICY: &str = "{version: 1, name: waiting, rules: [{id: no, tools: [nothing], decision: deny}]}";
const DURABLE: &str =
    "{version: 1, name: waiting, rules: [{id: no, tools: [nothing], decision: deny}], record: {sync: durable}}";

fn start(home: &Path, text: &str, ledger: ledger::Options) -> (Arc<Guard>, Arc<Tool>) {
    let policy = policy::load("policy.yaml", text).unwrap_or_else(|errors| panic!("{errors}"));
    let layer = Layer { name: Arc::from("local"), policy: Arc::new(policy) };
    let layers = Layers::new(vec![layer], Options::default()).unwrap();
    let (home, clock) = (home.to_owned(), Clock::System);
    let config = Config { layers, home, agent: None, clock, previous: None, observer: None, ledger, asks: false };
    let guard = Guard::start(config).unwrap();
    let spec = ToolSpec { name: "put".into(), source: PROGRAM_SOURCE.into(), ..ToolSpec::default() };
    let tool = guard.tool(spec).unwrap();
    (guard, tool)
}

fn context() -> CallContext {
    CallContext::new("s-1")
}

fn text(text: String) -> Value<'static> {
    Value::Map(vec![(Cow::Borrowed("text"), Value::Str(Cow::Owned(text)))])
}

fn waiting(guard: &Arc<Guard>, tool: &Arc<Tool>, arguments: &Value<'_>) -> PendingSync {
    match guard.admit(tool, Ok(arguments), &context()) {
        Admission::Sync(pending) => pending,
        other => panic!("it waits: {other:?}"),
    }
}

/// All lines of all streams of a home.
fn written(home: &Path) -> String {
    let streams = std::fs::read_dir(home.join("streams")).unwrap();
    let files = streams.flat_map(|stream| std::fs::read_dir(stream.unwrap().path()).unwrap());
    let paths =
        files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    paths.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

fn refused_as_changed(admission: Admission) {
    let Admission::Refused(refusal) = admission else { panic!("it is refused") };
    assert_eq!(refusal.decision.reason_code, ReasonCode::CallChanged);
    assert!(refusal.action_id.is_some(), "its record is there");
}

#[test]
fn arguments_that_changed_during_the_wait_are_refused_and_that_is_recorded() {
    let home = tempfile::tempdir().unwrap();
    let (guard, put) = start(home.path(), DURABLE, ledger::Options::default());
    let before = text("before".into());
    let same = waiting(&guard, &put, &before);
    let waited = same.sync().wait(LONG);
    let Admission::Run(ticket) = same.resume(waited, Ok(&text("before".into()))) else { panic!("it may run") };
    ticket.complete(Outcome::Success, &Captured::Nothing);
    refused_as_changed(waiting(&guard, &put, &before).resume(Ok(()), Ok(&text("after".into()))));
    let unreadable = Error::new(ErrorCode::ValueUnreadable, "it is gone");
    refused_as_changed(waiting(&guard, &put, &before).resume(Ok(()), Err(&unreadable)));
    guard.close(LONG).unwrap();
    let written = written(home.path());
    assert_eq!(written.matches(r#""kind":"decided""#).count(), 3);
    assert_eq!(written.matches(r#""outcome":"success""#).count(), 1);
    assert_eq!(written.matches(r#""outcome":"denied""#).count(), 2);
}

#[test]
fn a_record_that_is_not_on_the_disk_refuses_what_did_not_change_too() {
    for (fail_mode, runs) in [("closed", false), ("open", true)] {
        let home = tempfile::tempdir().unwrap();
        let policy = DURABLE.replace("version: 1", &format!("version: 1, fail_mode: {fail_mode}"));
        let (guard, put) = start(home.path(), &policy, ledger::Options::default());
        let arguments = text("same".into());
        let waited = Err(Error::new(ErrorCode::LedgerIo, "the disk is slow"));
        let admission = waiting(&guard, &put, &arguments).resume(waited, Ok(&arguments));
        assert_eq!(matches!(admission, Admission::Run(_)), runs, "fail_mode: {fail_mode}");
    }
}

/// The index of the home whose disk works again as soon as somebody waits for it.
static BROKEN: Mutex<Option<PathBuf>> = Mutex::new(None);

fn mended(wait: &mut dyn FnMut()) {
    if let Some(index) = BROKEN.lock().unwrap().take() {
        // the writer makes the file itself
        std::fs::remove_dir(&index).unwrap();
    }
    wait();
}

#[test]
fn a_call_that_waited_for_room_says_so_and_may_run_with_the_same_arguments_alone() {
    for changed in [false, true] {
        let home = tempfile::tempdir().unwrap();
        let options =
            ledger::Options { spool_bytes: 64 << 10, patience: LONG, while_waiting: mended, ..Default::default() };
        let (guard, put) = start(home.path(), POLICY, options);
        let index = home.path().join("index");
        std::fs::remove_file(&index).unwrap();
        std::fs::create_dir(&index).unwrap();
        *BROKEN.lock().unwrap() = Some(index);
        let arguments = text("x".repeat(10_000));
        let pending = loop {
            match guard.admit(&put, Ok(&arguments), &context()) {
                Admission::Run(ticket) => drop(ticket),
                Admission::Sync(pending) => break pending,
                other => panic!("it waits: {other:?}"),
            }
            assert!(guard.health().ledger.queued_bytes > 0, "nothing is written before somebody waits");
        };
        assert_eq!(guard.health().ledger.waits, 1);
        let waited = pending.sync().wait(LONG);
        assert!(pending.sync().is_done() && waited.is_ok(), "it waits for nothing any more");
        if changed {
            refused_as_changed(pending.resume(waited, Ok(&text("y".into()))));
        } else {
            assert!(matches!(pending.resume(waited, Ok(&arguments)), Admission::Run(_)));
        }
    }
}
