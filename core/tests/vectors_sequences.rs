//! Replays `tests/vectors/limits.json` and `sessions.json`: sequences of calls at chosen times, and what becomes of each.

#![cfg(test)]

use counterseal::call::{CallContext, PROGRAM_SOURCE, ToolSpec, User};
use counterseal::clock::{Clock, UnixNanos};
use counterseal::decide::{Decision, Effect, Exceeded, Layer, Layers, Options, ReasonCode};
use counterseal::guard::{Admission, Captured, Config, Guard};
use counterseal::ledger::{self, Outcome};
use counterseal::limits::Unit;
use counterseal::policy;
use counterseal::session::ModelUse;
use counterseal::value::json;
use serde_json::{Value as Json, json as tree};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const LIMITS: &str = include_str!("../../tests/vectors/limits.json");
const SESSIONS: &str = include_str!("../../tests/vectors/sessions.json");

/// 2026-01-01T00:00:00Z: where the times of all sequences begin.
const START: i64 = 1_767_225_600_000_000_000;

/// The contexts of a case's sessions that were begun, by id.
type Begun = HashMap<String, CallContext>;

fn start(home: &Path, name: &str, text: &str) -> Arc<Guard> {
    let policy = policy::load(name, text).unwrap_or_else(|errors| panic!("{errors}"));
    let layer = Layer { name: Arc::from("local"), policy: Arc::new(policy) };
    let layers = Layers::new(vec![layer], Options::default()).unwrap();
    let clock = Clock::manual(UnixNanos(START));
    let ledger = ledger::Options::default();
    let home = home.to_owned();
    Guard::start(Config { layers, home, agent: None, clock, previous: None, observer: None, ledger, asks: false })
        .unwrap()
}

fn limit(exceeded: &Exceeded) -> Json {
    let amount = |of: i64| match exceeded.unit {
        Unit::Calls | Unit::Tokens => of as f64,
        Unit::MicroUsd | Unit::Millionths => of as f64 / 1e6,
    };
    let moment = |at| chrono::DateTime::from_timestamp_nanos(at).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    tree!({"id": exceeded.id, "used": amount(exceeded.used), "max": amount(exceeded.max),
        "left": amount(exceeded.left), "resets_at": exceeded.resets_at.map(moment)})
}

fn seen(decision: &Decision) -> Json {
    tree!({
        "decision": decision.verdict,
        "effect": decision.effect,
        "reason_code": decision.reason_code.as_str(),
        "rules": decision.rules,
        "reason": decision.reason,
        "limit": decision.limit.as_deref().map_or(Json::Null, limit),
    })
}

/// What is seen of one step; null of one that shows nothing.
fn step(guard: &Arc<Guard>, step: &Json, begun: &mut Begun) -> Json {
    let text = |member: &str| step[member].as_str().map(Arc::<str>::from);
    let micro_usd = || step["cost_usd"].as_f64().map(|usd| (usd * 1e6).round() as i64);
    guard.clock().set(UnixNanos(START + step["at"].as_i64().unwrap() * 1_000_000_000));
    let session = text("session").unwrap_or_else(|| Arc::from("s"));
    let nowhere = || CallContext::new("nowhere");
    let said = |context: CallContext| CallContext {
        user: text("user").map(|id| User { id, verified_by: None }).or(context.user),
        run: text("run").or(context.run),
        call_id: text("call_id"),
        ..context
    };
    let context = begun.get(&*session).cloned();
    let context = said(context.unwrap_or_else(|| nowhere().enter(Arc::clone(&session), None, None)));
    match step.get("op").map(|op| op.as_str().unwrap()) {
        None => seen(&call(guard, step, &context, micro_usd(), true)),
        Some("check") => seen(&call(guard, step, &context, micro_usd(), false)),
        Some("begin") => {
            let user_text = text("user_text").map(|text| text.as_ref().into());
            let parent = text("parent");
            let outer = parent.as_deref().and_then(|parent| begun.get(parent).cloned()).unwrap_or_else(nowhere);
            begun.insert(session.to_string(), said(outer.enter(session, user_text, parent)));
            Json::Null
        }
        Some("mark") => {
            let sessions = &guard.memory().unwrap().sessions;
            sessions.mark(&session, step["tag"].as_str().unwrap(), guard.clock().now()).unwrap();
            Json::Null
        }
        Some("usage") => {
            let tokens = |member: &str| step[member].as_u64().unwrap_or(0);
            let used = ModelUse {
                prompt_tokens: tokens("prompt_tokens"),
                completion_tokens: tokens("completion_tokens"),
                cost_micro_usd: micro_usd().map_or(0, i64::unsigned_abs),
            };
            guard.spent(&context, used).unwrap();
            Json::Null
        }
        Some("standing") => {
            let standing = guard.standing(&context).unwrap();
            let budgets: Vec<Json> = standing.budgets.iter().map(limit).collect();
            tree!({
                "calls": standing.totals.calls,
                "prompt_tokens": standing.totals.prompt_tokens,
                "completion_tokens": standing.totals.completion_tokens,
                "cost_usd": standing.totals.cost_micro_usd as f64 / 1e6,
                "budgets": budgets,
            })
        }
        Some(unknown) => panic!("unknown operation {unknown}"),
    }
}

