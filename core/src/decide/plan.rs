//! All that is fixed for one tool under the policies in force, worked out once.

use super::asking::{self, RuleTerms};
use super::decision::{Decision, Enforcement, ReasonCode, Verdict};
use super::explain::{self, Explanation};
use super::ladder::{self, Ladder, Step};
use super::layers::{Layer, Layers};
use super::learning;
use super::limited::{self, PlannedLimit};
use super::settings::{FailMode, RecordSettings};
use super::tool::{self, Described, ScopeVerdict};
use crate::call::{PROGRAM_SOURCE, Risk, ToolSpec};
use crate::condition::Facts;
use crate::error::{Error, ErrorCode};
use crate::policy::{CompiledRule, Conditions, Known, Refused, compile_rule};
use crate::redact::Redaction;
use crate::session::FactDetector;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

/// One rule that speaks of the tool, its conditions checked with the tool's arguments.
#[derive(Debug)]
pub(super) struct PlannedRule {
    /// Layer first: `local/big-refunds`.
    pub(super) id: Arc<str>,
    pub(super) verdict: Verdict,
    pub(super) mode: Enforcement,
    pub(super) conditions: Conditions,
    pub(super) approval: Option<Arc<RuleTerms>>,
    reason: Option<Arc<str>>,
    reason_for_agent: Option<Arc<str>>,
    record: RecordSettings,
    replaces_default: bool,
}

/// One layer that decides anything.
#[derive(Debug)]
pub(super) struct PlannedLayer {
    pub(super) name: Arc<str>,
    pub(super) policy: Arc<str>,
    pub(super) scope: ScopeVerdict,
    pub(super) default: Verdict,
    pub(super) mode: Enforcement,
    /// Sorted by id.
    pub(super) rules: Vec<PlannedRule>,
}

/// A tool under the policies in force. Shared by all its calls, from any thread.
#[derive(Debug)]
pub struct ToolPlan {
    pub(super) source: Arc<str>,
    pub(super) name: Arc<str>,
    described: Described,
    redaction: Arc<Redaction>,
    /// Arguments that a yes does not bind.
    pub(super) volatile: BTreeSet<Arc<str>>,
    version: [u8; 32],
    mode: Enforcement,
    pub(super) layers: Vec<PlannedLayer>,
    /// Of all layers.
    limits: Vec<PlannedLimit>,
    /// What holds where no layer decides anything.
    nothing: Decision,
    /// One for each layer, in the modes of policies and code.
    ladders: Vec<Ladder>,
    /// The same for calls that ask for `step_up`, `progressive` and `block`, built at the first such call.
    tightened: [OnceLock<Vec<Ladder>>; 3],
    failures: Arc<AtomicU64>,
    asks_session: bool,
    /// What of its results the session then knows.
    facts: Box<[FactDetector]>,
}

impl ToolPlan {
    pub(super) fn new(layers: &Layers, spec: &ToolSpec) -> Result<Self, Error> {
        if spec.name.is_empty() || spec.source.is_empty() {
            return Err(Error::new(ErrorCode::ToolInvalid, "a tool has no name or no source"));
        }
        if spec.source == PROGRAM_SOURCE && spec.name.starts_with("mcp:") {
            // every rule that names it would speak of a server's tool, and none of this one
            let message = format!(
                "a function of the program cannot be called `{}`: policies mean the tool of a server by that",
                spec.name
            );
            let error = Error::new(ErrorCode::ToolInvalid, message).with("tool", &spec.name);
            return Err(error.with("suggestion", "give it a name without `mcp:`"));
        }
        tool::check_tags(layers, spec)?;
        let found: Vec<(Known, Vec<&CompiledRule>)> = layers
            .layers
            .iter()
            .map(|layer| {
                let known = Known::new(&layer.policy, spec);
                let rules = layer.policy.rules_of(spec, &known);
                (known, rules)
            })
            .collect();
        let described = tool::describe(layers, spec, &found);
        let facts = learning::facts(layers, spec, &described.tags)?;
        let mut planned = Vec::new();
        let mut limits = Vec::new();
        for (layer, (known, rules)) in layers.layers.iter().zip(&found) {
            if layer.policy.decides() {
                let arguments = tool::arguments(&layer.policy, spec);
                limited::plan(layers, layer, spec, known, arguments.as_ref(), &mut limits)?;
                planned.push(plan_layer(layers, layer, spec, rules, described.record)?);
            }
        }
        let mut plan = Self {
            source: Arc::from(&*spec.source),
            name: Arc::from(&*spec.name),
            nothing: nothing(layers, described.record),
            described,
            redaction: Arc::clone(&layers.redaction),
            volatile: asking::volatile(layers.layers.iter().map(|layer| &*layer.policy), spec),
            version: layers.version,
            mode: layers.enforcement(),
            layers: planned,
            limits,
            ladders: Default::default(),
            tightened: Default::default(),
            failures: Arc::clone(&layers.failures),
            asks_session: false,
            facts,
        };
        let rules = plan.layers.iter().flat_map(|layer| &layer.rules);
        plan.asks_session = rules.map(|rule| &rule.conditions).any(Conditions::ask_session);
        plan.ladders = plan.build_ladders(None);
        Ok(plan)
    }

