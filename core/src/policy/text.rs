//! The texts of a policy and what each may hold.

use super::node::{Kind, Layout, Node};
use super::pattern::ToolPattern;
use super::problem::{At, Problems};
use super::read::{Read, wrong};
use crate::condition::{instead_of_odd, odd_one};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Reads a text that `fits` accepts.
fn text(node: &Node<'_>, what: &str, fits: fn(&str) -> bool, rule: &str, out: &mut Problems) -> Option<Arc<str>> {
    let Kind::Str(text, _) = &node.kind else {
        let expected = match node.kind {
            Kind::Bool(_) | Kind::Int(_) | Kind::BigInt(_) | Kind::Float(_) => "a text, in quotes",
            _ => "a text",
        };
        return wrong(node, expected, out);
    };
    if fits(text) {
        return Some(Arc::from(&**text));
    }
    out.instead(
        &node.at,
        format!("{what} `{}` has another form than one may have", shown(text)),
        format!("write {rule}"),
    );
    None
}

/// The beginning of a text, for a message.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(60) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

/// Texts with a rule: type, what it is called, its test, the rule in words and as a JSON Schema.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident $what:literal $fits:expr, $rule:literal, $schema:tt;)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) Arc<str>);

        impl Read for $name {
            fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
                text(node, $what, $fits, $rule, out).map(Self)
            }
        }

        super::read::schemas! { $name $schema; }
    )* };
}

texts! {
    /// A rule's id.
    Id "id" is_id, "lower case letters, digits, `.`, `_` and `-`, at most 64, first a letter or digit",
        { "type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$" };
    /// A tag.
    Tag "tag" |text| is_word(text, 64), "a whole word of at most 64 bytes, without wildcards",
        { "type": "string", "pattern": "^[^\\s*?]{1,64}$" };
    /// The name of an argument.
    Argument "argument" |text| is_word(text, 128), "a name of at most 128 bytes",
        { "type": "string", "pattern": "^\\S{1,128}$" };
    /// A connector or an action.
    Name "name" |text| is_word(text, 128), "a whole word of at most 128 bytes, without wildcards",
        { "type": "string", "pattern": "^[^\\s*?]{1,128}$" };
    /// The name of a list, as conditions write it.
    ListName "list" is_identifier, "a name of letters, digits and `_`, at most 64, first no digit",
        { "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,63}$" };
    /// A text for people or models.
    Text "text" |text| !text.trim().is_empty() && text.len() <= 4096, "between 1 and 4096 bytes long",
        { "type": "string", "minLength": 1, "maxLength": 4096 };
}

fn is_id(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= 64
        && text.bytes().next().is_some_and(inner)
        && text.bytes().all(|byte| inner(byte) || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_word(text: &str, most: usize) -> bool {
    let strange = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '*' | '?');
    !text.is_empty() && text.len() <= most && !text.chars().any(strange)
}

fn is_identifier(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Read for ToolPattern {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let Kind::Str(text, _) = &node.kind else {
            return wrong(node, "a tool's name", out);
        };
        Self::new(text)
            .map_err(|(wrong, instead)| {
                let message = format!("the tool's name `{}` {wrong}", shown(text));
                out.instead(&node.at, message, instead);
            })
            .ok()
    }
}

super::read::schemas! {
    ToolPattern { "type": "string", "pattern": "^\\S{1,256}$" };
}

/// A key whose value is redacted: a whole name, since a pattern or a path would never be found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RedactKey(pub(crate) Arc<str>);

impl Read for RedactKey {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let fits = |text: &str| !text.is_empty() && text.len() <= 128;
        let key = text(node, "key", fits, "between 1 and 128 bytes long", out)?;
        if key.contains(['*', '?']) {
            let message = format!("the key `{}` is no pattern: keys are whole names", shown(&key));
            out.instead(&node.at, message, "write out each key, such as `password`");
        } else if let Some((_, last)) = key.rsplit_once('.') {
            let message = format!("the key `{}` is no path: keys are whole names, at any depth", shown(&key));
            let last = if last.trim_matches(['-', '_', ' ']).is_empty() { "pin" } else { last };
            out.instead(&node.at, message, format!("write `{}`", shown(last)));
        } else if key.chars().all(|c| matches!(c, '-' | '_') || c.is_whitespace()) {
            let message = format!("the key `{}` has nothing but signs that are not compared", shown(&key));
            out.instead(&node.at, message, "write a whole name, such as `password`");
        } else {
            return Some(Self(key));
        }
        None
    }
}

super::read::schemas! {
    RedactKey { "type": "string", "minLength": 1, "maxLength": 128 };
}

