//! The named lists of a policy, prepared at load so that `x in lists.name` looks up instead of searching.

use super::ConditionError;
use super::number;
use super::seen::Seen;
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Named lists of a policy, for `x in lists.name`. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    by_name: BTreeMap<String, Arc<List>>,
}

impl Lists {
    /// Prepares the lists of a policy document.
    ///
    /// # Errors
    /// An item is not text, a truth value, or a number that fits an `int` or a `double`, or not of the kind of the first.
    /// The error names list and item.
    pub fn new(lists: impl IntoIterator<Item = (String, Vec<Json>)>) -> Result<Self, ConditionError> {
        let mut by_name = BTreeMap::new();
        for (name, items) in lists {
            let mut scalars = Vec::with_capacity(items.len());
            if let Some((odd, message)) = odd_one(&items) {
                let item = items.get(odd).and_then(Json::as_str).map(str::to_owned);
                return Err(ConditionError {
                    message: format!("`lists.{name}`: {message}"),
                    span: None,
                    suggestion: Some(instead_of_odd(item.as_deref())),
                });
            }
            for (at, item) in items.into_iter().enumerate() {
                let scalar = Scalar::from_json(item).ok_or_else(|| ConditionError {
                    message: format!(
                        "item {} of `lists.{name}` is not text, a number or a truth value",
                        at.saturating_add(1)
                    ),
                    span: None,
                    suggestion: Some("write each item as one of these".to_owned()),
                })?;
                scalars.push(scalar);
            }
            by_name.insert(name, Arc::new(List::new(scalars)));
        }
        Ok(Self { by_name })
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<List>> {
        self.by_name.get(name)
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

/// What an item is; a list holds items of one kind, since those of another would never be met.
fn kind(item: &Json) -> &'static str {
    match item {
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        _ => "text",
    }
}

/// The place of the first item that is of another kind than the first, and the message about it.
pub(crate) fn odd_one<'j>(items: impl IntoIterator<Item = &'j Json>) -> Option<(usize, String)> {
    let mut kinds = items.into_iter().map(kind).enumerate();
    let (_, first) = kinds.next()?;
    let (place, odd) = kinds.find(|(_, kind)| *kind != first)?;
    let at = place.saturating_add(1);
    Some((place, format!("item {at} is {odd} and the first {first}, and a list holds items of one kind")))
}

/// What to write instead of an item of another kind, which is this text or no text.
pub(crate) fn instead_of_odd(text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    let bare = text.replace('_', "");
    if bare.len() < text.len() && bare.parse::<f64>().is_ok() {
        format!("write `{bare}`")
    } else {
        "put every item in quotes, or none".to_owned()
    }
}

/// An item of a list that the policy wrote.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Box<str>),
}

impl Scalar {
    fn from_json(item: Json) -> Option<Self> {
        match item {
            Json::Bool(truth) => Some(Self::Bool(truth)),
            Json::String(text) => Some(Self::Text(text.into())),
            Json::Number(number) if number.is_f64() => number.as_f64().map(Self::Double),
            Json::Number(number) => number.as_i64().map(Self::Int),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }

    /// What it is, for people.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "a truth value",
            Self::Int(_) | Self::Double(_) => "a number",
            Self::Text(_) => "text",
        }
    }

    pub(super) fn seen(&self) -> Seen<'_> {
        match self {
            Self::Bool(truth) => Seen::Bool(*truth),
            Self::Int(int) => Seen::Int(*int),
            Self::Double(double) => Seen::Double(*double),
            Self::Text(text) => Seen::text(text),
        }
    }
}

/// A list of constants: its items in order, and the same as sets.
#[derive(Debug)]
pub(super) struct List {
    pub(super) items: Vec<Scalar>,
    texts: HashSet<Box<str>>,
    ints: HashSet<i64>,
    /// Doubles that are no integer of 64 bits, sorted; those that are one are in `ints`.
    doubles: Vec<f64>,
    pub(super) has_bool: bool,
}

