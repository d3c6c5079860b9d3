//! One process's guard end to end: decide, record before the body, complete after it.

#![cfg(test)]

use counterseal::call::{CallContext, PROGRAM_SOURCE, ToolSpec};
use counterseal::clock::{Clock, UnixNanos};
use counterseal::decide::{Decision, Effect, Layer, Layers, Options, ReasonCode, Verdict};
use counterseal::guard::{Admission, Captured, Config, Guard, Observer, Tool};
use counterseal::ledger::read::{Filter, entries};
use counterseal::ledger::record::{Kind, Record};
use counterseal::ledger::verify::{self, verify};
use counterseal::ledger::{self, ActionId, Outcome};
use counterseal::policy;
use counterseal::value::Value;
use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const POLICY: &str = "
version: 1
name: shop
default: deny
rules:
  - {id: small, tools: [refund], when: args.amount <= 100.0, decision: allow}
  - {id: large, tools: [refund], when: args.amount > 100.0, decision: require_approval, reason: a person decides}
  - {id: banned, tools: [wipe], decision: deny, reason: never}
redact: {keys: [password], detect: [email]}
";

fn start(home: &Path, text: &str, observer: Option<Arc<dyn Observer>>) -> Arc<Guard> {
    let policy = policy::load("policy.yaml", text).unwrap_or_else(|errors| panic!("{errors}"));
    let layer = Layer { name: Arc::from("local"), policy: Arc::new(policy) };
    let layers = Layers::new(vec![layer], Options::default()).unwrap();
    let clock = Clock::manual(UnixNanos(1_790_000_000_000_000_000));
    let ledger = ledger::Options::default();
    let config =
        Config { layers, home: home.to_owned(), agent: None, clock, previous: None, observer, asks: false, ledger };
    Guard::start(config).unwrap()
}

fn tool(guard: &Guard, name: &str) -> Arc<Tool> {
    guard.tool(ToolSpec { name: name.into(), source: PROGRAM_SOURCE.into(), ..ToolSpec::default() }).unwrap()
}

fn context() -> CallContext {
    CallContext::new("s-1")
}

fn amount(amount: f64) -> Value<'static> {
    let password = (Cow::Borrowed("password"), Value::Str(Cow::Borrowed("hunter2-secret")));
    Value::Map(vec![(Cow::Borrowed("amount"), Value::Float(amount)), password])
}

