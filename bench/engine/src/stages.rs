//! What each stage of one call costs by itself.

use crate::guarded::{Guarded, PATIENCE};
use crate::timing::{Piece, time, to_json};
use crate::{Figures, ledger, subject};
use counterseal::clock::Clock;
use counterseal::condition::Facts;
use counterseal::ledger::{Ledger, Options, Part};
use counterseal::value::digest::{CallPrefix, DigestKey};
use counterseal::value::encode;
use counterseal_spool::generation;
use std::hint::black_box;
use std::time::Instant;

/// Calls in a block: as many as fit the spool.
const CALLS: u64 = 1_500;

pub(crate) fn run(_arguments: &[String]) -> Figures {
    let call = subject::arguments()?;
    let plan = subject::plan(subject::STANDARD)?;
    let key = DigestKey::new(&mut [7; 32]);
    let prefix = CallPrefix::new(plan.source(), plan.name());
    let mut canonical = Vec::new();
    encode(&call, &mut canonical)?;
    let result = subject::result();
    let mut encoded_result = Vec::new();
    encode(&result, &mut encoded_result)?;
    let clock = Clock::System;
    let (mut buffer, mut buffer_of_result) = (Vec::with_capacity(512), Vec::with_capacity(512));
    let scratch = tempfile::tempdir_in(".")?;
    let guarded = Guarded::start(subject::STANDARD, &scratch.path().join("home"))?;
    let limited = Guarded::start(subject::WHOLE, &scratch.path().join("limited"))?;
    let settled = || {
        guarded.settle();
        limited.settle();
    };
    let alone = Ledger::open(&scratch.path().join("alone"), Options::default())?;
    let parts = [Part { name: "arguments", canonical: &canonical }];
    let emptied = || {
        let _what_is_left_only_slows_the_next = alone.flush(PATIENCE);
    };
    let pieces = vec![
        Piece::new("clock, wall", || clock.now()),
        Piece::new("clock, monotonic", Instant::now),
        Piece::new("fork check", generation),
        Piece::new("encode arguments", || {
            buffer.clear();
            encode(black_box(&call), &mut buffer).is_ok()
        }),
        Piece::new("decide", || plan.decide(&Facts::of_call(black_box(&call)), None).verdict),
        Piece::new("digest of the call", || key.call(&prefix, black_box(&canonical))),
        Piece::new("redact arguments", || plan.redaction().apply(black_box(&call), &canonical).len()),
        Piece::new("encode and digest the result", || {
            buffer_of_result.clear();
            encode(black_box(&result), &mut buffer_of_result).ok().map(|()| key.result(&buffer_of_result))
        }),
        Piece::new("redact the result", || plan.redaction().apply(black_box(&result), &encoded_result).len()),
        Piece::new("record before the body", || ledger::decided(&alone, 1, None, &parts).is_ok())
            .settled(CALLS, emptied),
        Piece::new("record after the body", || ledger::completed(&alone, 1).is_ok()).settled(CALLS, emptied),
        Piece::new("up to the body and given up", || guarded.admit().is_some()).settled(CALLS, settled),
        Piece::new("the whole call in Rust", || guarded.call()).settled(CALLS, settled),
        Piece::new("the whole call, policy whole", || limited.call()).settled(CALLS, settled),
    ];
    Ok(serde_json::json!({ "canonical_bytes": canonical.len(), "stages": to_json(&time(pieces)) }))
}
