//! A tool that was made ready: everything about it that no single call changes.

use crate::call::{ToolSpec, qualified};
use crate::decide::{Layers, ToolPlan};
use crate::error::Error;
use crate::ledger::ToolEntry;
use crate::session::{Item, Secrets};
use crate::value::digest::CallPrefix;
use crate::value::{self, Value};
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// A tool and what the policy in force says of it.
#[derive(Debug)]
pub struct Tool {
    spec: ToolSpec,
    plan: ToolPlan,
    prefix: CallPrefix,
    definition: [u8; 32],
    items: Items,
}

/// What a session remembers of a call of a tool.
#[derive(Debug)]
pub(super) struct Items {
    pub(super) tool: Item,
    pub(super) tags: Box<[Item]>,
}

impl Items {
    /// Tells what was remembered of a call from what a tool with other tags would have been.
    pub(super) fn mark(&self) -> u64 {
        self.tags.iter().fold(self.tool.word(), |mark, tag| mark.rotate_left(7) ^ tag.word())
    }
}

impl Tool {
    pub(super) fn prepare(spec: ToolSpec, layers: &Layers, secrets: &Secrets) -> Result<Self, Error> {
        let plan = layers.plan(&spec)?;
        let prefix = CallPrefix::new(&spec.source, &spec.name);
        let definition = definition(&spec)?;
        let items = Items {
            // what `session.calls` is asked for
            tool: secrets.tool(&qualified(&spec.source, &spec.name)),
            tags: plan.tags().iter().map(|tag| secrets.tag(tag)).collect(),
        };
        Ok(Self { spec, plan, prefix, definition, items })
    }

    /// What was declared.
    #[must_use]
    pub const fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    /// What the policy says of it.
    #[must_use]
    pub const fn plan(&self) -> &ToolPlan {
        &self.plan
    }

    pub(super) const fn items(&self) -> &Items {
        &self.items
    }

    pub(super) const fn prefix(&self) -> &CallPrefix {
        &self.prefix
    }

    pub(super) fn entry(&self) -> ToolEntry<'_> {
        ToolEntry {
            source: &self.spec.source,
            name: &self.spec.name,
            digest: self.definition,
            tags: self.plan.tags(),
            risk: self.plan.risk().map(crate::call::Risk::as_str),
            connector: self.plan.connector().map(|text| &**text),
            action: self.plan.action().map(|text| &**text),
        }
    }
}

/// SHA-256 of the definition's canonical bytes (`docs/formats.md`, section 2).
fn definition(spec: &ToolSpec) -> Result<[u8; 32], Error> {
    let text = |text: &str| Value::Str(Cow::Owned(text.to_owned()));
    let parameters = spec
        .parameters
        .as_ref()
        .map_or(Value::Null, |names| Value::List(names.iter().map(|name| text(name)).collect()));
    let schema = spec.schema.as_ref().map_or(Ok(Value::Null), value::from_json)?;
    let definition = value::map(vec![
        (Cow::Borrowed("description"), text(&spec.description)),
        (Cow::Borrowed("name"), text(&spec.name)),
        (Cow::Borrowed("parameters"), parameters),
        (Cow::Borrowed("schema"), schema),
        (Cow::Borrowed("source"), text(&spec.source)),
    ])?;
    let mut canonical = Vec::new();
    value::encode(&definition, &mut canonical)?;
    Ok(Sha256::digest(&canonical).into())
}
