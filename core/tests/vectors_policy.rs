//! Replays `tests/vectors/policy.json`: what loads, as which version, and what is refused, where and with which advice.

#![cfg(test)]

use counterseal::policy::{self, Policy, PolicyErrors};
use counterseal::value::json;
use serde_json::Value as Json;

const VECTORS: &str = include_str!("../../tests/vectors/policy.json");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn compare(name: &str, loaded: Result<Policy, PolicyErrors>, case: &Json) -> Result<(), String> {
    match (loaded, case.get("error")) {
        (Ok(policy), None) => {
            for (member, expected) in case["expect"].as_object().unwrap() {
                let said: Json = match member.as_str() {
                    "version" => hex(&policy.version()).into(),
                    "rules" => policy.rule_ids().map(Json::from).collect::<Vec<_>>().into(),
                    "name" => policy.name().into(),
                    "default" => policy.default_verdict().as_str().into(),
                    "enforcement" => policy.enforcement().as_str().into(),
                    "decides" => policy.decides().into(),
                    unknown => panic!("{name}: unknown member {unknown}"),
                };
                if said != *expected {
                    return Err(format!("{name}: {member}: {said}, expected {expected}"));
                }
            }
            Ok(())
        }
        (Err(errors), Some(expected)) => {
            let first = &errors.list()[0];
            let said = serde_json::json!({
                "code": first.code.as_str(), "line": first.line(), "column": first.column(),
                "suggestion": first.suggestion, "problems": errors.list().len() + errors.untold(),
            });
            if said == *expected { Ok(()) } else { Err(format!("{name}: {said}\n  expected {expected}\n  {errors}")) }
        }
        (Ok(_), Some(expected)) => Err(format!("{name}: loads, expected {expected}")),
        (Err(errors), None) => Err(format!("{name}: {errors}")),
    }
}

#[test]
fn policies() {
    let vectors: Json = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    let failed: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            assert!(case.get("op").is_none(), "unknown operation");
            let (name, text) = (case["name"].as_str().unwrap(), case["text"].as_str().unwrap());
            compare(name, policy::load(name, text), case).err()
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A dictionary that a program gives is the same policy as its JSON text, or is refused as often.
#[test]
fn values_load_as_their_text_does() {
    let vectors: Json = serde_json::from_str(VECTORS).unwrap();
    let mut seen = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        if !text.starts_with('{') || text.contains('#') {
            continue;
        }
        let value = json::parse(text).unwrap();
        let loaded = policy::load_value("value", &value).unwrap();
        assert_eq!(loaded.version(), policy::load("text", text).unwrap().version(), "{text}");
        seen += 1;
    }
    assert!(seen >= 3, "{seen}");
    let wrong =
        json::parse(r#"{"version": 1, "rules": [{"id": "a", "tools": ["x"], "when": "1 +", "decision": "deny"}]}"#);
    let errors = policy::load_value("given", &wrong.unwrap()).unwrap_err();
    assert_eq!(errors.list()[0].path(), Some("rules[0].when"));
    assert!(errors.to_string().starts_with("given: rules[0].when: "), "{errors}");
}

/// Messages are lower case, without a final period, and say nothing of this program's inside.
#[test]
fn messages_keep_their_form() {
    let vectors: Json = serde_json::from_str(VECTORS).unwrap();
    for case in vectors["cases"].as_array().unwrap() {
        let Err(errors) = policy::load("p", case["text"].as_str().unwrap()) else { continue };
        for problem in errors.list() {
            let message = &problem.message;
            assert!(!message.ends_with('.') && !message.contains("::"), "{message}");
            assert!(message.chars().next().is_some_and(|c| !c.is_uppercase()), "{message}");
        }
    }
}
