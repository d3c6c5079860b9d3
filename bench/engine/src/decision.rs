//! From captured values to a decision, and beside it what the same two comparisons cost by themselves.

use crate::timing::{Piece, time, to_json};
use crate::{Figures, subject};
use counterseal::condition::Facts;
use counterseal::decide::Verdict;
use std::hint::black_box;

pub(crate) fn run(_arguments: &[String]) -> Figures {
    let arguments = subject::arguments()?;
    let (standard, one_rule) = (subject::plan(subject::STANDARD)?, subject::plan(subject::ONE_RULE)?);
    for plan in [&standard, &one_rule] {
        let verdict = plan.decide(&Facts::of_call(&arguments), None).verdict;
        if verdict != Verdict::Allow {
            return Err(format!("the measured call is not allowed but `{}`", verdict.as_str()).into());
        }
    }
    let blocked = ["cus_blocked_1", "cus_blocked_2"];
    let pieces = vec![
        Piece::new("decision", || standard.decide(&Facts::of_call(black_box(&arguments)), None).verdict),
        Piece::new("decision, one rule", || one_rule.decide(&Facts::of_call(black_box(&arguments)), None).verdict),
        Piece::new("the two comparisons in Rust", || {
            black_box(subject::AMOUNT) <= 100.0 && !black_box(&blocked).contains(&black_box(subject::CUSTOMER))
        }),
    ];
    Ok(serde_json::json!({ "pieces": to_json(&time(pieces)) }))
}
