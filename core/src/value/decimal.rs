//! Decimal numbers in their one text: equal numbers have equal texts, whatever their scale.

use crate::error::{Error, ErrorCode};

/// From here on (a number of digits before the point) ECMAScript writes an exponent.
const EXPONENT_FROM: i64 = 22;

/// The canonical text of `digits` × 10^`exponent`, negated where `negative`; `digits` are ASCII, the most significant
/// first, and may begin and end with zeros.
///
/// Laid out by ECMAScript's `Number::toString` steps 6 to 10 with the decimal's own digits.
///
/// # Errors
/// [`ErrorCode::ValueBadNumber`] where `digits` is empty or has anything but digits, or the exponent is beyond 64 bits.
pub fn canonical(negative: bool, digits: &str, exponent: i64) -> Result<String, Error> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad("a decimal has something else than digits in its coefficient"));
    }
    let leading = digits.trim_start_matches('0');
    let significant = leading.trim_end_matches('0');
    if significant.is_empty() {
        return Ok("0".to_owned());
    }
    let beyond = || bad("a decimal has an exponent beyond 64 bits");
    // In the words of the specification: k digits s, and the value is s × 10^(n−k).
    let k = i64::try_from(significant.len()).map_err(|_| beyond())?;
    let n = i64::try_from(leading.len()).ok().and_then(|length| exponent.checked_add(length)).ok_or_else(beyond)?;
    let sign = if negative { "-" } else { "" };
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    Ok(if k <= n && n < EXPONENT_FROM {
        format!("{sign}{significant}{}", zeros(n - k))
    } else if 0 < n && n < EXPONENT_FROM {
        let (whole, fraction) = split(significant, n);
        format!("{sign}{whole}.{fraction}")
    } else if -6 < n && n <= 0 {
        format!("{sign}0.{}{significant}", zeros(-n))
    } else {
        let power = n.checked_sub(1).ok_or_else(beyond)?;
        let (first, rest) = split(significant, 1);
        let point = if rest.is_empty() { "" } else { "." };
        format!("{sign}{first}{point}{rest}e{power:+}")
    })
}

/// The canonical text of a decimal in scientific or plain notation, as `str(Decimal)` and SQL write it; `NaN` of any
/// sign or payload is `NaN`.
///
/// # Errors
/// [`ErrorCode::ValueBadNumber`] where `text` is no such number.
pub fn parse(text: &str) -> Result<String, Error> {
    let refused = || bad("a decimal is not written as digits with an optional point and exponent");
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    if matches!(lower.as_str(), "infinity" | "inf") {
        return Ok(if negative { "-Infinity" } else { "Infinity" }.to_owned());
    }
    if let Some(payload) = lower.strip_prefix("nan").or_else(|| lower.strip_prefix("snan")) {
        let known = payload.bytes().all(|byte| byte.is_ascii_digit());
        return if known { Ok("NaN".to_owned()) } else { Err(refused()) };
    }
    let (coefficient, exponent) = match lower.split_once('e') {
        Some((coefficient, exponent)) => (coefficient, exponent.parse::<i64>().map_err(|_| refused())?),
        None => (lower.as_str(), 0),
    };
    let (whole, fraction) = coefficient.split_once('.').unwrap_or((coefficient, ""));
    let scale = i64::try_from(fraction.len()).map_err(|_| refused())?;
    let exponent = exponent.checked_sub(scale).ok_or_else(refused)?;
    canonical(negative, &format!("{whole}{fraction}"), exponent)
}

/// `digits` before and after position `at`.
fn split(digits: &str, at: i64) -> (&str, &str) {
    usize::try_from(at).ok().and_then(|at| digits.split_at_checked(at)).unwrap_or((digits, ""))
}

fn bad(what: &str) -> Error {
    Error::new(ErrorCode::ValueBadNumber, format!("{what}; pass a decimal number such as `-12.50` or `1e-7`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_numbers_have_equal_texts() {
        let cases = [
            ("1.10", "1.1"),
            ("1.1", "1.1"),
            ("1E+2", "100"),
            ("100", "100"),
            ("-0", "0"),
            ("0E+5", "0"),
            ("0.00", "0"),
            ("-00012.500", "-12.5"),
            ("1e20", "100000000000000000000"),
            ("1e21", "1e+21"),
            ("123456789012345678901", "123456789012345678901"),
            ("1234567890123456789012", "1.234567890123456789012e+21"),
            ("0.000001", "0.000001"),
            ("0.00000123", "0.00000123"),
            ("0.0000001", "1e-7"),
            ("1.5e-9", "1.5e-9"),
            (".5", "0.5"),
            ("5.", "5"),
            ("NaN", "NaN"),
            ("-sNaN123", "NaN"),
            ("Infinity", "Infinity"),
            ("-Inf", "-Infinity"),
        ];
        for (text, canonical) in cases {
            assert_eq!(parse(text).unwrap(), canonical, "{text}");
        }
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for text in ["", "-", ".", "e5", "1e", "1.2.3", "--1", "1_0", "١", "nanx", "1e9223372036854775808"] {
            assert_eq!(parse(text).unwrap_err().code(), ErrorCode::ValueBadNumber, "{text}");
        }
        assert_eq!(parse("10e9223372036854775807").unwrap_err().code(), ErrorCode::ValueBadNumber);
    }

    proptest! {
        #[test]
        fn doubles_that_are_written_exactly_have_the_same_layout(number in any::<f64>()) {
            prop_assume!(number.is_finite());
            let written = ryu_js::Buffer::new().format_finite(number).to_owned();
            prop_assert_eq!(parse(&written).unwrap(), written);
        }

        #[test]
        fn a_canonical_text_is_its_own(text in "-?[0-9]{1,30}(\\.[0-9]{1,30})?(e[+-]?[0-9]{1,3})?") {
            let canonical = parse(&text).unwrap();
            prop_assert_eq!(parse(&canonical).unwrap(), canonical);
        }
    }
}
