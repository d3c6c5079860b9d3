//! What is known of a tool's arguments before it is called: from a JSON Schema, or from wrapping it.

use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The type of one argument, as its tool declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArgumentType {
    /// Not known, or one of several: a condition has to convert it before it compares it for equality.
    Any,
    /// A truth value.
    Bool,
    /// An integer; one outside 64 bits makes the condition fail.
    Int,
    /// A double, or an integer in its place, as JSON's `number`.
    Number,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// An exact decimal number.
    Decimal,
    /// A point in time; a local date or time makes a comparison fail.
    Time,
    /// Values of one type in order.
    List(Box<ArgumentType>),
    /// Values by name.
    Map(ArgumentTypes),
}

/// The arguments of a tool, or the fields of one of them, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArgumentTypes {
    names: BTreeMap<String, ArgumentType>,
    open: bool,
}

/// Schemas nested deeper than this are taken as [`ArgumentType::Any`]; values nested deeper than 64 are refused anyway.
pub(crate) const MAX_SCHEMA_DEPTH: usize = 24;

impl ArgumentTypes {
    /// Exactly these names.
    pub fn closed<N: Into<String>>(names: impl IntoIterator<Item = (N, ArgumentType)>) -> Self {
        Self { names: names.into_iter().map(|(name, of)| (name.into(), of)).collect(), open: false }
    }

    /// These names, and others of unknown type (`**kwargs`).
    pub fn open<N: Into<String>>(names: impl IntoIterator<Item = (N, ArgumentType)>) -> Self {
        Self { open: true, ..Self::closed(names) }
    }

    /// Reads the JSON Schema of a tool's arguments: `properties` and their types.
    ///
    /// A tool takes the named arguments only, unless the schema says `additionalProperties` or `patternProperties`; an
    /// object inside an argument follows JSON Schema and is open unless `additionalProperties` is false. What a schema
    /// says in another way (`$ref`, `anyOf`, several types) is [`ArgumentType::Any`].
    #[must_use]
    pub fn from_schema(schema: &Json) -> Self {
        let open = match schema.get("additionalProperties") {
            None | Some(Json::Bool(false)) => {
                schema.get("patternProperties").is_some() || schema.get("properties").is_none()
            }
            Some(_) => true,
        };
        Self { names: properties(schema, 0), open }
    }

    /// The type of `name`: known, [`ArgumentType::Any`] where unknown names are possible, or `None` where it cannot be.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ArgumentType> {
        self.names.get(name).or(self.open.then_some(&ArgumentType::Any))
    }

    /// The names that are known, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.keys().map(String::as_str)
    }

    /// The fields of the map `name`, where it is known to be one.
    pub(crate) fn fields(&self, name: &str) -> Option<&Self> {
        match self.names.get(name) {
            Some(ArgumentType::Map(fields)) => Some(fields),
            _ => None,
        }
    }

    /// With one name more, of unknown type, at the end of a path through maps; as it is where the path leads elsewhere.
    pub(crate) fn with(&mut self, path: &[String]) {
        let Some((first, rest)) = path.split_first() else { return };
        match self.names.get_mut(first) {
            None if rest.is_empty() => {
                self.names.insert(first.clone(), ArgumentType::Any);
            }
            Some(ArgumentType::Map(fields)) => fields.with(rest),
            _ => {}
        }
    }

    /// Whether other names are possible.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }
}

fn properties(schema: &Json, depth: usize) -> BTreeMap<String, ArgumentType> {
    let Some(Json::Object(properties)) = schema.get("properties") else { return BTreeMap::new() };
    properties.iter().map(|(name, schema)| (name.clone(), of_schema(schema, depth.saturating_add(1)))).collect()
}

fn of_schema(schema: &Json, depth: usize) -> ArgumentType {
    let Some(Json::String(name)) = schema.get("type") else { return of_choices(schema) };
    match name.as_str() {
        _ if depth > MAX_SCHEMA_DEPTH => ArgumentType::Any,
        "boolean" => ArgumentType::Bool,
        "integer" => ArgumentType::Int,
        "number" => ArgumentType::Number,
        "string" => ArgumentType::String,
        "array" => ArgumentType::List(Box::new(
            schema.get("items").map_or(ArgumentType::Any, |items| of_schema(items, depth.saturating_add(1))),
        )),
        "object" => {
            let closed = schema.get("additionalProperties") == Some(&Json::Bool(false))
                && schema.get("patternProperties").is_none();
            ArgumentType::Map(ArgumentTypes { names: properties(schema, depth), open: !closed })
        }
        _ => ArgumentType::Any,
    }
}

/// The type of a schema that lists values: `enum` or `const` of texts only is text; anything else stays unknown.
fn of_choices(schema: &Json) -> ArgumentType {
    let texts = match (schema.get("enum"), schema.get("const")) {
        (Some(Json::Array(choices)), _) => !choices.is_empty() && choices.iter().all(Json::is_string),
        (None, Some(only)) => only.is_string(),
        _ => false,
    };
    if texts { ArgumentType::String } else { ArgumentType::Any }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_gives_types_by_name() {
        let types = ArgumentTypes::from_schema(&json!({"properties": {
            "amount": {"type": "number"}, "to": {"type": "array", "items": {"type": "string"}},
            "kind": {"enum": ["a", "b"]}, "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "inner": {"type": "object", "properties": {"n": {"type": "integer"}}}}}));
        assert_eq!(types.get("amount"), Some(&ArgumentType::Number));
        assert_eq!(types.get("to"), Some(&ArgumentType::List(Box::new(ArgumentType::String))));
        assert_eq!(types.get("kind"), Some(&ArgumentType::String));
        assert_eq!(types.get("maybe"), Some(&ArgumentType::Any));
        assert_eq!(types.get("other"), None);
        let Some(ArgumentType::Map(inner)) = types.get("inner") else { panic!("a map") };
        assert_eq!(inner.get("n"), Some(&ArgumentType::Int));
        assert_eq!(inner.get("other"), Some(&ArgumentType::Any));
    }

    #[test]
    fn a_schema_without_properties_says_nothing() {
        assert!(ArgumentTypes::from_schema(&json!({"type": "object"})).is_open());
        assert!(!ArgumentTypes::from_schema(&json!({"type": "object", "properties": {}})).is_open());
    }

    #[test]
    fn a_bottomless_schema_ends() {
        let mut schema = json!({"type": "string"});
        for _ in 0..100 {
            schema = json!({"type": "object", "properties": {"x": schema}});
        }
        assert!(ArgumentTypes::from_schema(&schema).get("x").is_some());
    }
}
