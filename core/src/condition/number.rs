//! Exact comparison of integers, doubles and decimals: no rounding on the way.
//!
//! An int and a double compare as the numbers they are. A double compares with a decimal as the shortest decimal text
//! that reads back as that double, which is what its author wrote: `0.1` equals the decimal `0.1`.

use std::cmp::Ordering;
use std::iter::{once, repeat_n};

/// 2⁶³, the first double beyond `i64`.
const BEYOND_INT: f64 = 9_223_372_036_854_775_808.0;

/// The integer a double is, where it is one of 64 bits.
pub(super) fn exact_int(double: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the range and the fraction are checked first")]
    let int = ((-BEYOND_INT..BEYOND_INT).contains(&double) && double.fract() == 0.0).then_some(double as i64);
    int
}

/// The double an integer is, where it is one exactly.
pub(super) fn exact_double(int: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "only taken when it reads back as the same integer")]
    let double = int as f64;
    (exact_int(double) == Some(int)).then_some(double)
}

/// How an integer orders against a double; `None` for a NaN.
pub(super) fn compare_int_double(int: i64, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    if double >= BEYOND_INT {
        return Some(Ordering::Less);
    }
    if double < -BEYOND_INT {
        return Some(Ordering::Greater);
    }
    let whole = exact_int(double.trunc())?;
    // an equal whole part leaves the fraction to decide: -1 against -1.5 is greater
    Some(int.cmp(&whole).then_with(|| 0.0_f64.total_cmp(&(double.fract() + 0.0))))
}

/// How a double orders against a decimal; `None` for a NaN on either side.
pub(super) fn compare_double_decimal(double: f64, decimal: &str) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    // `{:e}` gives the fewest digits that read back as the same double; infinities are `inf`
    let text = if double.is_infinite() {
        if double > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else {
        format!("{double:e}")
    };
    compare_decimals(&text, decimal)
}

/// How two decimal texts order; `None` for a NaN or a text that is no number.
pub(super) fn compare_decimals(left: &str, right: &str) -> Option<Ordering> {
    let (left, right) = (Parts::read(left)?, Parts::read(right)?);
    let by_sign = left.sign.cmp(&right.sign);
    if by_sign.is_ne() || left.sign == 0 {
        return Some(by_sign);
    }
    let by_size = left.magnitude.cmp(&right.magnitude).then_with(|| {
        let longest = left.digits.clone().count().max(right.digits.clone().count());
        padded(left.digits, longest).cmp(padded(right.digits, longest))
    });
    Some(if left.sign < 0 { by_size.reverse() } else { by_size })
}

fn padded<I: Iterator<Item = u8>>(digits: I, to: usize) -> impl Iterator<Item = u8> {
    digits.chain(repeat_n(b'0', to)).take(to)
}

/// A decimal text taken apart: 0.d₁d₂d₃… × 10^magnitude with d₁ ≠ 0.
struct Parts<I> {
    sign: i8,
    magnitude: i64,
    digits: I,
}

impl Parts<()> {
    fn read(text: &str) -> Option<Parts<impl Iterator<Item = u8> + Clone + '_>> {
        let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let sign = if negative { -1 } else { 1 };
        if unsigned == "Infinity" {
            return Some(Parts { sign, magnitude: i64::MAX, digits: digits_of("1", "") });
        }
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.len().checked_add(fraction.len())? == 0
            || !once(whole).chain(once(fraction)).all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return None;
        }
        let leading = whole.bytes().chain(fraction.bytes()).take_while(|digit| *digit == b'0').count();
        let zero = leading == whole.len().checked_add(fraction.len())?;
        let magnitude =
            exponent.checked_add(i64::try_from(whole.len()).ok()?)?.checked_sub(i64::try_from(leading).ok()?)?;
        Some(Parts { sign: if zero { 0 } else { sign }, magnitude, digits: digits_of(whole, fraction) })
    }
}

fn digits_of<'t>(whole: &'t str, fraction: &'t str) -> impl Iterator<Item = u8> + Clone + 't {
    whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use Ordering::{Equal, Greater, Less};

    #[test]
    fn integers_and_doubles_compare_without_rounding() {
        for (int, double, expected) in [
            (9_007_199_254_740_993, 9_007_199_254_740_992.0, Greater),
            (i64::MAX, BEYOND_INT, Less),
            (i64::MIN, -BEYOND_INT, Equal),
            (-1, -1.5, Greater),
            (1, 1.5, Less),
            (0, -0.0, Equal),
            (0, -0.5, Greater),
            (5, f64::INFINITY, Less),
            (5, f64::NEG_INFINITY, Greater),
        ] {
            assert_eq!(compare_int_double(int, double), Some(expected), "{int} {double}");
        }
        assert_eq!(compare_int_double(1, f64::NAN), None);
    }

    #[test]
    fn decimals_compare_by_value() {
        for (left, right, expected) in [
            ("0.1", "0.10", Equal),
            ("1e+21", "1000000000000000000000", Equal),
            ("1.0000000000000000000001", "1", Greater),
            ("-2", "1", Less),
            ("-2", "-1", Less),
            ("0", "-0", Equal),
            ("0.001", "1e-3", Equal),
            ("9", "10", Less),
            ("Infinity", "1e+999999", Greater),
            ("-Infinity", "Infinity", Less),
            ("123.45", "123.5", Less),
        ] {
            assert_eq!(compare_decimals(left, right), Some(expected), "{left} {right}");
            assert_eq!(compare_decimals(right, left), Some(expected.reverse()), "{right} {left}");
        }
        assert_eq!(compare_decimals("NaN", "1"), None);
    }

    #[test]
    fn a_double_is_the_text_its_author_wrote() {
        assert_eq!(compare_double_decimal(0.1, "0.1"), Some(Equal));
        assert_eq!(compare_double_decimal(100.0, "100.00000000000000000001"), Some(Less));
        assert_eq!(compare_double_decimal(1e300, "Infinity"), Some(Less));
        assert_eq!(compare_double_decimal(f64::INFINITY, "Infinity"), Some(Equal));
        assert_eq!(compare_double_decimal(f64::NAN, "1"), None);
    }
}
