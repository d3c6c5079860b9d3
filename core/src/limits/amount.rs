//! Amounts as integers: money in millionths of a dollar, sums of arguments in millionths, calls and tokens as they are.

use crate::value::Value;

/// What an amount counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Millionths of a US dollar.
    MicroUsd,
    /// Tokens of a model.
    Tokens,
    /// Calls.
    Calls,
    /// Millionths of whatever an argument counts.
    Millionths,
}

impl Unit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::MicroUsd, Self::Tokens, Self::Calls, Self::Millionths];

    /// As policies write what is measured: `usd`, `tokens`, `calls`, `sum`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MicroUsd => "usd",
            Self::Tokens => "tokens",
            Self::Calls => "calls",
            Self::Millionths => "sum",
        }
    }

    /// The amount as people read it: `4.5`, `12`.
    #[must_use]
    pub fn show(self, amount: i64) -> String {
        match self {
            Self::Tokens | Self::Calls => amount.to_string(),
            Self::MicroUsd | Self::Millionths => {
                let (whole, part) = (amount.unsigned_abs() / MILLION, amount.unsigned_abs() % MILLION);
                let sign = if amount < 0 { "-" } else { "" };
                let places = if self == Self::MicroUsd { 2 } else { 0 };
                let digits = format!("{part:06}");
                let kept = digits.trim_end_matches('0').len().max(places);
                match digits.get(..kept).filter(|kept| !kept.is_empty()) {
                    Some(kept) => format!("{sign}{whole}.{kept}"),
                    None => format!("{sign}{whole}"),
                }
            }
        }
    }

    /// What stands behind the amount in a sentence.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::MicroUsd => " usd",
            Self::Tokens => " tokens",
            Self::Calls => " calls",
            Self::Millionths => "",
        }
    }
}

const MILLION: u64 = 1_000_000;

/// Doubles whose millionths are below this have at most 15 digits, so that no other decimal of as few digits is meant.
const PLAIN: f64 = 1e15;

/// A value of a call in millionths, rounded up; beyond 64 bits the greatest of them.
///
/// # Errors
/// Why it is no amount: it is no number, not finite, or negative. Never contains the value.
pub fn fixed(value: &Value<'_>) -> Result<i64, &'static str> {
    match value {
        Value::Int(whole) if *whole < 0 => Err(NEGATIVE),
        Value::Int(whole) => Ok(whole.saturating_mul(1_000_000)),
        Value::BigInt(digits) if digits.starts_with('-') => Err(NEGATIVE),
        Value::BigInt(_) => Ok(i64::MAX),
        Value::Float(double) => fixed_double(*double),
        Value::Decimal(text) => match text.as_ref() {
            "NaN" => Err(NOT_FINITE),
            "Infinity" => Err(NOT_FINITE),
            "-Infinity" => Err(NOT_FINITE),
            text => fixed_text(text).map(|(amount, _)| amount),
        },
        _ => Err("is not a number"),
    }
}

/// A decimal text in millionths where it is one exactly and not negative, as a policy's author writes it.
///
/// # Errors
/// Why it is none.
pub fn fixed_decimal(text: &str) -> Result<i64, &'static str> {
    match fixed_text(text)? {
        (amount, true) => Ok(amount),
        (i64::MAX, false) => Err("is too large"),
        (_, false) => Err("has more than six places after the point"),
    }
}

const NEGATIVE: &str = "is negative";
const NOT_FINITE: &str = "is not finite";

fn fixed_double(double: f64) -> Result<i64, &'static str> {
    if !double.is_finite() {
        return Err(NOT_FINITE);
    }
    if double < 0.0 {
        return Err(NEGATIVE);
    }
    let millionths = (double * 1e6).round();
    // a double is the shortest decimal that reads back as it, and with so few digits there is only one
    if millionths < PLAIN && millionths / 1e6 == double {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 10^15")]
        return Ok(millionths as i64);
    }
    fixed_text(&format!("{double:e}")).map(|(amount, _)| amount)
}

