//! Replays `tests/vectors/replay.json`: runs that are recorded for real, and what becomes of calls that are made again.

#![cfg(test)]

use counterseal::call::{CallContext, PROGRAM_SOURCE, ToolSpec};
use counterseal::clock::{Clock, UnixNanos};
use counterseal::decide::{Layer, Layers, Options};
use counterseal::guard::{Admission, Captured, Config, Guard, Refusal, Ticket};
use counterseal::ledger::{self, Home, Outcome};
use counterseal::policy;
use counterseal::replay::{Divergence, Given, Made, Replay, Served};
use counterseal::value::{encode, json};
use serde_json::{Value as Json, json as tree};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const VECTORS: &str = include_str!("../../tests/vectors/replay.json");

fn text<'a>(step: &'a Json, member: &str) -> Option<&'a str> {
    step.get(member).map(|text| text.as_str().unwrap())
}

fn start(home: &Path, text: &str) -> Arc<Guard> {
    let policy = policy::load("replay", text).unwrap_or_else(|errors| panic!("{errors}"));
    let layer = Layer { name: Arc::from("local"), policy: Arc::new(policy) };
    Guard::start(Config {
        layers: Layers::new(vec![layer], Options::default()).unwrap(),
        home: home.to_owned(),
        agent: None,
        clock: Clock::manual(UnixNanos(1_767_225_600_000_000_000)),
        previous: None,
        observer: None,
        ledger: ledger::Options::default(),
        asks: false,
    })
    .unwrap()
}

/// Calls while they are recorded.
struct Recording {
    guard: Arc<Guard>,
    running: HashMap<String, Ticket>,
    /// What each call came to, by its name; null while it runs.
    ended: HashMap<String, Json>,
    /// Run, session and name of each call in the order in which they were decided.
    order: Vec<[String; 3]>,
}

impl Recording {
    fn step(&mut self, step: &Json) {
        let op = step.as_object().unwrap().keys().find(|key| ["call", "begin", "end"].contains(&key.as_str())).unwrap();
        let name = step[op].as_str().unwrap();
        if op != "end" {
            self.begin(name, step);
        }
        if op != "begin" {
            self.end(name, step);
        }
    }

    fn begin(&mut self, name: &str, step: &Json) {
        let spec = ToolSpec {
            name: text(step, "tool").unwrap().to_owned(),
            source: PROGRAM_SOURCE.to_owned(),
            ..ToolSpec::default()
        };
        let tool = self.guard.tool(spec).unwrap();
        let (run, session) = (text(step, "run").unwrap_or("r-1"), text(step, "session").unwrap_or("s-1"));
        let context = CallContext {
            run: Some(run.into()),
            call_id: text(step, "call_id").map(Arc::from),
            ..CallContext::new(session)
        };
        let args = arguments(step);
        let args = json::parse(&args).unwrap();
        let ended = match self.guard.admit(&tool, Ok(&args), &context) {
            Admission::Run(ticket) => {
                self.running.insert(name.to_owned(), ticket);
                Json::Null
            }
            Admission::Refused(refusal) => refused(&refusal),
            other => panic!("{other:?}"),
        };
        assert!(self.ended.insert(name.to_owned(), ended).is_none(), "two calls `{name}`");
        self.order.push([run, session, name].map(str::to_owned));
    }

    fn end(&mut self, name: &str, step: &Json) {
        let ended = self.ended.get_mut(name).unwrap();
        let Some(ticket) = self.running.remove(name) else {
            assert!(step.get("refused").is_some_and(|code| *code == ended["refused"]), "{name}: {ended}");
            return;
        };
        *ended = match (text(step, "error"), step.get("uncaptured"), step.get("result")) {
            (Some(error), None, None) => {
                ticket.complete(Outcome::Error, &Captured::Error(error));
                tree!({"raised": error})
            }
            (None, Some(_), None) => {
                ticket.complete(Outcome::Success, &Captured::Uncaptured);
                tree!({"uncaptured": true})
            }
            (None, None, Some(result)) => {
                let result = result.to_string();
                let value = json::parse(&result).unwrap();
                let mut canonical = Vec::new();
                encode(&value, &mut canonical).unwrap();
                ticket.complete(Outcome::Success, &Captured::Value(&value));
                tree!({"returned": serde_json::from_slice::<Json>(&canonical).unwrap()})
            }
            _ => panic!("how `{name}` ended is not said: {step}"),
        };
    }
}

fn arguments(step: &Json) -> String {
    step.get("args").map_or("{}".to_owned(), Json::to_string)
}

