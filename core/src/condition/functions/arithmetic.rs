//! `+ - * / %` and unary `-`: exact or failed, never wrapped.

use crate::condition::failure::Why;
use crate::condition::instant::{instant_in_range, span_in_range};
use crate::condition::node::Operator;
use crate::condition::number::exact_double;
use crate::condition::seen::Seen;
use std::borrow::Cow;

/// The longest text that `+` makes, in bytes: as much as a call's arguments may have.
const MAX_TEXT: usize = 1 << 20;

/// Applies `operator`. The checker has seen to the types; an int stands for a double where the argument is a `number`.
pub(in crate::condition) fn apply<'v>(operator: Operator, left: &Seen<'v>, right: &Seen<'v>) -> Result<Seen<'v>, Why> {
    match (left, right) {
        (Seen::Int(left), Seen::Int(right)) => integers(operator, *left, *right).map(Seen::Int),
        (Seen::Double(left), Seen::Double(right)) => doubles(operator, *left, *right),
        (Seen::Int(left), Seen::Double(right)) => doubles(operator, exact_double(*left).ok_or(Why::Overflow)?, *right),
        (Seen::Double(left), Seen::Int(right)) => doubles(operator, *left, exact_double(*right).ok_or(Why::Overflow)?),
        (Seen::Text(left), Seen::Text(right)) if operator == Operator::Add => {
            let length = left.len().saturating_add(right.len());
            if length > MAX_TEXT { Err(Why::Overflow) } else { Ok(Seen::Text(Cow::Owned(format!("{left}{right}")))) }
        }
        (Seen::Instant(left), Seen::Span(right)) => {
            let moved = if operator == Operator::Add { left.checked_add(*right) } else { left.checked_sub(*right) };
            moved.and_then(instant_in_range).map(Seen::Instant).ok_or(Why::Overflow)
        }
        (Seen::Span(left), Seen::Instant(right)) => {
            left.checked_add(*right).and_then(instant_in_range).map(Seen::Instant).ok_or(Why::Overflow)
        }
        (Seen::Instant(left), Seen::Instant(right)) => {
            left.checked_sub(*right).and_then(span_in_range).map(Seen::Span).ok_or(Why::Overflow)
        }
        (Seen::Span(left), Seen::Span(right)) => {
            let sum = if operator == Operator::Add { left.checked_add(*right) } else { left.checked_sub(*right) };
            sum.and_then(span_in_range).map(Seen::Span).ok_or(Why::Overflow)
        }
        _ => Err(Why::Incomparable { left: left.kind(), right: right.kind() }),
    }
}

fn integers(operator: Operator, left: i64, right: i64) -> Result<i64, Why> {
    if right == 0 && matches!(operator, Operator::Divide | Operator::Remainder) {
        return Err(Why::DivisionByZero);
    }
    match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Divide => left.checked_div(right),
        Operator::Remainder => left.checked_rem(right),
    }
    .ok_or(Why::Overflow)
}

/// A double that leaves the finite numbers has overflowed; CEL would carry on with an infinity.
fn doubles<'v>(operator: Operator, left: f64, right: f64) -> Result<Seen<'v>, Why> {
    let result = match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide if right == 0.0 => return Err(Why::DivisionByZero),
        Operator::Divide => left / right,
        Operator::Remainder => return Err(Why::Incomparable { left: "a double", right: "a double" }),
    };
    if result.is_finite() { Ok(Seen::Double(result)) } else { Err(Why::Overflow) }
}

/// Unary `-`.
pub(in crate::condition) fn negate<'v>(given: &Seen<'v>) -> Result<Seen<'v>, Why> {
    match given {
        Seen::Int(int) => int.checked_neg().map(Seen::Int).ok_or(Why::Overflow),
        Seen::Double(double) => Ok(Seen::Double(-double)),
        Seen::Span(span) => Ok(Seen::Span(-span)),
        other => Err(Why::WrongType { found: other.kind(), wanted: "a number" }),
    }
}
