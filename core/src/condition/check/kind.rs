//! The types the checker knows.

use crate::condition::lists::List;
use crate::condition::node::Expect;
use crate::condition::types::{ArgumentType, ArgumentTypes};
use std::sync::Arc;

/// What a part of a condition is, as far as it is known at load.
#[derive(Debug, Clone)]
pub(in crate::condition) enum Type<'t> {
    Any,
    Null,
    Bool,
    Int,
    Number,
    Text,
    Bytes,
    Decimal,
    Time,
    Span,
    List(&'t ArgumentType),
    Map(&'t ArgumentTypes),
    /// A list of the policy, or one that the condition spells.
    Constants(Arc<List>),
}

impl<'t> Type<'t> {
    pub(super) fn of(declared: &'t ArgumentType) -> Self {
        match declared {
            ArgumentType::Any => Self::Any,
            ArgumentType::Bool => Self::Bool,
            ArgumentType::Int => Self::Int,
            ArgumentType::Number => Self::Number,
            ArgumentType::String => Self::Text,
            ArgumentType::Bytes => Self::Bytes,
            ArgumentType::Decimal => Self::Decimal,
            ArgumentType::Time => Self::Time,
            ArgumentType::List(element) => Self::List(element),
            ArgumentType::Map(fields) => Self::Map(fields),
        }
    }

    /// What a captured value has to be to have this type.
    pub(super) const fn expect(&self) -> Expect {
        match self {
            Self::Bool => Expect::Bool,
            Self::Int => Expect::Int,
            Self::Number => Expect::Number,
            Self::Text => Expect::Text,
            Self::Bytes => Expect::Bytes,
            Self::Decimal => Expect::Decimal,
            Self::Time => Expect::Time,
            Self::List(_) => Expect::List,
            Self::Map(_) => Expect::Map,
            Self::Any | Self::Null | Self::Span | Self::Constants(_) => Expect::Any,
        }
    }

    /// The type of the items of a list of constants, which are of one kind; of an empty one it is not known.
    pub(super) fn of_item(list: &List) -> Self {
        match (list.has_texts(), list.has_numbers(), list.has_bool) {
            (true, false, false) => Self::Text,
            (false, true, false) if list.has_doubles() => Self::Number,
            (false, true, false) => Self::Int,
            (false, false, true) => Self::Bool,
            _ => Self::Any,
        }
    }

    pub(super) const fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Number | Self::Decimal)
    }

    /// Whether values of the two can be told apart or put in order: numbers among each other, else the same scalar type.
    pub(super) const fn compares(&self, other: &Self) -> bool {
        (self.is_number() && other.is_number())
            || matches!(
                (self, other),
                (Self::Bool, Self::Bool)
                    | (Self::Text, Self::Text)
                    | (Self::Bytes, Self::Bytes)
                    | (Self::Time, Self::Time)
                    | (Self::Span, Self::Span)
            )
    }

    pub(super) const fn is_container(&self) -> bool {
        matches!(self, Self::List(_) | Self::Map(_) | Self::Constants(_))
    }

    /// The function that turns an untyped argument into this type.
    pub(super) const fn conversion(&self) -> Option<&'static str> {
        match self {
            Self::Text | Self::Any => Some("string"),
            Self::Int => Some("int"),
            Self::Number | Self::Decimal => Some("double"),
            Self::Time => Some("timestamp"),
            Self::Span => Some("duration"),
            Self::Null | Self::Bool | Self::Bytes | Self::List(_) | Self::Map(_) | Self::Constants(_) => None,
        }
    }

    /// What it is, for people.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Any => "of unknown type",
            Self::Null => "null",
            Self::Bool => "a truth value",
            Self::Int => "an integer",
            Self::Number => "a number",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Decimal => "a decimal",
            Self::Time => "a time",
            Self::Span => "a duration",
            Self::List(_) | Self::Constants(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}