/// Digits with an optional point and exponent in millionths, rounded up; and whether nothing was rounded.
fn fixed_text(text: &str) -> Result<(i64, bool), &'static str> {
    const NONE: &str = "is not a number";
    let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().map_err(|_| NONE)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if digits().next().is_none() || !digits().all(|digit| digit.is_ascii_digit()) {
        return Err(NONE);
    }
    if digits().all(|digit| digit == b'0') {
        return Ok((0, true));
    }
    if negative {
        return Err(NEGATIVE);
    }
    // how many of the digits stand before the point once all is counted in millionths
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let before = length(whole).saturating_add(exponent).saturating_add(6);
    let mut amount: i64 = 0;
    let mut rest = false;
    for (place, digit) in (0_i64..).zip(digits()) {
        if place < before {
            let next = amount.checked_mul(10).and_then(|tens| tens.checked_add(i64::from(digit - b'0')));
            match next {
                Some(next) => amount = next,
                None => return Ok((i64::MAX, false)),
            }
        } else {
            rest |= digit != b'0';
        }
    }
    let written = length(whole).saturating_add(length(fraction));
    for _ in written..before {
        match amount.checked_mul(10) {
            Some(0) => break,
            Some(next) => amount = next,
            None => return Ok((i64::MAX, false)),
        }
    }
    Ok(if rest { (amount.saturating_add(1), false) } else { (amount, true) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::borrow::Cow;

    #[test]
    fn numbers_become_millionths() {
        for (value, expected) in [
            (Value::Int(3), Ok(3_000_000)),
            (Value::Int(i64::MAX), Ok(i64::MAX)),
            (Value::Int(-1), Err(NEGATIVE)),
            (Value::BigInt(Cow::Borrowed("99999999999999999999")), Ok(i64::MAX)),
            (Value::BigInt(Cow::Borrowed("-99999999999999999999")), Err(NEGATIVE)),
            (Value::Float(0.1), Ok(100_000)),
            (Value::Float(0.1 + 0.2), Ok(300_001)),
            (Value::Float(1e-9), Ok(1)),
            (Value::Float(-0.0), Ok(0)),
            (Value::Float(1e300), Ok(i64::MAX)),
            (Value::Float(9_007_199_254.740_993), Ok(9_007_199_254_740_993)),
            (Value::Float(-0.5), Err(NEGATIVE)),
            (Value::Float(f64::NAN), Err(NOT_FINITE)),
            (Value::Float(f64::INFINITY), Err(NOT_FINITE)),
            (Value::Decimal(Cow::Borrowed("12.345678")), Ok(12_345_678)),
            (Value::Decimal(Cow::Borrowed("12.3456781")), Ok(12_345_679)),
            (Value::Decimal(Cow::Borrowed("1e-7")), Ok(1)),
            (Value::Decimal(Cow::Borrowed("1e+21")), Ok(i64::MAX)),
            (Value::Decimal(Cow::Borrowed("-1")), Err(NEGATIVE)),
            (Value::Decimal(Cow::Borrowed("NaN")), Err(NOT_FINITE)),
            (Value::Str(Cow::Borrowed("12")), Err("is not a number")),
            (Value::Bool(true), Err("is not a number")),
            (Value::Null, Err("is not a number")),
        ] {
            assert_eq!(fixed(&value), expected, "{value:?}");
        }
    }

    #[test]
    fn a_policy_writes_exact_amounts() {
        assert_eq!(fixed_decimal("5"), Ok(5_000_000));
        assert_eq!(fixed_decimal("0.000001"), Ok(1));
        assert_eq!(fixed_decimal("9e99"), Err("is too large"));
        assert_eq!(fixed_decimal("0.0000001"), Err("has more than six places after the point"));
        assert_eq!(fixed_decimal("-1"), Err(NEGATIVE));
        assert_eq!(fixed_decimal("1x"), Err("is not a number"));
    }

    #[test]
    fn amounts_read_well() {
        assert_eq!(Unit::MicroUsd.show(4_500_000), "4.50");
        assert_eq!(Unit::MicroUsd.show(1), "0.000001");
        assert_eq!(Unit::Millionths.show(500_000_000), "500");
        assert_eq!(Unit::Millionths.show(1_250_000), "1.25");
        assert_eq!(Unit::Calls.show(7), "7");
    }

    proptest! {
        #[test]
        fn a_double_is_its_shortest_decimal(double in prop_oneof![0.0..1e9_f64, 0.0..1e-3_f64, (0_i64..1_000_000_000_000).prop_map(|n| n as f64 / 1e6)]) {
            let by_text = fixed_text(&format!("{double:e}")).map(|(amount, _)| amount);
            prop_assert_eq!(fixed_double(double), by_text);
        }

        #[test]
        fn what_is_shown_reads_back(amount in 0_i64..i64::MAX) {
            prop_assert_eq!(fixed_decimal(&Unit::Millionths.show(amount)), if amount == i64::MAX { Err("is too large") } else { Ok(amount) });
        }
    }
}
