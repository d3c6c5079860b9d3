//! The time of records: UTC with nine fractional digits, formatted without a library because it is on the way of every
//! record, with the second cached.

use crate::clock::UnixNanos;

/// Length of a time in text.
pub(crate) const TIME_LEN: usize = 30;

const SECONDS_PER_DAY: i64 = 86_400;
const NANOS: i64 = 1_000_000_000;

/// Formats times; consecutive ones mostly share their second.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    second: i64,
    text: [u8; TIME_LEN],
}

impl Stamp {
    pub(crate) const fn new() -> Self {
        Self { second: 0, text: *b"1970-01-01T00:00:00.000000000Z" }
    }

    /// `time` as `YYYY-MM-DDTHH:MM:SS.nnnnnnnnnZ`.
    pub(crate) fn text(&mut self, time: UnixNanos) -> &[u8; TIME_LEN] {
        let second = time.0.div_euclid(NANOS);
        if second != self.second {
            self.second = second;
            self.civil();
        }
        digits(self.text.get_mut(20..29), time.0.rem_euclid(NANOS));
        &self.text
    }

    /// Days to a civil date: the proleptic Gregorian calendar counted in eras of 400 years that begin on 1 March
    /// (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`).
    fn civil(&mut self) {
        let days = self.second.div_euclid(SECONDS_PER_DAY) + 719_468;
        let of_day = self.second.rem_euclid(SECONDS_PER_DAY);
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        digits(self.text.get_mut(0..4), year);
        digits(self.text.get_mut(5..7), month);
        digits(self.text.get_mut(8..10), day_of_year - (153 * shifted + 2) / 5 + 1);
        digits(self.text.get_mut(11..13), of_day / 3_600);
        digits(self.text.get_mut(14..16), of_day / 60 % 60);
        digits(self.text.get_mut(17..19), of_day % 60);
    }
}

fn digits(place: Option<&mut [u8]>, mut number: i64) {
    for digit in place.into_iter().flatten().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// The time that `text` is, if it is exactly what [`Stamp`] writes.
pub(crate) fn parse_time(text: &[u8]) -> Option<UnixNanos> {
    let field = |from: usize, to: usize| -> Option<i64> {
        text.get(from..to)?
            .iter()
            .try_fold(0_i64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let year = if month > 2 { year } else { year - 1 };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * shifted + 2) / 5 + day - 1;
    let days = era * 146_097 + day_of_era - 719_468;
    let second = days * SECONDS_PER_DAY + field(11, 13)? * 3_600 + field(14, 16)? * 60 + field(17, 19)?;
    let time = UnixNanos(second.checked_mul(NANOS)?.checked_add(field(20, 29)?)?);
    // whatever was out of range, misplaced or of another length does not come out the same again
    (Stamp::new().text(time).as_slice() == text).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn format(nanos: i64) -> String {
        String::from_utf8(Stamp::new().text(UnixNanos(nanos)).to_vec()).unwrap()
    }

    #[test]
    fn known_moments() {
        assert_eq!(format(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(format(-1), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(format(951_782_400_000_000_000), "2000-02-29T00:00:00.000000000Z");
        assert_eq!(format(1_795_250_724_123_456_789), "2026-11-21T08:45:24.123456789Z");
        assert_eq!(format(4_107_542_399_000_000_001), "2100-02-28T23:59:59.000000001Z");
        assert_eq!(format(i64::MAX), "2262-04-11T23:47:16.854775807Z");
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in
            ["2026-02-30T00:00:00.000000000Z", "2026-01-01T24:00:00.000000000Z", "2026-01-01T00:00:00.00000000Z", ""]
        {
            assert_eq!(parse_time(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_chrono_and_comes_back(nanos in any::<i64>(), before in any::<i64>()) {
            let mut stamp = Stamp::new();
            stamp.text(UnixNanos(before));
            let text = stamp.text(UnixNanos(nanos)).to_vec();
            let expected = chrono::DateTime::from_timestamp_nanos(nanos).format("%Y-%m-%dT%H:%M:%S%.9fZ").to_string();
            prop_assert_eq!(String::from_utf8(text.clone()).unwrap(), expected);
            prop_assert_eq!(parse_time(&text), Some(UnixNanos(nanos)));
        }
    }
}
