//! What is said of a tool, by the policy and by the code, and which rules select it by that.

use super::compiled::Policy;
use super::document::Rule;
use super::pattern::Bare;
use crate::call::{Risk, ToolSpec};
use crate::decide::Verdict;
use std::sync::Arc;

/// Tags, risks, connectors and actions that somebody said of a tool.
#[derive(Debug, Default)]
pub(crate) struct ToolWords {
    pub(crate) tags: Vec<Arc<str>>,
    pub(crate) risks: Vec<Risk>,
    pub(crate) connectors: Vec<Arc<str>>,
    pub(crate) actions: Vec<Arc<str>>,
}

/// What one policy knows of a tool, told apart by whose word it is.
#[derive(Debug)]
pub(crate) struct Known {
    /// The policy's own word on this very tool: can select any rule.
    pub(crate) trusted: ToolWords,
    /// Everybody's word: can select rules that stop calls.
    pub(crate) all: ToolWords,
}

impl Known {
    /// What `policy` and the code say of a tool.
    pub(crate) fn new(policy: &Policy, tool: &ToolSpec) -> Self {
        let mut all = ToolWords::default();
        all.add_policy(policy, Bare::Any, tool);
        all.tags.extend(tool.tags.iter().map(|tag| Arc::from(&**tag)));
        all.risks.extend(tool.risk);
        all.connectors.extend(tool.connector.as_deref().map(Arc::from));
        all.actions.extend(tool.action.as_deref().map(Arc::from));
        let mut trusted = ToolWords::default();
        trusted.add_policy(policy, Bare::Program, tool);
        Self { trusted, all }
    }
}

impl ToolWords {
    fn add_policy(&mut self, policy: &Policy, bare: Bare, tool: &ToolSpec) {
        for entry in policy.tools.of(bare, &tool.source, &tool.name) {
            self.tags.extend(entry.tool.tags.iter().flatten().map(|tag| Arc::clone(&tag.0)));
            self.risks.extend(entry.tool.risk);
            self.connectors.extend(entry.tool.connector.as_ref().map(|name| Arc::clone(&name.0)));
            self.actions.extend(entry.tool.action.as_ref().map(|name| Arc::clone(&name.0)));
        }
    }
}

impl Rule {
    /// What the rule asks for; deny where that could not be read, which is then an error anyway.
    pub(crate) fn verdict(&self) -> Verdict {
        self.decision.as_ref().map_or(Verdict::Deny, |decision| decision.value)
    }

    /// What a tool's name without a source means in this rule.
    pub(crate) fn bare(&self) -> Bare {
        if self.verdict() == Verdict::Allow { Bare::Program } else { Bare::Any }
    }

    /// Whether the rule speaks of a tool of which this is known.
    pub(crate) fn selects(&self, source: &str, name: &str, known: &Known) -> bool {
        let bare = self.bare();
        let words = if bare == Bare::Program { &known.trusted } else { &known.all };
        let tools =
            self.tools.as_ref().is_none_or(|list| list.iter().any(|pattern| pattern.matches(bare, source, name)));
        let tags = self.tags.as_ref().is_none_or(|list| list.iter().any(|tag| words.tags.contains(&tag.0)));
        let risk = self.risk.as_ref().is_none_or(|list| list.iter().any(|risk| words.risks.contains(risk)));
        let connectors =
            self.connectors.as_ref().is_none_or(|list| list.iter().any(|name| words.connectors.contains(&name.0)));
        let actions = self.actions.as_ref().is_none_or(|list| list.iter().any(|name| words.actions.contains(&name.0)));
        tools && tags && risk && connectors && actions
    }
}
