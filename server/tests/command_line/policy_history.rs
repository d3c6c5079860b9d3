//! `policy backtest`, `policy fit` and `ledger report`: a policy held against what was recorded.

use crate::running::{Ran, run};
use counterseal::call::{CallContext, PROGRAM_SOURCE, ToolSpec};
use counterseal::clock::{Clock, UnixNanos};
use counterseal::decide::{Layer, Layers, Options};
use counterseal::guard::{Admission, Captured, Config, Guard};
use counterseal::ledger::{self, Outcome};
use counterseal::policy;
use counterseal::value::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// 2026-11-21T08:00:00Z
const START: i64 = 1_795_248_000_000_000_000;

/// Records these calls, a second apart: tool, session, arguments. `home` is made.
fn record(home: &Path, policy: &str, calls: &[(&str, &str, &str)]) {
    let policy = policy::load("recorded", policy).unwrap();
    let layers =
        Layers::new(vec![Layer { name: Arc::from("local"), policy: Arc::new(policy) }], Options::default()).unwrap();
    let guard = Guard::start(Config {
        layers,
        home: home.to_owned(),
        agent: None,
        clock: Clock::manual(UnixNanos(START)),
        previous: None,
        observer: None,
        asks: false,
        ledger: ledger::Options::default(),
    })
    .unwrap();
    for (second, (name, session, args)) in calls.iter().enumerate() {
        guard.clock().set(UnixNanos(START + i64::try_from(second).unwrap() * 1_000_000_000));
        let spec = ToolSpec { name: (*name).to_owned(), source: PROGRAM_SOURCE.to_owned(), ..ToolSpec::default() };
        let tool = guard.tool(spec).unwrap();
        let context = CallContext::new(*session);
        let args = json::parse(args).unwrap();
        match guard.admit(&tool, Ok(&args), &context) {
            Admission::Run(ticket) => ticket.complete(Outcome::Success, &Captured::Nothing),
            Admission::Refused(_) => {}
            other => panic!("{other:?}"),
        }
    }
    guard.close(Duration::from_secs(60)).unwrap();
}

fn backtest(directory: &Path, policy: &str) -> Ran {
    std::fs::write(directory.join("draft.yaml"), policy).unwrap();
    run(directory, &["policy", "backtest", "draft.yaml", "--home", "home", "--json"])
}

