//! A policy held against recorded calls: what the record does not hold is never guessed, and what it holds counts.

#![cfg(test)]

use counterseal::backtest::{Backtest, backtest};
use counterseal::call::{CallContext, PROGRAM_SOURCE, ToolSpec};
use counterseal::clock::{Clock, UnixNanos};
use counterseal::decide::{Layer, Layers, Options};
use counterseal::guard::{Admission, Captured, Config, Guard};
use counterseal::ledger::{self, Home, Outcome};
use counterseal::policy;
use counterseal::value::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// 2026-11-21T08:00:00Z
const START: i64 = 1_795_248_000_000_000_000;

fn layers(policy: &str) -> Layers {
    let policy = Arc::new(policy::load("policy", policy).unwrap());
    Layers::new(vec![Layer { name: Arc::from("local"), policy }], Options::default()).unwrap()
}

fn context(session: &str) -> CallContext {
    CallContext::new(session)
}

struct Recorder {
    home: tempfile::TempDir,
    guard: Arc<Guard>,
}

impl Recorder {
    fn new(policy: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let guard = Guard::start(Config {
            layers: layers(policy),
            home: home.path().join("home"),
            agent: None,
            clock: Clock::manual(UnixNanos(START)),
            previous: None,
            observer: None,
            asks: false,
            ledger: ledger::Options::default(),
        })
        .unwrap();
        Self { home, guard }
    }

    /// A call `second` seconds after the start, of a tool that is expected to cost so much.
    fn call(&self, second: i64, tool: &str, args: &str, micro_usd: Option<i64>) {
        self.guard.clock().set(UnixNanos(START + second * 1_000_000_000));
        let spec = ToolSpec {
            name: tool.to_owned(),
            source: PROGRAM_SOURCE.to_owned(),
            cost_micro_usd: micro_usd,
            ..ToolSpec::default()
        };
        let tool = self.guard.tool(spec).unwrap();
        let args = json::parse(args).unwrap();
        match self.guard.admit(&tool, Ok(&args), &context("s")) {
            Admission::Run(ticket) => ticket.complete(Outcome::Success, &Captured::Nothing),
            other => panic!("{other:?}"),
        }
    }

    fn backtest(&self, draft: &str) -> Backtest {
        self.guard.close(Duration::from_secs(60)).unwrap();
        let draft = Arc::new(policy::load("draft", draft).unwrap());
        let home: &Path = &self.home.path().join("home");
        let directory = tempfile::tempdir().unwrap();
        backtest(&draft, &Home::open(home).unwrap(), None, directory.path()).unwrap()
    }
}

#[test]
fn each_call_costs_what_was_recorded_of_it() {
    let recorder = Recorder::new("version: 1\n");
    for (second, dollars) in [(0, 1), (1, 9), (2, 1)] {
        recorder.call(second, "buy", "{}", Some(dollars * 1_000_000));
    }
    let found = recorder.backtest("version: 1\nbudgets: [{id: b, usd: 5.0, per: session}]\n");
    assert_eq!((found.same, found.changed, found.undecidable), (2, 1, 0), "{found:#?}");
    assert_eq!(found.changes[0].reason_code, "budget_exceeded");
}

#[test]
fn a_call_that_cannot_be_decided_leaves_its_limits_unknown() {
    let recorder = Recorder::new("version: 1\ntools: {pay: {record: {args: digest}}}\n");
    recorder.call(0, "pay", r#"{"amount":4000}"#, None);
    recorder.call(1, "search", "{}", None);
    recorder.call(2, "delete", "{}", None);
    recorder.call(3, "other", "{}", None);
    // a minute after the last call that may have taken from it, the limit is known again
    recorder.call(90, "search", "{}", None);
    recorder.call(91, "search", "{}", None);
    recorder.call(92, "search", "{}", None);
    let draft = r"
version: 1
rules:
  - {id: big, tools: [pay], when: args.amount > 100.0, decision: deny}
  - {id: never, tools: [delete], decision: deny}
rate_limits:
  - {id: few, tools: [pay, search, delete], per: session, calls: 2, window: 1m}
";
    let found = recorder.backtest(draft);
    let missing: Vec<_> = found.unknown.iter().map(|one| (one.tool.as_str(), one.missing, one.count)).collect();
    assert!(missing.contains(&("pay", "arguments", 1)) && missing.contains(&("search", "limits", 1)), "{found:#?}");
    // `delete` is denied whatever is left, `other` takes from nothing, and the last search is one too many
    assert_eq!((found.same, found.changed, found.undecidable), (3, 2, 2), "{found:#?}");
}

#[test]
fn marks_of_the_program_are_lived_through_again() {
    let recorder = Recorder::new("version: 1\n");
    recorder.call(0, "send", "{}", None);
    recorder.guard.mark(&context("s"), "private").unwrap();
    recorder.guard.mark(&context("s"), "private").unwrap();
    recorder.call(1, "send", "{}", None);
    let draft = r#"
version: 1
tags: [private]
rules: [{id: no, tools: [send], when: 'session.saw("private")', decision: deny}]
"#;
    let found = recorder.backtest(draft);
    assert_eq!((found.same, found.changed, found.undecidable), (1, 1, 0), "{found:#?}");
}
