//! Questions that a process left when it ended: taken up by one other, or ended by whoever looks next.

use super::{LONG, MINUTE, POLICY, START, all, answer, args, ask, context, of_agent, person, records, run, start, yes};
use counterseal::approval::store::Store;
use counterseal::approval::{Answer, Approval, ApprovalId, State};
use counterseal::call::{CallContext, PROGRAM_SOURCE, ToolSpec};
use counterseal::clock::UnixNanos;
use counterseal::guard::{Admission, Captured, Guard};
use counterseal::ledger::{Home, Outcome};
use serde_json::json;
use std::sync::Arc;

#[test]
fn a_call_that_its_process_left_is_taken_up_by_one_other() {
    let home = tempfile::tempdir().unwrap();
    let kept = |guard: &Arc<Guard>| {
        let spec = ToolSpec { name: "refund".into(), source: PROGRAM_SOURCE.into(), ..ToolSpec::default() };
        guard.tool(ToolSpec { keeps_arguments: true, ..spec }).unwrap()
    };
    let asked = |guard: &Arc<Guard>, context: &CallContext| {
        let Admission::Ask(asking) = guard.admit(&kept(guard), Ok(&args(400.0, "r-1")), context) else {
            panic!("people are to be asked")
        };
        assert!(asking.waiting().wait_asked(LONG));
        *asking
    };
    let first = start(home.path());
    let asking = asked(&first, &context());
    let (id, action_id) = (asking.approval().unwrap(), asking.action_id());
    let twice = asked(&first, &context());
    assert_ne!(twice.approval(), Some(id), "the same call twice is two questions here too");
    assert!(first.left_calls().unwrap().is_empty(), "whoever asked still waits");
    first.close(LONG).unwrap();
    drop((asking, twice));

    let other = of_agent(home.path(), POLICY, Some("other"));
    assert_eq!((other.left_calls().unwrap().len(), other.take_left(id).unwrap()), (0, false), "another agent's");
    other.close(LONG).unwrap();
    let (second, third) = (start(home.path()), start(home.path()));
    let left = second.left_calls().unwrap();
    assert_eq!(left.len(), 2);
    // both were asked at one time of the test's clock
    let left = left.into_iter().find(|one| one.id() == id).unwrap();
    let call = &left.request().call;
    assert_eq!((&*call.tool, &*call.session), ("refund", "s-1"));
    let canonical = left.request().arguments.as_ref().unwrap().to_string();
    assert_eq!(canonical, r#"{"amount":400.0,"password":"hunter2-secret","request_id":"r-1"}"#.replace(".0", ""));
    assert_eq!([second.take_left(id).unwrap(), second.take_left(id).unwrap()], [true, false]);
    assert_eq!([third.take_left(id).unwrap(), third.left_calls().unwrap().len() == 1], [false, true]);
    let again = asked(&second, &CallContext { call_id: call.call_id.clone(), ..context() });
    assert_eq!((again.approval(), again.action_id()), (Some(id), action_id));
    answer(home.path(), id, "ann", yes());
    assert!(again.waiting().wait(LONG));
    run(again.resume(Ok(&args(400.0, "r-1")))).complete(Outcome::Success, &Captured::Nothing);
    let over = all(home.path()).into_iter().find(|one| one.id() == id).unwrap();
    assert_eq!(over.request().arguments, None, "kept only until it ran");
    assert!(over.is_claimed());
}

#[test]
fn a_call_is_left_as_long_as_it_can_run_by_its_question() {
    let home = tempfile::tempdir().unwrap();
    let kept = |guard: &Arc<Guard>| {
        let spec = ToolSpec { name: "refund".into(), source: PROGRAM_SOURCE.into(), ..ToolSpec::default() };
        guard.tool(ToolSpec { keeps_arguments: true, ..spec }).unwrap()
    };
    let asked = |guard: &Arc<Guard>, after: i64, amount: f64| {
        guard.clock().set(UnixNanos(START + after));
        let Admission::Ask(asking) = guard.admit(&kept(guard), Ok(&args(amount, "r")), &context()) else {
            panic!("people are to be asked")
        };
        assert!(asking.waiting().wait_asked(LONG));
        asking.approval().unwrap()
    };
    let first = start(home.path());
    // asked in another order than the ids have
    let ids: Vec<ApprovalId> = (1_u8..=4).map(|nth| asked(&first, i64::from(nth), 400.0 + f64::from(nth))).collect();
    let not_kept = ask(&first, &args(300.0, "r"), &context());
    first.close(LONG).unwrap();
    drop(not_kept);

    let second = start(home.path());
    let left = |after: i64| -> Vec<ApprovalId> {
        second.clock().set(UnixNanos(START + after));
        second.left_calls().unwrap().iter().map(Approval::id).collect()
    };
    assert_eq!(left(10), ids, "the oldest first, those without their arguments not");
    answer(home.path(), ids[0], "ann", Answer::No);
    answer(home.path(), ids[1], "ann", yes());
    assert_eq!(left(10), ids, "an answer is to be told to the program, or lets the call run");

    assert!(second.take_left(ids[0]).unwrap() && second.take_left(ids[2]).unwrap());
    second.end_left(ids[0]).unwrap();
    second.end_left(ids[2]).unwrap();
    assert_eq!(left(10), [ids[1], ids[3]]);
    let states = |nth: usize| all(home.path()).into_iter().find(|one| one.id() == ids[nth]).unwrap();
    assert_eq!([states(0).state(), states(2).state()], [State::Denied, State::Cancelled]);
    assert!(!states(0).is_open() && !states(2).is_open(), "ended for every process");
    second.end_left(ids[0]).unwrap();

    assert_eq!(left(100 * MINUTE), [], "their time is over");
    assert!(!second.take_left(ids[3]).unwrap());
}

#[test]
fn arguments_are_kept_no_longer_than_a_process_may_run_the_call() {
    let home = tempfile::tempdir().unwrap();
    let leave = |amount: f64| {
        let guard = start(home.path());
        let spec = ToolSpec { name: "refund".into(), source: PROGRAM_SOURCE.into(), ..ToolSpec::default() };
        let tool = guard.tool(ToolSpec { keeps_arguments: true, ..spec }).unwrap();
        let Admission::Ask(asking) = guard.admit(&tool, Ok(&args(amount, "r")), &context()) else {
            panic!("people are to be asked")
        };
        assert!(asking.waiting().wait_asked(LONG));
        let id = asking.approval().unwrap();
        guard.close(LONG).unwrap();
        id
    };
    let (unanswered, unused) = (leave(400.0), leave(500.0));
    answer(home.path(), unused, "ann", yes());
    assert!(all(home.path()).iter().all(|one| one.request().arguments.is_some()));
    let later = start(home.path());
    later.clock().set(UnixNanos(START + 11 * MINUTE));
    assert!(later.left_calls().unwrap().is_empty());
    let store = Store::new(&Home::open(home.path()).unwrap());
    let ended = [unanswered, unused].map(|id| store.find(id).unwrap());
    assert_eq!(ended.clone().map(|one| one.state()), [State::Expired, State::Approved]);
    assert_eq!(ended.map(|one| one.request().arguments.clone()), [None, None]);
    later.close(LONG).unwrap();
    let expired = records(home.path(), "approval").into_iter().filter(|record| record["state"] == "expired");
    let expired: Vec<_> = expired.map(|record| record["approval"].clone()).collect();
    assert_eq!(expired, [json!(unanswered.to_string())], "nothing ends unrecorded");
}

#[test]
fn a_process_that_lives_on_ends_what_another_left() {
    let home = tempfile::tempdir().unwrap();
    let living = start(home.path());
    let _first = ask(&living, &args(300.0, "r"), &context());
    let gone = start(home.path());
    let left = ask(&gone, &args(400.0, "r"), &context()).approval().unwrap();
    gone.close(LONG).unwrap();
    living.clock().set(UnixNanos(START + 11 * MINUTE));
    let _second = ask(&living, &args(500.0, "r"), &context());
    let store = Store::new(&Home::open(home.path()).unwrap());
    assert_eq!(store.find(left).unwrap().state(), State::Expired);
}

#[test]
fn what_is_long_over_is_taken_away_by_a_process_that_lives_on() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let asking = ask(&guard, &args(400.0, "r"), &context());
    asking.answer(person("ann"), yes(), None);
    assert!(asking.waiting().wait(LONG));
    run(asking.resume(Ok(&args(400.0, "r")))).complete(Outcome::Success, &Captured::Nothing);
    assert_eq!(all(home.path()).len(), 1, "kept for a week");
    guard.clock().set(UnixNanos(START + 8 * 24 * 60 * MINUTE));
    let asking = ask(&guard, &args(600.0, "r"), &context());
    assert_eq!(all(home.path()).iter().map(Approval::id).collect::<Vec<_>>(), [asking.approval().unwrap()]);
}
