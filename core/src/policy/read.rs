//! Reading a tree into the types of a policy: every key known, every value checked, every problem noted with its place.

use super::node::{Kind, Node};
use super::problem::{At, Problems};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;
use std::ops::Deref;

/// A type that can be read from a node.
pub(crate) trait Read: Sized {
    /// Reads `node`; what is wrong is noted in `out`, and `None` comes back where nothing can be made of it.
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self>;
}

/// A value that remembers where it stood.
#[derive(Debug, Clone)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) at: At,
}

impl<T> Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Read> Read for Placed<T> {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        T::read(node, out).map(|value| Self { value, at: node.at.clone() })
    }
}

impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        match &node.kind {
            Kind::List(items) => Some(items.iter().filter_map(|item| T::read(item, out)).collect()),
            Kind::Map(_) | Kind::Null => wrong(node, "a list", out),
            Kind::Str(text, _) => {
                let message = format!("expected a list, found {}", node.what());
                out.instead(&node.at, message, format!("write `[{text}]`"));
                None
            }
            _ => wrong(node, "a list", out),
        }
    }
}

impl Read for bool {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        match &node.kind {
            Kind::Bool(value) => Some(*value),
            Kind::Str(text, _) if matches!(&*text.to_ascii_lowercase(), "yes" | "on" | "no" | "off") => {
                let meant = matches!(&*text.to_ascii_lowercase(), "yes" | "on");
                out.instead(&node.at, format!("`{text}` is a text in yaml 1.2"), format!("write `{meant}`"));
                None
            }
            _ => wrong(node, "`true` or `false`", out),
        }
    }
}

/// Notes that `node` is not what was expected.
pub(crate) fn wrong<T>(node: &Node<'_>, expected: &str, out: &mut Problems) -> Option<T> {
    let instead = match node.kind {
        Kind::Null => format!("give it {expected}, or leave the key out"),
        _ if expected == "a list" => "write its items in brackets, as in `[one, another]`".to_owned(),
        _ if expected == "a map" => "write keys with their values, as in `{key: value}`".to_owned(),
        _ => format!("write {expected}"),
    };
    out.instead(&node.at, format!("expected {expected}, found {}", node.what()), instead);
    None
}

/// What to write where a key that must not be left out is missing.
pub(crate) fn to_add(key: &str) -> String {
    match key {
        "version" => "add `version: 1`".to_owned(),
        "id" => "add `id:` with a name of its own, such as `id: big-refunds`".to_owned(),
        "decision" => "add `decision: deny`, or `require_approval` or `allow`".to_owned(),
        other => format!("add `{other}:`"),
    }
}

/// Reads one of a closed set of texts.
pub(crate) fn choice<T: Copy>(node: &Node<'_>, choices: &[(&str, T)], out: &mut Problems) -> Option<T> {
    let listed = || choices.iter().map(|(text, _)| format!("`{text}`")).collect::<Vec<_>>().join(", ");
    let Kind::Str(text, _) = &node.kind else {
        return wrong(node, &format!("one of {}", listed()), out);
    };
    if let Some((_, value)) = choices.iter().find(|(known, _)| known == text) {
        return Some(*value);
    }
    let message = format!("`{text}` is none of {}", listed());
    out.unknown(&node.at, message, text, choices.iter().map(|(known, _)| *known), "write one of them");
    None
}

/// Reads a closed set of texts into an enum.
macro_rules! choices {
    ($($type:ty { $($text:literal => $value:expr),* $(,)? })*) => { $(
        impl $crate::policy::read::Read for $type {
            fn read(
                node: &$crate::policy::node::Node<'_>,
                out: &mut $crate::policy::problem::Problems,
            ) -> Option<Self> {
                $crate::policy::read::choice(node, &[$(($text, $value)),*], out)
            }
        }
    )* };
}

/// The JSON Schemas of types, written out where they are used; one that takes those of other types names the generator.
macro_rules! schemas {
    ($($type:ident $schema:tt;)*) => { $(
        $crate::policy::read::schemas! { $type |_generator| schemars::json_schema!($schema); }
    )* };
    ($type:ident |$generator:ident| $schema:expr;) => {
        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($type))
            }

            fn json_schema($generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    };
}

/// Defines a map of a policy: its type, its reader and its part of the JSON Schema are one list of keys.
///
/// Every key may be left out unless it stands behind `requires`; a key given twice never gets here.
macro_rules! keys {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident called $called:literal
        $(requires { $($(#[$need_meta:meta])* $need:ident: $need_type:ty,)* })?
        {
            $($(#[$field_meta:meta])* $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        $vis struct $name {
            $($($(#[$need_meta])* #[schemars(required)] pub(crate) $need: Option<$need_type>,)*)?
            $($(#[$field_meta])* pub(crate) $field: Option<$type>,)*
        }

        impl $crate::policy::read::Read for $name {
            fn read(
                node: &$crate::policy::node::Node<'_>,
                out: &mut $crate::policy::problem::Problems,
            ) -> Option<Self> {
                const KEYS: &[&str] = &[$($(stringify!($need),)*)? $(stringify!($field),)*];
                let $crate::policy::node::Kind::Map(entries) = &node.kind else {
                    return $crate::policy::read::wrong(node, "a map", out);
                };
                let mut value = Self {
                    $($($need: None,)*)?
                    $($field: None,)*
                };
                for (key, node) in entries {
                    match key.text.as_ref() {
                        $($(stringify!($need) => value.$need = $crate::policy::read::Read::read(node, out),)*)?
                        $(stringify!($field) => value.$field = $crate::policy::read::Read::read(node, out),)*
                        other => $crate::policy::later::unknown_key(other, &key.at, $called, KEYS, out),
                    }
                }
                $($(
                    if !entries.iter().any(|(key, _)| key.text == stringify!($need)) {
                        let message = concat!($called, " has no `", stringify!($need), "`");
                        out.instead(&node.at, message, $crate::policy::read::to_add(stringify!($need)));
                    }
                )*)?
                Some(value)
            }
        }
    };
}

pub(crate) use {choices, keys, schemas};
