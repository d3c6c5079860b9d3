//! Rules and limits that can never match, found at load. What the conditions themselves rule out is found where they are compiled.

use super::compiled::Policy;
use super::document::Rule;
use super::pattern::{Bare, ToolPattern};
use super::problem::{At, Problems};
use super::read::Placed;
use super::suggest::did_you_mean;
use crate::decide::{Enforcement, Verdict};
use crate::error::ErrorCode;
use std::cell::Cell;
use std::collections::HashMap;

/// How many steps of comparing patterns with each other a policy may need: about a second's worth.
const STEPS: u64 = 50_000_000;

/// What is left of them.
#[derive(Debug)]
struct Steps(Cell<u64>);

impl Steps {
    /// Pays for comparing two patterns; `false` once too many were compared.
    fn pay(&self, one: &ToolPattern, two: &ToolPattern) -> bool {
        // patterns that begin differently are told apart at once
        let cost = if one.begins_unlike(two) { 1 } else { one.text().len().saturating_mul(two.text().len()) };
        self.take(u64::try_from(cost).unwrap_or(u64::MAX))
    }

    fn take(&self, steps: u64) -> bool {
        self.0.set(self.0.get().saturating_sub(steps));
        self.0.get() > 0
    }

    const fn used_up(&self) -> bool {
        self.0.get() == 0
    }
}

/// Notes every rule and every limit that can never match.
pub(crate) fn check(policy: &Policy, out: &mut Problems) {
    let steps = Steps(Cell::new(STEPS));
    let scope = policy.scope.as_deref().map(Scope::new);
    if let Some(scope) = &scope {
        tools_outside_scope(policy, scope, &steps, out);
    }
    let walls = Walls::new(policy);
    for rule in &policy.rules {
        let any = empty_selectors(&rule.rule, "rule", out);
        if !any {
            let message = format!("rule `{}` can never match: it selects no tools", rule.rule.id());
            never(out, &rule.at, message, "for all tools write `tools: [\"*\"]`");
        }
        from_anywhere(&rule.rule, out);
        if let Some(scope) = &scope {
            outside_scope(&rule.rule, "rule", scope, &steps, out);
        }
        allow_under_allow(&rule.rule, policy, out);
        shadowed(&rule.rule, &rule.at, "rule", policy, &walls, &steps, out);
        if steps.used_up() {
            let message = "the policy has too many patterns to tell which rules can never match";
            out.instead(&rule.at, message, "name tools one by one, or use tags");
            return;
        }
    }
    for limit in &policy.limits {
        let noun = limit.kind.noun();
        empty_selectors(&limit.rule, noun, out);
        if let Some(scope) = &scope {
            outside_scope(&limit.rule, noun, scope, &steps, out);
        }
        shadowed(&limit.rule, &limit.at, noun, policy, &walls, &steps, out);
        if steps.used_up() {
            let message = "the policy has too many patterns to tell which limits can never match";
            out.instead(&limit.at, message, "name tools one by one, or use tags");
            return;
        }
    }
}

fn never(out: &mut Problems, at: &At, message: String, suggestion: &str) {
    out.push(ErrorCode::PolicyUnreachable, at, message, Some(suggestion.to_owned()));
}

/// Notes selectors that select nothing; whether there is any selector.
fn empty_selectors(rule: &Rule, noun: &str, out: &mut Problems) -> bool {
    let id = rule.id();
    let mut any = false;
    let mut look = |name: &str, list: Option<(&At, usize)>| {
        let Some((at, entries)) = list else {
            return;
        };
        any = true;
        if entries == 0 {
            let message = format!("{noun} `{id}` can never match: its `{name}` is empty");
            never(out, at, message, "name at least one, or leave the key out");
        }
    };
    look("tools", rule.tools.as_ref().map(|list| (&list.at, list.value.len())));
    look("tags", rule.tags.as_ref().map(|list| (&list.at, list.value.len())));
    look("risk", rule.risk.as_ref().map(|list| (&list.at, list.value.len())));
    look("connectors", rule.connectors.as_ref().map(|list| (&list.at, list.value.len())));
    look("actions", rule.actions.as_ref().map(|list| (&list.at, list.value.len())));
    any
}

fn from_anywhere(rule: &Rule, out: &mut Problems) {
    let id = rule.id();
    if rule.verdict() == Verdict::Allow {
        let tools = rule.tools.iter().flat_map(|list| &list.value);
        for pattern in tools.filter(|pattern| pattern.has_open_source()) {
            let message = format!("rule `{id}` allows tools from any source that `{}` fits", pattern.text());
            out.instead(&pattern.at, message, "write out each source that is trusted");
        }
    }
}

/// The scope, names apart from patterns.
struct Scope<'p> {
    exact: HashMap<&'p str, Vec<&'p ToolPattern>>,
    patterns: Vec<&'p ToolPattern>,
}

impl<'p> Scope<'p> {
    fn new(scope: &'p [Placed<ToolPattern>]) -> Self {
        let mut new = Self { exact: HashMap::new(), patterns: Vec::new() };
        for pattern in scope {
            match pattern.exact_name() {
                Some(name) => new.exact.entry(name).or_default().push(&pattern.value),
                None => new.patterns.push(&pattern.value),
            }
        }
        new
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let named = self.exact.values().flatten();
        named.chain(&self.patterns).map(|pattern| &**pattern.text())
    }

