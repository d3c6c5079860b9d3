//! Replays `tests/vectors/plain.json`: how texts from outside are shown to people.

#![cfg(test)]

use counterseal::plain::{Plain, wrapped};
use serde::Deserialize;

const VECTORS: &str = include_str!("../../tests/vectors/plain.json");
/// What a text is shown behind.
const FIRST: &str = "  why asked   ";

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    op: Option<String>,
    text: String,
    expect: Vec<String>,
}

#[test]
fn texts_from_outside() {
    let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
    for Case { name, op, text, expect } in vectors.cases {
        match op.as_deref() {
            None => {
                let next = format!("\n{}| ", " ".repeat(FIRST.len()));
                assert_eq!(wrapped("", &text), expect.join("\n| "), "{name}");
                assert_eq!(wrapped(FIRST, &text), format!("{FIRST}{}", expect.join(&next)), "{name}");
                assert_eq!(Plain::line(&text).to_string(), expect.concat(), "{name}");
            }
            Some("lines") => assert_eq!(Plain::lines(&text).to_string(), expect.join("\n"), "{name}"),
            Some(other) => panic!("{name}: unknown operation `{other}`"),
        }
    }
}