/// What was decided; a call that was asked about is told from one that was refused by its code.
fn call(guard: &Arc<Guard>, step: &Json, context: &CallContext, cost_micro_usd: Option<i64>, run: bool) -> Decision {
    let name = step["tool"].as_str().unwrap().to_owned();
    let tags = step.get("tags").map_or(Vec::new(), |tags| serde_json::from_value(tags.clone()).unwrap());
    let spec = ToolSpec { name, source: PROGRAM_SOURCE.to_owned(), cost_micro_usd, tags, ..ToolSpec::default() };
    let tool = guard.tool(spec).unwrap();
    let args = step.get("args").map_or("{}".to_owned(), Json::to_string);
    let args = json::parse(&args).unwrap();
    let asked = guard.check(&tool, Ok(&args), context);
    if !run {
        return asked;
    }
    match guard.admit(&tool, Ok(&args), context) {
        Admission::Run(mut ticket) => {
            assert_eq!(asked.effect, Effect::Run, "a question says what happens");
            if step["suspends"] == true {
                ticket.suspends();
            }
            match step.get("result").map(Json::to_string) {
                Some(result) => {
                    let result = json::parse(&result).unwrap();
                    ticket.complete(Outcome::Success, &Captured::Value(&result));
                }
                None => ticket.complete(Outcome::Success, &Captured::Nothing),
            }
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

/// Whether all that is expected is there; numbers are equal whatever their kind.
fn holds(seen: &Json, expected: &Json) -> bool {
    match (seen, expected) {
        (Json::Object(seen), Json::Object(expected)) => {
            expected.iter().all(|(member, expected)| seen.get(member).is_some_and(|seen| holds(seen, expected)))
        }
        (Json::Array(seen), Json::Array(expected)) => {
            seen.len() == expected.len() && seen.iter().zip(expected).all(|(seen, expected)| holds(seen, expected))
        }
        (Json::Number(seen), Json::Number(expected)) => seen.as_f64() == expected.as_f64(),
        _ => seen == expected,
    }
}

fn replay(case: &Json) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let name = case["name"].as_str().unwrap();
    let guard = start(home.path(), name, case["policy"].as_str().unwrap());
    let mut begun = Begun::new();
    let mut wrong = Vec::new();
    for (index, call) in case["calls"].as_array().unwrap().iter().enumerate() {
        let (seen, expected) = (step(&guard, call, &mut begun), &call["expect"]);
        if !holds(&seen, expected) {
            wrong.push(format!("{name}, call {index}: {seen}, expected {expected}"));
        }
    }
    guard.close(Duration::from_secs(10)).unwrap();
    wrong
}

fn replay_all(vectors: &str) {
    let vectors: Json = serde_json::from_str(vectors).unwrap();
    let wrong: Vec<String> = vectors["cases"].as_array().unwrap().iter().flat_map(replay).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn limits() {
    replay_all(LIMITS);
}

#[test]
fn sessions() {
    replay_all(SESSIONS);
}
