//! The rules of one tool in the order in which they can decide, and the walk down it that decides a call.
//!
//! Each rule that matches, the scope and the default ask for a verdict, of which their mode makes an effect. What is
//! strictest by effect, then by verdict, wins: that is its tier. Two properties follow and are tested: the order of rules
//! means nothing, and adding a layer or a deny rule never loosens.

use super::decision::{Decision, Effect, Enforcement, ReasonCode, Verdict};
use crate::condition::{Condition as _, Facts, Outcome};
use crate::policy::Conditions;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How strict an answer is: by what happens, then by what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tier(u8);

impl Tier {
    pub(super) const LOWEST: Self = Self(0);

    const fn of(decision: &Decision) -> Self {
        Self::new(decision.effect, decision.verdict)
    }

    pub(super) const fn new(effect: Effect, verdict: Verdict) -> Self {
        let effect = match effect {
            Effect::Run => 0,
            Effect::Asked => 3,
            Effect::Refused => 6,
        };
        Self(effect + verdict as u8)
    }
}

/// One rule.
#[derive(Debug)]
pub(super) struct Step {
    tier: Tier,
    pub(super) conditions: Conditions,
    /// Whether the default gives way to it: a rule that the policy enforces less than itself does not replace it.
    replaces_default: bool,
    /// The decision if it is the only one to decide.
    pub(super) alone: Decision,
}

impl Step {
    pub(super) const fn new(conditions: Conditions, alone: Decision, replaces_default: bool) -> Self {
        Self { tier: Tier::of(&alone), conditions, replaces_default, alone }
    }

    /// Whether it matches; `Some(detail)` inside where it does because a condition failed.
    pub(super) fn matches(&self, facts: &Facts<'_>, failures: &AtomicU64) -> Match {
        let count = || failures.fetch_add(1, Ordering::Relaxed);
        let allows = self.alone.verdict == Verdict::Allow;
        let mut failed = None;
        if let Some(when) = &self.conditions.when {
            match when.evaluate(facts) {
                Outcome::True => {}
                Outcome::False => return Match::No("its `when` does not hold"),
                Outcome::Failed(part) => {
                    count();
                    if allows {
                        return Match::Unsafe(part);
                    }
                    failed = Some(part);
                }
            }
        }
        if let Some(unless) = &self.conditions.unless {
            match unless.evaluate(facts) {
                Outcome::True => return Match::No("its `unless` holds"),
                Outcome::False => {}
                Outcome::Failed(part) => {
                    count();
                    if allows {
                        return Match::Unsafe(part);
                    }
                    failed = failed.or(Some(part));
                }
            }
        }
        failed.map_or(Match::Yes, Match::Failed)
    }
}

/// Whether a rule matches a call.
#[derive(Debug)]
pub(super) enum Match {
    /// It does.
    Yes,
    /// It does not, and why.
    No(&'static str),
    /// It does, since a condition failed and the rule stops calls: the part that failed.
    Failed(Arc<str>),
    /// It does not, since a condition failed and the rule lets calls through: the part that failed.
    Unsafe(Arc<str>),
}

/// One layer's rules for one tool under one mode.
#[derive(Debug)]
pub(super) struct Ladder {
    /// The refusal of a tool outside the scope; the default has no say then.
    pub(super) outside: Option<Decision>,
    /// What holds where no rule matches.
    pub(super) default: Decision,
    /// Strictest tier first, by id within a tier.
    pub(super) steps: Vec<Step>,
}

impl Ladder {
    pub(super) fn new(outside: Option<Decision>, default: Decision, mut steps: Vec<Step>) -> Self {
        // stable: rules come sorted by id
        steps.sort_by_key(|step| std::cmp::Reverse(step.tier));
        Self { outside, default, steps }
    }

    /// The same for a call that people let run: what asks them stops nothing any more, and drafts may say more of the call than it does.
    pub(super) fn let_run(&self) -> Self {
        let run = |decision: &Decision| match decision.effect {
            Effect::Asked => Decision { effect: Effect::Run, ..decision.clone() },
            _ => decision.clone(),
        };
        let steps = self.steps.iter();
        let steps = steps.map(|step| Step::new(step.conditions.clone(), run(&step.alone), step.replaces_default));
        Self::new(self.outside.as_ref().map(run), run(&self.default), steps.collect())
    }

