//! A value as a condition sees it: lent from the call or from the policy.

use super::failure::{Failure, Why};
use super::instant::{self, Nanos};
use super::lists::List;
use super::node::Expect;
use super::number;
use crate::value::Value;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// What one node of a condition evaluates to.
#[derive(Debug, Clone)]
pub(super) enum Seen<'v> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Cow<'v, str>),
    Bytes(&'v [u8]),
    Decimal(&'v str),
    Instant(Nanos),
    /// A local date, time or both: it has text but no place in time.
    Local(&'v str),
    Span(Nanos),
    List(&'v [Value<'v>]),
    Map(&'v [(Cow<'v, str>, Value<'v>)]),
    Constants(&'v List),
}

impl<'v> Seen<'v> {
    pub(super) const fn text(text: &'v str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// Lends a captured value, if it is what the condition was checked with. `part` names it in a failure.
    pub(super) fn of(value: &'v Value<'v>, expect: Expect, part: &dyn fmt::Display) -> Result<Self, Box<Failure>> {
        let (seen, fits) = match value {
            Value::Null => (Self::Null, false),
            Value::Bool(truth) => (Self::Bool(*truth), expect == Expect::Bool),
            Value::Int(int) => (Self::Int(*int), matches!(expect, Expect::Int | Expect::Number)),
            Value::Float(double) => (Self::Double(*double), expect == Expect::Number),
            Value::Str(text) => (Self::text(text), expect == Expect::Text),
            Value::Bytes(bytes) => (Self::Bytes(bytes), expect == Expect::Bytes),
            Value::Decimal(text) => (Self::Decimal(text), expect == Expect::Decimal),
            Value::Time(text) => {
                (instant::read_instant(text).map_or(Self::Local(text), Self::Instant), expect == Expect::Time)
            }
            Value::List(items) => (Self::List(items), expect == Expect::List),
            Value::Map(entries) => (Self::Map(entries), expect == Expect::Map),
            Value::BigInt(_) => return Err(Failure::new(part, Why::BigInteger)),
            Value::Opaque(_) => return Err(Failure::new(part, Why::Opaque)),
        };
        if fits || expect == Expect::Any {
            return Ok(seen);
        }
        Err(Failure::new(part, Why::WrongType { found: seen.kind(), wanted: expect.kind() }))
    }

    /// What it is, for people.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a truth value",
            Self::Int(_) => "an integer",
            Self::Double(_) => "a double",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Decimal(_) => "a decimal",
            Self::Instant(_) => "a time",
            Self::Local(_) => "a local time",
            Self::Span(_) => "a duration",
            Self::List(_) | Self::Constants(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// How two values order. Numbers compare exactly whatever their types; a NaN fails, because an answer either way
    /// would let a call slip past a rule.
    pub(super) fn order(&self, other: &Self) -> Result<Ordering, Why> {
        let numbers = match (self, other) {
            (Self::Int(left), Self::Int(right)) => return Ok(left.cmp(right)),
            (Self::Text(left), Self::Text(right)) => return Ok(left.cmp(right)),
            (Self::Bytes(left), Self::Bytes(right)) => return Ok(left.cmp(right)),
            (Self::Bool(left), Self::Bool(right)) => return Ok(left.cmp(right)),
            (Self::Instant(left), Self::Instant(right)) | (Self::Span(left), Self::Span(right)) => {
                return Ok(left.cmp(right));
            }
            (Self::Double(left), Self::Double(right)) => left.partial_cmp(right),
            (Self::Int(left), Self::Double(right)) => number::compare_int_double(*left, *right),
            (Self::Double(left), Self::Int(right)) => number::compare_int_double(*right, *left).map(Ordering::reverse),
            (Self::Decimal(left), Self::Decimal(right)) => number::compare_decimals(left, right),
            (Self::Decimal(left), Self::Int(right)) => number::compare_decimals(left, &right.to_string()),
            (Self::Int(left), Self::Decimal(right)) => number::compare_decimals(&left.to_string(), right),
            (Self::Decimal(left), Self::Double(right)) => {
                number::compare_double_decimal(*right, left).map(Ordering::reverse)
            }
            (Self::Double(left), Self::Decimal(right)) => number::compare_double_decimal(*left, right),
            _ => return Err(Why::Incomparable { left: self.kind(), right: other.kind() }),
        };
        numbers.ok_or(Why::NotANumber)
    }

    /// Whether two values are equal. Null equals null alone; lists and maps are not compared.
    pub(super) fn equal(&self, other: &Self) -> Result<bool, Why> {
        match (self, other) {
            (Self::Null, Self::Null) => Ok(true),
            (Self::Null, _) | (_, Self::Null) => Ok(false),
            _ => self.order(other).map(Ordering::is_eq),
        }
    }
}
