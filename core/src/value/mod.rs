//! The one value model: what every language's arguments and results become before anything looks at them.
//!
//! [`encode()`] writes a value's one canonical text, [`digest`] its keyed digest, [`json`] and [`decode()`] read it back
//! (`docs/formats.md` §1 and §2).

pub mod decimal;
pub mod digest;
pub mod integer;
pub mod json;
pub mod text;
pub mod time;

mod decode;
mod double;
mod encode;
mod from_json;
mod map;
mod set;

pub use decode::{decode, decode_redacted};
pub use encode::encode;
pub use from_json::from_json;
pub use map::{key_text, map};
pub use set::sort_as_set;

use std::borrow::Cow;

/// How many lists and maps may lie around a value: a scalar alone has depth 0.
pub const MAX_DEPTH: usize = 64;

/// How many bytes a value's canonical encoding may have.
pub const MAX_BYTES: usize = 1 << 20;

/// How many values a value may consist of: each scalar, list and map counts one.
pub const MAX_VALUES: usize = 65_536;

/// The greatest integer up to which every integer is also a double; beyond it an integer is written as a tagged text.
pub const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

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
