//! Calls with an id that are met again: what nobody runs any more is taken up, what runs is one call more.

#![cfg(test)]

use counterseal::approval::{Answer, Consent, Person};
use counterseal::call::{CallContext, PROGRAM_SOURCE, ToolSpec};
use counterseal::clock::Clock;
use counterseal::decide::{Layer, Layers, Options, ReasonCode};
use counterseal::guard::{Admission, Captured, Config, Guard, Ticket, Tool};
use counterseal::ledger::read::{Entry, Filter, entries};
use counterseal::ledger::record::Kind;
use counterseal::ledger::{self, Home, Outcome};
use counterseal::policy;
use counterseal::value::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const ONE: &str = "version: 1\nbudgets: [{id: one, calls: 1}]\n";
const ASKED: &str = "version: 1\nrules: [{id: ask, tools: [pay], decision: require_approval}]\n";
const LONG: Duration = Duration::from_secs(30);
const CHILDS_HOME: &str = "COUNTERSEAL_TEST_CHILDS_HOME";

fn start(home: &Path, text: &str) -> (Arc<Guard>, Arc<Tool>) {
    let policy = policy::load("policy.yaml", text).unwrap_or_else(|errors| panic!("{errors}"));
    let layer = Layer { name: Arc::from("local"), policy: Arc::new(policy) };
    let guard = Guard::start(Config {
        layers: Layers::new(vec![layer], Options::default()).unwrap(),
        home: home.to_owned(),
        agent: None,
        clock: Clock::System,
        previous: None,
        observer: None,
        asks: true,
        ledger: ledger::Options::default(),
    })
    .unwrap();
    let tool = guard.tool(ToolSpec { name: "pay".into(), source: PROGRAM_SOURCE.into(), ..ToolSpec::default() });
    (guard, tool.unwrap())
}

/// A call of the id `c-1`.
fn admit(guard: &Arc<Guard>, tool: &Arc<Tool>) -> Admission {
    admit_as(guard, tool, "c-1")
}

fn admit_as(guard: &Arc<Guard>, tool: &Arc<Tool>, call_id: &str) -> Admission {
    let context = CallContext { call_id: Some(Arc::from(call_id)), ..CallContext::new("s-1") };
    guard.admit(tool, Ok(&Value::Map(Vec::new())), &context)
}

/// The call goes on once its question has ended; whether people were asked, who then say yes.
fn agreed(admission: Admission) -> (Ticket, bool) {
    let Admission::Ask(asking) = admission else { panic!("people are asked: {admission:?}") };
    assert!(asking.waiting().wait_asked(LONG));
    let asked = !asking.waiting().is_settled();
    if asked {
        let ann = Person { id: Arc::from("ann"), groups: Vec::new(), verified_by: None };
        asking.answer(ann, Answer::Yes(Consent::default()), None);
    }
    assert!(asking.waiting().wait(LONG));
    match asking.resume(Ok(&Value::Map(Vec::new()))).admission {
        Admission::Sync(waits) => (running(waits.finish(LONG)), asked),
        other => panic!("it runs once it is on the disk: {other:?}"),
    }
}

fn running(admission: Admission) -> Ticket {
    match admission {
        Admission::Run(ticket) => ticket,
        other => panic!("it runs: {other:?}"),
    }
}

fn is_over_budget(admission: &Admission) -> bool {
    matches!(admission, Admission::Refused(refusal) if refusal.decision.reason_code == ReasonCode::BudgetExceeded)
}

#[test]
fn calls_of_one_id_that_run_at_once_are_as_many_calls() {
    let home = tempfile::tempdir().unwrap();
    let (guard, pay) = start(home.path(), ONE);
    let first = running(admit(&guard, &pay));
    assert!(is_over_budget(&admit(&guard, &pay)));
    // another engine over the same home asks whether the process of the first lives, and it does
    let (other, pay_too) = start(home.path(), ONE);
    assert!(is_over_budget(&admit(&other, &pay_too)));
    first.complete(Outcome::Success, &Captured::Nothing);
    assert!(is_over_budget(&admit(&guard, &pay)));
}

#[test]
fn a_suspended_call_is_entered_again_without_being_counted_again() {
    let home = tempfile::tempdir().unwrap();
    let (guard, pay) = start(home.path(), ONE);
    for _ in 0..3 {
        let mut ticket = running(admit(&guard, &pay));
        ticket.suspends();
        ticket.complete(Outcome::Interrupted, &Captured::Nothing);
    }
    let resumed = running(admit(&guard, &pay));
    assert!(is_over_budget(&admit(&guard, &pay)), "it runs again, so that another one is one more");
    resumed.complete(Outcome::Success, &Captured::Nothing);
    assert!(is_over_budget(&admit(&guard, &pay)));
}

fn is_refused_by_a_rule(admission: &Admission) -> bool {
    matches!(admission, Admission::Refused(refusal) if refusal.decision.reason_code == ReasonCode::Rule)
}

