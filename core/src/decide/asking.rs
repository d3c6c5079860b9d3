//! What has to be met before a call that needs people may run: what every rule that asks about it demands, together.

use super::decision::{Effect, Enforcement};
use super::ladder::Match;
use super::layers::Layer;
use super::plan::ToolPlan;
use crate::approval::{Approver, Binding, DEFAULT_TIMEOUT, Requirement, Terms};
use crate::call::ToolSpec;
use crate::condition::{ArgumentTypes, Facts};
use crate::error::{Error, ErrorCode};
use crate::policy::{Bare, CompiledRule, Policy};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// What one rule says of asking.
#[derive(Debug, Clone)]
pub(super) struct RuleTerms {
    requirement: Requirement,
    timeout: Duration,
    bind: Option<BTreeSet<Arc<str>>>,
    show: Option<BTreeSet<Arc<str>>>,
}

impl RuleTerms {
    /// Those of the rule `id`, layer first, where it says anything.
    pub(super) fn of(id: &Arc<str>, compiled: &CompiledRule) -> Option<Arc<Self>> {
        let said = &compiled.rule.approval.as_ref()?.value;
        let approvers: BTreeSet<Approver> =
            said.approvers.iter().flat_map(|list| &list.value).map(|one| one.value.clone()).collect();
        let bind = said.bind.as_ref().map(|list| list.value.iter().map(|name| Arc::clone(&name.value.0)).collect());
        let show = said.show.as_ref().map(|list| list.iter().map(|name| Arc::clone(&name.value.0)).collect());
        Some(Arc::new(Self {
            requirement: Requirement {
                rule: Arc::clone(id),
                approvers: approvers.into_iter().collect(),
                quorum: said.quorum.as_ref().map_or(1, |quorum| quorum.value.0),
                not_by_requester: said.not_by.as_ref().is_some_and(|list| !list.is_empty()),
            },
            timeout: said.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0),
            bind,
            show,
        }))
    }
}

/// Refuses names in `approval` and `volatile` that are no arguments of the tool: a yes would hold for less than it seems to.
pub(super) fn check_names(
    layer: &Layer,
    spec: &ToolSpec,
    arguments: Option<&ArgumentTypes>,
    rules: &[&CompiledRule],
) -> Result<(), Error> {
    let Some(arguments) = arguments.filter(|arguments| !arguments.is_open()) else { return Ok(()) };
    let known: BTreeSet<&str> = arguments.names().collect();
    let look = |name: &str, place: &str| {
        if known.contains(name) {
            return Ok(());
        }
        let message = format!("{place} names `{name}`, which is no argument of the tool `{}`", spec.name);
        let error = Error::new(ErrorCode::PolicyInvalid, message).with("tool", &spec.name).with("argument", name);
        Err(match crate::policy::did_you_mean(name, known.iter().copied()) {
            Some(suggestion) => error.with("suggestion", suggestion),
            None => error,
        })
    };
    for compiled in rules {
        let Some(said) = &compiled.rule.approval else { continue };
        let id = format!("{}/{}", layer.name, compiled.rule.id());
        for name in said.value.bind.iter().flat_map(|list| &list.value) {
            look(&name.value.0, &format!("`bind` of rule `{id}`"))?;
        }
        for name in said.value.show.iter().flatten() {
            look(&name.value.0, &format!("`show` of rule `{id}`"))?;
        }
    }
    for name in
        layer.policy.tools.of(Bare::Any, &spec.source, &spec.name).flat_map(|entry| &entry.tool.volatile).flatten()
    {
        look(&name.value.0, &format!("`volatile` of the policy `{}`", layer.policy.name))?;
    }
    Ok(())
}

/// The arguments of a tool that a yes does not bind: those that every policy which names any calls so.
pub(super) fn volatile<'l>(policies: impl Iterator<Item = &'l Policy>, spec: &ToolSpec) -> BTreeSet<Arc<str>> {
    let said = policies.filter_map(|policy| {
        let names: BTreeSet<Arc<str>> = policy
            .tools
            .of(Bare::Any, &spec.source, &spec.name)
            .flat_map(|entry| &entry.tool.volatile)
            .flatten()
            .map(|name| Arc::clone(&name.value.0))
            .collect();
        (!names.is_empty()).then_some(names)
    });
    said.reduce(|one, other| one.intersection(&other).cloned().collect()).unwrap_or_default()
}

impl ToolPlan {
    /// What has to be met before this call, of which people are asked, may run. Not for the hot path: conditions are evaluated
    /// once more.
    #[must_use]
    pub fn terms(&self, facts: &Facts<'_>, mode: Option<Enforcement>) -> Terms {
        let uncounted = AtomicU64::new(0);
        let mut asked: Vec<(Arc<str>, Option<&Arc<RuleTerms>>)> = Vec::new();
        let ladders = self.ladders_in(mode.unwrap_or(Enforcement::Observe));
        for (ladder, layer) in ladders.iter().zip(&self.layers) {
            for step in ladder.steps.iter().filter(|step| step.alone.effect == Effect::Asked) {
                if let (Match::Yes | Match::Failed(_), Some(id)) =
                    (step.matches(facts, &uncounted), step.alone.rules.first())
                {
                    let said = layer.rules.iter().find(|rule| rule.id == *id).and_then(|rule| rule.approval.as_ref());
                    asked.push((Arc::clone(id), said));
                }
            }
        }
        self.together(asked)
    }

    fn together(&self, asked: Vec<(Arc<str>, Option<&Arc<RuleTerms>>)>) -> Terms {
        let anybody = |rule| Requirement { rule, approvers: Vec::new(), quorum: 1, not_by_requester: false };
        let mut terms =
            Terms { requirements: Vec::new(), timeout: Duration::MAX, binding: Binding::default(), show: None };
        let volatile = || Some(self.volatile.clone());
        for (id, said) in asked {
            let Some(said) = said else {
                terms.requirements.push(anybody(id));
                terms.timeout = terms.timeout.min(DEFAULT_TIMEOUT);
                terms.binding.all_but = volatile();
                continue;
            };
            terms.requirements.push(said.requirement.clone());
            terms.timeout = terms.timeout.min(said.timeout);
            match &said.bind {
                Some(names) => terms.binding.named.extend(names.iter().cloned()),
                None => terms.binding.all_but = volatile(),
            }
            if let Some(names) = &said.show {
                terms.show.get_or_insert_with(BTreeSet::new).extend(names.iter().cloned());
            }
        }
        if terms.requirements.is_empty() {
            // a default, a scope or a limit asks: then anybody may answer, to all of it
            terms.requirements.push(anybody(Arc::from("default")));
            terms.timeout = DEFAULT_TIMEOUT;
            terms.binding.all_but = volatile();
        }
        terms
    }
}
