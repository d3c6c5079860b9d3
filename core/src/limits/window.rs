//! The stretch of time over which a limit counts.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate};

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// A stretch of the calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, schemars::JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum Calendar {
    /// From the full hour.
    Hour,
    /// From midnight.
    Day,
    /// From Monday's midnight.
    Week,
    /// From the first's midnight.
    Month,
}

impl Calendar {
    /// The text used in policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// When the stretch that holds `now` began, in nanoseconds since 1970 as `now` is; times before 1970 count as 1970.
    #[must_use]
    pub fn start(self, now: i64) -> i64 {
        let now = now.max(0);
        match self {
            Self::Hour => now - now % HOUR,
            Self::Day => now - now % DAY,
            // 1970 began on a Thursday, three days into its week
            Self::Week => (now - (now % (7 * DAY) + 3 * DAY) % (7 * DAY)).max(0),
            Self::Month => first_of_month(now).and_then(nanos).unwrap_or(0),
        }
    }

    /// When the stretch that began at `start` ends.
    #[must_use]
    pub fn end(self, start: i64) -> i64 {
        match self {
            Self::Hour => start.saturating_add(HOUR),
            Self::Day => start.saturating_add(DAY),
            // the first week of the count is four days long
            Self::Week => date(start)
                .and_then(|date| date.checked_add_days(Days::new(7 - u64::from(date.weekday().num_days_from_monday()))))
                .and_then(nanos)
                .unwrap_or(i64::MAX),
            Self::Month => {
                date(start).and_then(|date| date.checked_add_months(Months::new(1))).and_then(nanos).unwrap_or(i64::MAX)
            }
        }
    }
}

fn date(nanos: i64) -> Option<NaiveDate> {
    Some(DateTime::from_timestamp_nanos(nanos).date_naive())
}

fn first_of_month(now: i64) -> Option<NaiveDate> {
    date(now)?.with_day(1)
}

fn nanos(date: NaiveDate) -> Option<i64> {
    date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_nanos_opt()
}

/// Over which time a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// All of it.
    Ever,
    /// The last so many nanoseconds.
    Rolling(i64),
    /// A stretch of the calendar, from its beginning.
    Calendar(Calendar),
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeZone, Timelike, Utc};
    use proptest::prelude::*;

    fn at(year: i32, month: u32, day: u32, hour: u32) -> i64 {
        Utc.with_ymd_and_hms(year, month, day, hour, 0, 0).unwrap().timestamp_nanos_opt().unwrap()
    }

    #[test]
    fn stretches_begin_and_end_where_the_calendar_says() {
        for (calendar, now, start, end) in [
            (Calendar::Hour, at(2026, 3, 1, 5) + 7, at(2026, 3, 1, 5), at(2026, 3, 1, 6)),
            (Calendar::Day, at(2026, 3, 1, 23), at(2026, 3, 1, 0), at(2026, 3, 2, 0)),
            (Calendar::Week, at(2026, 3, 1, 23), at(2026, 2, 23, 0), at(2026, 3, 2, 0)),
            (Calendar::Week, at(2026, 3, 2, 0), at(2026, 3, 2, 0), at(2026, 3, 9, 0)),
            (Calendar::Week, at(1970, 1, 2, 0), 0, at(1970, 1, 5, 0)),
            (Calendar::Month, at(2024, 2, 29, 12), at(2024, 2, 1, 0), at(2024, 3, 1, 0)),
            (Calendar::Month, at(2026, 12, 31, 23), at(2026, 12, 1, 0), at(2027, 1, 1, 0)),
        ] {
            assert_eq!((calendar.start(now), calendar.end(calendar.start(now))), (start, end), "{calendar:?} {now}");
        }
    }

    #[test]
    fn times_at_the_ends_of_the_count_have_a_stretch() {
        for calendar in [Calendar::Hour, Calendar::Day, Calendar::Week, Calendar::Month] {
            assert_eq!(calendar.start(-5), 0);
            assert!(calendar.start(i64::MAX) > 0);
            assert!(calendar.end(calendar.start(i64::MAX)) >= calendar.start(i64::MAX));
        }
    }

    proptest! {
        #[test]
        fn every_time_lies_in_its_stretch(now in 0_i64..4_000_000_000_000_000_000) {
            for calendar in [Calendar::Hour, Calendar::Day, Calendar::Week, Calendar::Month] {
                let (start, end) = (calendar.start(now), calendar.end(calendar.start(now)));
                prop_assert!(start <= now && now < end);
                prop_assert_eq!(calendar.start(start), start);
                prop_assert_eq!(calendar.start(end), end);
                prop_assert_eq!(DateTime::from_timestamp_nanos(start).minute(), 0);
            }
        }
    }
}
