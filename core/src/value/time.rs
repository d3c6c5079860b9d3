//! Times in their one text: instants in UTC, and dates and times without a zone as what they are.

use crate::error::{Error, ErrorCode};
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike as _, Utc};
use std::fmt::Write as _;

/// A day of the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// 0 to 9999.
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

/// A time of day; there are no leap seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// 0 to 999,999,999.
    pub nanosecond: u32,
}

/// What a canonical text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// A point in time.
    Instant(DateTime<Utc>),
    /// A date and time of day somewhere.
    Local(NaiveDateTime),
    /// A date.
    Date(NaiveDate),
    /// A time of day.
    TimeOfDay(NaiveTime),
}

/// The canonical text of the point in time at which a clock that is `utc_offset_micros` ahead of UTC shows `day` and
/// `moment`.
///
/// # Errors
/// [`ErrorCode::ValueBadNumber`] where there is no such time, or its year in UTC is not one of 0 to 9999.
pub fn instant(day: Day, moment: Moment, utc_offset_micros: i64) -> Result<String, Error> {
    let utc = local_time(day, moment)?
        .checked_sub_signed(TimeDelta::microseconds(utc_offset_micros))
        .filter(|utc| (0..=9999).contains(&utc.year()))
        .ok_or_else(|| bad("a point in time lies outside the years 0 to 9999 in utc"))?;
    Ok(Time::Instant(utc.and_utc()).canonical())
}

/// The canonical text of a date and time of day without a zone.
///
/// # Errors
/// [`ErrorCode::ValueBadNumber`] where there is no such time.
pub fn local(day: Day, moment: Moment) -> Result<String, Error> {
    Ok(Time::Local(local_time(day, moment)?).canonical())
}

/// The canonical text of a date.
///
/// # Errors
/// [`ErrorCode::ValueBadNumber`] where there is no such date.
pub fn date(day: Day) -> Result<String, Error> {
    Ok(Time::Date(naive_date(day)?).canonical())
}

/// The canonical text of a time of day.
///
/// # Errors
/// [`ErrorCode::ValueBadNumber`] where there is no such time.
pub fn time_of_day(moment: Moment) -> Result<String, Error> {
    Ok(Time::TimeOfDay(naive_time(moment)?).canonical())
}

/// What a canonical text says; `None` where `text` is not canonical.
#[must_use]
pub fn parse(text: &str) -> Option<Time> {
    let time = match text.split_once('T') {
        Some((day, moment)) => match moment.strip_suffix('Z') {
            Some(moment) => Time::Instant(parse_date(day)?.and_time(parse_time(moment)?).and_utc()),
            None => Time::Local(parse_date(day)?.and_time(parse_time(moment)?)),
        },
        None if text.contains(':') => Time::TimeOfDay(parse_time(text)?),
        None => Time::Date(parse_date(text)?),
    };
    (time.canonical() == text).then_some(time)
}

impl Time {
    fn canonical(self) -> String {
        let mut text = String::new();
        match self {
            Self::Instant(at) => {
                write_date(at.date_naive(), &mut text);
                text.push('T');
                write_time(at.time(), &mut text);
                text.push('Z');
            }
            Self::Local(at) => {
                write_date(at.date(), &mut text);
                text.push('T');
                write_time(at.time(), &mut text);
            }
            Self::Date(day) => write_date(day, &mut text),
            Self::TimeOfDay(moment) => write_time(moment, &mut text),
        }
        text
    }
}

fn write_date(day: NaiveDate, text: &mut String) {
    // Writing to a String cannot fail; the year is 0 to 9999 here.
    let _ = write!(text, "{:04}-{:02}-{:02}", day.year(), day.month(), day.day());
}

fn write_time(moment: NaiveTime, text: &mut String) {
    let _ = write!(text, "{:02}:{:02}:{:02}", moment.hour(), moment.minute(), moment.second());
    if moment.nanosecond() > 0 {
        let fraction = format!("{:09}", moment.nanosecond());
        text.push('.');
        text.push_str(fraction.trim_end_matches('0'));
    }
}

