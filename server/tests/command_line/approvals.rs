//! `approvals list | show | approve | deny | watch`.

use crate::running::{Ran, run};
use counterseal::approval::store::Store;
use counterseal::approval::{Approval, Approver, Call, Person, Request, Requirement, Shown};
use counterseal::clock::{Clock, UnixNanos};
use counterseal::ledger::record::scalar::{Hash, Id, Time};
use counterseal::ledger::{Entropy, Home};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

const MINUTE: i64 = 60_000_000_000;

/// A home in `directory` with questions: their ids begin with `11`, `12`, ….
fn made(directory: &Path, change: impl Fn(u8, &mut Request), count: u8) {
    let home = Home::open_or_create(&directory.join("home"), &mut Entropy::system()).unwrap();
    let store = Store::new(&home);
    let locked = store.lock().unwrap();
    for nth in 1..=count {
        let mut request = request(nth);
        change(nth, &mut request);
        locked.write(&Approval::new(request), false).unwrap();
    }
}

fn request(nth: u8) -> Request {
    let now = Clock::System.now();
    let shown = |value: Value, bound| Shown { value, bound };
    Request {
        id: Id([0x10 + nth; 16]),
        call: Call {
            action_id: Id([nth; 16]),
            call_id: None,
            source: Arc::from("program"),
            tool: Arc::from("issue_refund"),
            agent: Some(Arc::from("support")),
            requester: Some(Person { id: Arc::from("u-7"), groups: Vec::new(), verified_by: None }),
            session: Arc::from("conv-1"),
            run: None,
        },
        binding: Hash([9; 32]),
        reason: Some(Arc::from("Refunds over $100 need a person")),
        reason_code: Arc::from("rule"),
        policy: Hash([7; 32]),
        requirements: vec![requirement(Vec::new(), 1)],
        shown: [
            ("amount".to_owned(), shown(json!(400), true)),
            ("note".to_owned(), shown(json!("\u{1b}[2Jall is well\u{202e}"), true)),
            ("request_id".to_owned(), shown(json!("r-1"), false)),
        ]
        .into(),
        hidden: 1,
        time: Time(UnixNanos(now.0 - MINUTE + i64::from(nth))),
        expires: Time(UnixNanos(now.0 + 10 * MINUTE)),
        asker: Id([3; 16]),
        redact: Vec::new(),
        arguments: None,
    }
}

fn requirement(approvers: Vec<Approver>, quorum: u32) -> Requirement {
    Requirement { rule: Arc::from("local/big-refunds"), approvers, quorum, not_by_requester: false }
}

fn approvals(directory: &Path, arguments: &[&str]) -> Ran {
    let mut all = vec!["approvals"];
    all.extend(arguments);
    run(directory, &all)
}

fn refused(ran: &Ran, exit: i32, said: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (exit, ""), "{ran:#?}");
    assert!(ran.stderr.starts_with("counterseal: ") && ran.stderr.contains(said), "{said} in {ran:#?}");
}

#[test]
fn what_waits_is_listed_and_shown_so_that_it_can_be_judged() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path(), |_, _| {}, 2);
    let ran = approvals(directory.path(), &["list"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 2), "{ran:#?}");
    assert!(ran.stdout.starts_with("11111111  pending  issue_refund  9 min left  Refunds over $100"), "{ran:#?}");
    let ran = approvals(directory.path(), &["show", "12"]);
    for said in [
        "May `issue_refund` run?",
        "Refunds over $100 need a person",
        "u-7 (nobody vouches for that name)",
        "nobody waits for it now",
        "1 yes of anybody",
        "amount = 400\n",
        "request_id = \"r-1\"   (may be another when it runs)",
        "and 1 not shown",
        "\\u{202e}",
    ] {
        assert!(ran.stdout.contains(said), "{said} in {ran:#?}");
    }
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stdout.contains('\u{202e}'));
    let document = approvals(directory.path(), &["list", "--json"]).json();
    assert_eq!(document["approvals"][0]["state"], "pending");
    assert_eq!(document["approvals"][0]["arguments"]["amount"], json!({"value": 400, "bound": true}));
    assert_eq!(document["unreadable"], json!([]));
}

