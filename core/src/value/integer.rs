//! Integers of any size.

use super::Value;
use crate::error::{Error, ErrorCode};
use std::borrow::Cow;

/// The integer of decimal `digits`, `-` or `+` first; leading zeros and `-0` are made canonical.
///
/// # Errors
/// [`ErrorCode::ValueBadNumber`] where `digits` is not an integer in decimal digits.
pub fn canonical<'a>(digits: impl Into<Cow<'a, str>>) -> Result<Value<'a>, Error> {
    let digits = digits.into();
    if let Ok(number) = digits.parse::<i64>() {
        return Ok(Value::Int(number));
    }
    let magnitude = digits.strip_prefix(['-', '+']).unwrap_or(&digits);
    if magnitude.is_empty() || !magnitude.bytes().all(|byte| byte.is_ascii_digit()) {
        let message =
            "an integer has something else than decimal digits in its text; pass digits, `-` first if negative";
        return Err(Error::new(ErrorCode::ValueBadNumber, message));
    }
    // Zeros alone fit an i64 and are gone already, so a digit is left.
    if magnitude.starts_with('0') || digits.starts_with('+') {
        let sign = if digits.starts_with('-') { "-" } else { "" };
        return Ok(Value::BigInt(Cow::Owned(format!("{sign}{}", magnitude.trim_start_matches('0')))));
    }
    Ok(Value::BigInt(digits))
}

/// The integer `number`.
#[must_use]
pub fn from_u64<'a>(number: u64) -> Value<'a> {
    i64::try_from(number).map_or_else(|_| Value::BigInt(Cow::Owned(number.to_string())), Value::Int)
}

/// The digits of `number`, `-` first if negative.
pub(super) fn text(number: i64) -> String {
    itoa::Buffer::new().format(number).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact_and_have_one_form() {
        let beyond = "9223372036854775808";
        assert_eq!(canonical("0007").unwrap(), Value::Int(7));
        assert_eq!(canonical("-0").unwrap(), Value::Int(0));
        assert_eq!(canonical("-9223372036854775808").unwrap(), Value::Int(i64::MIN));
        assert_eq!(canonical(beyond).unwrap(), Value::BigInt(beyond.into()));
        assert_eq!(canonical("+009223372036854775808").unwrap(), Value::BigInt(beyond.into()));
        assert_eq!(canonical("-009223372036854775809").unwrap(), Value::BigInt("-9223372036854775809".into()));
        assert_eq!(from_u64(u64::MAX), Value::BigInt("18446744073709551615".into()));
        assert_eq!(from_u64(7), Value::Int(7));
    }

    #[test]
    fn anything_but_digits_is_refused() {
        for text in ["", "-", "+-1", "1_000", "0x10", " 1", "1.0", "١"] {
            assert_eq!(canonical(text).unwrap_err().code(), ErrorCode::ValueBadNumber, "{text}");
        }
    }
}