fn local_time(day: Day, moment: Moment) -> Result<NaiveDateTime, Error> {
    Ok(naive_date(day)?.and_time(naive_time(moment)?))
}

fn naive_date(day: Day) -> Result<NaiveDate, Error> {
    NaiveDate::from_ymd_opt(day.year, day.month, day.day)
        .filter(|_| (0..=9999).contains(&day.year))
        .ok_or_else(|| bad("a date does not exist in the years 0 to 9999"))
}

fn naive_time(moment: Moment) -> Result<NaiveTime, Error> {
    NaiveTime::from_hms_nano_opt(moment.hour, moment.minute, moment.second, moment.nanosecond)
        .filter(|_| moment.nanosecond < 1_000_000_000)
        .ok_or_else(|| bad("a time of day does not exist"))
}

fn parse_date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
        .filter(|day| (0..=9999).contains(&day.year()))
}

fn parse_time(text: &str) -> Option<NaiveTime> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 9 {
        return None;
    }
    let nanosecond = format!("{fraction:0<9}").parse().ok()?;
    let mut parts = whole.splitn(3, ':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    NaiveTime::from_hms_nano_opt(hour.parse().ok()?, minute.parse().ok()?, second.parse().ok()?, nanosecond)
}

fn bad(what: &str) -> Error {
    Error::new(ErrorCode::ValueBadNumber, format!("{what}; pass a time that does, or its text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Day = Day { year: 2026, month: 11, day: 21 };
    const MOMENT: Moment = Moment { hour: 8, minute: 5, second: 4, nanosecond: 120_000_000 };

    #[test]
    fn each_kind_has_its_text_and_reads_back() {
        let hour = 3_600_000_000;
        let texts = [
            (instant(DAY, MOMENT, 0).unwrap(), "2026-11-21T08:05:04.12Z"),
            (instant(DAY, MOMENT, 9 * hour).unwrap(), "2026-11-20T23:05:04.12Z"),
            (instant(DAY, MOMENT, -hour / 2 - 1).unwrap(), "2026-11-21T08:35:04.120001Z"),
            (local(DAY, MOMENT).unwrap(), "2026-11-21T08:05:04.12"),
            (date(DAY).unwrap(), "2026-11-21"),
            (date(Day { year: 1, ..DAY }).unwrap(), "0001-11-21"),
            (time_of_day(Moment { nanosecond: 0, ..MOMENT }).unwrap(), "08:05:04"),
            (time_of_day(Moment { nanosecond: 1, ..MOMENT }).unwrap(), "08:05:04.000000001"),
        ];
        for (text, expected) in texts {
            assert_eq!(text, expected);
            assert_eq!(parse(&text).unwrap().canonical(), expected);
        }
    }

    #[test]
    fn times_that_do_not_exist_are_refused() {
        assert!(date(Day { month: 2, day: 30, ..DAY }).is_err());
        assert!(date(Day { year: 10_000, ..DAY }).is_err());
        assert!(time_of_day(Moment { hour: 24, ..MOMENT }).is_err());
        assert!(time_of_day(Moment { second: 59, nanosecond: 1_500_000_000, ..MOMENT }).is_err());
        assert!(
            instant(Day { year: 9999, month: 12, day: 31 }, Moment { hour: 23, ..MOMENT }, -3_600_000_000).is_err()
        );
        assert!(instant(DAY, MOMENT, i64::MIN).is_err());
    }

    #[test]
    fn only_canonical_texts_are_read() {
        for text in [
            "2026-11-21T08:05:04.120Z",
            "2026-11-21T08:05:04+00:00",
            "2026-11-21t08:05:04Z",
            "2026-11-21 08:05:04Z",
            "2026-1-1",
            "+2026-11-21",
            "2026-02-30",
            "08:05",
            "08:05:60",
            "08:05:04.",
            "08:05:04.1234567891",
            "",
            "T",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
