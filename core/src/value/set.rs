//! Sets: lists whose elements stand in the order of their canonical bytes.

use super::{Value, encode};
use crate::error::Error;

/// A list of `elements` in the order of their canonical bytes; elements with the same bytes are all kept.
///
/// # Errors
/// Those of [`encode()`], for an element alone.
pub fn sort_as_set(elements: Vec<Value<'_>>) -> Result<Value<'_>, Error> {
    let mut buffer = Vec::new();
    let mut keyed = Vec::with_capacity(elements.len());
    for element in elements {
        let start = buffer.len();
        encode(&element, &mut buffer)?;
        keyed.push((start..buffer.len(), element));
    }
    keyed.sort_by(|(left, _), (right, _)| buffer.get(left.clone()).cmp(&buffer.get(right.clone())));
    Ok(Value::List(keyed.into_iter().map(|(_, element)| element).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_stand_in_the_order_of_their_bytes() {
        let set = sort_as_set(vec![Value::Null, Value::Int(9), Value::Str("b".into()), Value::Int(10)]).unwrap();
        let expected = [Value::Str("b".into()), Value::Int(10), Value::Int(9), Value::Null];
        assert_eq!(set, Value::List(expected.into()));
    }
}
