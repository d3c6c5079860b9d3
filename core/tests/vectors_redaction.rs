//! Replays `tests/vectors/redaction.json`: what of a value may be recorded.

#![cfg(test)]

mod typed_tree;

use counterseal::redact::{Detector, Redaction};
use counterseal::value::{decode_redacted, encode, json};
use serde_json::Value as Json;
use std::borrow::Cow;
use typed_tree::{build, list, text, unhex};

const VECTORS: &str = include_str!("../../tests/vectors/redaction.json");

fn redaction(of: &Json) -> Redaction {
    let keys: Vec<String> = serde_json::from_value(of["keys"].clone()).unwrap();
    let detectors: Vec<Detector> = serde_json::from_value(of["detect"].clone()).unwrap();
    Redaction::new(&keys, &detectors)
}

#[test]
fn redactions() {
    assert_eq!(unhex("0aff"), [10, 255]);
    let vectors: Json = serde_json::from_str(VECTORS).unwrap();
    for case in list(&vectors["cases"]) {
        let name = text(&case["name"]);
        let layers: Vec<Redaction> = case
            .get("layers")
            .map_or_else(|| vec![redaction(case)], |layers| list(layers).iter().map(redaction).collect());
        let value =
            case.get("json").map_or_else(|| build(&case["value"]), |document| json::parse(text(document))).unwrap();
        let mut canonical = Vec::new();
        encode(&value, &mut canonical).unwrap();
        let redacted = Redaction::union(&layers).apply(&value, &canonical);
        match &case["expect"]["redacted"] {
            Json::Null => assert!(matches!(redacted, Cow::Borrowed(_)), "{name}"),
            expected => assert_eq!(String::from_utf8_lossy(&redacted), text(expected), "{name}"),
        }
        assert!(decode_redacted(&redacted).is_ok(), "{name}: read back");
    }
}
