//! `datetime`, `date` and `time` as canonical text.

use super::Failure;
use super::held::Reading;
use crate::outside;
use counterseal::value::time::{self, Day, Moment};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;

/// Canonical text of a point in time, a local date-time, a date or a time of day; `None` for anything else.
pub(super) fn read<'py>(reading: &Reading<'py>, object: &Bound<'py, PyAny>) -> Result<Option<String>, Failure> {
    let raised = |error| Failure::raised(reading.py, error);
    if reading.is_a(object, "datetime", "datetime") {
        let class = class(object, "datetime").map_err(raised)?;
        let (day, moment) = (day(&class, object).map_err(raised)?, moment(&class, object).map_err(raised)?);
        let offset = outside::method(&class, "utcoffset", (object,)).map_err(raised)?;
        if offset.is_none() {
            return Ok(Some(time::local(day, moment)?));
        }
        return Ok(Some(time::instant(day, moment, micros(&offset).map_err(raised)?)?));
    }
    if reading.is_a(object, "datetime", "date") {
        let class = class(object, "date").map_err(raised)?;
        return Ok(Some(time::date(day(&class, object).map_err(raised)?)?));
    }
    if reading.is_a(object, "datetime", "time") {
        let class = class(object, "time").map_err(raised)?;
        // A time of day with a zone is neither an instant nor without a zone: it has no value.
        if !outside::method(&class, "utcoffset", (object,)).map_err(raised)?.is_none() {
            return Ok(None);
        }
        return Ok(Some(time::time_of_day(moment(&class, object).map_err(raised)?)?));
    }
    Ok(None)
}

/// The standard library's own class: a subclass may say anything of itself, and the body can read what it really holds.
fn class<'py>(object: &Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    object.py().import("datetime")?.getattr(name)
}

/// What `class` says of `object`, whatever its subclass says.
fn part<T: TryFrom<i64>>(class: &Bound<'_, PyAny>, object: &Bound<'_, PyAny>, name: &str) -> PyResult<T> {
    whole(&class.getattr(name)?.call_method1("__get__", (object,))?)
}

fn day(class: &Bound<'_, PyAny>, object: &Bound<'_, PyAny>) -> PyResult<Day> {
    Ok(Day {
        year: part(class, object, "year")?,
        month: part(class, object, "month")?,
        day: part(class, object, "day")?,
    })
}

fn moment(class: &Bound<'_, PyAny>, object: &Bound<'_, PyAny>) -> PyResult<Moment> {
    let micros: u32 = part(class, object, "microsecond")?;
    Ok(Moment {
        hour: part(class, object, "hour")?,
        minute: part(class, object, "minute")?,
        second: part(class, object, "second")?,
        nanosecond: micros.saturating_mul(1_000),
    })
}

/// A `timedelta` in microseconds.
fn micros(object: &Bound<'_, PyAny>) -> PyResult<i64> {
    let (days, seconds): (i64, i64) = (number(object, "days")?, number(object, "seconds")?);
    let micros: i64 = number(object, "microseconds")?;
    let all = days.checked_mul(86_400).and_then(|all| all.checked_add(seconds));
    all.and_then(|all| all.checked_mul(1_000_000))
        .and_then(|all| all.checked_add(micros))
        .ok_or_else(|| PyOverflowError::new_err("an impossible offset from utc"))
}

fn number(delta: &Bound<'_, PyAny>, name: &str) -> PyResult<i64> {
    whole(&delta.getattr(name)?)
}

/// A whole number in the range of `T`.
fn whole<T: TryFrom<i64>>(number: &Bound<'_, PyAny>) -> PyResult<T> {
    T::try_from(number.extract()?).map_err(|_| PyOverflowError::new_err("a part of a date or time is out of range"))
}
