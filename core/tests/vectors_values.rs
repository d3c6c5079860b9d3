//! Replays `tests/vectors/values.json`: every value's canonical bytes and digests, and every refusal.

#![cfg(test)]

mod typed_tree;

use counterseal::Error;
use counterseal::value::digest::{CallPrefix, DigestKey};
use counterseal::value::{Value, decode, encode, json};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use typed_tree::{build, list, text, unhex};

const VECTORS: &str = include_str!("../../tests/vectors/values.json");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn canonical(value: &Value<'_>) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    encode(value, &mut out).map(|()| out)
}

fn outcome(case: &Json) -> Result<Vec<u8>, Error> {
    match case.get("json") {
        Some(document) => canonical(&json::parse(text(document))?),
        None => canonical(&build(&case["value"])?),
    }
}

#[test]
fn values() {
    let vectors: Json = serde_json::from_str(VECTORS).unwrap();
    let mut key_bytes: [u8; 32] = unhex(text(&vectors["key"])).try_into().unwrap();
    let key = DigestKey::new(&mut key_bytes);
    let prefix = CallPrefix::new(text(&vectors["tool"]["source"]), text(&vectors["tool"]["name"]));
    for case in list(&vectors["cases"]) {
        let name = text(&case["name"]);
        let bytes = match (outcome(case), case.get("error")) {
            (Ok(bytes), None) => bytes,
            (Err(error), Some(expected)) => {
                assert_eq!(error.code().as_str(), text(&expected["code"]), "{name}: {error}");
                continue;
            }
            (outcome, _) => panic!("{name}: {outcome:?}"),
        };
        for (member, expected) in case["expect"].as_object().unwrap() {
            let said = match (case.get("op").map_or("encode", text), member.as_str()) {
                ("encode", "canonical") => Json::from(String::from_utf8(bytes.clone()).unwrap()),
                ("encode", "sha256") => hex(&Sha256::digest(&bytes)).into(),
                ("encode", "call_digest") => hex(&key.call(&prefix, &bytes)).into(),
                ("encode", "bytes") => bytes.len().into(),
                ("result", "result_digest") => hex(&key.result(&bytes).0).into(),
                ("result", "bytes") => key.result(&bytes).1.into(),
                unknown => panic!("{name}: unknown operation or member {unknown:?}"),
            };
            assert_eq!(said, *expected, "{name}: {member}");
        }
        let again = decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(canonical(&again).unwrap(), bytes, "{name}: decoded and encoded again");
    }
}