    /// Decides one call. `mode` is what the call asks for and can only tighten.
    #[must_use]
    pub fn decide(&self, facts: &Facts<'_>, mode: Option<Enforcement>) -> Cow<'_, Decision> {
        self.decide_counting(facts, mode, &self.failures)
    }

    /// Decides a call that people were asked about and let run: whatever asks them lets it run, and what decides is the strictest of
    /// that and of drafts, which would have stopped it. Counts no failure: the call was decided before.
    #[must_use]
    pub fn decide_let_run(&self, facts: &Facts<'_>, mode: Option<Enforcement>) -> Decision {
        let ladders = self.ladders_in(mode.unwrap_or(Enforcement::Observe));
        let ladders: Vec<Ladder> = ladders.iter().map(Ladder::let_run).collect();
        ladder::decide(&ladders, facts, &AtomicU64::new(0)).map_or_else(|| self.nothing.clone(), Cow::into_owned)
    }

    /// Decides as [`ToolPlan::decide`] does and counts nothing: for a question, not a call.
    #[must_use]
    pub fn preview(&self, facts: &Facts<'_>, mode: Option<Enforcement>) -> Cow<'_, Decision> {
        self.decide_counting(facts, mode, &AtomicU64::new(0))
    }

    /// Decides one call and counts conditions that fail in `failures`.
    pub(super) fn decide_counting(
        &self,
        facts: &Facts<'_>,
        mode: Option<Enforcement>,
        failures: &AtomicU64,
    ) -> Cow<'_, Decision> {
        let ladders = self.ladders_in(mode.unwrap_or(Enforcement::Observe));
        ladder::decide(ladders, facts, failures).unwrap_or(Cow::Borrowed(&self.nothing))
    }

    /// Tells how a call is decided: every rule that speaks of the tool, and why it matched or not. Counts no failure.
    #[must_use]
    pub fn explain(&self, facts: &Facts<'_>, mode: Option<Enforcement>) -> Explanation {
        explain::explain(self, facts, mode)
    }

    /// A refusal that no mode loosens: for what could not be captured, recorded or trusted.
    #[must_use]
    pub fn refusal(&self, code: ReasonCode, detail: Option<Arc<str>>) -> Decision {
        let mut decision = Decision::refusal(code, detail, self.version, self.mode);
        decision.record = self.described.record;
        decision
    }

    /// Where the tool comes from.
    #[must_use]
    pub const fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// The tool's own name.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Tags of all policies and the code together, sorted.
    #[must_use]
    pub fn tags(&self) -> &[Arc<str>] {
        &self.described.tags
    }

    /// The highest risk that anybody said of it.
    #[must_use]
    pub const fn risk(&self) -> Option<Risk> {
        self.described.risk
    }

    /// The system it acts on.
    #[must_use]
    pub const fn connector(&self) -> Option<&Arc<str>> {
        self.described.connector.as_ref()
    }

    /// What it does there.
    #[must_use]
    pub const fn action(&self) -> Option<&Arc<str>> {
        self.described.action.as_ref()
    }

    /// What is taken out before anything is recorded.
    #[must_use]
    pub const fn redaction(&self) -> &Arc<Redaction> {
        &self.redaction
    }

    /// How its calls are recorded; a rule can say otherwise for the calls it decides ([`Decision::record`]).
    #[must_use]
    pub const fn record(&self) -> RecordSettings {
        self.described.record
    }

    /// What happens to a call that cannot be decided or recorded.
    #[must_use]
    pub const fn fail_mode(&self) -> FailMode {
        self.described.fail_mode
    }

    /// The policies' version.
    #[must_use]
    pub const fn policy_version(&self) -> [u8; 32] {
        self.version
    }

    /// Whether the scopes of all policies let it run at all.
    #[must_use]
    pub fn is_in_scope(&self) -> bool {
        self.layers.iter().all(|layer| layer.scope != ScopeVerdict::Outside)
    }

    /// What is looked for in its results, for the session to know.
    #[must_use]
    pub const fn facts(&self) -> &[FactDetector] {
        &self.facts
    }

    /// The limits that speak of it.
    pub(crate) fn limits(&self) -> &[PlannedLimit] {
        &self.limits
    }

    /// Whether a rule of it asks the session for anything.
    #[must_use]
    pub const fn asks_session(&self) -> bool {
        self.asks_session
    }

    /// How many rules of all layers speak of it.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.layers.iter().map(|layer| layer.rules.len()).sum()
    }

    /// The ladders for a call that asks for `mode`, built at the first such call.
    pub(super) fn ladders_in(&self, mode: Enforcement) -> &[Ladder] {
        let [step_up, progressive, block] = &self.tightened;
        let place = match mode {
            Enforcement::Observe => return &self.ladders,
            Enforcement::StepUp => step_up,
            Enforcement::Progressive => progressive,
            Enforcement::Block => block,
        };
        place.get_or_init(|| self.build_ladders(Some(mode)))
    }

