//! The policy that was in force, held against its own ledger, changes nothing: whatever people answered and however long they took.

#![cfg(test)]

use counterseal::approval::{Answer, Consent, Edit, Grant, Person};
use counterseal::backtest::{Backtest, backtest};
use counterseal::call::{Beginning, CallContext, PROGRAM_SOURCE, ToolSpec, User};
use counterseal::clock::{Clock, UnixNanos};
use counterseal::decide::{Enforcement, Layer, Layers, Options};
use counterseal::guard::{Admission, Asking, Captured, Config, Guard};
use counterseal::ledger::{self, Home, Outcome};
use counterseal::policy::{self, Policy};
use counterseal::value::{Value, json};
use proptest::prelude::*;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// 2026-11-21T08:00:00Z
const START: i64 = 1_795_248_000_000_000_000;
const LONG: Duration = Duration::from_secs(60);

const POLICY: &str = r#"
version: 1
record: {args: full, result: full}
tools:
  lookup: {facts_from_result: [email]}
rules:
  - {id: ask, tools: [pay], when: args.n > 50, decision: require_approval}
  - {id: deny, tools: [pay], when: args.n > 90, decision: deny}
  - {id: seen, tools: [mail], when: session.saw("untrusted"), unless: session.known(args.to), decision: deny}
  - {id: many, tools: [mail], when: session.calls("pay") > 3, decision: require_approval}
  - {id: draft, tools: [lookup], when: args.n > 50, enforcement: observe, decision: deny}
  - {id: blocked, tools: [lookup], when: args.n > 90, enforcement: block, decision: require_approval}
budgets:
  - {id: sum, tools: [pay], per: session, sum: args.n, max: 150, window: 30m}
  - {id: usd, per: user, usd: 0.1, window: 20m, on_exceed: require_approval}
rate_limits:
  - {id: mails, tools: [mail], per: run, calls: 3, window: 10m, on_exceed: require_approval}
  - {id: lookups, tools: [lookup], per: args.n, calls: 1, window: 15m}
loops: {same_call: 3, window: 10m}
"#;

/// What is said of a call that waits.
#[derive(Debug, Clone)]
enum Said {
    Yes,
    Edited(i64),
    Granted(u32),
    No,
    Cancelled,
    Changed,
    Nothing,
}

#[derive(Debug, Clone)]
struct Step {
    tool: &'static str,
    number: i64,
    session: &'static str,
    user: Option<&'static str>,
    /// One of the few that a framework gives; without one every call is its own.
    call_id: Option<&'static str>,
    minutes: i64,
    said: Said,
    answered_after: i64,
    outcome: Outcome,
    suspended: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let said = prop_oneof![
        4 => Just(Said::Yes),
        2 => (0_i64..100).prop_map(Said::Edited),
        2 => (1_u32..3).prop_map(Said::Granted),
        2 => Just(Said::No),
        1 => Just(Said::Cancelled),
        1 => Just(Said::Changed),
        1 => Just(Said::Nothing),
    ];
    let outcome = prop_oneof![4 => Just(Outcome::Success), 1 => Just(Outcome::Error)];
    let step = (
        prop::sample::select(vec!["pay", "pay", "mail", "mail", "lookup", "web"]),
        0_i64..100,
        prop::sample::select(vec!["a", "b", "a.sub"]),
        prop::sample::select(vec![None, Some("ann"), Some("bob")]),
        prop::sample::select(vec![None, None, Some("c-1"), Some("c-2")]),
        0_i64..4,
        said,
        0_i64..25,
        outcome,
        prop::bool::weighted(0.2),
    );
    let step =
        step.prop_map(|(tool, number, session, user, call_id, minutes, said, answered_after, outcome, suspended)| {
            Step { tool, number, session, user, call_id, minutes, said, answered_after, outcome, suspended }
        });
    prop::collection::vec(step, 1..40)
}

fn person() -> Person {
    Person { id: Arc::from("cleo"), groups: Vec::new(), verified_by: None }
}

struct Program {
    guard: Arc<Guard>,
    minute: i64,
}

impl Program {
    fn start(home: &std::path::Path, policy: &Arc<Policy>, enforcement: Option<Enforcement>) -> Self {
        let layer = Layer { name: Arc::from("local"), policy: Arc::clone(policy) };
        let guard = Guard::start(Config {
            layers: Layers::new(vec![layer], Options { enforcement, ..Options::default() }).unwrap(),
            home: home.to_owned(),
            agent: None,
            clock: Clock::manual(UnixNanos(START)),
            previous: None,
            observer: None,
            asks: true,
            ledger: ledger::Options::default(),
        });
        Self { guard: guard.unwrap(), minute: 0 }
    }

