//! Raw bytes and damaged files as a ledger: nothing panics, everything ends, and damage never makes a ledger hold.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

mod ledger_homes;

use counterseal::ledger::home::Home;
use counterseal::ledger::index::IndexLine;
use counterseal::ledger::note::{Note, VerifierKey, split_notes, whole_notes};
use counterseal::ledger::read::{Filter, entries};
use counterseal::ledger::record::{Record, SidecarLine};
use counterseal::ledger::verify::{Options, verify};
use ledger_homes::{Maker, files, folder};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::fs;
use std::time::{Duration, Instant};

/// How long each test goes on: `COUNTERSEAL_FUZZ_SECONDS`, 2 left out.
fn seconds() -> Duration {
    let text = std::env::var("COUNTERSEAL_FUZZ_SECONDS").unwrap_or_else(|_| "2".to_owned());
    Duration::from_secs(text.parse().expect("COUNTERSEAL_FUZZ_SECONDS is a number of seconds"))
}

/// Tries new inputs until the time is over.
fn for_a_while<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let end = Instant::now() + seconds();
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    while Instant::now() < end {
        runner.run(strategy, &test).unwrap();
    }
}

/// Bytes that are often nearly a line of a ledger.
fn nearly_a_line() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "{\"v\":1,\"kind\":\"",
        "decided",
        "opened",
        "closed",
        "sealed",
        "\",\"seq\":",
        "1",
        "18446744073709551616",
        ",\"time\":\"",
        "2026-01-02T03:04:05.000000000Z",
        "\",\"prev\":\"",
        "\",\"hash\":\"",
        "\"}",
        ",\"hash\":\"",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "\",\"stream\":\"",
        "\",\"segment\":",
        "00000000000000000000000000000000",
        "{\"action_id\":\"",
        "\",\"part\":\"",
        "\",\"salt\":\"",
        "\",\"payload\":",
        "counterseal/",
        "\n",
        "\n\n",
        "next AQ==",
        "\u{2014} ",
        "time ",
        "[[[[",
        "}",
        "\"",
        "\\",
        "\u{0}",
        "é",
    ]);
    let piece = prop_oneof![
        8 => pieces.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

#[test]
fn readers_of_lines_take_any_bytes() {
    for_a_while(&nearly_a_line(), |bytes| {
        let _ = Record::parse(&bytes);
        let _ = IndexLine::parse(&bytes);
        if let Some(line) = SidecarLine::parse(&bytes) {
            prop_assert!(line.salt_at < bytes.len());
        }
        prop_assert!(whole_notes(&bytes) <= bytes.len());
        let text = String::from_utf8_lossy(&bytes);
        prop_assert_eq!(split_notes(&text).map(|(_, note)| note.len()).sum::<usize>() <= text.len(), true);
        let _ = Note::parse(&text);
        let _ = text.parse::<VerifierKey>();
        Ok(())
    });
}

#[test]
fn a_damaged_home_is_verified_to_the_end() {
    let folder = folder();
    let mut maker = Maker::new(folder.path(), 9);
    let mut open = maker.open();
    maker.call(&mut open);
    maker.rotate(&mut open);
    maker.call(&mut open);
    maker.close(open);
    let home = maker.home.path().to_owned();
    let damaged: Vec<_> = files(&home).into_iter().filter(|file| !file.ends_with("lock")).collect();
    let originals: Vec<Vec<u8>> = damaged.iter().map(|file| fs::read(home.join(file)).unwrap()).collect();
    let options = Options { deep: true, outside: Some(maker.outside), ..Options::default() };
    let damage = (0..damaged.len(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), nearly_a_line());
    for_a_while(&damage, |(nth, from, to, new)| {
        let original = &originals[nth];
        let (one, other) = (from.index(original.len() + 1), to.index(original.len() + 1));
        let mut changed = original.clone();
        changed.splice(one.min(other)..one.max(other), new);
        fs::write(home.join(&damaged[nth]), &changed).unwrap();
        let report = verify(&home, &options).unwrap();
        if let Ok(opened) = Home::open(&home) {
            let _ = entries(&opened, &Filter::default(), true).unwrap().count();
        }
        fs::write(home.join(&damaged[nth]), original).unwrap();
        let free = changed == *original;
        prop_assert!(report.holds() == free || damaged[nth].ends_with("next"), "{}: {report}", damaged[nth].display());
        prop_assert!(report.to_string().len() < 10_000_000);
        Ok(())
    });
    assert!(verify(&home, &options).unwrap().holds());
}