    fn admits_some(&self, pattern: &ToolPattern, bare: Bare, steps: &Steps) -> bool {
        // once too many were compared the policy is refused, whatever comes out here
        let meets =
            |admitted: &ToolPattern| !steps.pay(admitted, pattern) || admitted.overlaps(Bare::Program, pattern, bare);
        let by_name = match pattern.exact_name() {
            Some(name) => self.exact.get(name).is_some_and(|list| list.iter().any(|admitted| meets(admitted))),
            None => self.exact.values().flatten().any(|admitted| meets(admitted)),
        };
        by_name || self.patterns.iter().any(|admitted| meets(admitted))
    }
}

fn outside_scope(rule: &Rule, noun: &str, scope: &Scope<'_>, steps: &Steps, out: &mut Problems) {
    for pattern in rule.tools.iter().flat_map(|list| &list.value) {
        if !scope.admits_some(pattern, rule.bare(), steps) {
            let message =
                format!("{noun} `{}` can never match `{}`: it is outside the scope", rule.id(), pattern.text());
            never(out, &pattern.at, message, "add the tool to `scope`, or take it out of the rule");
        }
    }
}

/// What is said of a tool that is never called is a slip in its name: the rules that were to select the tool by it do not.
fn tools_outside_scope(policy: &Policy, scope: &Scope<'_>, steps: &Steps, out: &mut Problems) {
    for entry in policy.tools.entries() {
        if !scope.admits_some(&entry.pattern, Bare::Any, steps) {
            let text = entry.pattern.text();
            let near = did_you_mean(text, scope.texts());
            let suggestion = near.unwrap_or_else(|| "add it to `scope`, or take it out of `tools`".to_owned());
            never(out, &entry.at, format!("the tool `{text}` is outside the scope"), &suggestion);
        }
    }
}

fn allow_under_allow(rule: &Rule, policy: &Policy, out: &mut Problems) {
    if policy.default_verdict() != Verdict::Allow || rule.verdict() != Verdict::Allow {
        return;
    }
    if let Some(decision) = &rule.decision {
        let message = format!("rule `{}` can never matter: it allows what is allowed by default", rule.id());
        never(out, &decision.at, message, "write `default: deny`, or take the rule out");
    }
}

/// Rules that deny without a condition, by the tools they name.
struct Walls<'p> {
    by_name: HashMap<&'p str, Vec<&'p Rule>>,
    others: Vec<&'p Rule>,
}

impl<'p> Walls<'p> {
    fn new(policy: &'p Policy) -> Self {
        let mut new = Self { by_name: HashMap::new(), others: Vec::new() };
        for rule in policy.rules.iter().map(|rule| &rule.rule).filter(|rule| is_wall(rule)) {
            let names: Option<Vec<_>> =
                rule.tools.as_ref().map(|list| list.value.iter().filter_map(|pattern| pattern.exact_name()).collect());
            let patterns = rule.tools.as_ref().map_or(0, |list| list.value.len());
            match names {
                Some(names) if names.len() == patterns => {
                    for name in names {
                        new.by_name.entry(name).or_default().push(rule);
                    }
                }
                _ => new.others.push(rule),
            }
        }
        new
    }
}

fn is_wall(rule: &Rule) -> bool {
    rule.verdict() == Verdict::Deny && rule.when.is_none() && rule.unless.is_none()
}

fn shadowed(rule: &Rule, at: &At, noun: &str, policy: &Policy, walls: &Walls<'_>, steps: &Steps, out: &mut Problems) {
    // a limit reads like a wall, but stops only some calls
    if noun == "rule" && is_wall(rule) {
        return;
    }
    // a wall that names tools one by one can only cover a rule that does so too: its first name leads to it
    let first = rule.tools.as_ref().and_then(|list| list.value.first()).and_then(|pattern| pattern.exact_name());
    let named = first.and_then(|name| walls.by_name.get(name)).into_iter().flatten();
    let wall = named.chain(&walls.others).find(|wall| covers(wall, rule, policy.enforcement, steps));
    if let Some(wall) = wall {
        let message = format!("{noun} `{}` can never matter: `{}` denies all its calls", rule.id(), wall.id());
        never(out, at, message, "narrow the one, or take the other out");
    }
}

/// Whether every call that `rule` speaks of is denied by `wall` at least as strictly.
fn covers(wall: &Rule, rule: &Rule, enforcement: Enforcement, steps: &Steps) -> bool {
    let mode = |rule: &Rule| rule.enforcement.unwrap_or(enforcement);
    steps.take(1)
        && mode(wall) >= mode(rule)
        && (rule.tools.is_none() && is_everything(wall)
            || within(&rule.tools, &wall.tools, |pattern, wider| {
                steps.pay(wider, pattern) && wider.covers(wall.bare(), pattern, rule.bare())
            }))
        && within(&rule.tags, &wall.tags, |tag, other| steps.take(1) && tag.value == other.value)
        && within(&rule.risk, &wall.risk, |risk, other| steps.take(1) && risk == other)
        && within(&rule.connectors, &wall.connectors, |name, other| steps.take(1) && name == other)
        && within(&rule.actions, &wall.actions, |name, other| steps.take(1) && name == other)
}

/// Whether a wall's selector takes all tools.
fn is_everything(wall: &Rule) -> bool {
    wall.tools.iter().flat_map(|list| &list.value).any(|pattern| &**pattern.text() == "*")
}

/// Whether what the rule selects is selected by the wall: a selector that the wall does not have selects everything.
fn within<T>(rule: &Option<Placed<Vec<T>>>, wall: &Option<Placed<Vec<T>>>, covered: impl Fn(&T, &T) -> bool) -> bool {
    match (rule, wall) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(rule), Some(wall)) => rule.value.iter().all(|one| wall.value.iter().any(|other| covered(one, other))),
    }
}