#[test]
fn a_backtest_says_what_would_change_and_leaves_the_home_alone() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let calls =
        [("refund", "s", r#"{"amount":40}"#), ("refund", "s", r#"{"amount":4000}"#), ("search", "s", r#"{"q":"x"}"#)];
    record(&home, "version: 1\n", &calls);
    let before = std::fs::read(home.join("index")).unwrap();
    let draft =
        "version: 1\nrules:\n  - {id: big, tools: [refund], when: args.amount > 100.0, decision: require_approval}\n";
    let ran = backtest(directory.path(), draft);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:#?}");
    let report = ran.json();
    assert_eq!((&report["calls"], &report["same"], &report["changed"]), (&3.into(), &2.into(), &1.into()));
    let change = &report["changes"][0];
    assert_eq!((&change["tool"], &change["before"]), (&"refund".into(), &"allow".into()));
    assert_eq!((&change["after"], &change["effect"]), (&"require_approval".into(), &"asked".into()));
    assert_eq!(change["rules"], serde_json::json!(["local/big"]));
    assert_eq!(change["examples"].as_array().unwrap().len(), 1);
    assert_eq!(std::fs::read(home.join("index")).unwrap(), before);
    let ran = run(directory.path(), &["policy", "backtest", "draft.yaml", "--home", "home"]);
    assert!(
        ran.stdout.starts_with("refund: allow -> require_approval (asked): 1 call\n    by local/big\n"),
        "{ran:#?}"
    );
    assert!(ran.stdout.ends_with("3 calls: 2 as recorded, 1 would change, 0 cannot be decided\n"), "{ran:#?}");
}

#[test]
fn what_was_not_recorded_is_never_guessed() {
    let directory = tempfile::tempdir().unwrap();
    let recorded = "version: 1\nredact: {keys: [iban]}\ntools: {note: {record: {args: digest}}}\n";
    let calls = [
        ("pay", "s", r#"{"amount":40,"iban":"DE1"}"#),
        ("pay", "s", r#"{"amount":4000,"iban":"DE2"}"#),
        ("note", "s", r#"{"text":"x"}"#),
        ("search", "s", r#"{"q":"x"}"#),
    ];
    record(&directory.path().join("home"), recorded, &calls);
    let draft = r#"
version: 1
rules:
  - {id: big, tools: [pay], when: args.amount > 100.0, decision: deny}
  - {id: foreign, tools: [pay], unless: string(args.iban) == "DE1", decision: require_approval}
  - {id: notes, tools: [note], when: size(string(args.text)) > 3, decision: deny}
  - {id: unsaid, tools: [search], unless: session.said(args.q), decision: deny}
"#;
    let ran = backtest(directory.path(), draft);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:#?}");
    let report = ran.json();
    // the large payment is denied whatever its account is
    assert_eq!((&report["changed"], &report["undecidable"]), (&1.into(), &3.into()), "{report:#}");
    assert_eq!(report["changes"][0]["rules"], serde_json::json!(["local/big"]));
    let mut missing: Vec<(&str, &str)> = report["unknown"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["tool"].as_str().unwrap(), one["missing"].as_str().unwrap()))
        .collect();
    missing.sort_unstable();
    assert_eq!(missing, [("note", "arguments"), ("pay", "arguments"), ("search", "said")]);
}

#[test]
fn sessions_and_limits_are_lived_through_again() {
    let directory = tempfile::tempdir().unwrap();
    let calls = [
        ("send", "s", "{}"),
        ("page", "s", "{}"),
        ("send", "s", "{}"),
        ("send", "other", "{}"),
        ("search", "s", "{}"),
        ("search", "s", "{}"),
    ];
    record(&directory.path().join("home"), "version: 1\n", &calls);
    let draft = "version: 1\ntools: {page: {tags: [untrusted]}}\nrules:\n  - {id: web, tools: [send], when: session.saw(\"untrusted\"), decision: deny}\nrate_limits:\n  - {id: one, tools: [search], calls: 1, window: 1m}\n";
    let report = backtest(directory.path(), draft).json();
    assert_eq!((&report["calls"], &report["changed"], &report["undecidable"]), (&6.into(), &2.into(), &0.into()));
    let mut rules: Vec<&str> =
        report["changes"].as_array().unwrap().iter().map(|change| change["rules"][0].as_str().unwrap()).collect();
    rules.sort_unstable();
    assert_eq!(rules, ["local/one", "local/web"]);
}

/// 300 calls of four tools in five sessions, the same each time.
fn many_calls() -> Vec<(&'static str, &'static str, String)> {
    let mut state = 7_u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let pick = |names: &[&'static str], at: u64| *names.get(usize::try_from(at).unwrap()).unwrap();
    let call = |_| {
        let tool = pick(&["search", "refund", "page", "send"], draw(4));
        let session = pick(&["s-1", "s-2", "s-3", "s-4", "s-5"], draw(5));
        let (amount, customer) = (draw(90) + 10, draw(3));
        let args = match tool {
            "search" => format!(r#"{{"q":"q-{customer}"}}"#),
            "refund" => format!(r#"{{"amount":{amount}.25,"customer":"c-{customer}"}}"#),
            _ => format!(r#"{{"to":"c-{customer}@example.com"}}"#),
        };
        (tool, session, args)
    };
    (0..300).map(call).collect()
}

const RICH: &str = r#"
version: 1
tools:
  page: {tags: [untrusted]}
rules:
  - {id: after-the-web, tools: [send], when: 'session.saw("untrusted") && session.calls("send") > 0', decision: deny}
  - {id: big, tools: [refund], when: args.amount > 80.0, decision: require_approval}
  - {id: watched, tools: [page], when: 'session.calls("page") > 3', decision: deny, enforcement: observe}
budgets:
  - {id: refunds, tools: [refund], per: args.customer, sum: args.amount, window: 1m, max: 120.0}
  - {id: all, per: session, calls: 20}
rate_limits:
  - {id: searches, tools: [search], per: session, calls: 3, window: 30s, on_exceed: require_approval}
  - {id: mails, tools: [send], calls: 4, calendar: hour}
loops: {same_call: 2, window: 2m}
"#;

#[test]
fn the_policy_that_was_in_force_decides_every_call_as_it_did() {
    let calls = many_calls();
    let calls: Vec<_> = calls.iter().map(|(tool, session, args)| (*tool, *session, args.as_str())).collect();
    let mut decided = String::new();
    for policy in [RICH.to_owned(), format!("{RICH}enforcement: observe\n"), format!("{RICH}enforcement: block\n")] {
        let directory = tempfile::tempdir().unwrap();
        record(&directory.path().join("home"), &policy, &calls);
        let report = backtest(directory.path(), &policy).json();
        assert_eq!((&report["calls"], &report["same"]), (&300.into(), &300.into()), "{report:#}");
        assert_eq!((&report["changed"], &report["undecidable"]), (&0.into(), &0.into()));
        let tail = ["ledger", "tail", "--home", "home", "--kind", "decided", "-n", "999"];
        decided.push_str(&run(directory.path(), &tail).stdout);
    }
    for id in ["after-the-web", "big", "watched", "refunds", "all", "searches", "mails", "loops"] {
        assert!(decided.contains(&format!("local/{id}")), "nothing was decided by {id}");
    }
}

#[test]
fn a_report_agrees_with_the_records_where_some_rules_only_observe() {
    let directory = tempfile::tempdir().unwrap();
    let calls = many_calls();
    let calls: Vec<_> = calls.iter().map(|(tool, session, args)| (*tool, *session, args.as_str())).collect();
    record(&directory.path().join("home"), RICH, &calls);
    let tail = ["ledger", "tail", "--home", "home", "--kind", "decided", "-n", "999", "--json"];
    let records = run(directory.path(), &tail).json();
    let records: Vec<serde_json::Value> = records["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| match &one["record"] {
            serde_json::Value::String(line) => serde_json::from_str(line).unwrap(),
            record => record.clone(),
        })
        .collect();
    let count = |holds: &dyn Fn(&serde_json::Value) -> bool| records.iter().filter(|record| holds(record)).count();
    let report = run(directory.path(), &["ledger", "report", "--home", "home", "--json"]).json();
    assert_eq!(report["calls"], 300);
    for effect in ["run", "refused", "asked"] {
        let said = &report[if effect == "run" { "ran" } else { effect }];
        assert_eq!(said, count(&|record| record["effect"] == effect), "{effect}");
    }
    let let_through = count(&|record| record["effect"] == "run" && record["decision"] != "allow");
    assert!(let_through > 0);
    assert_eq!(report["would_have"]["refused"], let_through);
    assert_eq!(report["would_have"]["groups"][0]["rules"], serde_json::json!(["local/watched"]));
    let one =
        run(directory.path(), &["ledger", "report", "--home", "home", "--json", "--session", "s-1", "--tool", "page"]);
    let of_one = count(&|record| record["session"] == "s-1" && record["tool"]["name"] == "page");
    assert_eq!(one.json()["calls"], of_one);
}

#[test]
fn a_report_says_what_observing_let_through() {
    let directory = tempfile::tempdir().unwrap();
    let policy = "version: 1\nenforcement: observe\nrules:\n  - {id: no, tools: [drop], decision: deny}\n  - {id: ask, tools: [pay], decision: require_approval}\n";
    let calls = [("drop", "s", "{}"), ("drop", "s", "{}"), ("pay", "s", "{}"), ("search", "s", "{}")];
    record(&directory.path().join("home"), policy, &calls);
    let ran = run(directory.path(), &["ledger", "report", "--home", "home", "--json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:#?}");
    let report = ran.json();
    assert_eq!((&report["calls"], &report["ran"]), (&4.into(), &4.into()));
    let would = &report["would_have"];
    assert_eq!((&would["refused"], &would["asked"]), (&2.into(), &1.into()));
    assert_eq!(would["groups"][0]["rules"], serde_json::json!(["local/no"]));
    let ran = run(directory.path(), &["ledger", "report", "--home", "home"]);
    assert!(ran.stdout.contains("drop: would have been refused: 2 calls\n    by local/no\n"), "{ran:#?}");
    let last = "but for the mode `observe`, 2 more would have been refused and 1 more asked about\n";
    assert!(ran.stdout.ends_with(last), "{ran:#?}");
}

#[test]
fn a_fitted_policy_loads_and_admits_what_ran() {
    let directory = tempfile::tempdir().unwrap();
    let calls = [
        ("refund", "s", r#"{"amount":40,"order_id":"o-1"}"#),
        ("refund", "s", r#"{"amount":250.5,"order_id":"o-2"}"#),
        ("refund", "other", r#"{"amount":7,"order_id":"o-3"}"#),
        ("Fetch-Page", "s", "{}"),
        ("odd*name", "s", "{}"),
    ];
    record(&directory.path().join("home"), "version: 1\n", &calls);
    let ran = run(directory.path(), &["policy", "fit", "--home", "home"]);
    let said = "counterseal: the policy does not admit 1 call of 1 tool that no policy can name: `odd*name`\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (1, said), "{ran:#?}");
    assert!(ran.stdout.contains("# 3 calls in 2 sessions; args.amount at most 250.5, args.order_id\n"), "{ran:#?}");
    assert!(ran.stdout.contains("tools: [refund], per: session, calls: 2, window: 1h}"), "{ran:#?}");
    assert!(ran.stdout.contains("# no policy can name odd*name\n"), "{ran:#?}");
    std::fs::write(directory.path().join("fitted.yaml"), &ran.stdout).unwrap();
    assert_eq!(run(directory.path(), &["policy", "check", "fitted.yaml"]).code, 0);
    let ran = run(directory.path(), &["policy", "backtest", "fitted.yaml", "--home", "home", "--json"]);
    let report = ran.json();
    // the name that no policy can have is outside the scope
    assert_eq!((&report["same"], &report["changed"]), (&4.into(), &1.into()), "{report:#}");
}

#[test]
fn nothing_can_be_fitted_to_an_empty_ledger() {
    let directory = tempfile::tempdir().unwrap();
    record(&directory.path().join("home"), "version: 1\nscope: []\n", &[("refund", "s", "{}")]);
    let ran = run(directory.path(), &["policy", "fit", "--home", "home"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{ran:#?}");
    assert!(ran.stderr.contains("no call ran in the ledger"), "{ran:#?}");
}
