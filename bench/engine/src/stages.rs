//! What each stage of one call costs by itself.

use crate::Figures;
use crate::timing::{Piece, time, to_json};
use counterseal::clock::Clock;
use counterseal_spool::generation;
use std::time::Instant;

pub(crate) fn run(_arguments: &[String]) -> Figures {
    let clock = Clock::System;
    let pieces = vec![
        Piece::new("clock: wall", || clock.now()),
        Piece::new("clock: monotonic", Instant::now),
        Piece::new("fork check", generation),
    ];
    Ok(serde_json::json!({ "stages": to_json(&time(pieces)) }))
}
