//! `policy backtest`, `policy fit` and `ledger report` where people were asked, programs have modes and agents have sub-agents.

use crate::running::{Ran, run};
use counterseal::approval::{Answer, Consent, Grant, Person};
use counterseal::call::{Beginning, CallContext, PROGRAM_SOURCE, Risk, ToolSpec};
use counterseal::clock::{Clock, UnixNanos};
use counterseal::decide::{Enforcement, Layer, Layers, Options};
use counterseal::guard::{Admission, Captured, Config, Guard};
use counterseal::ledger::{self, Outcome};
use counterseal::policy;
use counterseal::value::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// 2026-11-21T08:00:00Z
const START: i64 = 1_795_248_000_000_000_000;
const LONG: Duration = Duration::from_secs(60);

/// A program with a home in `directory`, called `home`.
struct Program {
    guard: Arc<Guard>,
    second: i64,
}

/// A call of it.
#[derive(Clone, Copy, Default)]
struct Call<'a> {
    tool: &'a str,
    args: &'a str,
    session: &'a str,
    parent: Option<&'a str>,
    tags: &'a [&'a str],
    risk: Option<Risk>,
    /// What people say, if they are asked.
    says: Option<&'a str>,
}

impl Program {
    fn new(directory: &Path, policy: &str, enforcement: Option<Enforcement>) -> Self {
        let layer = Layer { name: Arc::from("local"), policy: Arc::new(policy::load("recorded", policy).unwrap()) };
        let guard = Guard::start(Config {
            layers: Layers::new(vec![layer], Options { enforcement, ..Options::default() }).unwrap(),
            home: directory.join("home"),
            agent: None,
            clock: Clock::manual(UnixNanos(START)),
            previous: None,
            observer: None,
            asks: true,
            ledger: ledger::Options::default(),
        });
        Self { guard: guard.unwrap(), second: 0 }
    }

    /// Makes a call, a second after the one before. Whether it ran.
    fn call(&mut self, call: Call<'_>) -> bool {
        self.second += 1;
        self.guard.clock().set(UnixNanos(START + self.second * 1_000_000_000));
        let tool = self.guard.tool(ToolSpec {
            name: call.tool.to_owned(),
            source: PROGRAM_SOURCE.to_owned(),
            tags: call.tags.iter().map(|tag| (*tag).to_owned()).collect(),
            risk: call.risk,
            ..ToolSpec::default()
        });
        let session = if call.session.is_empty() { "s" } else { call.session };
        let context = CallContext {
            beginning: call.parent.map(|parent| Arc::new(Beginning::new(None, Some(Arc::from(parent))))),
            ..CallContext::new(session)
        };
        let args = json::parse(if call.args.is_empty() { "{}" } else { call.args }).unwrap();
        let mut admission = self.guard.admit(&tool.unwrap(), Ok(&args), &context);
        if let Admission::Ask(asking) = admission {
            assert!(asking.waiting().wait_asked(LONG));
            let by = Person { id: Arc::from("cleo"), groups: Vec::new(), verified_by: None };
            let grant = (call.says == Some("granted")).then_some(Grant { when: None, count: Some(9), until: None });
            match call.says {
                Some("no") => asking.answer(by, Answer::No, None),
                Some(_) => asking.answer(by, Answer::Yes(Consent { edit: None, grant }), None),
                // left open
                None => {}
            }
            assert!(call.says.is_none() || asking.waiting().wait(LONG));
            admission = asking.resume(Ok(&args)).admission;
        }
        if let Admission::Sync(pending) = admission {
            admission = pending.finish(LONG);
        }
        let Admission::Run(ticket) = admission else { return false };
        ticket.complete(Outcome::Success, &Captured::Nothing);
        true
    }

    fn close(self) {
        self.guard.close(LONG).unwrap();
    }
}

fn backtest(directory: &Path, policy: &str, options: &[&str]) -> Ran {
    std::fs::write(directory.join("draft.yaml"), policy).unwrap();
    let mut args = vec!["policy", "backtest", "draft.yaml", "--home", "home", "--json"];
    args.extend(options);
    run(directory, &args)
}

fn report(directory: &Path) -> serde_json::Value {
    run(directory, &["ledger", "report", "--home", "home", "--json"]).json()
}

