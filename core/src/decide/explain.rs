//! Why a call is decided as it is, rule by rule: for people, and as JSON.

use super::decision::{Decision, Effect, Enforcement, ReasonCode, Verdict};
use super::ladder::{Ladder, Match};
use super::plan::{PlannedLayer, ToolPlan};
use super::tool::ScopeVerdict;
use crate::condition::Facts;
use crate::policy::hex;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// How a call is decided and what every rule that speaks of its tool said.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The tool's name.
    pub tool: Arc<str>,
    /// Where the tool comes from.
    pub source: Arc<str>,
    /// Its tags, of policy and code together.
    pub tags: Vec<Arc<str>>,
    /// What the policy says.
    pub decision: Verdict,
    /// What the mode makes of it.
    pub effect: Effect,
    /// The mode in force.
    pub enforcement: Enforcement,
    /// Why, as a stable code.
    pub reason_code: &'static str,
    /// Why, for people.
    pub reason: Option<Arc<str>>,
    /// What the model is told.
    pub reason_for_agent: Option<Arc<str>>,
    /// The rules that decided.
    pub rules: Vec<Arc<str>>,
    /// The part of a condition that failed.
    pub detail: Option<Arc<str>>,
    /// The policy's version, in hex.
    pub policy: String,
    /// Each layer that decides anything.
    pub layers: Vec<LayerExplanation>,
}

/// What one layer said.
#[derive(Debug, Clone, Serialize)]
pub struct LayerExplanation {
    /// Its name.
    pub layer: Arc<str>,
    /// What its policy is called.
    pub policy: Arc<str>,
    /// Whether the tool is in its scope.
    pub scope: ScopeVerdict,
    /// What holds where none of its rules matches.
    pub default: Verdict,
    /// Its mode.
    pub enforcement: Enforcement,
    /// Its rules that speak of the tool, by id.
    pub rules: Vec<RuleExplanation>,
}

/// What one rule said.
#[derive(Debug, Clone, Serialize)]
pub struct RuleExplanation {
    /// Its id, layer first.
    pub id: Arc<str>,
    /// What it asks for.
    pub decision: Verdict,
    /// Its mode.
    pub enforcement: Enforcement,
    /// Whether it matched.
    pub matched: Matched,
    /// Why it matched or not.
    pub why: String,
    /// Its condition.
    pub when: Option<String>,
    /// Its exception.
    pub unless: Option<String>,
}

/// Whether a rule matched a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Matched {
    /// It did.
    Yes,
    /// It did not.
    No,
    /// A condition failed: it matched if it stops calls, and did not if it lets them through.
    Failed,
}

/// Explains one call.
pub(super) fn explain(plan: &ToolPlan, facts: &Facts<'_>, mode: Option<Enforcement>) -> Explanation {
    // what is only explained is no failure in operation
    let uncounted = AtomicU64::new(0);
    let decision: Decision = plan.decide_counting(facts, mode, &uncounted).into_owned();
    let ladders = plan.ladders_in(mode.unwrap_or(Enforcement::Observe));
    let layers = plan.layers.iter().zip(ladders).map(|(layer, ladder)| explain_layer(layer, ladder, facts, &uncounted));
    Explanation {
        tool: Arc::clone(&plan.name),
        source: Arc::clone(&plan.source),
        tags: plan.tags().to_vec(),
        decision: decision.verdict,
        effect: decision.effect,
        enforcement: decision.enforcement,
        reason_code: decision.reason_code.as_str(),
        reason: decision.reason,
        reason_for_agent: decision.reason_for_agent,
        rules: decision.rules.to_vec(),
        detail: decision.detail,
        policy: hex(&decision.policy),
        layers: layers.collect(),
    }
}

fn explain_layer(layer: &PlannedLayer, ladder: &Ladder, facts: &Facts<'_>, uncounted: &AtomicU64) -> LayerExplanation {
    let mut rules: Vec<RuleExplanation> = ladder
        .steps
        .iter()
        .map(|step| {
            let (matched, why) = match step.matches(facts, uncounted) {
                Match::Yes if step.conditions.when.is_none() => (Matched::Yes, "it has no condition".to_owned()),
                Match::Yes => (Matched::Yes, "its `when` holds".to_owned()),
                Match::No(why) => (Matched::No, why.to_owned()),
                Match::Failed(part) => (Matched::Failed, format!("a condition failed, so it matches: {part}")),
                Match::Unsafe(part) => (Matched::Failed, format!("a condition failed, so it does not match: {part}")),
            };
            RuleExplanation {
                id: step.alone.rules.first().cloned().unwrap_or_default(),
                decision: step.alone.verdict,
                enforcement: step.alone.enforcement,
                matched,
                why,
                when: step.conditions.when.as_ref().map(|when| when.source().to_owned()),
                unless: step.conditions.unless.as_ref().map(|unless| unless.source().to_owned()),
            }
        })
        .collect();
    rules.sort_by(|one, two| one.id.cmp(&two.id));
    LayerExplanation {
        layer: Arc::clone(&layer.name),
        policy: Arc::clone(&layer.policy),
        scope: layer.scope,
        default: layer.default,
        enforcement: ladder.default.enforcement,
        rules,
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.tool, self.decision.as_str(), self.reason_code)?;
        let happens = match self.effect {
            Effect::Run => "the call runs",
            Effect::Refused => "the call does not run",
            Effect::Asked => "a person is asked first",
        };
        write!(f, "\n  in mode {}: {happens}", self.enforcement.as_str())?;
        if let Some(reason) = &self.reason {
            write!(f, "\n  reason: {reason}")?;
        }
        if let Some(detail) = &self.detail {
            write!(f, "\n  detail: {detail}")?;
        }
        if !self.tags.is_empty() {
            write!(f, "\n  tags: {}", self.tags.join(", "))?;
        }
        if self.reason_code == ReasonCode::NoPolicy.as_str() {
            write!(f, "\n  no policy has a rule, a scope or a default")?;
        }
        for layer in &self.layers {
            let scope = match layer.scope {
                ScopeVerdict::None => "no scope",
                ScopeVerdict::Inside => "in scope",
                ScopeVerdict::Outside => "not in scope",
            };
            let (default, mode) = (layer.default.as_str(), layer.enforcement.as_str());
            write!(f, "\n  layer {} ({}): {scope}, default {default}, mode {mode}", layer.layer, layer.policy)?;
            if layer.rules.is_empty() {
                write!(f, "\n    no rule speaks of this tool")?;
            }
            for rule in &layer.rules {
                let mark = match rule.matched {
                    Matched::Yes => "matched",
                    Matched::No => "no match",
                    Matched::Failed => "failed",
                };
                write!(f, "\n    {} [{}] {mark}: {}", rule.id, rule.decision.as_str(), rule.why)?;
                if let Some(when) = &rule.when {
                    write!(f, "\n      when: {when}")?;
                }
                if let Some(unless) = &rule.unless {
                    write!(f, "\n      unless: {unless}")?;
                }
            }
        }
        Ok(())
    }
}