fn refused(refusal: &Refusal) -> Json {
    let decision = &refusal.decision;
    tree!({
        "refused": decision.reason_code.as_str(),
        "rules": decision.rules,
        "reason": decision.reason,
        "reason_for_agent": decision.reason_for_agent,
        "detail": decision.detail,
        "action_id": refusal.action_id.map(|id| id.to_string()),
    })
}

fn parsed(text: Option<&str>) -> Json {
    text.map_or(Json::Null, |text| serde_json::from_str(text).unwrap())
}

fn diverged(divergence: &Divergence) -> Json {
    tree!({
        "message": divergence.message,
        "position": divergence.position,
        "expected": parsed(divergence.expected.as_deref()),
        "found": parsed(divergence.found.as_deref()),
    })
}

/// What a call that is made again is seen to come to, said as the vectors do; `run` has the names of its calls in order.
fn seen(served: Result<Served, Divergence>, ended: &HashMap<String, Json>, run: &[&String]) -> Json {
    let served = match served {
        Ok(served) => served,
        Err(divergence) => return tree!({"diverged": diverged(&divergence)}),
    };
    let given = match &served.given {
        Ok(Given::Returned(result)) => tree!({"returned": parsed(result.as_deref())}),
        Ok(Given::Raised(error)) => tree!({"raised": parsed(Some(error))}),
        Ok(Given::Refused(refusal)) => refused(refusal),
        Err(error) => return tree!({"incomplete": error.message()}),
    };
    let name = run[served.index];
    assert_eq!(given, ended[name], "what `{name}` came to");
    tree!({"given": name})
}

fn replay(case: &Json, policy: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("home");
    let guard = start(&home, text(case, "policy").unwrap_or(policy));
    let mut recording = Recording { guard, running: HashMap::new(), ended: HashMap::new(), order: Vec::new() };
    for step in case["recorded"].as_array().unwrap() {
        recording.step(step);
    }
    assert_eq!(recording.guard.flush(Duration::from_secs(10)).pending, 0);
    if let Some(missing) = text(case, "without") {
        std::fs::remove_file(home.join(missing)).unwrap();
    }
    let name = case["name"].as_str().unwrap();
    let run = text(case, "run").unwrap_or("r-1");
    let opened = Home::open(&home).and_then(|home| Replay::of_run(&home, run, text(case, "session")));
    let found = match opened {
        Ok(replay) => replayed(case, replay, &recording),
        Err(error) => {
            let message = error.message().replace(&home.display().to_string(), "<home>");
            let seen = tree!({"code": error.code().as_str(), "message": message});
            if seen == case["error"] { Vec::new() } else { vec![format!("{seen}")] }
        }
    };
    found.into_iter().map(|wrong| format!("{name}: {wrong}")).collect()
}

fn replayed(case: &Json, mut replay: Replay, recording: &Recording) -> Vec<String> {
    let (run, session) = (text(case, "run").unwrap_or("r-1"), text(case, "session"));
    let of_run = recording.order.iter().filter(|[of, within, _]| of == run && session.is_none_or(|one| within == one));
    let run: Vec<&String> = of_run.map(|[_, _, name]| name).collect();
    let mut last: HashMap<&str, Option<usize>> = HashMap::from([("main", None)]);
    let mut wrong = Vec::new();
    for (position, step) in case["made"].as_array().unwrap().iter().enumerate() {
        let task = text(step, "task").unwrap_or("main");
        let from = text(step, "from").unwrap_or("main");
        let after = *last.get(task).unwrap_or(&last[from]);
        let mut canonical = Vec::new();
        encode(&json::parse(&arguments(step)).unwrap(), &mut canonical).unwrap();
        let served = replay.serve(&Made {
            source: PROGRAM_SOURCE,
            name: text(step, "tool").unwrap(),
            arguments: &canonical,
            call_id: text(step, "call_id"),
            after,
            alone: step.get("alone").is_none_or(|alone| alone.as_bool().unwrap()),
        });
        last.insert(task, served.as_ref().map_or(after, |served| Some(served.index)));
        let seen = seen(served, &recording.ended, &run);
        if seen != step["expect"] {
            wrong.push(format!("call {position}: {seen}, expected {}", step["expect"]));
        }
    }
    let left = replay.left().as_ref().map_or(Json::Null, diverged);
    if left != case["left"] {
        wrong.push(format!("left: {left}, expected {}", case["left"]));
    }
    wrong
}

#[test]
fn runs() {
    let vectors: Json = serde_json::from_str(VECTORS).unwrap();
    let policy = vectors["policy"].as_str().unwrap();
    let wrong: Vec<String> =
        vectors["cases"].as_array().unwrap().iter().flat_map(|case| replay(case, policy)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
