//! Raw bytes as policies: no panic, no hang, no more memory than the bounds of the loader allow, and no policy that cannot
//! be planned and decided. `COUNTERSEAL_FUZZ_SECONDS` says how long (2 where it is not set).

#![cfg(test)]

use counterseal::call::{PROGRAM_SOURCE, ToolSpec};
use counterseal::condition::Facts;
use counterseal::decide::{Layer, Layers, Options};
use counterseal::policy;
use counterseal::value::Value;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SEEDS: &[&str] = &[
    include_str!("../../examples/agentdojo/policy.yaml"),
    include_str!("../../bench/policies/standard.yaml"),
    include_str!("../../bench/policies/standard_whole.yaml"),
    include_str!("../src/policy/builtin.yaml"),
];

/// What YAML, conditions and globs are made of.
const TOKENS: &[&str] = &[
    "version: 1\n",
    "rules:\n",
    "  - ",
    "id: a",
    "tools: [",
    "]",
    "{",
    "}",
    "*",
    "&a ",
    "*a",
    "? ",
    "- ",
    ": ",
    "\n",
    "\t",
    "\"",
    "'",
    "|",
    ">-\n",
    "%YAML 1.1\n",
    "---\n",
    "...\n",
    "!!str ",
    "<<: ",
    "when: ",
    "args.n",
    " > 5",
    " && ",
    "(",
    ")",
    "decision: deny",
    "default: deny\n",
    "scope: [",
    "mcp:a/",
    "\\ud83d\\ude00",
    "\\u",
    "\u{feff}",
    "1e999",
    "0x",
    ".inf",
    "-0",
    "~",
    "#",
    ",",
    "é",
    "\u{2028}",
    "\r",
    "lists: {a: [",
    "unless: ",
    "tags: [",
    "reason: ",
];

fn document() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..200);
    let tokens =
        prop::collection::vec(prop::sample::select(TOKENS), 0..60).prop_map(|tokens| tokens.concat().into_bytes());
    let edit = (any::<prop::sample::Index>(), 0_usize..40, prop::sample::select(TOKENS));
    let changed = (prop::sample::select(SEEDS), prop::collection::vec(edit, 1..4)).prop_map(|(seed, edits)| {
        let mut bytes = seed.as_bytes().to_vec();
        for (at, dropped, token) in edits {
            let from = at.index(bytes.len() + 1);
            let to = (from + dropped).min(bytes.len());
            bytes.splice(from..to, token.bytes());
        }
        bytes
    });
    let repeated =
        (prop::sample::select(TOKENS), 1_usize..5000).prop_map(|(token, times)| token.repeat(times).into_bytes());
    prop_oneof![1 => noise, 3 => tokens, 4 => changed, 1 => repeated]
}

fn load_and_decide(bytes: &[u8]) -> bool {
    let policy = match policy::load_bytes("raw", bytes) {
        Ok(policy) => policy,
        Err(errors) => {
            assert!(!errors.list().is_empty() && !errors.to_string().is_empty());
            return false;
        }
    };
    let layers =
        Layers::new(vec![Layer { name: Arc::from("raw"), policy: Arc::new(policy) }], Options::default()).unwrap();
    for name in ["a", "send_money", "issue_refund", "*"] {
        let tool = ToolSpec { name: name.to_owned(), source: PROGRAM_SOURCE.to_owned(), ..ToolSpec::default() };
        if let Ok(plan) = layers.plan(&tool) {
            let args = Value::Map(vec![("n".into(), Value::Int(7))]);
            let _ = plan.decide(&Facts::of_call(&args), None);
            let _ = plan.explain(&Facts::of_call(&args), None).to_string();
        }
    }
    true
}

#[test]
fn raw_bytes() {
    let seconds = std::env::var("COUNTERSEAL_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut runner = TestRunner::default();
    let strategy = document();
    let (mut tried, mut loaded) = (0_u64, 0_u64);
    while Instant::now() < end || tried < 50 {
        let bytes = strategy.new_tree(&mut runner).unwrap().current();
        loaded += u64::from(load_and_decide(&bytes));
        tried += 1;
    }
    assert!(tried >= 50);
    println!("{tried} documents, {loaded} of them policies");
}

/// What a hostile document may cost is bounded: each of these is refused, or loads.
#[test]
fn hostile_documents_end() {
    let wide: String = (0..200_000).map(|n| format!("k{n}: 1\n")).collect();
    let laughs = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n".to_owned();
    for text in ["[".repeat(100_000), "- ".repeat(100_000), "a: ".repeat(100_000), "? ".repeat(100_000), wide, laughs] {
        assert!(policy::load("hostile", &text).is_err());
    }
    let stars = format!(
        "version: 1\nscope: ['{0}', '{0}a']\nrules: [{{id: a, tools: ['{0}b'], decision: deny}}]\n",
        "*a".repeat(100)
    );
    let _ = policy::load("stars", &stars);
    let many = |n: usize, of: &str| (0..n).map(|n| of.replace('#', &n.to_string())).collect::<String>();
    let globs = format!(
        "version: 1\nscope: [{}]\nrules:\n{}",
        many(3000, "'*#a*b', "),
        many(3000, "- {id: r#, tools: ['*#c*d'], decision: deny}\n")
    );
    assert!(policy::load("globs", &globs).is_err());
    assert!(policy::load("large", &" ".repeat((8 << 20) + 1)).is_err());
}

#[test]
fn bytes_that_are_no_utf8_are_refused_with_their_place() {
    let errors = policy::load_bytes("p", b"version: 1\nname: \xff\n").unwrap_err();
    assert_eq!((errors.list()[0].line(), errors.list()[0].column()), (2, 7));
}
