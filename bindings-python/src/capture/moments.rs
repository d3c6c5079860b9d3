//! `datetime`, `date` and `time` as canonical text.

use super::Failure;
use super::held::Reading;
use counterseal::value::time::{self, Day, Moment};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;

/// Canonical text of a point in time, a local date-time, a date or a time of day; `None` for anything else.
pub(super) fn read<'py>(reading: &Reading<'py, '_>, object: &Bound<'py, PyAny>) -> Result<Option<String>, Failure> {
    let raised = |error| Failure::raised(reading.py, error);
    if reading.is_a(object, "datetime", "datetime") {
        let (day, moment) = (day(object).map_err(raised)?, moment(object).map_err(raised)?);
        let offset = object.call_method0("utcoffset").map_err(raised)?;
        if offset.is_none() {
            return Ok(Some(time::local(day, moment)?));
        }
        return Ok(Some(time::instant(day, moment, micros(&offset).map_err(raised)?)?));
    }
    if reading.is_a(object, "datetime", "date") {
        return Ok(Some(time::date(day(object).map_err(raised)?)?));
    }
    if reading.is_a(object, "datetime", "time") {
        // A time of day with a zone is neither an instant nor without a zone: it has no value.
        if !object.call_method0("utcoffset").map_err(raised)?.is_none() {
            return Ok(None);
        }
        return Ok(Some(time::time_of_day(moment(object).map_err(raised)?)?));
    }
    Ok(None)
}

fn day(object: &Bound<'_, PyAny>) -> PyResult<Day> {
    Ok(Day { year: number(object, "year")?, month: number(object, "month")?, day: number(object, "day")? })
}

fn moment(object: &Bound<'_, PyAny>) -> PyResult<Moment> {
    let micros: u32 = number(object, "microsecond")?;
    Ok(Moment {
        hour: number(object, "hour")?,
        minute: number(object, "minute")?,
        second: number(object, "second")?,
        nanosecond: micros.saturating_mul(1_000),
    })
}

/// A `timedelta` in microseconds.
fn micros(object: &Bound<'_, PyAny>) -> PyResult<i64> {
    let (days, seconds): (i64, i64) = (number(object, "days")?, number(object, "seconds")?);
    let micros: i64 = number(object, "microseconds")?;
    let whole = days.checked_mul(86_400).and_then(|whole| whole.checked_add(seconds));
    whole
        .and_then(|whole| whole.checked_mul(1_000_000))
        .and_then(|whole| whole.checked_add(micros))
        .ok_or_else(|| PyOverflowError::new_err("an impossible offset from utc"))
}

/// An attribute that is a whole number in the range of `T`.
fn number<T: TryFrom<i64>>(object: &Bound<'_, PyAny>, name: &str) -> PyResult<T> {
    let number: i64 = object.getattr(name)?.extract()?;
    T::try_from(number).map_err(|_| PyOverflowError::new_err("a part of a date or time is out of range"))
}
