//! The published JSON Schema of a record, from the types that read it.

use super::typed::Record;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// The JSON Schema (draft 2020-12) of one record.
#[must_use]
pub fn record_schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Record>();
    schema.insert("title".to_owned(), Value::from("Counterseal ledger record"));
    schema.into()
}
