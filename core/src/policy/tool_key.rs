//! The `tools` of a policy: what it says of single tools.

use super::document::Tool;
use super::node::{Kind, Node};
use super::pattern::{Bare, ToolPattern};
use super::problem::{At, Problems};
use super::read::{Read, wrong};
use super::text::shown;
use std::collections::HashMap;

/// One tool and what is said of it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) pattern: ToolPattern,
    pub(crate) at: At,
    pub(crate) tool: Tool,
}

/// The tools a policy speaks of, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tools {
    entries: Vec<Entry>,
    by_name: HashMap<Box<str>, Vec<usize>>,
}

impl Tools {
    /// All of them, as written.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is said of a tool: entries that name its source first, so that the nearer word comes first.
    pub(crate) fn of<'t>(&'t self, bare: Bare, source: &'t str, name: &str) -> impl Iterator<Item = &'t Entry> {
        let name_of = name.to_owned();
        let indices = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        let named = move |with_source: bool| {
            let name = name_of.clone();
            indices
                .iter()
                .filter_map(|index| self.entries.get(*index))
                .filter(move |entry| entry.pattern.has_source() == with_source)
                .filter(move |entry| entry.pattern.matches(bare, source, &name))
        };
        named(true).chain(named(false))
    }
}

impl Read for Tools {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            return wrong(node, "a map from tools' names", out);
        };
        let mut tools = Self::default();
        for (key, node) in entries {
            let pattern = match ToolPattern::new(&key.text) {
                Ok(pattern) => pattern,
                Err((wrong, instead)) => {
                    let message = format!("the tool's name `{}` {wrong}", shown(&key.text));
                    out.instead(&key.at, message, instead);
                    continue;
                }
            };
            let Some(name) = pattern.exact_name().filter(|_| pattern.is_exact()) else {
                let message = format!("`{}` has a wildcard, and `tools` speaks of single tools", key.text);
                out.instead(&key.at, message, "name each tool");
                continue;
            };
            let name: Box<str> = name.into();
            if let Some(tool) = Tool::read(node, out) {
                tools.by_name.entry(name).or_default().push(tools.entries.len());
                tools.entries.push(Entry { pattern, at: key.at.clone(), tool });
            }
        }
        Some(tools)
    }
}

super::read::schemas! {
    Tools |generator| {
        let tool = generator.subschema_for::<Tool>();
        schemars::json_schema!({ "type": "object", "additionalProperties": tool })
    };
}