impl List {
    pub(super) fn new(items: Vec<Scalar>) -> Self {
        let mut list = Self {
            items: Vec::new(),
            texts: HashSet::new(),
            ints: HashSet::new(),
            doubles: Vec::new(),
            has_bool: false,
        };
        for item in &items {
            match item {
                Scalar::Bool(_) => list.has_bool = true,
                Scalar::Int(int) => drop(list.ints.insert(*int)),
                Scalar::Text(text) => drop(list.texts.insert(text.clone())),
                Scalar::Double(double) => match number::exact_int(*double) {
                    Some(int) => drop(list.ints.insert(int)),
                    None => list.doubles.push(*double),
                },
            }
        }
        list.doubles.sort_by(f64::total_cmp);
        list.items = items;
        list
    }

    /// Its texts, in order.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| if let Scalar::Text(text) = item { Some(&**text) } else { None })
    }

    pub(super) fn has_numbers(&self) -> bool {
        !self.ints.is_empty() || !self.doubles.is_empty()
    }

    pub(super) fn has_doubles(&self) -> bool {
        !self.doubles.is_empty() || self.items.iter().any(|item| matches!(item, Scalar::Double(_)))
    }

    /// Its smallest number that no integer of 64 bits equals.
    pub(super) fn no_integer(&self) -> Option<f64> {
        self.doubles.first().copied()
    }

    pub(super) fn has_texts(&self) -> bool {
        !self.texts.is_empty()
    }

    /// Whether an item equals `sought`, as `==` has it. `sought` is a scalar and no NaN.
    pub(super) fn contains(&self, sought: &Seen<'_>) -> bool {
        match sought {
            Seen::Text(text) => self.texts.contains(text.as_ref()),
            Seen::Int(int) => self.ints.contains(int),
            Seen::Double(double) => match number::exact_int(*double) {
                Some(int) => self.ints.contains(&int),
                None => self.doubles.binary_search_by(|item| item.total_cmp(double)).is_ok(),
            },
            Seen::Decimal(text) => match text.parse() {
                Ok(int) => self.ints.contains(&int),
                Err(_) => self
                    .doubles
                    .iter()
                    .any(|double| number::compare_double_decimal(*double, text) == Some(std::cmp::Ordering::Equal)),
            },
            Seen::Bool(truth) => self.items.contains(&Scalar::Bool(*truth)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn list(items: Json) -> Arc<List> {
        let Json::Array(items) = items else { panic!("an array") };
        let lists = Lists::new([("a".to_owned(), items)]).expect("scalars");
        Arc::clone(lists.get("a").expect("there"))
    }

    #[test]
    fn numbers_are_found_whatever_their_type() {
        let list = list(json!([1, 2.5, 3.0]));
        for found in [Seen::Int(1), Seen::Double(1.0), Seen::Decimal("1"), Seen::Double(2.5), Seen::Decimal("2.5")] {
            assert!(list.contains(&found), "{found:?}");
        }
        assert!(list.contains(&Seen::Int(3)));
        for absent in [Seen::Int(2), Seen::Double(2.0), Seen::text("1"), Seen::Bool(false), Seen::Decimal("2.50001")] {
            assert!(!list.contains(&absent), "{absent:?}");
        }
    }

    #[test]
    fn a_list_holds_one_kind() {
        for (items, odd, instead) in [
            (json!([1234, "02139"]), "item 2 is text and the first a number", "put every item in quotes, or none"),
            (json!(["a", "b", 1.5]), "item 3 is a number and the first text", "put every item in quotes, or none"),
            (json!([5, "1_000"]), "item 2 is text and the first a number", "write `1000`"),
            (json!([true, "y"]), "item 2 is text and the first a truth value", "put every item in quotes, or none"),
        ] {
            let Json::Array(items) = items else { panic!("an array") };
            let refused = Lists::new([("a".to_owned(), items)]).expect_err("refused");
            assert_eq!(refused.message, format!("`lists.a`: {odd}, and a list holds items of one kind"));
            assert_eq!(refused.suggestion.as_deref(), Some(instead));
        }
    }

    #[test]
    fn an_item_that_is_no_scalar_is_refused_by_name() {
        let refused = Lists::new([("a".to_owned(), vec![json!("x"), json!(["y"])])]).expect_err("refused");
        assert_eq!(refused.message, "item 2 of `lists.a` is not text, a number or a truth value");
        assert!(Lists::new([("a".to_owned(), vec![json!(u64::MAX)])]).is_err());
    }
}