/// All lines of all streams and sidecars of a home.
fn written(home: &Path) -> String {
    let mut text = String::new();
    for stream in std::fs::read_dir(home.join("streams")).unwrap() {
        for file in std::fs::read_dir(stream.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|end| end == "jsonl" || end == "side") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

fn count(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

#[test]
fn an_allowed_call_has_its_record_before_the_body_and_its_end_after_it() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path(), POLICY, None);
    let refund = tool(&guard, "refund");
    let Admission::Run(ticket) = guard.admit(&refund, Ok(&amount(40.0)), &context()) else { panic!("it is allowed") };
    assert_eq!(guard.flush(Duration::from_secs(5)).pending, 0);
    let before = written(home.path());
    assert_eq!(count(&before, r#""kind":"policy""#), 1);
    assert_eq!(count(&before, r#""kind":"decided""#), 1);
    assert_eq!(count(&before, r#""kind":"completed""#), 0);
    ticket.complete(Outcome::Success, &Captured::Value(&Value::Str(Cow::Borrowed("done"))));
    guard.close(Duration::from_secs(5)).unwrap();
    let after = written(home.path());
    assert_eq!(count(&after, r#""outcome":"success""#), 1);
    assert!(!after.contains("hunter2-secret"), "what a redacted key holds is nowhere");
}

#[test]
fn what_needs_a_person_is_refused_while_nobody_can_be_asked() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path(), POLICY, None);
    let refund = tool(&guard, "refund");
    let Admission::Refused(refusal) = guard.admit(&refund, Ok(&amount(400.0)), &context()) else {
        panic!("it is held")
    };
    assert_eq!(refusal.decision.verdict, Verdict::RequireApproval);
    assert_eq!(refusal.decision.effect, Effect::Refused);
    assert_eq!(refusal.decision.reason_code, ReasonCode::NoApprover);
    assert!(refusal.action_id.is_some());
    let asked = guard.check(&refund, Ok(&amount(400.0)), &context());
    assert_eq!((asked.effect, asked.reason_code), (Effect::Asked, ReasonCode::Rule));
    guard.close(Duration::from_secs(5)).unwrap();
    assert_eq!(count(&written(home.path()), r#""kind":"decided""#), 1, "a check is not recorded");
}

#[test]
fn arguments_that_cannot_be_captured_refuse_the_call_in_every_mode() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path(), "{version: 1, name: lax, enforcement: observe, rules: []}", None);
    let refund = tool(&guard, "refund");
    let error = counterseal::Error::new(counterseal::ErrorCode::ValueTooDeep, "`tree` contains itself");
    let Admission::Refused(refusal) = guard.admit(&refund, Err(&error), &context()) else { panic!("it is refused") };
    assert_eq!(refusal.decision.reason_code, ReasonCode::CaptureFailed);
    assert_eq!(refusal.decision.detail.as_deref(), Some("`tree` contains itself"));
    let mut deep = Value::Null;
    for _ in 0..100 {
        deep = Value::List(vec![deep]);
    }
    let arguments = Value::Map(vec![(Cow::Borrowed("tree"), deep)]);
    assert!(matches!(guard.admit(&refund, Ok(&arguments), &context()), Admission::Refused(_)));
    assert_eq!(guard.check(&refund, Err(&error), &context()).reason_code, ReasonCode::CaptureFailed);
    assert_eq!(guard.health().capture_failed, 2, "a check is not counted");
}

#[test]
fn a_lost_ticket_is_recorded_as_unknown() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path(), POLICY, None);
    let refund = tool(&guard, "refund");
    drop(guard.admit(&refund, Ok(&amount(1.0)), &context()));
    guard.close(Duration::from_secs(5)).unwrap();
    assert_eq!(count(&written(home.path()), r#""outcome":"unknown""#), 1);
}

#[test]
fn a_closed_guard_refuses() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path(), POLICY, None);
    let refund = tool(&guard, "refund");
    guard.close(Duration::from_secs(5)).unwrap();
    let Admission::Refused(refusal) = guard.admit(&refund, Ok(&amount(1.0)), &context()) else {
        panic!("it is closed")
    };
    assert_eq!(refusal.decision.reason_code, ReasonCode::Closed);
}

#[test]
fn a_durable_call_cannot_run_before_its_record_is_on_the_disk() {
    let home = tempfile::tempdir().unwrap();
    let text = POLICY.to_owned() + "record: {sync: durable}\n";
    let guard = start(home.path(), &text, None);
    let refund = tool(&guard, "refund");
    let Admission::Sync(pending) = guard.admit(&refund, Ok(&amount(1.0)), &context()) else { panic!("it waits") };
    let Admission::Run(ticket) = pending.finish(Duration::from_secs(5)) else { panic!("it is on the disk") };
    assert_eq!(count(&written(home.path()), r#""kind":"decided""#), 1);
    ticket.complete(Outcome::Success, &Captured::Nothing);
}

#[test]
fn a_home_that_cannot_be_written_refuses_or_runs_as_the_fail_mode_says() {
    for (fail_mode, runs) in [("closed", false), ("open", true)] {
        let home = tempfile::tempdir().unwrap();
        let guard = start(home.path(), &format!("{POLICY}fail_mode: {fail_mode}\n"), None);
        let refund = tool(&guard, "refund");
        std::fs::remove_dir_all(home.path().join("streams")).unwrap();
        std::fs::write(home.path().join("streams"), "in the way").unwrap();
        let admission = guard.admit(&refund, Ok(&amount(1.0)), &context());
        assert_eq!(matches!(admission, Admission::Run(_)), runs, "fail_mode: {fail_mode}");
        let health = guard.health();
        assert_eq!((health.unrecorded_run, health.unrecorded_refused), (u64::from(runs), u64::from(!runs)));
    }
}

#[test]
fn calls_are_refused_once_the_home_was_removed() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path(), POLICY, None);
    let refund = tool(&guard, "refund");
    assert!(matches!(guard.admit(&refund, Ok(&amount(1.0)), &context()), Admission::Run(_)));
    assert_eq!(guard.flush(Duration::from_secs(5)).pending, 0);
    std::fs::remove_dir_all(home.path()).unwrap();
    // the first call after it may run: its record is in the spool, and the writer has not looked yet
    drop(guard.admit(&refund, Ok(&amount(1.0)), &context()));
    assert!(guard.flush(Duration::from_secs(5)).pending > 0, "what has no file is not written");
    let Admission::Refused(refusal) = guard.admit(&refund, Ok(&amount(1.0)), &context()) else {
        panic!("it is refused")
    };
    assert_eq!(refusal.decision.reason_code, ReasonCode::Unrecorded);
    assert!(guard.health().ledger.last_error.unwrap().contains("was removed"));
    assert!(guard.close(Duration::from_millis(200)).is_err());
}

#[test]
fn where_only_digests_are_kept_an_error_is_kept_as_its_type() {
    for (record, kept) in [("{result: digest}", false), ("{result: redacted}", true)] {
        let home = tempfile::tempdir().unwrap();
        let guard = start(home.path(), &format!("{POLICY}record: {record}\n"), None);
        let refund = tool(&guard, "refund");
        let Admission::Run(ticket) = guard.admit(&refund, Ok(&amount(1.0)), &context()) else { panic!("it runs") };
        ticket.complete(Outcome::Error, &Captured::Error("KeyError: a-secret-word"));
        guard.close(Duration::from_secs(5)).unwrap();
        let written = written(home.path());
        assert!(written.contains("KeyError"));
        assert_eq!(written.contains("a-secret-word"), kept, "record: {record}");
    }
}

#[derive(Debug, Default)]
struct Seen(Mutex<Vec<Verdict>>);

impl Observer for Seen {
    fn decided(&self, _tool: &Tool, decision: &Decision, _action_id: Option<ActionId>) {
        self.0.lock().unwrap().push(decision.verdict);
        assert_ne!(decision.verdict, Verdict::Deny, "an observer that fails");
    }
}

#[test]
fn an_observer_sees_every_decision_and_its_failure_changes_none() {
    let home = tempfile::tempdir().unwrap();
    let seen = Arc::new(Seen::default());
    let guard = start(home.path(), POLICY, Some(Arc::clone(&seen) as Arc<dyn Observer>));
    let (refund, wipe) = (tool(&guard, "refund"), tool(&guard, "wipe"));
    assert!(matches!(guard.admit(&refund, Ok(&amount(1.0)), &context()), Admission::Run(_)));
    assert!(matches!(guard.admit(&wipe, Ok(&amount(1.0)), &context()), Admission::Refused(_)));
    assert_eq!(*seen.0.lock().unwrap(), [Verdict::Allow, Verdict::Deny]);
    assert_eq!(guard.health().panics, 1);
}

/// Bytes of a record in every place that a model or a program can fill: they come back as the text they are.
#[test]
fn a_record_forged_through_an_argument_stays_a_text() {
    let home = tempfile::tempdir().unwrap();
    let first = start(home.path(), POLICY, None);
    let refund = tool(&first, "refund");
    let Admission::Run(ticket) = first.admit(&refund, Ok(&amount(7.0)), &context()) else { panic!("it is allowed") };
    ticket.complete(Outcome::Success, &Captured::Value(&Value::Null));
    first.close(Duration::from_secs(60)).unwrap();
    let stolen = written(home.path());
    let line = stolen.lines().find(|line| line.contains(r#""kind":"decided""#)).unwrap();
    let forged = format!("\"}}\n{line}\n{{\"v\":1,\"kind\":\"closed\"}}\r\n\u{2028}\0");

    let second = start(home.path(), POLICY, None);
    let name = format!("tool {forged}");
    for known in [&tool(&second, "refund"), &tool(&second, &name)] {
        let note = (Cow::Owned(forged.clone()), Value::Str(Cow::Borrowed(forged.as_str())));
        let arguments = Value::Map(vec![(Cow::Borrowed("amount"), Value::Float(1.0)), note]);
        let context = CallContext {
            user: None,
            session: Arc::from(forged.as_str()),
            run: Some(Arc::from(forged.as_str())),
            ..context()
        };
        if let Admission::Run(ticket) = second.admit(known, Ok(&arguments), &context) {
            ticket.complete(Outcome::Success, &Captured::Value(&Value::Str(Cow::Borrowed(forged.as_str()))));
        }
    }
    second.close(Duration::from_secs(60)).unwrap();

    let report = verify(home.path(), &verify::Options { deep: true, ..verify::Options::default() }).unwrap();
    assert!(report.holds(), "{report}");
    let home = ledger::Home::open(home.path()).unwrap();
    let filter = Filter { kinds: vec![Kind::Decided], ..Filter::default() };
    let decided: Vec<_> = entries(&home, &filter, true).unwrap().map(Result::unwrap).collect();
    assert_eq!(decided.len(), 3, "one of the first process, two of the second");
    let forged_sessions = decided.iter().filter(|entry| {
        matches!(&entry.record, Record::Decided(record) if record.session == forged && record.run.as_deref() == Some(&forged))
    });
    assert_eq!(forged_sessions.count(), 2);
    assert!(decided.iter().any(|entry| matches!(&entry.record, Record::Decided(record) if record.tool.name == name)));
}