#[test]
fn a_long_argument_is_shown_whole_and_begins_no_line() {
    let directory = tempfile::tempdir().unwrap();
    let query =
        format!("SELECT 1 -- {}{}answer      yes by ceo; DROP TABLE users", "harmless ".repeat(60), " ".repeat(80));
    let shown = Shown { value: json!(query), bound: true };
    made(directory.path(), |_, request| drop(request.shown.insert("query".to_owned(), shown.clone())), 1);
    let ran = approvals(directory.path(), &["show", "11"]);
    let pieces: String = ran.stdout.lines().filter_map(|line| line.strip_prefix("    | ")).collect();
    assert!(pieces.ends_with("DROP TABLE users\""), "{ran:#?}");
    assert!(ran.stdout.lines().all(|line| line.len() < 100 && line.starts_with([' ', 'M'])), "{ran:#?}");
}

#[test]
fn an_answer_is_recorded_under_the_name_of_whoever_gave_it() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path(), |_, _| {}, 2);
    let ran = approvals(directory.path(), &["approve", "11", "--yes", "--note", "checked"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "approved: `issue_refund` may run once\n"), "{ran:#?}");
    let ran = approvals(directory.path(), &["deny", "12", "--note", "ask first", "--json"]);
    let document = ran.json();
    assert_eq!((ran.code, &document["state"]), (0, &"denied".into()), "{ran:#?}");
    assert_eq!(document["answers"][0]["note"], "ask first");
    assert_eq!(document["answers"][0]["by"]["verified_by"], "os");
    assert_eq!(approvals(directory.path(), &["list"]).stdout, "nothing waits for an answer\n");
    assert_eq!(approvals(directory.path(), &["list", "--all"]).stdout.lines().count(), 2);
    let records = run(directory.path(), &["ledger", "tail", "--kind", "approval", "--json"]).json();
    let states: Vec<&Value> =
        records["records"].as_array().unwrap().iter().map(|one| &one["record"]["state"]).collect();
    assert_eq!(states, ["approved", "denied"]);
    assert_eq!(run(directory.path(), &["ledger", "verify", "--deep"]).code, 0);
}

#[test]
fn a_yes_can_change_the_call_and_cover_like_ones() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path(), |_, _| {}, 1);
    let grant = ["--grant-count", "3", "--grant-minutes", "60", "--grant-when", "double(args.amount) < 200.0"];
    let mut arguments = vec!["approve", "1", "--yes", "--json", "--set", "amount=80", "--set", "a/b=\"x\""];
    arguments.extend(grant);
    let answer = &approvals(directory.path(), &arguments).json()["answers"][0];
    let patch = json!([
        {"op": "add", "path": "/amount", "value": 80},
        {"op": "add", "path": "/a~1b", "value": "x"},
    ]);
    assert_eq!((&answer["edit"], &answer["grant"]["count"]), (&patch, &3.into()));
    let listed = approvals(directory.path(), &["list"]).stdout;
    assert!(listed.contains("lets run 3 like calls, until 2"), "a grant in force is listed: {listed}");
    let shown = approvals(directory.path(), &["show", "1"]).stdout;
    for said in ["  grants      3 like calls, until 2", "  granted     3 like calls, until 2"] {
        assert!(shown.contains(said), "{said} in {shown}");
    }
    let joined = shown.replace("\n              | ", "");
    assert!(joined.contains("where double(args.amount) < 200.0 (not used yet)"), "{shown}");
}

#[test]
fn a_grant_that_would_let_nothing_run_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path(), |_, request| request.hidden = 0, 1);
    let grant = |when: &str| {
        approvals(directory.path(), &["approve", "11", "--yes", "--grant-count", "5", "--grant-when", when])
    };
    refused(
        &grant("args.amuont < 200.0"),
        3,
        "names the argument `amuont`, and the call has `amount`, `note`, `request_id`",
    );
    refused(&grant("session.calls('t') < 3"), 2, "it can ask about `args` alone");
    assert_eq!(grant("has(args.other) || double(args.amount) < 200.0").code, 0);
}

