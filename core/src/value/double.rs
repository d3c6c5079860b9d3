//! Doubles as ECMAScript's `Number::toString` writes them (RFC 8785 §3.2.2.3).

/// Doubles below this are exact integers of at most 16 digits, which have the same text as the integer.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The text of a double: `NaN`, `Infinity`, `-Infinity`, else the shortest digits that read back as the same double.
pub(super) fn text(number: f64) -> String {
    if number.is_finite() {
        let mut out = Vec::new();
        write_finite(number, &mut out);
        String::from_utf8(out).unwrap_or_default()
    } else {
        name(number).to_owned()
    }
}

/// The name of a double that has no digits.
pub(super) const fn name(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number.is_sign_negative() {
        "-Infinity"
    } else {
        "Infinity"
    }
}

/// Appends the text of a finite double; `-0` is `0`.
pub(super) fn write_finite(number: f64, out: &mut Vec<u8>) {
    if number.abs() < EXACT && number.trunc() == number {
        #[expect(clippy::cast_possible_truncation, reason = "an integer below 2^53 in size")]
        let exact = number as i64;
        out.extend_from_slice(itoa::Buffer::new().format(exact).as_bytes());
    } else {
        out.extend_from_slice(ryu_js::Buffer::new().format_finite(number).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_ways_of_writing_agree_and_read_back(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let written = text(number);
            let mut buffer = ryu_js::Buffer::new();
            prop_assert_eq!(written.as_str(), buffer.format_finite(number));
            prop_assert_eq!(written.parse::<f64>().unwrap(), number);
        }

        #[test]
        fn whole_doubles_are_written_like_their_integer(whole in -(1_i64 << 54)..(1_i64 << 54)) {
            let number = whole as f64;
            prop_assert_eq!(text(number), (number as i64).to_string());
        }
    }
}