#[test]
fn rules_see_the_session_before_a_call_only_where_nobody_runs_it() {
    for limit in ["", "budgets: [{id: many, calls: 99}]\n"] {
        let home = tempfile::tempdir().unwrap();
        let once = format!(
            "version: 1\nrules: [{{id: once, tools: [pay], when: 'session.calls(\"pay\") >= 1', decision: deny}}]\n{limit}"
        );
        let (guard, pay) = start(home.path(), &once);
        let mut first = running(admit(&guard, &pay));
        assert!(is_refused_by_a_rule(&admit(&guard, &pay)), "it runs");
        first.suspends();
        first.complete(Outcome::Interrupted, &Captured::Nothing);
        let again = running(admit(&guard, &pay));
        assert!(is_refused_by_a_rule(&admit(&guard, &pay)), "it runs again");
        again.complete(Outcome::Success, &Captured::Nothing);
        assert!(is_refused_by_a_rule(&admit(&guard, &pay)), "it ran");
    }
}

#[test]
fn what_a_suspended_call_did_not_leave_in_its_session_is_not_left_out() {
    let home = tempfile::tempdir().unwrap();
    let rules = "version: 1\ntags: [untrusted]\nrules: [{id: no, tools: [pay], when: session.saw(\"untrusted\"), decision: deny}]\n";
    let (guard, pay) = start(home.path(), rules);
    let mut first = running(admit(&guard, &pay));
    first.suspends();
    first.complete(Outcome::Interrupted, &Captured::Nothing);
    // since then the tool has a tag, and something else has brought it
    let (other, tagged) = start(home.path(), &format!("{rules}tools: {{pay: {{tags: [untrusted]}}}}\n"));
    let now = other.clock().now();
    other.memory().unwrap().sessions.mark("s-1", "untrusted", now).unwrap();
    assert!(is_refused_by_a_rule(&admit(&other, &tagged)));
}

#[test]
fn a_call_that_is_entered_again_is_not_asked_about_again() {
    let home = tempfile::tempdir().unwrap();
    let (guard, pay) = start(home.path(), ASKED);
    let leave = |mut ticket: Ticket| {
        ticket.suspends();
        ticket.complete(Outcome::Interrupted, &Captured::Nothing);
    };
    let (first, asked) = agreed(admit(&guard, &pay));
    assert!(asked);
    leave(first);
    let (again, asked) = agreed(admit(&guard, &pay));
    assert!(!asked);
    leave(again);
    let (other, asked) = agreed(admit_as(&guard, &pay, "c-2"));
    assert!(asked, "the yes is for the call of its id");
    other.complete(Outcome::Success, &Captured::Nothing);
    // in the last moment of its process: the next one knows
    guard.close(LONG).unwrap();
    let (guard, pay) = start(home.path(), ASKED);
    let (last, asked) = agreed(admit(&guard, &pay));
    assert!(!asked);
    last.complete(Outcome::Success, &Captured::Nothing);
    let (anew, asked) = agreed(admit(&guard, &pay));
    assert!(asked, "its run is over, and the yes with it");
    anew.complete(Outcome::Success, &Captured::Nothing);
    guard.close(LONG).unwrap();
    let home = Home::open(home.path()).unwrap();
    let decided = entries(&home, &Filter { kinds: vec![Kind::Decided], ..Filter::default() }, false).unwrap();
    let ids: Vec<String> =
        decided.map(|entry| serde_json::to_value(&entry.unwrap().record).unwrap()["action_id"].to_string()).collect();
    assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (5, 5), "one action, one decision");
}

#[test]
fn a_call_that_was_interrupted_for_good_is_counted_when_it_comes_again() {
    let home = tempfile::tempdir().unwrap();
    let (guard, pay) = start(home.path(), ONE);
    running(admit(&guard, &pay)).complete(Outcome::Interrupted, &Captured::Nothing);
    assert!(is_over_budget(&admit(&guard, &pay)));
}

#[test]
fn a_call_whose_process_died_is_taken_up_once() {
    if let Some(home) = std::env::var_os(CHILDS_HOME) {
        let (guard, pay) = start(Path::new(&home), ONE);
        let _ticket = running(admit(&guard, &pay));
        std::process::abort();
    }
    let home = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_call_whose_process_died_is_taken_up_once"])
        .env(CHILDS_HOME, home.path())
        .output()
        .unwrap();
    assert!(!child.status.success());
    let (guard, pay) = start(home.path(), ONE);
    let taken_up = running(admit(&guard, &pay));
    assert!(is_over_budget(&admit(&guard, &pay)));
    taken_up.complete(Outcome::Success, &Captured::Nothing);
    assert!(is_over_budget(&admit(&guard, &pay)));
}

#[test]
fn a_call_that_is_given_up_before_its_body_is_cancelled_and_takes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (guard, pay) = start(home.path(), &(ONE.to_owned() + "record: {sync: durable}\n"));
    for _ in 0..3 {
        let Admission::Sync(waits) = admit(&guard, &pay) else { panic!("it waits for its record") };
        drop(waits);
    }
    let Admission::Sync(waits) = admit(&guard, &pay) else { panic!("it waits for its record") };
    let ticket = running(waits.finish(Duration::from_secs(10)));
    assert!(is_over_budget(&admit(&guard, &pay)));
    ticket.complete(Outcome::Success, &Captured::Nothing);
    guard.close(Duration::from_secs(10)).unwrap();
    let home = Home::open(home.path()).unwrap();
    let ended = entries(&home, &Filter { kinds: vec![Kind::Completed], ..Filter::default() }, false).unwrap();
    let cancelled = |entry: &Entry| serde_json::to_string(&entry.record).unwrap().contains(r#""outcome":"cancelled""#);
    assert_eq!(ended.map(Result::unwrap).filter(cancelled).count(), 3);
}
