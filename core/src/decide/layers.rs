//! The policies in force, strictest wins: the built-in one and those that were given, never merged as text.

use super::builtin;
use super::decision::{Decision, Enforcement, ReasonCode, Verdict};
use super::limited::PlannedLimit;
use super::plan::ToolPlan;
use super::tool;
use crate::call::ToolSpec;
use crate::error::{Error, ErrorCode};
use crate::policy::{LimitKind, Policy, of_layers};
use crate::redact::Redaction;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A policy and where it comes from.
#[derive(Debug, Clone)]
pub struct Layer {
    /// What stands before its rules' ids: `local` for the file of this process.
    pub name: Arc<str>,
    /// The policy.
    pub policy: Arc<Policy>,
}

/// What code and environment ask for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// A mode; it can only tighten a policy's, unless that policy says `may_loosen`.
    pub enforcement: Option<Enforcement>,
    /// Whether calls are refused as long as no policy decides anything.
    pub require_policy: bool,
}

/// A layer as it is recorded.
#[derive(Debug, Clone)]
pub struct LayerInfo {
    /// Its name.
    pub layer: Arc<str>,
    /// SHA-256 of its policy's canonical form.
    pub version: [u8; 32],
    /// What its policy is called.
    pub name: Arc<str>,
}

/// The policies in force. Immutable: a change of policy is another one of these.
#[derive(Debug)]
pub struct Layers {
    /// The built-in one first.
    pub(super) layers: Vec<Layer>,
    pub(super) options: Options,
    pub(super) version: [u8; 32],
    pub(super) redaction: Arc<Redaction>,
    pub(super) failures: Arc<AtomicU64>,
}

impl Layers {
    /// Puts `given` over the built-in layer.
    ///
    /// # Errors
    /// [`ErrorCode::ConfigInvalid`] for two layers of one name, or a name that is empty or has a `/`; whatever the
    /// redaction refuses.
    pub fn new(given: Vec<Layer>, options: Options) -> Result<Self, Error> {
        let mut layers = vec![Layer { name: Arc::from(builtin::NAME), policy: builtin::policy()? }];
        for layer in given {
            let name = &layer.name;
            if name.is_empty() || name.contains('/') {
                let message = format!("a layer cannot be called `{name}`");
                return Err(Error::new(ErrorCode::ConfigInvalid, message));
            }
            if layers.iter().any(|other| other.name == *name) {
                let message = format!("two layers are called `{name}`");
                return Err(Error::new(ErrorCode::ConfigInvalid, message));
            }
            layers.push(layer);
        }
        let own = layers.get(1..).unwrap_or_default();
        let version = match own {
            [] => layers.first().map_or([0; 32], |layer| layer.policy.version),
            [only] => only.policy.version,
            several => of_layers(several.iter().map(|layer| (&*layer.name, layer.policy.version))),
        };
        let redaction = Arc::new(Redaction::union(layers.iter().map(|layer| &layer.policy.redaction)));
        Ok(Self { layers, options, version, redaction, failures: Arc::new(AtomicU64::new(0)) })
    }

    /// Works out all that is fixed for one tool: its rules with their conditions checked against its arguments, whether it
    /// is in scope, its tags, how it is recorded.
    ///
    /// # Errors
    /// [`ErrorCode::ToolInvalid`] for a tag outside the vocabulary or no name; [`ErrorCode::PolicyCondition`] where a rule
    /// names an argument that the tool cannot have.
    pub fn plan(&self, tool: &ToolSpec) -> Result<ToolPlan, Error> {
        ToolPlan::new(self, tool)
    }

    /// SHA-256 of the one policy beside the built-in one, or of all of them.
    #[must_use]
    pub const fn version(&self) -> [u8; 32] {
        self.version
    }