#[test]
fn a_report_counts_calls_that_people_were_asked_about() {
    let directory = tempfile::tempdir().unwrap();
    let policy = "version: 1\nrules: [{id: ask, tools: [pay], decision: require_approval}]\n";
    let mut program = Program::new(directory.path(), policy, None);
    let pay = Call { tool: "pay", ..Call::default() };
    assert!(program.call(Call { args: r#"{"n":1}"#, says: Some("yes"), ..pay }));
    assert!(!program.call(Call { args: r#"{"n":2}"#, says: Some("no"), ..pay }));
    assert!(!program.call(Call { args: r#"{"n":3}"#, ..pay }));
    assert!(program.call(Call { args: r#"{"n":4}"#, says: Some("granted"), ..pay }));
    // by the grant, and nobody is asked
    assert!(program.call(Call { args: r#"{"n":4}"#, ..pay }));
    assert!(program.call(Call { tool: "search", ..Call::default() }));
    program.close();
    let report = report(directory.path());
    let counted = |of: &serde_json::Value| ["calls", "ran", "refused", "asked"].map(|key| of[key].as_u64().unwrap());
    assert_eq!(counted(&report), [6, 4, 2, 4], "{report:#}");
    assert_eq!(counted(&report["tools"][0]), [5, 3, 2, 4], "{report:#}");
    let ran = run(directory.path(), &["ledger", "report", "--home", "home", "--tool", "pay"]);
    assert!(ran.stdout.starts_with("pay: 5 calls: 3 ran, 2 refused; people were asked about 4 of them\n"), "{ran:#?}");
}

#[test]
fn calls_that_people_refused_take_from_limits_where_a_draft_lets_them_run() {
    let directory = tempfile::tempdir().unwrap();
    let policy = "version: 1\nrules: [{id: ask, tools: [pay], decision: require_approval}]\n";
    let mut program = Program::new(directory.path(), policy, None);
    for args in [r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#] {
        assert!(!program.call(Call { tool: "pay", args, says: Some("no"), ..Call::default() }));
    }
    program.close();
    let draft = "version: 1\nrate_limits: [{id: few, tools: [pay], per: session, calls: 2, window: 1h}]\n";
    let found = backtest(directory.path(), draft, &[]).json();
    let mut effects: Vec<_> = found["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["effect"].as_str(), one["count"].as_u64()))
        .collect();
    effects.sort_unstable();
    assert_eq!(effects, [(Some("refused"), Some(1)), (Some("run"), Some(2))], "{found:#}");
}

#[test]
fn a_draft_beside_an_ask_is_reported_and_told_by_a_backtest() {
    let directory = tempfile::tempdir().unwrap();
    let policy = "version: 1\nrules:\n  - {id: ask, tools: [pay], when: args.n > 10, decision: require_approval}\n  - {id: draft, tools: [pay], when: args.n > 1000, enforcement: observe, decision: deny}\n";
    let mut program = Program::new(directory.path(), policy, None);
    let pay = Call { tool: "pay", says: Some("yes"), ..Call::default() };
    for args in [r#"{"n":50}"#, r#"{"n":5000}"#] {
        assert!(program.call(Call { args, ..pay }));
    }
    assert!(!program.call(Call { args: r#"{"n":6000}"#, says: Some("no"), ..pay }));
    program.close();
    let report = report(directory.path());
    let would = &report["would_have"];
    assert_eq!((&would["refused"], &would["asked"]), (&1.into(), &0.into()), "{report:#}");
    assert_eq!(would["groups"][0]["rules"], serde_json::json!(["local/draft"]));
    let same = backtest(directory.path(), policy, &[]).json();
    assert_eq!((&same["same"], &same["changed"]), (&3.into(), &0.into()), "{same:#}");
}

#[test]
fn a_report_says_what_drafts_would_do_in_the_mode_beside_them() {
    let drafts = "rules:\n  - {id: no, tools: [drop], enforcement: observe, decision: deny}\n  - {id: ask, tools: [pay], enforcement: observe, decision: require_approval}\n  - {id: on, tools: [other], decision: deny}\n";
    let expected = [("observe", (1, 1)), ("step_up", (0, 2)), ("progressive", (1, 1)), ("block", (2, 0))];
    for (mode, (refused, asked)) in expected {
        let directory = tempfile::tempdir().unwrap();
        let mut program = Program::new(directory.path(), &format!("version: 1\nenforcement: {mode}\n{drafts}"), None);
        for tool in ["drop", "pay"] {
            assert!(program.call(Call { tool, ..Call::default() }), "{mode}");
        }
        program.close();
        let would = &report(directory.path())["would_have"];
        assert_eq!((&would["refused"], &would["asked"]), (&refused.into(), &asked.into()), "{mode}: {would:#}");
    }
}

#[test]
fn a_backtest_decides_in_the_mode_of_the_program_or_says_that_it_cannot_know_it() {
    let directory = tempfile::tempdir().unwrap();
    let policy = "version: 1\nrules: [{id: ask, tools: [pay], decision: require_approval}]\n";
    let mut program = Program::new(directory.path(), policy, Some(Enforcement::Block));
    assert!(!program.call(Call { tool: "pay", says: Some("yes"), ..Call::default() }));
    program.close();
    let same = backtest(directory.path(), policy, &[]).json();
    assert_eq!((&same["same"], &same["notes"]), (&1.into(), &serde_json::json!([])), "{same:#}");
    // another policy: the record does not say whose word the mode was
    let other = policy.replace("version: 1", "version: 1\nname: another");
    let alone = backtest(directory.path(), &other, &[]).json();
    assert_eq!(alone["changed"], 1, "{alone:#}");
    let note = alone["notes"][0].as_str().unwrap();
    assert!(note.contains("in the mode `block`") && note.contains("--enforcement block"), "{note}");
    let asked = backtest(directory.path(), &other, &["--enforcement", "block"]).json();
    assert_eq!((&asked["same"], &asked["notes"]), (&1.into(), &serde_json::json!([])), "{asked:#}");
}

#[test]
fn tags_that_a_draft_does_not_have_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::new(directory.path(), "version: 1\n", None);
    for session in ["s", "t"] {
        program.call(Call { tool: "page", session, tags: &["untrustd"], ..Call::default() });
        program.call(Call { tool: "send", session, ..Call::default() });
    }
    program.close();
    let draft = "version: 1\ntags: [untrusted]\nrules: [{id: no, tools: [send], when: session.calls(\"page\") > 0, decision: deny}]\n";
    let found = backtest(directory.path(), draft, &[]).json();
    assert_eq!((&found["undecidable"], &found["unknown"][0]["missing"]), (&2.into(), &"tags".into()), "{found:#}");
    assert!(found["unknown"][0]["why"].as_str().unwrap().ends_with("`untrustd`"), "{found:#}");
    // they ran all the same
    assert_eq!((&found["same"], &found["changed"]), (&0.into(), &2.into()), "{found:#}");
}

#[test]
fn a_fitted_policy_counts_the_calls_of_sub_agents_with_their_parents() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::new(directory.path(), "version: 1\n", None);
    let call = Call { tool: "search", parent: Some("conv"), ..Call::default() };
    for session in ["one", "two", "three"] {
        assert!(program.call(Call { session, ..call }));
    }
    assert!(program.call(Call { session: "deep", parent: Some("three"), ..call }));
    program.close();
    let fitted = run(directory.path(), &["policy", "fit", "--home", "home"]);
    assert_eq!((fitted.code, fitted.stderr.as_str()), (0, ""), "{fitted:#?}");
    assert!(fitted.stdout.contains("# 4 calls in 1 session\n"), "{fitted:#?}");
    assert!(fitted.stdout.contains("tools: [search], per: session, calls: 4, window: 1h}"), "{fitted:#?}");
    let enforced = fitted.stdout.replace("enforcement: observe\n", "");
    let found = backtest(directory.path(), &enforced, &[]).json();
    assert_eq!((&found["same"], &found["changed"]), (&4.into(), &0.into()), "{found:#}");
    let tighter = enforced.replace("calls: 4,", "calls: 3,");
    let found = backtest(directory.path(), &tighter, &[]).json();
    assert_eq!((&found["same"], &found["changed"]), (&3.into(), &1.into()), "{found:#}");
}

#[test]
fn a_fitted_policy_takes_the_highest_risk() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::new(directory.path(), "version: 1\n", None);
    for risk in [Some(Risk::Medium), Some(Risk::High), Some(Risk::Low), None] {
        program.call(Call { tool: "pay", risk, ..Call::default() });
    }
    program.close();
    let fitted = run(directory.path(), &["policy", "fit", "--home", "home"]);
    assert!(fitted.stdout.contains("  pay: {tags: [], risk: high}\n"), "{fitted:#?}");
}

#[test]
fn tools_that_no_policy_can_name_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut program = Program::new(directory.path(), "version: 1\n", None);
    for tool in ["Search Web", "odd*name"] {
        assert!(program.call(Call { tool, ..Call::default() }));
    }
    let none = || run(directory.path(), &["policy", "fit", "--home", "home"]);
    assert!(program.guard.flush(LONG).pending == 0);
    let ran = none();
    assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{ran:#?}");
    let said = "counterseal: no policy can name any tool that ran: `Search Web`, `odd*name`; give the tools names";
    assert!(ran.stderr.starts_with(said), "{ran:#?}");
    assert!(program.call(Call { tool: "pay", ..Call::default() }));
    program.close();
    let ran = none();
    assert_eq!(ran.code, 1, "{ran:#?}");
    let header = "# proposed from 1 call of 1 tool that ran; what did not happen is not in it, good or bad\n# it does not admit 2 calls of 2 tools that ran too: no policy can name them\n";
    assert!(ran.stdout.starts_with(header), "{ran:#?}");
    let said =
        "counterseal: the policy does not admit 2 calls of 2 tools that no policy can name: `Search Web`, `odd*name`\n";
    assert_eq!(ran.stderr, said);
    std::fs::write(directory.path().join("fitted.yaml"), &ran.stdout).unwrap();
    assert_eq!(run(directory.path(), &["policy", "check", "fitted.yaml"]).code, 0);
    let ran = run(directory.path(), &["policy", "fit", "--home", "home", "--json"]);
    let unnamed = serde_json::json!([{"tool": "Search Web", "calls": 1}, {"tool": "odd*name", "calls": 1}]);
    assert_eq!((ran.code, &ran.json()["unnamed"]), (1, &unnamed), "{ran:#?}");
}
