//! The member `payload` of records: hashes by part, in the order of the sidecar's lines.

use super::scalar::Hash;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// Hashes of salt and payload by the part's name, in order, each name once. `None`: the part was too large to be kept, and
/// has no line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payloads(pub Vec<(String, Option<Hash>)>);

impl Serialize for Payloads {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(part, hash)| (part, hash)))
    }
}

impl<'de> Deserialize<'de> for Payloads {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Payloads;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("hashes by part")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Payloads, A::Error> {
                let mut parts: Vec<(String, Option<Hash>)> = Vec::new();
                while let Some((part, hash)) = map.next_entry::<String, Option<Hash>>()? {
                    // records have five parts at most; more are read, but nobody may make this quadratic
                    if parts.len() >= 64 || parts.iter().any(|(known, _)| *known == part) {
                        return Err(A::Error::custom(format_args!("the part `{part}` is one too many")));
                    }
                    parts.push((part, hash));
                }
                Ok(Payloads(parts))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

impl JsonSchema for Payloads {
    fn schema_name() -> Cow<'static, str> {
        "Payloads".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "maxProperties": 64,
            "additionalProperties": generator.subschema_for::<Option<Hash>>(),
        })
    }
}
