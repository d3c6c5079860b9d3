//! The published schema is the types' own, and what `docs/policy.md` shows loads.

#![cfg(test)]

use counterseal::policy;
use serde_json::Value as Json;
use std::path::Path;

const SCHEMA: &str = include_str!("../../docs/schema/policy.schema.json");
const REFERENCE: &str = include_str!("../../docs/policy.md");

/// `COUNTERSEAL_REGENERATE=1` writes the file instead of comparing it.
#[test]
fn the_published_schema_is_generated() {
    let generated = format!("{}\n", serde_json::to_string_pretty(&policy::schema()).unwrap());
    if std::env::var_os("COUNTERSEAL_REGENERATE").is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/policy.schema.json");
        std::fs::write(file, &generated).unwrap();
        return;
    }
    assert!(
        generated == SCHEMA,
        "run this test with COUNTERSEAL_REGENERATE=1 and commit docs/schema/policy.schema.json"
    );
}

/// Every key of the schema has a word about it, and stands in the reference.
#[test]
fn every_key_is_described() {
    fn look(schema: &Json, seen: &mut usize) {
        if let Some(Json::Object(properties)) = schema.get("properties") {
            for (key, of) in properties {
                assert!(of.get("description").is_some_and(Json::is_string), "`{key}` has no description");
                assert!(REFERENCE.contains(&format!("`{key}`")), "`{key}` is not in docs/policy.md");
                *seen += 1;
            }
        }
        for inner in schema.as_object().into_iter().flat_map(|members| members.values()) {
            look(inner, seen);
        }
    }
    let mut seen = 0;
    look(&policy::schema(), &mut seen);
    assert!(seen >= 38, "{seen} keys");
}

#[test]
fn null_stands_nowhere_in_the_schema() {
    assert!(!policy::schema().to_string().contains("null"));
}

#[test]
fn what_the_reference_shows_loads() {
    let mut shown = 0;
    for block in REFERENCE.split("```yaml\n").skip(1) {
        let text = block.split("```").next().unwrap();
        policy::load("docs/policy.md", text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        shown += 1;
    }
    assert!(shown >= 3, "{shown}");
}
