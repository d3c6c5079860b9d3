//! Raw bytes into the readers of values: no panic, nothing accepted that does not come out again. Runs for
//! `COUNTERSEAL_FUZZ_SECONDS` (default 1).

#![cfg(test)]

use counterseal::value::{decode, decode_redacted, encode, json};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use std::time::{Duration, Instant};

/// Text that is nearly JSON, so that more than the first byte is looked at; and bytes that are nothing.
fn raw() -> impl Strategy<Value = Vec<u8>> {
    let nearly = r#"(\[|\]|\{|\}|,|:|"|\\u[dD][89aAcC]00|\\u00|\\|"\$int":"|"\$time":"|"\$bytes":"|"\$decimal":"|"a":|-|[0-9]{1,30}|e|\.|null|true| |.){0,40}"#;
    prop_oneof![nearly.prop_map(String::into_bytes), prop::collection::vec(any::<u8>(), 0..200)]
}

fn read(bytes: &[u8]) {
    let mut out = Vec::new();
    if let Ok(value) = decode(bytes) {
        encode(&value, &mut out).unwrap();
        assert_eq!(out, bytes);
    }
    let _ = decode_redacted(bytes);
    if let Some(value) = std::str::from_utf8(bytes).ok().and_then(|text| json::parse(text).ok()) {
        out.clear();
        encode(&value, &mut out).unwrap();
        let mut again = Vec::new();
        encode(&decode(&out).unwrap(), &mut again).unwrap();
        assert_eq!(out, again);
    }
}

#[test]
fn raw_bytes_never_panic() {
    let seconds = std::env::var("COUNTERSEAL_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut runner = TestRunner::default();
    let strategy = raw();
    loop {
        read(&strategy.new_tree(&mut runner).unwrap().current());
        if Instant::now() >= end {
            break;
        }
    }
}

#[test]
fn hostile_sizes_are_bounded() {
    for text in
        ["[".repeat(1 << 20), "{\"a\":".repeat(1 << 18), format!("[{}1]", "1,".repeat(1 << 20)), "9".repeat(1 << 20)]
    {
        let refused = json::parse(&text).and_then(|value| encode(&value, &mut Vec::new()));
        assert!(refused.is_err(), "{}…", text.chars().take(8).collect::<String>());
    }
}
