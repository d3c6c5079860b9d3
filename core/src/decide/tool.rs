//! What all layers together say of one tool.

use super::layers::Layers;
use super::settings::{FailMode, RecordSettings, RecordSync};
use crate::call::{Risk, ToolSpec};
use crate::condition::{ArgumentType, ArgumentTypes};
use crate::error::{Error, ErrorCode};
use crate::policy::{Bare, CompiledRule, Known, Policy, Record};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Whether a layer lets a tool be called at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeVerdict {
    /// The layer has no scope.
    None,
    /// The tool is in it.
    Inside,
    /// The tool is not in it.
    Outside,
}

/// Whether `tool` is in the scope of `policy`.
pub(super) fn scope(policy: &Policy, tool: &ToolSpec) -> ScopeVerdict {
    match &policy.scope {
        None => ScopeVerdict::None,
        Some(scope) if scope.iter().any(|pattern| pattern.matches(Bare::Program, &tool.source, &tool.name)) => {
            ScopeVerdict::Inside
        }
        Some(_) => ScopeVerdict::Outside,
    }
}

/// Refuses tags that no vocabulary has.
pub(super) fn check_tags(layers: &Layers, tool: &ToolSpec) -> Result<(), Error> {
    tool.tags.iter().try_for_each(|tag| {
        let said = format!("the tool `{}` declares the tag `{tag}`", tool.name);
        check_tag(layers, tag, &said).map_err(|error| error.with("tool", &tool.name))
    })
}

/// Refuses a tag that policies have a vocabulary for and none of them knows; `said` is what was said of it.
pub(super) fn check_tag(layers: &Layers, tag: &str, said: &str) -> Result<(), Error> {
    let vocabularies: Vec<_> = layers.layers.iter().filter_map(|layer| layer.policy.tags.as_ref()).collect();
    if vocabularies.is_empty() || vocabularies.iter().any(|vocabulary| vocabulary.contains(tag)) {
        return Ok(());
    }
    let known = vocabularies.iter().flat_map(|vocabulary| vocabulary.iter().map(|known| &**known));
    let message = format!("{said}, which is not in the policy's `tags`");
    let error = Error::new(ErrorCode::ToolInvalid, message).with("tag", tag);
    let near = crate::policy::did_you_mean(tag, known);
    Err(error.with("suggestion", near.unwrap_or_else(|| "use one that is there, or add it".to_owned())))
}

/// The arguments of `tool` as far as `policy` or the code knows them. What the code takes is the last word on names, what
/// the policy says is the last word on types.
pub(crate) fn arguments(policy: &Policy, tool: &ToolSpec) -> Option<ArgumentTypes> {
    let said = policy.tools.of(Bare::Any, &tool.source, &tool.name).find_map(|entry| entry.tool.args.as_ref());
    let said = said.map(|schema| ArgumentTypes::from_schema(&schema.0));
    let coded = tool.schema.as_ref().map(ArgumentTypes::from_schema);
    let of = |name: &str| {
        let known = |types: &Option<ArgumentTypes>| types.as_ref().and_then(|types| types.get(name)).cloned();
        known(&said).filter(|of| *of != ArgumentType::Any).or_else(|| known(&coded)).unwrap_or(ArgumentType::Any)
    };
    let typed = |names: &mut dyn Iterator<Item = &str>| -> Vec<(String, ArgumentType)> {
        names.map(|name| (name.to_owned(), of(name))).collect()
    };
    match (&tool.parameters, &coded, &said) {
        (Some(names), _, _) => Some(ArgumentTypes::closed(typed(&mut names.iter().map(String::as_str)))),
        (None, Some(types), _) if types.is_open() => {
            let mut names: BTreeSet<&str> = types.names().collect();
            names.extend(said.iter().flat_map(ArgumentTypes::names));
            Some(ArgumentTypes::open(typed(&mut names.into_iter())))
        }
        (None, Some(types), _) => Some(ArgumentTypes::closed(typed(&mut types.names()))),
        (None, None, _) => said.clone(),
    }
}

/// What is recorded of a tool and how.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) tags: Arc<[Arc<str>]>,
    pub(super) risk: Option<Risk>,
    pub(super) connector: Option<Arc<str>>,
    pub(super) action: Option<Arc<str>>,
    pub(super) record: RecordSettings,
    pub(super) fail_mode: FailMode,
}

/// What every layer and the code say of a tool; `found` are each layer's knowledge and rules.
pub(super) fn describe(layers: &Layers, tool: &ToolSpec, found: &[(Known, Vec<&CompiledRule>)]) -> Described {
    let all = || found.iter().map(|(known, _)| &known.all);
    let tags: BTreeSet<Arc<str>> = all().flat_map(|words| words.tags.iter().cloned()).collect();
    let risk = all().flat_map(|words| words.risks.iter().copied()).max();
    // the policy's word comes before the code's in each list, the last layer's is the nearest
    let connector = all().rev().find_map(|words| words.connectors.first().cloned());
    let action = all().rev().find_map(|words| words.actions.first().cloned());
    let base = RecordSettings {
        sync: if risk == Some(Risk::High) { RecordSync::Durable } else { RecordSync::Timer },
        ..RecordSettings::default()
    };
    let said = layers.layers.iter().filter_map(|layer| record(&layer.policy, tool, base));
    let record = said.reduce(RecordSettings::strictest).unwrap_or(base);
    let deciding = layers.layers.iter().zip(found).filter(|(layer, _)| layer.policy.decides());
    let open = deciding.map(|(layer, (_, rules))| fail_mode(&layer.policy, tool, rules));
    let modes: Vec<_> = open.collect();
    let all_open = !modes.is_empty() && modes.iter().all(|mode| *mode == FailMode::Open);
    Described {
        tags: tags.into_iter().collect(),
        risk,
        connector,
        action,
        record,
        fail_mode: if all_open { FailMode::Open } else { FailMode::Closed },
    }
}

/// How `policy` wants the tool recorded, if it says so at all.
fn record(policy: &Policy, tool: &ToolSpec, base: RecordSettings) -> Option<RecordSettings> {
    let entries: Vec<_> = policy.tools.of(Bare::Any, &tool.source, &tool.name).collect();
    let nearest_last = entries.iter().rev().filter_map(|entry| entry.tool.record.as_ref());
    let said: Vec<&Record> = policy.record.iter().chain(nearest_last).collect();
    if said.is_empty() { None } else { Some(said.into_iter().fold(base, over)) }
}

/// `base` with what `record` says in its place.
pub(super) fn over(base: RecordSettings, record: &Record) -> RecordSettings {
    RecordSettings {
        args: record.args.unwrap_or(base.args),
        result: record.result.unwrap_or(base.result),
        sync: record.sync.unwrap_or(base.sync),
    }
}

/// The fail mode of one layer: what tool and rules say, `closed` first; else what the policy says.
fn fail_mode(policy: &Policy, tool: &ToolSpec, rules: &[&CompiledRule]) -> FailMode {
    let entries = policy.tools.of(Bare::Any, &tool.source, &tool.name);
    let said: Vec<FailMode> = entries
        .filter_map(|entry| entry.tool.fail_mode)
        .chain(rules.iter().filter_map(|rule| rule.rule.fail_mode))
        .collect();
    if said.contains(&FailMode::Closed) { FailMode::Closed } else { said.first().copied().unwrap_or(policy.fail_mode) }
}
