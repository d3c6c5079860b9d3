//! Replaying runs whose records are of several processes, or not all there any more; the vectors have the rest.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails loudly")]

use counterseal::call::{CallContext, PROGRAM_SOURCE, ToolSpec};
use counterseal::clock::{Clock, UnixNanos};
use counterseal::decide::{Layer, Layers, Options};
use counterseal::guard::{Admission, Captured, Config, Guard, Ticket};
use counterseal::ledger::erase::{Request, Selection, erase};
use counterseal::ledger::{self, Entropy, Home, Outcome};
use counterseal::replay::{Given, Made, Replay};
use counterseal::value::Value;
use counterseal::{ErrorCode, policy};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const POLICY: &str = "version: 1\nrecord: {result: full}\nrules: [{id: no, tools: [nothing], decision: deny}]\n";

fn process(home: &Path) -> Arc<Guard> {
    let layer = Layer { name: Arc::from("local"), policy: Arc::new(policy::load("p", POLICY).unwrap()) };
    Guard::start(Config {
        layers: Layers::new(vec![layer], Options::default()).unwrap(),
        home: home.to_owned(),
        agent: None,
        clock: Clock::manual(UnixNanos(0)),
        previous: None,
        observer: None,
        asks: false,
        ledger: ledger::Options::default(),
    })
    .unwrap()
}

/// Decides a call of `tool` without arguments at that second.
fn begin(guard: &Arc<Guard>, second: i64, tool: &str) -> Ticket {
    guard.clock().set(UnixNanos(1_767_225_600_000_000_000 + second * 1_000_000_000));
    let spec = ToolSpec { name: tool.to_owned(), source: PROGRAM_SOURCE.to_owned(), ..ToolSpec::default() };
    let context = CallContext { run: Some("r-1".into()), ..CallContext::new("s-1") };
    match guard.admit(&guard.tool(spec).unwrap(), Ok(&Value::Map(Vec::new())), &context) {
        Admission::Run(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

fn end(ticket: Ticket, result: &str) {
    ticket.complete(Outcome::Success, &Captured::Value(&Value::Str(result.into())));
}

fn serve(replay: &mut Replay, tool: &str) -> Result<String, String> {
    let made = Made { source: PROGRAM_SOURCE, name: tool, arguments: b"{}", call_id: None, after: None, alone: true };
    match replay.serve(&made).map_err(|divergence| divergence.message)?.given.unwrap() {
        Given::Returned(result) => Ok(result.unwrap()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn calls_of_several_processes_are_in_the_order_of_their_time() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let (first, second) = (process(&home), process(&home));
    end(begin(&first, 1, "a"), "1");
    end(begin(&second, 2, "b"), "2");
    end(begin(&first, 3, "c"), "3");
    for guard in [first, second] {
        guard.close(Duration::from_secs(10)).unwrap();
    }
    let read = || Replay::of_run(&Home::open(&home).unwrap(), "r-1", None).unwrap();
    let mut replay = read();
    for (tool, result) in [("a", "\"1\""), ("b", "\"2\""), ("c", "\"3\"")] {
        assert_eq!(serve(&mut replay, tool).unwrap(), result);
    }
    assert_eq!(replay.left(), None);
    let why = serve(&mut read(), "b").unwrap_err();
    assert_eq!(why, "call 1 is not the recorded one: recorded was `a` with `{}`, made was `b` with `{}`");
}

#[test]
fn an_erased_result_cannot_be_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let guard = process(&home);
    end(begin(&guard, 1, "a"), "kept");
    let erased = begin(&guard, 2, "b");
    let action = erased.action_id();
    end(erased, "gone");
    guard.close(Duration::from_secs(10)).unwrap();
    let home = Home::open(&home).unwrap();
    let chosen = Request {
        selection: Selection { actions: vec![action], ..Selection::default() },
        parts: None,
        reason: "asked to".into(),
        by: "tests".into(),
    };
    assert_eq!(erase(&home, &chosen, &Clock::System, &mut Entropy::system(), &mut |_| Ok(())).unwrap().payloads, 2);
    let error = Replay::of_run(&home, "r-1", None).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ReplayIncomplete);
    // what it was called with is gone as well
    let why = "the run `r-1` cannot be replayed: call 2, `b`: its result was erased";
    assert_eq!(error.message(), why);
}