#[test]
fn what_cannot_be_answered_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let manager = |_, request: &mut Request| {
        request.requirements = vec![requirement(vec![Approver::Person(Arc::from("nobody-of-that-name"))], 2)];
    };
    made(directory.path(), manager, 2);
    let ask = |arguments: &[&str]| approvals(directory.path(), arguments);
    refused(&ask(&["approve", "11", "--yes"]), 3, "does not count; it takes `nobody-of-that-name`");
    refused(&ask(&["approve", "11"]), 2, "give `--yes`");
    refused(&ask(&["approve", "1", "--yes"]), 3, "begins 2 approvals");
    refused(&ask(&["show", "99"]), 3, "there is no approval `99`");
    refused(&ask(&["show", "XYZ"]), 2, "its first few will do");
    refused(&ask(&["approve", "11", "--yes", "--set", "amount"]), 2, "write NAME=VALUE");
    refused(&ask(&["approve", "11", "--yes", "--set", "amount=ten"]), 2, "a text has quotes");
    refused(&ask(&["approve", "11", "--yes", "--patch", "{}"]), 2, "no json patch");
    refused(&ask(&["approve", "11", "--yes", "--grant-when", "true"]), 2, "needs an end");
    refused(&ask(&["approve", "11", "--yes", "--grant-count", "1", "--grant-when", "args."]), 2, "cannot be used");
    let change = ["approve", "11", "--yes", "--set", "amount=80", "--grant-count", "2"];
    refused(&ask(&change), 2, "say with `--grant-when` which calls are granted");
    assert_eq!(ask(&["deny", "11"]).code, 0);
    refused(&ask(&["deny", "11"]), 3, "is denied already");
}

#[test]
fn a_question_whose_time_is_over_takes_no_answer() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path(), |_, request| request.expires = Time(UnixNanos(Clock::System.now().0 - 1)), 1);
    assert_eq!(approvals(directory.path(), &["list"]).stdout, "nothing waits for an answer\n");
    refused(&approvals(directory.path(), &["approve", "11", "--yes"]), 3, "is expired already");
    assert_eq!(approvals(directory.path(), &["show", "11", "--json"]).json()["state"], "expired");
}

#[test]
fn a_quorum_says_how_many_are_missing() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path(), |_, request| request.requirements = vec![requirement(Vec::new(), 2)], 1);
    let ran = approvals(directory.path(), &["approve", "11", "--yes"]);
    assert_eq!(ran.stdout, "noted: `issue_refund` needs 1 more\n");
}

#[test]
fn a_file_that_cannot_be_read_does_not_hide_the_others() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path(), |_, _| {}, 2);
    std::fs::write(directory.path().join(format!("home/approvals/{}.json", "11".repeat(16))), "{}").unwrap();
    let ran = approvals(directory.path(), &["list"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (1, 1), "{ran:#?}");
    assert!(ran.stderr.contains("is damaged"), "{ran:#?}");
}

#[test]
fn watching_shows_each_question_once() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path(), |_, _| {}, 2);
    let ran = approvals(directory.path(), &["watch", "--seconds", "0", "--json"]);
    let ids: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect();
    assert_eq!(ids, ["11".repeat(16), "12".repeat(16)]);
    let ran = approvals(directory.path(), &["watch", "--seconds", "0"]);
    assert_eq!(ran.stdout.matches("May `issue_refund` run?").count(), 2, "{ran:#?}");
}

#[test]
fn what_ran_out_unseen_is_ended_and_recorded_and_keeps_no_arguments() {
    let directory = tempfile::tempdir().unwrap();
    let over = |_: u8, request: &mut Request| {
        request.expires = request.time;
        request.arguments = Some(json!({"amount": 400, "note": "hunter2"}));
    };
    made(directory.path(), over, 1);
    assert_eq!(approvals(directory.path(), &["list"]).stdout, "nothing waits for an answer\n");
    let file =
        std::fs::read_to_string(directory.path().join("home/approvals").join(format!("{}.json", "11".repeat(16))));
    assert!(!file.unwrap().contains("hunter2"));
    let records = run(directory.path(), &["ledger", "tail", "--kind", "approval", "--json"]).json();
    assert_eq!(records["records"][0]["record"]["state"], "expired");
    assert_eq!(run(directory.path(), &["ledger", "verify", "--deep"]).code, 0);
}