    /// Adds what this layer asks for, if nothing stricter was asked for before.
    fn walk<'p>(&'p self, facts: &Facts<'_>, failures: &AtomicU64, hits: &mut Hits<'p>) {
        let floor = self.outside.as_ref().map(|decision| (Tier::of(decision), decision));
        let fallback = Tier::of(&self.default);
        let mut replaced = floor.is_some();
        let mut matched: Option<Tier> = None;
        for step in &self.steps {
            if floor.is_some_and(|(tier, _)| step.tier <= tier) {
                break;
            }
            let counts = step.tier >= hits.tier && matched.is_none_or(|tier| tier == step.tier);
            let open = !replaced && fallback >= hits.tier && matched.is_none_or(|tier| fallback > tier);
            if !counts && !open {
                break;
            }
            if !counts && !step.replaces_default {
                continue;
            }
            let failed = match step.matches(facts, failures) {
                Match::No(_) | Match::Unsafe(_) => continue,
                Match::Yes => None,
                Match::Failed(part) => Some(part),
            };
            // a rule that only failed must not take a stricter default's place
            replaced |= step.replaces_default && failed.is_none();
            if counts {
                matched = Some(step.tier);
                hits.add(step.tier, Hit { decision: &step.alone, failed });
            } else if matched.is_none() {
                // matches below what another layer asks for: only keeps this layer's default out
                matched = Some(step.tier);
            }
        }
        if let Some((tier, decision)) = floor {
            hits.add(tier, Hit { decision, failed: None });
        } else if !replaced && matched.is_none_or(|tier| fallback > tier) {
            hits.add(fallback, Hit { decision: &self.default, failed: None });
        }
    }
}

/// One answer of the winning tier.
#[derive(Debug, Clone)]
struct Hit<'p> {
    decision: &'p Decision,
    failed: Option<Arc<str>>,
}

impl Hit<'_> {
    /// Which answer gives the reason, the smallest first; then the id decides.
    const fn rank(&self) -> u8 {
        match (self.decision.reason_code, &self.failed) {
            (ReasonCode::OutOfScope, _) => 0,
            (ReasonCode::Rule, None) => 1,
            (ReasonCode::Rule, Some(_)) => 2,
            _ => 3,
        }
    }
}

/// The answers of the strictest tier so far.
#[derive(Debug)]
struct Hits<'p> {
    tier: Tier,
    first: Option<Hit<'p>>,
    more: Vec<Hit<'p>>,
}

impl<'p> Hits<'p> {
    fn add(&mut self, tier: Tier, hit: Hit<'p>) {
        if tier < self.tier {
            return;
        }
        if tier > self.tier || self.first.is_none() {
            self.tier = tier;
            self.first = Some(hit);
            self.more.clear();
        } else {
            self.more.push(hit);
        }
    }
}

/// Decides one call by all layers together; `None` without any layer.
pub(super) fn decide<'p>(ladders: &'p [Ladder], facts: &Facts<'_>, failures: &AtomicU64) -> Option<Cow<'p, Decision>> {
    let mut hits = Hits { tier: Tier::LOWEST, first: None, more: Vec::new() };
    for ladder in ladders {
        ladder.walk(facts, failures, &mut hits);
    }
    let first = hits.first?;
    if hits.more.is_empty() && first.failed.is_none() {
        return Some(Cow::Borrowed(first.decision));
    }
    hits.more.push(first);
    Some(together(hits.more))
}

/// The decision that several answers of one tier make together: all rules are named, the first gives the reason.
fn together(mut hits: Vec<Hit<'_>>) -> Cow<'_, Decision> {
    hits.sort_by(|one, two| one.rank().cmp(&two.rank()).then_with(|| one.decision.rules.cmp(&two.decision.rules)));
    let mut rules: Vec<Arc<str>> = hits.iter().flat_map(|hit| hit.decision.rules.iter().cloned()).collect();
    rules.sort();
    rules.dedup();
    let by_rules = hits.iter().filter(|hit| !hit.decision.rules.is_empty());
    let record = by_rules.map(|hit| hit.decision.record).reduce(super::RecordSettings::strictest);
    let Some(first) = hits.first() else {
        return Cow::Owned(Decision::refusal(ReasonCode::Internal, None, [0; 32], Enforcement::Block));
    };
    if first.failed.is_none() && first.decision.rules.len() == rules.len() {
        return Cow::Borrowed(first.decision);
    }
    let mut decision = first.decision.clone();
    if let Some(part) = &first.failed {
        decision.reason_code = ReasonCode::ConditionFailed;
        let rule = decision.rules.first().map_or("", |rule| rule);
        decision.detail = Some(Arc::from(format!("rule `{rule}`: {part}")));
    }
    decision.rules = rules.into();
    decision.record = record.unwrap_or(decision.record);
    Cow::Owned(decision)
}
