//! `size`, `int`, `double`, `string`, `timestamp`, `duration`: what converts and what fails.

use crate::condition::failure::Why;
use crate::condition::instant;
use crate::condition::number::exact_int;
use crate::condition::seen::Seen;
use chrono::DateTime;
use std::borrow::Cow;

const INTEGER: Why = Why::Conversion("an integer of 64 bits");
const DOUBLE: Why = Why::Conversion("a double");

fn wrong(found: &Seen<'_>, wanted: &'static str) -> Why {
    Why::WrongType { found: found.kind(), wanted }
}

/// Code points of a text, bytes of bytes, elements of a list, entries of a map.
pub(in crate::condition) fn size<'v>(given: &Seen<'v>) -> Result<Seen<'v>, Why> {
    let size = match given {
        Seen::Text(text) => text.chars().count(),
        Seen::Bytes(bytes) => bytes.len(),
        Seen::List(items) => items.len(),
        Seen::Map(entries) => entries.len(),
        Seen::Constants(list) => list.items.len(),
        other => return Err(wrong(other, "text, bytes, a list or a map")),
    };
    i64::try_from(size).map(Seen::Int).map_err(|_| Why::Overflow)
}

/// An integer; a double or decimal loses its fraction, text has to be a decimal integer, a time gives its seconds.
pub(in crate::condition) fn to_int<'v>(given: &Seen<'v>) -> Result<Seen<'v>, Why> {
    let int = match given {
        Seen::Int(int) => Some(*int),
        // CEL leaves -2⁶³ out: the double may have been any of a thousand integers
        Seen::Double(double) => exact_int(double.trunc()).filter(|int| *int != i64::MIN),
        Seen::Text(text) => integer(text),
        Seen::Decimal(text) => whole_part(text),
        Seen::Instant(at) => instant::seconds_of(*at),
        other => return Err(wrong(other, "a number, text or a time")),
    };
    int.map(Seen::Int).ok_or(INTEGER)
}

/// Rust reads `+1` too, which no other CEL does.
fn integer(text: &str) -> Option<i64> {
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// The digits before the point of a decimal in canonical text, which has an exponent only from 10²¹ up or 10⁻⁷ down.
fn whole_part(text: &str) -> Option<i64> {
    match text.split_once('e') {
        Some((_, exponent)) => exponent.starts_with('-').then_some(0),
        None => match text.split_once('.').map_or(text, |(whole, _)| whole) {
            "-0" => Some(0),
            whole => integer(whole),
        },
    }
}

/// The nearest double; text has to be a finite decimal number.
pub(in crate::condition) fn to_double<'v>(given: &Seen<'v>) -> Result<Seen<'v>, Why> {
    let double = match given {
        #[expect(clippy::cast_precision_loss, reason = "`double()` asks for the nearest one")]
        Seen::Int(int) => Some(*int as f64),
        Seen::Double(double) => Some(*double),
        Seen::Text(text) => finite(text),
        Seen::Decimal(text) => finite(text),
        other => return Err(wrong(other, "a number or text")),
    };
    double.map(Seen::Double).ok_or(DOUBLE)
}

/// Rust also reads `inf`, `nan` and their like; a text that says so is no amount.
fn finite(text: &str) -> Option<f64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !digits || text.starts_with('+') {
        return None;
    }
    text.parse().ok().filter(|double: &f64| double.is_finite())
}

/// Text; null, lists and maps have none.
pub(in crate::condition) fn to_text(given: Seen<'_>) -> Result<Seen<'_>, Why> {
    let text = match given {
        Seen::Text(text) => text,
        Seen::Bool(truth) => Cow::Borrowed(if truth { "true" } else { "false" }),
        Seen::Int(int) => Cow::Owned(int.to_string()),
        Seen::Double(double) => Cow::Owned(double.to_string()),
        Seen::Decimal(text) | Seen::Local(text) => Cow::Borrowed(text),
        Seen::Bytes(bytes) => Cow::Borrowed(std::str::from_utf8(bytes).map_err(|_| Why::Conversion("valid unicode"))?),
        Seen::Instant(at) => Cow::Owned(instant_text(at).ok_or(Why::Overflow)?),
        other => return Err(wrong(&other, "a scalar with a text form")),
    };
    Ok(Seen::Text(text))
}

/// The canonical text of an instant: UTC, the fraction without trailing zeros.
fn instant_text(at: instant::Nanos) -> Option<String> {
    let seconds = instant::seconds_of(at)?;
    let nanos = u32::try_from(at.rem_euclid(1_000_000_000)).ok()?;
    let whole = DateTime::from_timestamp(seconds, nanos)?.format("%Y-%m-%dT%H:%M:%S");
    if nanos == 0 {
        return Some(format!("{whole}Z"));
    }
    let fraction = format!("{nanos:09}");
    Some(format!("{whole}.{}Z", fraction.trim_end_matches('0')))
}

/// A point in time, from RFC 3339 text with a zone or from seconds since 1970.
pub(in crate::condition) fn to_instant<'v>(given: &Seen<'v>) -> Result<Seen<'v>, Why> {
    let instant = match given {
        Seen::Instant(at) => Some(*at),
        Seen::Text(text) => instant::read_instant(text),
        Seen::Int(seconds) => instant::instant_from_seconds(*seconds),
        other => return Err(wrong(other, "a time, text or an integer")),
    };
    instant.map(Seen::Instant).ok_or(Why::Conversion("a time with a zone, as `2026-01-31T12:00:00Z`"))
}

/// A span of time, from text such as `1h30m`.
pub(in crate::condition) fn to_span<'v>(given: &Seen<'v>) -> Result<Seen<'v>, Why> {
    match given {
        Seen::Span(span) => Ok(Seen::Span(*span)),
        Seen::Text(text) => instant::read_span(text).map(Seen::Span).ok_or(Why::Conversion("a duration, as `1h30m`")),
        other => Err(wrong(other, "text")),
    }
}

/// A function from text to text.
pub(in crate::condition) fn text_function<'v>(
    given: &Seen<'v>,
    function: fn(&str) -> Result<String, &'static str>,
) -> Result<Seen<'v>, Why> {
    match given {
        Seen::Text(text) => function(text).map(|text| Seen::Text(Cow::Owned(text))).map_err(Why::Function),
        other => Err(wrong(other, "text")),
    }
}