    fn later(&mut self, minutes: i64) {
        self.minute += minutes;
        self.guard.clock().set(UnixNanos(START + self.minute * 60_000_000_000));
    }

    fn step(&mut self, step: &Step) {
        self.later(step.minutes);
        let tool = ToolSpec {
            name: step.tool.to_owned(),
            source: PROGRAM_SOURCE.to_owned(),
            tags: if step.tool == "web" { vec!["untrusted".to_owned()] } else { Vec::new() },
            cost_micro_usd: (step.tool == "pay").then_some(20_000),
            ..ToolSpec::default()
        };
        let tool = self.guard.tool(tool).unwrap();
        let args = match step.tool {
            "mail" => format!(r#"{{"to":"u{}@example.com"}}"#, step.number % 4),
            "lookup" => format!(r#"{{"n":{}}}"#, step.number / 10 * 10),
            _ => format!(r#"{{"n":{}}}"#, step.number),
        };
        let args = json::parse(&args).unwrap();
        let context = CallContext {
            user: step.user.map(|id| User { id: Arc::from(id), verified_by: None }),
            run: Some(Arc::from(if step.number % 2 == 0 { "even" } else { "odd" })),
            call_id: step.call_id.map(Arc::from),
            beginning: (step.session == "a.sub").then(|| Arc::new(Beginning::new(None, Some(Arc::from("a"))))),
            ..CallContext::new(step.session)
        };
        let admission = match self.guard.admit(&tool, Ok(&args), &context) {
            Admission::Ask(asking) => self.answer(*asking, step, &args),
            other => Some(other),
        };
        let admission = match admission {
            Some(Admission::Sync(pending)) => pending.finish(LONG),
            Some(other) => other,
            None => return,
        };
        let Admission::Run(mut ticket) = admission else { return };
        let found = Value::Str(Cow::Owned(format!("u{}@example.com", step.number % 3)));
        if step.suspended {
            ticket.suspends();
            ticket.complete(Outcome::Interrupted, &Captured::Nothing);
        } else {
            ticket.complete(step.outcome, &Captured::Value(&found));
        }
    }

    fn answer(&mut self, asking: Asking, step: &Step, args: &Value<'_>) -> Option<Admission> {
        assert!(asking.waiting().wait_asked(LONG), "it was not asked");
        // what is changed after its time is over is recorded as over, with arguments that nobody was asked about
        let soon = matches!(step.said, Said::Changed);
        self.later(if soon { step.answered_after % 5 } else { step.answered_after });
        let yes = |edit: Option<i64>, count: Option<u32>| {
            let name = if step.tool == "mail" { "to" } else { "n" };
            let patch = |n| serde_json::json!([{"op": "add", "path": format!("/{name}"), "value": if name == "n" { serde_json::json!(n) } else { serde_json::json!("u9@example.com") }}]);
            let edit = edit.map(|n| Edit::from_json(patch(n)).unwrap());
            let grant = count.map(|count| Grant { when: None, count: Some(count), until: None });
            Answer::Yes(Consent { edit, grant })
        };
        match step.said {
            Said::Nothing => return Some(asking.resume(Ok(args)).admission),
            Said::Cancelled => asking.cancel(),
            Said::No => asking.answer(person(), Answer::No, None),
            Said::Yes | Said::Changed => asking.answer(person(), yes(None, None), None),
            Said::Edited(n) => asking.answer(person(), yes(Some(n), None), None),
            Said::Granted(count) => asking.answer(person(), yes(None, Some(count)), None),
        }
        assert!(asking.waiting().wait(LONG), "nobody was told");
        if matches!(step.said, Said::Changed) {
            return Some(asking.resume(Ok(&json::parse(r#"{"n":1,"to":"eve@example.com"}"#).unwrap())).admission);
        }
        Some(asking.resume(Ok(args)).admission)
    }
}

fn recorded(steps: &[Step], enforcement: Option<Enforcement>) -> Backtest {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let policy = Arc::new(policy::load("policy", POLICY).unwrap());
    let mut program = Program::start(&home, &policy, enforcement);
    for step in steps {
        program.step(step);
    }
    program.guard.close(LONG).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    backtest(&policy, &Home::open(&home).unwrap(), None, scratch.path()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_policy_that_was_in_force_decides_every_call_as_it_did(
        steps in steps(),
        enforcement in prop::sample::select(vec![None, None, None, Some(Enforcement::StepUp), Some(Enforcement::Block)]),
    ) {
        let found = recorded(&steps, enforcement);
        prop_assert_eq!(found.changed, 0, "{:#?}", found);
        // of a call that changed while it waited nobody knows what people were asked about, nor what it would have taken
        let changed = steps.iter().any(|step| matches!(step.said, Said::Changed));
        prop_assert!(changed || found.undecidable == 0, "{:#?}", found);
    }
}
