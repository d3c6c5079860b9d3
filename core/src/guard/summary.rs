//! What a guard says of itself when it starts: one line of what is in force.

use super::Guard;
use crate::decide::{Enforcement, Layers, Verdict};
use std::sync::Arc;

/// What is in force, for the line that is logged at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Names of the policies beside the built-in one.
    pub policies: Vec<Arc<str>>,
    /// The mode in force.
    pub enforcement: Enforcement,
    /// Rules of all layers.
    pub rules: usize,
    /// Budgets, rate limits and limits on loops of all layers.
    pub limits: usize,
    /// What decides calls, in words: such as `2 rules, 1 limit, a scope`.
    pub in_force: String,
    /// What a careful operator must not overlook.
    pub warning: Option<&'static str>,
}

impl Guard {
    /// What is in force.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let layers = &*self.layers;
        Summary {
            policies: layers.describe().into_iter().map(|layer| layer.name).collect(),
            enforcement: layers.enforcement(),
            rules: layers.rule_count(),
            limits: layers.limit_count(),
            in_force: in_force(layers),
            warning: warning(layers),
        }
    }
}

fn in_force(layers: &Layers) -> String {
    let counted = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    let mut parts = vec![counted(layers.rule_count(), "rule")];
    if layers.limit_count() > 0 {
        parts.push(counted(layers.limit_count(), "limit"));
    }
    if layers.is_scoped() {
        parts.push("a scope".to_owned());
    }
    if layers.default_verdict() != Verdict::Allow {
        parts.push(format!("default {}", layers.default_verdict().as_str()));
    }
    parts.join(", ")
}

fn warning(layers: &Layers) -> Option<&'static str> {
    if layers.enforcement() == Enforcement::Observe {
        return Some("it only observes: every call runs");
    }
    if !layers.decides() {
        return Some(match (layers.requires_policy(), layers.describe().is_empty()) {
            (true, true) => "no policy is configured: every call is refused",
            (true, false) => "the policy decides nothing: every call is refused",
            (false, true) => "no policy is configured: every call is allowed and recorded",
            (false, false) => "the policy decides nothing: every call is allowed and recorded",
        });
    }
    let restricts = layers.rule_count() + layers.limit_count() > 0 || layers.is_scoped();
    let allows = !restricts && layers.default_verdict() == Verdict::Allow;
    allows.then_some("the policy refuses nothing: it has no rule, limit or scope, and allows by default")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{Layer, Options};
    use crate::policy;

    fn said(policies: &[&str], require_policy: bool) -> (String, Option<&'static str>) {
        let layer = |(number, text): (usize, &&str)| Layer {
            name: Arc::from(format!("layer-{number}")),
            policy: Arc::new(policy::load("policy.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))),
        };
        let given = policies.iter().enumerate().map(layer).collect();
        let layers = Layers::new(given, Options { enforcement: None, require_policy }).unwrap();
        (in_force(&layers), warning(&layers))
    }

    #[test]
    fn what_is_in_force_is_named_whatever_it_is() {
        let rule = "version: 1\nrules: [{id: r, tools: [f], decision: deny}]";
        let limits = "version: 1\nloops: {same_call: 3, window: 1m}\nrate_limits: [{id: l, calls: 2, window: 1m}]";
        let cases: [(&[&str], &str); 6] = [
            (&[rule], "1 rule"),
            (&[limits], "0 rules, 2 limits"),
            (&["version: 1\nscope: []"], "0 rules, a scope"),
            (&["version: 1\ndefault: deny"], "0 rules, default deny"),
            (&["version: 1\ndefault: require_approval", rule], "1 rule, default require_approval"),
            (&[rule, rule, "version: 1\nscope: [f]", limits], "2 rules, 2 limits, a scope"),
        ];
        for (policies, expected) in cases {
            assert_eq!(said(policies, false), (expected.to_owned(), None), "{policies:?}");
        }
    }

    #[test]
    fn what_lets_everything_run_is_loud() {
        let cases: [(&[&str], bool, &str); 6] = [
            (&[], false, "no policy is configured: every call is allowed and recorded"),
            (&[], true, "no policy is configured: every call is refused"),
            (&["version: 1\nname: p"], false, "the policy decides nothing: every call is allowed and recorded"),
            (&["version: 1\nname: p"], true, "the policy decides nothing: every call is refused"),
            (
                &["version: 1\ndefault: allow"],
                true,
                "the policy refuses nothing: it has no rule, limit or scope, and allows by default",
            ),
            (&["version: 1\nenforcement: observe\ndefault: deny"], false, "it only observes: every call runs"),
        ];
        for (policies, required, expected) in cases {
            assert_eq!(said(policies, required).1, Some(expected), "{policies:?}");
        }
    }
}