    fn build_ladders(&self, mode: Option<Enforcement>) -> Vec<Ladder> {
        self.layers.iter().map(|layer| self.build_ladder(layer, mode)).collect()
    }

    fn build_ladder(&self, layer: &PlannedLayer, asked: Option<Enforcement>) -> Ladder {
        let raised = |mode: Enforcement| asked.map_or(mode, |asked| mode.max(asked));
        let mode = raised(layer.mode);
        let decision = |verdict, code, reason: Option<Arc<str>>| Decision {
            verdict,
            effect: mode.effect(verdict),
            reason_code: code,
            reason,
            reason_for_agent: None,
            rules: Arc::from([]),
            policy: self.version,
            enforcement: mode,
            detail: None,
            limit: None,
            record: self.described.record,
        };
        let outside = (layer.scope == ScopeVerdict::Outside).then(|| {
            let reason = format!("`{}` is not in the scope of the policy `{}`", self.name, layer.policy);
            decision(Verdict::Deny, ReasonCode::OutOfScope, Some(Arc::from(reason)))
        });
        let reason = (layer.default != Verdict::Allow).then(|| {
            let default = layer.default.as_str();
            Arc::from(format!("no rule of the policy `{}` matched, and its default is {default}", layer.policy))
        });
        let steps = layer.rules.iter().map(|rule| {
            let mode = raised(rule.mode);
            let alone = Decision {
                verdict: rule.verdict,
                effect: mode.effect(rule.verdict),
                reason_code: ReasonCode::Rule,
                reason: rule.reason.clone(),
                reason_for_agent: rule.reason_for_agent.clone(),
                rules: Arc::from([Arc::clone(&rule.id)]),
                policy: self.version,
                enforcement: mode,
                detail: None,
                limit: None,
                record: rule.record,
            };
            Step::new(rule.conditions.clone(), alone, rule.replaces_default)
        });
        Ladder::new(outside, decision(layer.default, ReasonCode::Default, reason), steps.collect())
    }
}

fn plan_layer(
    layers: &Layers,
    layer: &Layer,
    spec: &ToolSpec,
    rules: &[&CompiledRule],
    record: RecordSettings,
) -> Result<PlannedLayer, Error> {
    let policy = &layer.policy;
    let mode = layers.mode(policy);
    let arguments = tool::arguments(policy, spec);
    asking::check_names(layer, spec, arguments.as_ref(), rules)?;
    let mut planned = Vec::with_capacity(rules.len());
    for compiled in rules {
        let rule = &compiled.rule;
        let conditions = match (&arguments, &compiled.conditions) {
            (None, Some(conditions)) => conditions.clone(),
            _ => compile_rule(rule, arguments.as_ref(), &policy.lists)
                .map_err(|refused| unfit(layer, spec, rule.id(), &refused))?,
        };
        let id = Arc::from(format!("{}/{}", layer.name, rule.id()));
        planned.push(PlannedRule {
            approval: RuleTerms::of(&id, compiled),
            id,
            verdict: rule.verdict(),
            mode: rule.enforcement.map_or(mode, |own| layers.options.enforcement.map_or(own, |asked| own.max(asked))),
            conditions,
            reason: rule.reason.as_ref().map(|text| Arc::clone(&text.0)),
            reason_for_agent: rule.reason_for_agent.as_ref().map(|text| Arc::clone(&text.0)),
            record: rule.record.as_ref().map_or(record, |own| tool::over(record, own)),
            // compared as written: code that tightens both must not turn a draft into an exception from the default
            replaces_default: rule.enforcement.unwrap_or(policy.enforcement) >= policy.enforcement,
        });
    }
    Ok(PlannedLayer {
        name: Arc::clone(&layer.name),
        policy: Arc::clone(&policy.name),
        scope: tool::scope(policy, spec),
        default: policy.default_verdict(),
        mode,
        rules: planned,
    })
}

/// A rule that cannot be decided on the tool's arguments.
fn unfit(layer: &Layer, spec: &ToolSpec, id: &str, refused: &[Refused<'_>]) -> Error {
    let id = format!("{}/{id}", layer.name);
    let Some((key, _, error)) = refused.first() else {
        return Error::new(ErrorCode::PolicyCondition, format!("rule `{id}` does not fit the tool `{}`", spec.name));
    };
    let message = format!("`{key}` of rule `{id}` does not fit the tool `{}`: {}", spec.name, error.message);
    let error_out = Error::new(ErrorCode::PolicyCondition, message).with("tool", &spec.name).with("rule", id);
    match &error.suggestion {
        Some(suggestion) => error_out.with("suggestion", suggestion),
        None => error_out,
    }
}

/// What holds where no layer decides anything.
fn nothing(layers: &Layers, record: RecordSettings) -> Decision {
    let mut decision = layers.refusal(ReasonCode::NoPolicy, None);
    decision.record = record;
    if !layers.options.require_policy {
        decision.verdict = Verdict::Allow;
        decision.effect = super::decision::Effect::Run;
    }
    decision
}
