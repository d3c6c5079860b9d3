//! Values from a document that serde_json has read already.

use super::{Value, integer, map};
use crate::error::{Error, ErrorCode};
use std::borrow::Cow;

/// The value of `json`, lent where it can be. `serde_json` keeps integers of 64 bits and makes doubles of longer ones,
/// so text from outside is read by [`super::json::parse`] instead.
///
/// # Errors
/// [`ErrorCode::ValueTooDeep`] beyond [`super::MAX_DEPTH`].
pub fn from_json(json: &serde_json::Value) -> Result<Value<'_>, Error> {
    at_depth(json, 0)
}

fn at_depth(json: &serde_json::Value, depth: usize) -> Result<Value<'_>, Error> {
    if depth > super::MAX_DEPTH {
        return Err(super::encode::too_deep());
    }
    Ok(match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Bool(*truth),
        serde_json::Value::String(text) => Value::Str(Cow::Borrowed(text)),
        serde_json::Value::Number(number) => number_of(number)?,
        serde_json::Value::Array(elements) => {
            Value::List(elements.iter().map(|element| at_depth(element, depth + 1)).collect::<Result<_, _>>()?)
        }
        serde_json::Value::Object(members) => {
            let mut entries = Vec::with_capacity(members.len());
            for (key, member) in members {
                entries.push((Cow::Borrowed(key.as_str()), at_depth(member, depth + 1)?));
            }
            map(entries)?
        }
    })
}

fn number_of(number: &serde_json::Number) -> Result<Value<'static>, Error> {
    number
        .as_i64()
        .map(Value::Int)
        .or_else(|| number.as_u64().map(integer::from_u64))
        .or_else(|| number.as_f64().map(Value::Float))
        .ok_or_else(|| Error::new(ErrorCode::ValueBadNumber, format!("the number `{number}` is no double")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_json_has_its_value() {
        let json = serde_json::json!({"b": [null, true, -1, 1.5, u64::MAX], "a": {"": "x"}});
        let list = vec![
            Value::Null,
            Value::Bool(true),
            Value::Int(-1),
            Value::Float(1.5),
            Value::BigInt("18446744073709551615".into()),
        ];
        let inner = Value::Map(vec![("".into(), Value::Str("x".into()))]);
        assert_eq!(from_json(&json).unwrap(), Value::Map(vec![("a".into(), inner), ("b".into(), Value::List(list))]));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| (0..depth).fold(serde_json::Value::Null, |inside, _| serde_json::json!([inside]));
        assert!(from_json(&nested(super::super::MAX_DEPTH)).is_ok());
        let error = from_json(&nested(super::super::MAX_DEPTH + 1)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ValueTooDeep);
    }
}
