//! The JSON Schema of the policy document, generated from the types that read it.

use super::document::Document;
use serde_json::Value as Json;

/// The JSON Schema (draft 2020-12) of a policy, for editors and reviewers. The loader checks more than a schema can say.
#[must_use]
pub fn schema() -> Json {
    let mut schema = Json::from(schemars::schema_for!(Document));
    without_null(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), Json::from("Counterseal policy, version 1"));
    }
    schema
}

/// A key is left out or has a value: `null` stands nowhere.
fn without_null(schema: &mut Json) {
    match schema {
        Json::Array(items) => items.iter_mut().for_each(without_null),
        Json::Object(members) => {
            members.values_mut().for_each(without_null);
            let null = |choice: &Json| choice.get("type").is_some_and(|name| name == "null");
            if let Some(Json::Array(names)) = members.get_mut("type") {
                names.retain(|name| name != "null");
                if let [only] = names.as_slice() {
                    let only = only.clone();
                    members.insert("type".to_owned(), only);
                }
            }
            if let Some(Json::Array(choices)) = members.get_mut("anyOf") {
                choices.retain(|choice| !null(choice));
                if let [Json::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    members.remove("anyOf");
                    members.extend(only.into_iter().filter(|(key, _)| key != "description"));
                }
            }
            if let Some(Json::Array(values)) = members.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
        }
        _ => {}
    }
}