/// The version of the policy language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version;

impl Read for Version {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        match node.kind {
            Kind::Int(1) => Some(Self),
            Kind::Int(_) => {
                out.instead(&node.at, "this version of the engine reads policies of version 1 only", "write `1`");
                None
            }
            _ => wrong(node, "the integer `1`", out),
        }
    }
}

super::read::schemas! {
    Version { "type": "integer", "const": 1 };
}

/// The source of a condition and how it lies in the document.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) source: Arc<str>,
    pub(crate) at: At,
    layout: Layout,
}

impl Expression {
    /// Where these bytes of the source stand in the document.
    pub(crate) fn place(&self, span: Option<&Range<usize>>) -> At {
        super::node::place(&self.at, self.layout, &self.source, span)
    }
}

impl Read for Expression {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        match &node.kind {
            Kind::Str(text, layout) => Some(Self { source: Arc::from(&**text), at: node.at.clone(), layout: *layout }),
            Kind::Bool(value) => {
                Some(Self { source: Arc::from(value.to_string()), at: node.at.clone(), layout: Layout::Inline(0) })
            }
            _ => wrong(node, "a condition, as text", out),
        }
    }
}

super::read::schemas! {
    Expression { "type": ["string", "boolean"], "minLength": 1 };
}

/// A constant of a named list.
#[derive(Debug, Clone)]
pub(crate) struct Item(pub(crate) Json);

impl Read for Item {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        match &node.kind {
            Kind::List(_) | Kind::Map(_) | Kind::Null => wrong(node, "a text, a number or a truth value", out),
            _ => json(node, out).map(Self),
        }
    }
}

super::read::schemas! {
    Item { "type": ["string", "number", "boolean"] };
}

/// The JSON Schema of a tool's arguments.
#[derive(Debug, Clone)]
pub(crate) struct ArgsSchema(pub(crate) Json);

impl Read for ArgsSchema {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            return wrong(node, "a json schema, as a map", out);
        };
        if !entries.iter().any(|(key, _)| key.text == "properties") {
            let near = if entries.is_empty() { "properties: {}" } else { "properties: {…}" };
            out.instead(&node.at, "`args` is a json schema and has no `properties`", format!("write `{near}`"));
            return None;
        }
        super::argument_schema::check_arguments(entries, out);
        json(node, out).map(Self)
    }
}

super::read::schemas! {
    ArgsSchema { "type": "object", "required": ["properties"] };
}

/// A node as JSON; what JSON's numbers cannot hold is noted.
fn json(node: &Node<'_>, out: &mut Problems) -> Option<Json> {
    Some(match &node.kind {
        Kind::Null => Json::Null,
        Kind::Bool(value) => Json::Bool(*value),
        Kind::Int(value) => Json::from(*value),
        Kind::Float(value) if value.is_finite() => Json::from(*value),
        Kind::BigInt(_) | Kind::Float(_) => {
            out.instead(&node.at, "the number is too large", "write one that fits a double");
            return None;
        }
        Kind::Str(text, _) => Json::from(&**text),
        Kind::List(items) => Json::Array(items.iter().filter_map(|item| json(item, out)).collect()),
        Kind::Map(entries) => {
            let pairs = entries.iter().filter_map(|(key, item)| Some((key.text.to_string(), json(item, out)?)));
            Json::Object(pairs.collect())
        }
    })
}

impl Read for BTreeMap<ListName, Vec<Item>> {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            return wrong(node, "a map", out);
        };
        let mut lists = Self::new();
        for (key, node) in entries {
            if !is_identifier(&key.text) {
                let message = format!("`{}` is no name for a list", shown(&key.text));
                out.instead(&key.at, message, "use letters, digits and `_`, at most 64, first no digit");
            }
            if let Some(mut items) = Vec::<Item>::read(node, out) {
                one_kind(&key.text, node, &mut items, out);
                lists.insert(ListName(Arc::from(&*key.text)), items);
            }
        }
        Some(lists)
    }
}

/// Notes an item of a list that is of another kind than the first, and leaves it and what follows out.
fn one_kind(name: &str, node: &Node<'_>, items: &mut Vec<Item>, out: &mut Problems) {
    let Some((place, message)) = odd_one(items.iter().map(|item| &item.0)) else { return };
    let instead = instead_of_odd(items.get(place).and_then(|item| item.0.as_str()));
    items.truncate(place);
    let item = match &node.kind {
        Kind::List(nodes) => nodes.get(place),
        _ => None,
    };
    out.instead(&item.unwrap_or(node).at, format!("the list `{}`: {message}", shown(name)), instead);
}