    /// The layers beside the built-in one, for the record.
    #[must_use]
    pub fn describe(&self) -> Vec<LayerInfo> {
        let own = self.layers.get(1..).unwrap_or_default();
        own.iter()
            .map(|layer| LayerInfo {
                layer: Arc::clone(&layer.name),
                version: layer.policy.version,
                name: Arc::clone(&layer.policy.name),
            })
            .collect()
    }

    /// How many rules all layers have.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.layers.iter().map(|layer| layer.policy.rule_count()).sum()
    }

    /// How many budgets, rate limits and limits on loops all layers have.
    #[must_use]
    pub fn limit_count(&self) -> usize {
        self.layers.iter().map(|layer| layer.policy.limit_count()).sum()
    }

    /// Whether any layer names the tools that may be called.
    #[must_use]
    pub fn is_scoped(&self) -> bool {
        self.layers.iter().any(|layer| layer.policy.scope.is_some())
    }

    /// The strictest of what holds where no rule matched.
    #[must_use]
    pub fn default_verdict(&self) -> Verdict {
        self.layers.iter().map(|layer| layer.policy.default_verdict()).max().unwrap_or(Verdict::Allow)
    }

    /// Whether calls are refused as long as no layer decides anything.
    #[must_use]
    pub const fn requires_policy(&self) -> bool {
        self.options.require_policy
    }

    /// Whether a rule of any layer may be answered wrongly where a session does not remember a call of a tool with these tags.
    pub(crate) fn would_miss(&self, tags: &[Arc<str>]) -> bool {
        self.layers.iter().any(|layer| layer.policy.asked.would_miss(tags))
    }

    /// Refuses a tag for a session that policies have a vocabulary for and none of them knows.
    ///
    /// # Errors
    /// `tool_invalid`, with the nearest known tag.
    pub fn check_tag(&self, tag: &str) -> Result<(), Error> {
        tool::check_tag(self, tag, &format!("a session is marked with the tag `{tag}`"))
    }

    /// Every tag that a vocabulary has.
    pub(crate) fn vocabulary(&self) -> impl Iterator<Item = &Arc<str>> {
        self.layers.iter().filter_map(|layer| layer.policy.tags.as_ref()).flatten()
    }

    /// The budgets of all layers, sorted by id.
    pub(crate) fn budgets(&self) -> Box<[PlannedLimit]> {
        let of = |layer: &'_ Layer| -> Vec<PlannedLimit> {
            let budgets = layer.policy.limits.iter().filter(|limit| limit.kind == LimitKind::Budget);
            budgets.map(|limit| PlannedLimit::new(self, layer, limit)).collect()
        };
        let mut all: Vec<PlannedLimit> = self.layers.iter().flat_map(of).collect();
        all.sort_by(|one, two| one.id.cmp(&two.id));
        all.into()
    }

    /// The strictest mode of a layer that decides anything.
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        let modes = self.layers.iter().filter(|layer| layer.policy.decides()).map(|layer| self.mode(&layer.policy));
        modes.max().unwrap_or_default()
    }

    /// Whether any layer decides anything; otherwise calls are allowed, or refused if a policy is required.
    #[must_use]
    pub fn decides(&self) -> bool {
        self.layers.iter().any(|layer| layer.policy.decides())
    }

    /// What is taken out before anything is recorded.
    #[must_use]
    pub const fn redaction(&self) -> &Arc<Redaction> {
        &self.redaction
    }

    /// How many conditions failed since these layers are in force.
    #[must_use]
    pub fn condition_failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// A refusal that no mode loosens.
    #[must_use]
    pub fn refusal(&self, code: ReasonCode, detail: Option<Arc<str>>) -> Decision {
        Decision::refusal(code, detail, self.version, self.enforcement())
    }

    /// The mode of a policy as a whole: its own, and what code asks for.
    pub(super) fn mode(&self, policy: &Policy) -> Enforcement {
        match self.options.enforcement {
            None => policy.enforcement,
            Some(asked) if policy.may_loosen => asked,
            Some(asked) => policy.enforcement.max(asked),
        }
    }
}
