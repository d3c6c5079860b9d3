//! Replays `tests/vectors/limits.json`: sequences of calls at chosen times, and what budgets, rate limits and loops make of each.

#![cfg(test)]

use counterseal::call::{CallContext, PROGRAM_SOURCE, ToolSpec, User};
use counterseal::clock::{Clock, UnixNanos};
use counterseal::decide::{Decision, Effect, Exceeded, Layer, Layers, Options, ReasonCode};
use counterseal::guard::{Admission, Captured, Config, Guard};
use counterseal::ledger::{self, Outcome};
use counterseal::limits::Unit;
use counterseal::policy;
use counterseal::value::json;
use serde_json::{Value as Json, json as tree};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const VECTORS: &str = include_str!("../../tests/vectors/limits.json");

/// 2026-01-01T00:00:00Z: where the times of all sequences begin.
const START: i64 = 1_767_225_600_000_000_000;

fn start(home: &Path, name: &str, text: &str) -> Arc<Guard> {
    let policy = policy::load(name, text).unwrap_or_else(|errors| panic!("{errors}"));
    let layer = Layer { name: Arc::from("local"), policy: Arc::new(policy) };
    let layers = Layers::new(vec![layer], Options::default()).unwrap();
    let clock = Clock::manual(UnixNanos(START));
    let ledger = ledger::Options::default();
    let home = home.to_owned();
    Guard::start(Config { layers, home, agent: None, clock, previous: None, observer: None, ledger, asks: false }).unwrap()
}

fn amount(unit: Unit, amount: i64) -> Json {
    match unit {
        Unit::Calls | Unit::Tokens => tree!(amount as f64),
        Unit::MicroUsd | Unit::Millionths => tree!(amount as f64 / 1e6),
    }
}

fn limit(exceeded: &Exceeded) -> Json {
    let number = |of| amount(exceeded.unit, of);
    let resets_at = exceeded.resets_at.map(chrono_text);
    tree!({"id": exceeded.id, "used": number(exceeded.used), "max": number(exceeded.max),
        "left": number(exceeded.left), "resets_at": resets_at})
}

fn chrono_text(nanos: i64) -> String {
    chrono::DateTime::from_timestamp_nanos(nanos).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// What was decided; a call that was asked about is told from one that was refused by its code.
fn decide(guard: &Arc<Guard>, call: &Json) -> Decision {
    let text = |member: &str| call[member].as_str().map(Arc::<str>::from);
    let at = call["at"].as_i64().unwrap();
    guard.clock().set(UnixNanos(START + at * 1_000_000_000));
    let cost_micro_usd = call["cost_usd"].as_f64().map(|usd| (usd * 1e6).round() as i64);
    let name = call["tool"].as_str().unwrap().to_owned();
    let spec = ToolSpec { name, source: PROGRAM_SOURCE.to_owned(), cost_micro_usd, ..ToolSpec::default() };
    let tool = guard.tool(spec).unwrap();
    let context = CallContext {
        agent: None,
        user: text("user").map(|id| User { id, verified_by: None }),
        session: text("session").unwrap_or_else(|| Arc::from("s")),
        implicit: false,
        run: text("run"),
        parent: None,
        call_id: None,
        annotations: None,
        beginning: None,
        enforcement: None,
    };
    let args = call.get("args").map_or("{}".to_owned(), Json::to_string);
    let args = json::parse(&args).unwrap();
    match call.get("op").map(|op| op.as_str().unwrap()) {
        Some("check") => guard.check(&tool, Ok(&args), &context),
        None => {
            let asked = guard.check(&tool, Ok(&args), &context);
            match guard.admit(&tool, Ok(&args), &context) {
                Admission::Run(ticket) => {
                    assert_eq!(asked.effect, Effect::Run, "a question says what happens");
                    ticket.complete(Outcome::Success, &Captured::Nothing);
                    asked
                }
                Admission::Refused(refusal) => {
                    if refusal.decision.reason_code != ReasonCode::NoApprover {
                        assert_eq!(asked.reason_code, refusal.decision.reason_code);
                    }
                    refusal.decision
                }
                other => panic!("{other:?}"),
            }
        }
        Some(unknown) => panic!("unknown operation {unknown}"),
    }
}

fn replay(case: &Json) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let name = case["name"].as_str().unwrap();
    let guard = start(home.path(), name, case["policy"].as_str().unwrap());
    let mut wrong = Vec::new();
    for (index, call) in case["calls"].as_array().unwrap().iter().enumerate() {
        let decision = decide(&guard, call);
        for (member, expected) in call["expect"].as_object().unwrap() {
            let said = match member.as_str() {
                "decision" => tree!(decision.verdict),
                "effect" => tree!(decision.effect),
                "reason_code" => tree!(decision.reason_code.as_str()),
                "rules" => tree!(decision.rules),
                "reason" => tree!(decision.reason),
                "limit" => decision.limit.as_deref().map_or(Json::Null, limit),
                unknown => panic!("unknown member {unknown}"),
            };
            let same = match member.as_str() {
                "limit" => ["id", "resets_at"].iter().all(|part| said[part] == expected[part])
                    && ["used", "max", "left"].iter().all(|part| said[part].as_f64() == expected[part].as_f64()),
                _ => said == *expected,
            };
            if !same {
                wrong.push(format!("{name}, call {index}: {member}: {said}, expected {expected}"));
            }
        }
    }
    guard.close(Duration::from_secs(10)).unwrap();
    wrong
}

#[test]
fn limits() {
    let vectors: Json = serde_json::from_str(VECTORS).unwrap();
    let wrong: Vec<String> = vectors["cases"].as_array().unwrap().iter().flat_map(replay).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
