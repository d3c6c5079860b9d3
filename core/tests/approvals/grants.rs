//! Grants: like calls that run without asking, and which calls are alike.

use super::{LONG, POLICY, args, ask, context, of, person, records, refusal, run, start, under};
use counterseal::approval::{Answer, Consent, Edit, Grant};
use counterseal::call::CallContext;
use counterseal::decide::ReasonCode;
use counterseal::guard::Captured;
use counterseal::ledger::Outcome;
use serde_json::json;
use std::sync::Arc;

#[test]
fn a_grant_lets_like_calls_run_and_no_others() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let asking = ask(&guard, &args(400.0, "r"), &context());
    let grant = Grant { when: Some(Arc::from("double(args.amount) < 500.0")), count: Some(2), until: None };
    asking.answer(person("ann"), Answer::Yes(Consent { edit: None, grant: Some(grant) }), None);
    assert!(asking.waiting().wait(LONG));
    let id = asking.approval().unwrap();
    run(asking.resume(Ok(&args(400.0, "r")))).complete(Outcome::Success, &Captured::Nothing);
    for amount in [300.0, 499.0] {
        let granted = ask(&guard, &args(amount, "r"), &context());
        assert!(granted.waiting().wait(LONG));
        run(granted.resume(Ok(&args(amount, "r")))).complete(Outcome::Success, &Captured::Nothing);
    }
    let used_up = ask(&guard, &args(300.0, "r"), &context());
    assert!(!used_up.waiting().is_settled(), "two were granted");
    let other = ask(&guard, &args(400.0, "r"), &CallContext { session: Arc::from("s-2"), ..context() });
    assert!(!other.waiting().is_settled(), "another conversation");
    guard.close(LONG).unwrap();
    let decided = records(home.path(), "decided");
    assert_eq!(decided.len(), 3);
    assert!(decided.iter().all(|record| record["approval"] == id.to_string() && record["effect"] == "run"));
}

#[test]
fn a_grant_is_for_the_person_and_the_agent_it_was_given_for() {
    let home = tempfile::tempdir().unwrap();
    let apart = POLICY.replacen("timeout: 10m", "timeout: 10m, not_by: [requester]", 1);
    let guard = under(home.path(), &apart);
    let asking = ask(&guard, &args(400.0, "r"), &of("alice"));
    let grant = Grant { when: Some(Arc::from("true")), count: Some(9), until: None };
    asking.answer(person("bob"), Answer::Yes(Consent { edit: None, grant: Some(grant) }), None);
    assert!(asking.waiting().wait(LONG));
    run(asking.resume(Ok(&args(400.0, "r")))).complete(Outcome::Success, &Captured::Nothing);
    assert!(ask(&guard, &args(500.0, "r"), &of("alice")).waiting().is_settled(), "granted");
    let agent = CallContext { agent: Some(Arc::from("other")), ..of("alice") };
    for other in [of("mallory"), of("bob"), context(), agent] {
        assert!(!ask(&guard, &args(500.0, "r"), &other).waiting().is_settled(), "not granted to {other:?}");
    }
}

#[test]
fn a_grant_ends_when_its_file_is_removed() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let asking = ask(&guard, &args(400.0, "r"), &context());
    let grant = Grant { when: None, count: Some(9), until: None };
    asking.answer(person("ann"), Answer::Yes(Consent { edit: None, grant: Some(grant) }), None);
    assert!(asking.waiting().wait(LONG));
    let id = asking.approval().unwrap();
    run(asking.resume(Ok(&args(400.0, "r")))).complete(Outcome::Success, &Captured::Nothing);
    assert!(ask(&guard, &args(400.0, "r"), &context()).waiting().is_settled());
    std::fs::remove_file(home.path().join("approvals").join(format!("{id}.json"))).unwrap();
    assert!(!ask(&guard, &args(400.0, "r"), &context()).waiting().is_settled(), "people are asked again");
}

#[test]
fn a_grant_beside_a_change_says_which_calls_it_is_for() {
    let home = tempfile::tempdir().unwrap();
    let guard = start(home.path());
    let said = |when: Option<&str>| {
        let edit = Edit::from_json(json!([{"op": "replace", "path": "/amount", "value": 150}])).unwrap();
        let grant = Grant { when: when.map(Arc::from), count: Some(5), until: None };
        Answer::Yes(Consent { edit: Some(edit), grant: Some(grant) })
    };
    let asking = ask(&guard, &args(4000.0, "r"), &context());
    asking.answer(person("ann"), said(None), None);
    assert!(asking.waiting().wait(LONG));
    let refusal = refusal(asking.resume(Ok(&args(4000.0, "r"))));
    assert_eq!(refusal.decision.reason_code, ReasonCode::ApprovalFailed);
    assert!(refusal.decision.detail.unwrap().contains("give the grant a condition (`when`)"));
    let asking = ask(&guard, &args(4000.0, "r"), &context());
    asking.answer(person("ann"), said(Some("double(args.amount) <= 150.0")), None);
    assert!(asking.waiting().wait(LONG));
    run(asking.resume(Ok(&args(4000.0, "r")))).complete(Outcome::Success, &Captured::Nothing);
    let own = ask(&guard, &args(4000.0, "r"), &context());
    assert!(!own.waiting().is_settled(), "the agent's own arguments");
    assert!(ask(&guard, &args(120.0, "r"), &context()).waiting().is_settled(), "granted");
}
