//! The texts of records that have a form of their own: hashes, ids and times.

use super::time::{Stamp, parse_time};
use crate::clock::UnixNanos;
use crate::ledger::hex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A SHA-256 hash: 64 lower-case hex characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// A random id: 32 lower-case hex characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; 16]);

/// A time: UTC with nine fractional digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub UnixNanos);

/// A text of a fixed form.
trait Fixed: Sized {
    const NAME: &'static str;
    const PATTERN: &'static str;
    fn from_text(text: &[u8]) -> Option<Self>;
    fn text(&self) -> String;
}

impl Fixed for Hash {
    const NAME: &'static str = "Hash";
    const PATTERN: &'static str = "^[0-9a-f]{64}$";

    fn from_text(text: &[u8]) -> Option<Self> {
        hex::parse(text).map(Self)
    }

    fn text(&self) -> String {
        hex::text(&self.0)
    }
}

impl Fixed for Id {
    const NAME: &'static str = "Id";
    const PATTERN: &'static str = "^[0-9a-f]{32}$";

    fn from_text(text: &[u8]) -> Option<Self> {
        hex::parse(text).map(Self)
    }

    fn text(&self) -> String {
        hex::text(&self.0)
    }
}

impl Fixed for Time {
    const NAME: &'static str = "Time";
    const PATTERN: &'static str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{9}Z$";

    fn from_text(text: &[u8]) -> Option<Self> {
        parse_time(text).map(Self)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(Stamp::new().text(self.0)).into_owned()
    }
}

struct FixedVisitor<T>(PhantomData<T>);

impl<T: Fixed> Visitor<'_> for FixedVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text like {}", T::PATTERN)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text.as_bytes()).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

macro_rules! fixed {
    ($($type:ident)*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.text())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(FixedVisitor(PhantomData))
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                Self::NAME.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": Self::PATTERN })
            }
        }
    )*};
}

fixed! { Hash Id Time }
