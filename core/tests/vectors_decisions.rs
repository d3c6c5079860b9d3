//! Replays `tests/vectors/decisions.json`: what policies say of a call, what the mode makes of it, and how it is recorded.

#![cfg(test)]

use counterseal::call::{PROGRAM_SOURCE, Risk, ToolSpec};
use counterseal::condition::Facts;
use counterseal::decide::{Enforcement, Layer, Layers, Options, ToolPlan};
use counterseal::policy;
use counterseal::value::json;
use counterseal::{Error, ErrorCode};
use serde_json::{Value as Json, json as tree};
use std::sync::Arc;

const VECTORS: &str = include_str!("../../tests/vectors/decisions.json");

fn mode(value: &Json) -> Option<Enforcement> {
    (!value.is_null()).then(|| serde_json::from_value(value.clone()).unwrap())
}

fn texts(value: &Json) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap()
}

fn tool(value: &Json) -> ToolSpec {
    let mut spec = ToolSpec { source: PROGRAM_SOURCE.to_owned(), ..ToolSpec::default() };
    for (member, value) in value.as_object().unwrap() {
        let text = || value.as_str().unwrap().to_owned();
        match member.as_str() {
            "name" => spec.name = text(),
            "source" => spec.source = text(),
            "tags" => spec.tags = texts(value),
            "risk" => spec.risk = Some(serde_json::from_value::<Risk>(value.clone()).unwrap()),
            "connector" => spec.connector = Some(text()),
            "action" => spec.action = Some(text()),
            "parameters" => spec.parameters = Some(texts(value)),
            "schema" => spec.schema = Some(value.clone()),
            unknown => panic!("unknown member {unknown}"),
        }
    }
    spec
}

fn layers(case: &Json) -> Layers {
    let given = case["layers"].as_object().unwrap().iter().map(|(name, text)| {
        let policy = policy::load(name, text.as_str().unwrap()).unwrap_or_else(|errors| panic!("{errors}"));
        Layer { name: Arc::from(&**name), policy: Arc::new(policy) }
    });
    let options = &case["options"];
    let require_policy = options["require_policy"].as_bool().unwrap_or(false);
    Layers::new(given.collect(), Options { enforcement: mode(&options["enforcement"]), require_policy }).unwrap()
}

fn decide(case: &Json, layers: &Layers, plan: &ToolPlan) -> Vec<String> {
    let args = case["args"].to_string();
    let args = json::parse(&args).unwrap();
    let decision = plan.decide(&Facts::of_call(&args), mode(&case["mode"])).into_owned();
    let failures = layers.condition_failures();
    let explanation = plan.explain(&Facts::of_call(&args), mode(&case["mode"]));
    assert_eq!(layers.condition_failures(), failures, "an explanation counts no failure");
    assert_eq!(explanation.rules, decision.rules.to_vec(), "an explanation says what is decided");
    assert!(explanation.to_string().contains(decision.verdict.as_str()));
    assert_eq!(serde_json::to_value(&explanation).unwrap()["effect"], tree!(decision.effect));
    let mut wrong = Vec::new();
    for (member, expected) in case["expect"].as_object().unwrap() {
        let said = match member.as_str() {
            "decision" => tree!(decision.verdict),
            "effect" => tree!(decision.effect),
            "reason_code" => tree!(decision.reason_code.as_str()),
            "rules" => tree!(decision.rules),
            "enforcement" => tree!(decision.enforcement),
            "reason" => tree!(decision.reason),
            "reason_for_agent" => tree!(decision.reason_for_agent),
            "record" => tree!(decision.record),
            "failures" => tree!(failures),
            "fail_mode" => tree!(plan.fail_mode()),
            "tags" => tree!(plan.tags()),
            "risk" => tree!(plan.risk()),
            "connector" => tree!(plan.connector()),
            unknown => panic!("unknown member {unknown}"),
        };
        if said != *expected {
            wrong.push(format!("{}: {member}: {said}, expected {expected}\n{explanation}", case["name"]));
        }
    }
    wrong
}

fn replay(case: &Json) -> Vec<String> {
    let layers = layers(case);
    let plan = layers.plan(&tool(&case["tool"]));
    match (case.get("op").map(|op| op.as_str().unwrap()), plan) {
        (None, Ok(plan)) => decide(case, &layers, &plan),
        (Some("plan"), Ok(plan)) if case.get("error").is_none() => {
            let rules = tree!({"rules": plan.rule_count()});
            if rules == case["expect"] { Vec::new() } else { vec![format!("{}: {rules}", case["name"])] }
        }
        (Some("plan"), Err(error)) if case["error"]["code"] == error.code().as_str() => Vec::new(),
        (None | Some("plan"), plan) => vec![format!("{}: {:?}", case["name"], plan.map(drop))],
        (Some(unknown), _) => panic!("unknown operation {unknown}"),
    }
}

#[test]
fn decisions() {
    let vectors: Json = serde_json::from_str(VECTORS).unwrap();
    let wrong: Vec<String> = vectors["cases"].as_array().unwrap().iter().flat_map(replay).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn layers_have_names_of_their_own() {
    let policy = Arc::new(policy::load("p", "version: 1\n").unwrap());
    let refused = |names: &[&str]| -> Error {
        let given = names.iter().map(|name| Layer { name: Arc::from(*name), policy: Arc::clone(&policy) });
        Layers::new(given.collect(), Options::default()).unwrap_err()
    };
    for names in [&["local", "local"][..], &["built-in"], &[""], &["a/b"]] {
        assert_eq!(refused(names).code(), ErrorCode::ConfigInvalid, "{names:?}");
    }
}

/// One layer has its policy's version, several have one together that depends on each and on their names.
#[test]
fn versions_of_layers() {
    let policy = |text: &str| Arc::new(policy::load("p", text).unwrap());
    let layers = |list: &[(&str, &str)]| {
        let given = list.iter().map(|(name, text)| Layer { name: Arc::from(*name), policy: policy(text) });
        Layers::new(given.collect(), Options::default()).unwrap()
    };
    let (one, two) = ("version: 1\n", "version: 1\ndefault: deny\n");
    assert_eq!(layers(&[("a", one)]).version(), policy(one).version());
    let both = layers(&[("a", one), ("b", two)]);
    assert_ne!(both.version(), layers(&[("a", two), ("b", one)]).version());
    assert_ne!(both.version(), layers(&[("a", one), ("c", two)]).version());
    assert_eq!(both.version(), layers(&[("a", one), ("b", two)]).version());
    assert_eq!(both.describe().len(), 2);
}
