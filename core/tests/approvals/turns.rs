//! Calls that a framework makes as one step and would all make again: none goes on before all are answered.

use super::*;

/// A call of a turn of three.
fn in_turn(id: &str) -> CallContext {
    let ids = ["c-1", "c-2", "c-3"].map(Arc::from);
    CallContext { call_id: Some(Arc::from(id)), turn: Some(Arc::from(ids)), ..context() }
}

fn over(asking: &Asking) -> bool {
    asking.waiting().is_settled()
}

#[test]
fn none_of_a_turn_goes_on_before_all_are_answered() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let values = [args(200.0, "r"), args(300.0, "r"), args(400.0, "r")];
    let calls: Vec<_> = values.iter().zip(["c-1", "c-2", "c-3"]).collect();
    let all = || calls.iter().map(|(value, id)| ask(&guard, value, &in_turn(id))).collect::<Vec<_>>();
    let first = all();
    let ids: Vec<ApprovalId> = first.iter().map(|asking| asking.approval().unwrap()).collect();
    // the framework stops, and people answer one after the other from elsewhere
    drop(first);
    answer(home.path(), ids[0], "ann", yes());
    let second = all();
    assert!(second[0].waiting().is_held() && !second[1].waiting().is_held() && !over(&second[0]));
    drop(second);
    answer(home.path(), ids[1], "ann", Answer::No);
    answer(home.path(), ids[2], "ann", yes());
    // those that were asked about when all were answered go on, whoever of them is first
    for (place, asking) in all().into_iter().enumerate().rev() {
        assert!(asking.waiting().wait(LONG));
        let resumed = asking.resume(Ok(&values[place]));
        if place == 1 {
            let Admission::Refused(refusal) = resumed.admission else { panic!("a no is a no") };
            assert_eq!(refusal.decision.reason_code, ReasonCode::ApprovalDenied);
        } else {
            run(resumed).complete(Outcome::Success, &Captured::Nothing);
        }
    }
}

#[test]
fn the_last_answer_of_a_turn_lets_nobody_run_who_would_be_made_again() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let (one, other) = (args(200.0, "r"), args(300.0, "r"));
    let (first, second) = (ask(&guard, &one, &in_turn("c-1")), ask(&guard, &other, &in_turn("c-2")));
    first.answer(person("ann"), yes(), None);
    assert!(first.waiting().wait_asked(LONG));
    assert!(first.waiting().is_held() && !over(&first));
    // the first has stopped by now, or is about to
    second.answer(person("ann"), yes(), None);
    assert!(second.waiting().wait_asked(LONG));
    assert!(second.waiting().is_held() && !over(&second));
    assert!(!over(&first), "what was told to stop takes no yes");
    drop((first, second));
    for (value, id) in [(&one, "c-1"), (&other, "c-2")] {
        let asking = begin(&guard, value, &in_turn(id));
        assert!(asking.waiting().wait(LONG));
        run(asking.resume(Ok(value))).complete(Outcome::Success, &Captured::Nothing);
    }
}

#[test]
fn one_alone_of_a_turn_that_is_asked_about_waits_for_nobody() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let value = args(200.0, "r");
    let asking = ask(&guard, &value, &in_turn("c-2"));
    asking.answer(person("ann"), yes(), None);
    assert!(asking.waiting().wait(LONG));
    run(asking.resume(Ok(&value))).complete(Outcome::Success, &Captured::Nothing);
}
