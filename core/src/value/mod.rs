//! The one value model: what every language's arguments and results become before anything looks at them.

use std::borrow::Cow;

/// A captured value. Text and bytes are lent by the host language where it can lend them.
///
/// Invariants, kept by whoever builds one: map entries are in canonical order (keys by UTF-16 code units) without
/// duplicates; `BigInt` lies outside `i64`; `Decimal` and `Time` hold canonical text.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Absence.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer that fits 64 bits.
    Int(i64),
    /// An integer that does not: decimal digits, `-` first if negative, no leading zero.
    BigInt(Cow<'a, str>),
    /// A double, not-a-number and infinities included.
    Float(f64),
    /// Valid Unicode text.
    Str(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// An exact decimal number in canonical text (`docs/formats.md`).
    Decimal(Cow<'a, str>),
    /// A point in time, a local date and time, a date or a time of day, in canonical text (`docs/formats.md`).
    Time(Cow<'a, str>),
    /// Values in order.
    List(Vec<Value<'a>>),
    /// Values by name, in canonical order.
    Map(Vec<(Cow<'a, str>, Value<'a>)>),
    /// Something that has no value: its type's qualified name.
    Opaque(Cow<'a, str>),
}
