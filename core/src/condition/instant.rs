//! Points in time and spans between them, as conditions compare them.

use chrono::DateTime;

/// Nanoseconds since 1970-01-01T00:00:00Z.
pub(super) type Nanos = i128;

const PER_SECOND: i128 = 1_000_000_000;

/// CEL's range of timestamps: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z.
const SECONDS: std::ops::RangeInclusive<i128> = -62_135_596_800..=253_402_300_799;

/// CEL's range of durations: 10,000 years, in seconds.
const LONGEST: i128 = 315_576_000_000;

/// Reads an instant of RFC 3339 with its zone; a local time has none and is refused.
pub(super) fn read_instant(text: &str) -> Option<Nanos> {
    let read = DateTime::parse_from_rfc3339(text).ok()?;
    instant_in_range(i128::from(read.timestamp()) * PER_SECOND + i128::from(read.timestamp_subsec_nanos()))
}

/// The instant so many seconds after 1970 began.
pub(super) fn instant_from_seconds(seconds: i64) -> Option<Nanos> {
    instant_in_range(i128::from(seconds) * PER_SECOND)
}

/// Whole seconds since 1970 began, rounded down.
pub(super) fn seconds_of(instant: Nanos) -> Option<i64> {
    i64::try_from(instant.div_euclid(PER_SECOND)).ok()
}

/// `instant`, where CEL's timestamps reach it.
pub(super) fn instant_in_range(instant: Nanos) -> Option<Nanos> {
    SECONDS.contains(&instant.div_euclid(PER_SECOND)).then_some(instant)
}

/// `span`, where CEL's durations reach it.
pub(super) fn span_in_range(span: Nanos) -> Option<Nanos> {
    (span.abs() / PER_SECOND <= LONGEST).then_some(span)
}

/// Reads a CEL duration: `1h30m`, `-1.5s`, `250ms`; units `h`, `m`, `s`, `ms`, `us`, `ns`.
pub(super) fn read_span(text: &str) -> Option<Nanos> {
    let (negative, mut rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    if rest == "0" {
        return Some(0);
    }
    let mut total: i128 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (amount, tail) = rest.split_at_checked(end)?;
        let (unit, tail) = UNITS.iter().find_map(|(name, unit)| tail.strip_prefix(name).map(|tail| (*unit, tail)))?;
        total = total.checked_add(scaled(amount, unit)?)?;
        rest = tail;
    }
    span_in_range(if negative { -total } else { total })
}

/// Longest names first: `ms` before `m`.
const UNITS: [(&str, i128); 7] = [
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
    ("h", 3600 * PER_SECOND),
    ("m", 60 * PER_SECOND),
    ("s", PER_SECOND),
];

/// `amount` (digits, at most one point, at most nine digits behind it) of `unit`, rounded towards zero.
fn scaled(amount: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    if amount.len() > 20 || fraction.len() > 9 || whole.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: i128 = whole.parse().ok()?;
    let part: i128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let digits = u32::try_from(fraction.len()).ok()?;
    whole.checked_mul(unit)?.checked_add(part.checked_mul(unit)? / 10_i128.checked_pow(digits)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_add_up() {
        assert_eq!(read_span("1h30m"), Some(5400 * PER_SECOND));
        assert_eq!(read_span("-1.5s"), Some(-1_500_000_000));
        assert_eq!(read_span("250ms1ns"), Some(250_000_001));
        assert_eq!(read_span("0"), Some(0));
        for refused in ["", "-", "1", "1d", "s", "1.2.3s", "1e3s", "99999999999999999999h", " 1s", "1h "] {
            assert_eq!(read_span(refused), None, "{refused}");
        }
    }

    #[test]
    fn instants_have_a_zone() {
        assert_eq!(read_instant("1970-01-01T00:00:01.5Z"), Some(1_500_000_000));
        assert_eq!(read_instant("1970-01-01T01:00:00+01:00"), Some(0));
        for refused in ["1970-01-01T00:00:00", "1970-01-01", "00:00:00", "", "9999-12-31T23:59:59-23:59"] {
            assert_eq!(read_instant(refused), None, "{refused}");
        }
        assert_eq!(instant_from_seconds(i64::MAX), None);
        assert_eq!(seconds_of(-1), Some(-1));
    }
}
