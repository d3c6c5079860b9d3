//! Other arguments than the agent's: a JSON Patch (RFC 6902) on the canonical form of the agent's own.

use crate::error::{Error, ErrorCode};
use crate::value;
use json_patch::Patch;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A change of the agent's arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Edit(Patch);

impl Edit {
    /// Reads a JSON Patch: a list of `{"op", "path", …}`.
    ///
    /// # Errors
    /// [`ErrorCode::ApprovalInvalid`] for anything else, and for a patch that changes nothing.
    pub fn from_json(patch: Json) -> Result<Self, Error> {
        let patch: Patch = serde_json::from_value(patch)
            .map_err(|error| invalid(format!("the edit is no json patch (RFC 6902): {error}")))?;
        if patch.is_empty() {
            return Err(invalid("the edit changes nothing; leave it out".to_owned()));
        }
        Ok(Self(patch))
    }

    /// The patch.
    #[must_use]
    pub fn to_json(&self) -> Json {
        serde_json::to_value(&self.0).unwrap_or(Json::Null)
    }

    /// The canonical bytes of the arguments whose canonical bytes are `original`, changed.
    ///
    /// # Errors
    /// [`ErrorCode::ApprovalInvalid`] where a path leads nowhere, a `test` fails, or no map of arguments comes out.
    pub fn apply(&self, original: &[u8]) -> Result<Vec<u8>, Error> {
        let mut document: Json = serde_json::from_slice(original)
            .map_err(|error| invalid(format!("the arguments cannot be read back: {error}")))?;
        json_patch::patch(&mut document, &self.0)
            .map_err(|error| invalid(format!("the edit does not fit the arguments: {error}")))?;
        if !document.is_object() {
            return Err(invalid("the edit leaves no map of arguments".to_owned()));
        }
        let text = document.to_string();
        // an opaque value that the edit did not touch comes through here too, and is refused where it is bound
        let edited = value::decode_redacted(text.as_bytes())
            .map_err(|error| invalid(format!("the edit makes arguments that no tool can get: {}", error.message())))?;
        let mut canonical = Vec::with_capacity(text.len());
        value::encode(&edited, &mut canonical)?;
        Ok(canonical)
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorCode::ApprovalInvalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn edited(original: &str, patch: Json) -> Result<String, Error> {
        let changed = Edit::from_json(patch)?.apply(original.as_bytes())?;
        Ok(String::from_utf8(changed).unwrap())
    }

    #[test]
    fn what_is_not_edited_keeps_its_exact_value() {
        let original = r#"{"a":2.675,"big":{"$int":"36893488147419103232"},"d":{"$decimal":"0.1"},"n":5e-324,"x":1}"#;
        let out = edited(original, json!([{"op": "replace", "path": "/x", "value": 2}])).unwrap();
        assert_eq!(out, original.replace(r#""x":1"#, r#""x":2"#));
    }

    #[test]
    fn what_fits_nowhere_is_refused() {
        for patch in [
            json!([]),
            json!({}),
            json!([{"op": "replace", "path": "/none/x", "value": 1}]),
            json!([{"op": "test", "path": "/x", "value": 2}]),
            json!([{"op": "replace", "path": "", "value": 3}]),
            json!([{"op": "add", "path": "/y", "value": {"$int": "x"}}]),
        ] {
            let error = edited(r#"{"x":1}"#, patch.clone()).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ApprovalInvalid, "{patch}");
        }
    }
}
