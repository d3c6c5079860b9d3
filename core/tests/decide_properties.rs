//! What holds of every decision, whatever the policy: order means nothing, and nothing that is added loosens.

#![cfg(test)]

use counterseal::call::{PROGRAM_SOURCE, ToolSpec};
use counterseal::condition::Facts;
use counterseal::decide::{Decision, Effect, Enforcement, Layer, Layers, Options, Verdict};
use counterseal::policy;
use counterseal::value::Value;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::sync::Arc;

/// How a condition comes out on [`args`].
#[derive(Debug, Clone, Copy, PartialEq)]
enum Truth {
    Yes,
    No,
    Fails,
}

#[derive(Debug, Clone)]
struct Rule {
    id: u32,
    decision: Verdict,
    selector: usize,
    when: Truth,
    unless: Option<Truth>,
    enforcement: Option<Enforcement>,
}

#[derive(Debug, Clone)]
struct Doc {
    default: Option<Verdict>,
    enforcement: Enforcement,
    may_loosen: bool,
    scoped: Option<bool>,
    rules: Vec<Rule>,
}

/// All of them select the tool of [`decide`].
const SELECTORS: [&str; 5] =
    ["tools: [pay]", "tools: ['p*', other]", "tags: [money]", "risk: [high]", "tools: ['?ay'], tags: [money, x]"];

fn condition(truth: Truth) -> &'static str {
    match truth {
        Truth::Yes => "args.yes > 0",
        Truth::No => "args.no > 0",
        Truth::Fails => "args.fails > 0",
    }
}

fn args() -> Value<'static> {
    let truths =
        vec![("fails".into(), Value::Str("text".into())), ("no".into(), Value::Int(0)), ("yes".into(), Value::Int(1))];
    let mut args = truths.clone();
    args.insert(2, ("too".into(), Value::Map(truths)));
    Value::Map(args)
}

fn text(doc: &Doc) -> String {
    // of a tool outside the scope a policy may say nothing; then its tag is the code's
    let classified = if doc.scoped == Some(false) { "xay" } else { "pay" };
    let mut text = format!("version: 1\ntools: {{{classified}: {{tags: [money], risk: high}}}}\n");
    let _ = writeln!(text, "enforcement: {}\nmay_loosen: {}", doc.enforcement.as_str(), doc.may_loosen);
    if let Some(default) = doc.default {
        let _ = writeln!(text, "default: {}", default.as_str());
    }
    if let Some(inside) = doc.scoped {
        // everything a rule may name, so that only the tool itself is in or out
        let _ = writeln!(text, "scope: [other, 'pa?z', 'xay'{}]", if inside { ", pay" } else { "" });
    }
    if !doc.rules.is_empty() {
        text.push_str("rules:\n");
    }
    for rule in &doc.rules {
        // outside the scope a rule may not name the tool, but a tag may select it
        let selector = if doc.scoped == Some(false) { "tags: [money]" } else { SELECTORS[rule.selector] };
        let _ = write!(text, "  - {{id: r{}, {selector}, when: {}", rule.id, condition(rule.when));
        if let Some(unless) = rule.unless {
            // of other arguments: a rule whose `unless` is its `when` could never match
            let _ = write!(text, ", unless: {}", condition(unless).replace("args.", "args.too."));
        }
        if let Some(enforcement) = rule.enforcement {
            let _ = write!(text, ", enforcement: {}", enforcement.as_str());
        }
        let _ = writeln!(text, ", reason: because {}, decision: {}}}", rule.id, rule.decision.as_str());
    }
    text
}

fn decide_with(docs: &[Doc], options: Options, mode: Option<Enforcement>) -> Decision {
    let given = docs.iter().enumerate().map(|(index, doc)| {
        let text = text(doc);
        let policy = policy::load("p", &text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        Layer { name: Arc::from(format!("layer{index}")), policy: Arc::new(policy) }
    });
    let layers = Layers::new(given.collect(), options).unwrap();
    let tool = ToolSpec {
        name: "pay".to_owned(),
        source: PROGRAM_SOURCE.to_owned(),
        tags: vec!["money".to_owned()],
        ..ToolSpec::default()
    };
    layers.plan(&tool).unwrap().decide(&Facts::of_call(&args()), mode).into_owned()
}

fn decide(docs: &[Doc]) -> Decision {
    decide_with(docs, Options::default(), None)
}

/// How strict a decision is: what happens, then what was asked for.
fn strictness(decision: &Decision) -> (u8, Verdict) {
    let effect = match decision.effect {
        Effect::Run => 0,
        Effect::Asked => 1,
        Effect::Refused => 2,
    };
    (effect, decision.verdict)
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![Just(Verdict::Allow), Just(Verdict::RequireApproval), Just(Verdict::Deny)]
}

fn mode() -> impl Strategy<Value = Enforcement> {
    prop_oneof![
        Just(Enforcement::Observe),
        Just(Enforcement::StepUp),
        Just(Enforcement::Progressive),
        Just(Enforcement::Block)
    ]
}

fn truth() -> impl Strategy<Value = Truth> {
    prop_oneof![3 => Just(Truth::Yes), 1 => Just(Truth::No), 1 => Just(Truth::Fails)]
}

fn rule() -> impl Strategy<Value = Rule> {
    (verdict(), 0..SELECTORS.len(), truth(), prop::option::weighted(0.3, truth()), prop::option::of(mode())).prop_map(
        |(decision, selector, when, unless, enforcement)| Rule { id: 0, decision, selector, when, unless, enforcement },
    )
}

fn doc() -> impl Strategy<Value = Doc> {
    let parts = (
        prop_oneof![1 => Just(None), 4 => verdict().prop_map(Some)],
        mode(),
        any::<bool>(),
        prop::option::of(prop::bool::weighted(0.8)),
        prop::collection::vec(rule(), 0..4),
    );
    parts.prop_map(|(default, enforcement, may_loosen, scoped, mut rules)| {
        if default.unwrap_or(Verdict::Allow) == Verdict::Allow {
            // under a default of allow such a rule does not load
            rules.retain(|rule| rule.decision != Verdict::Allow);
        }
        for (id, rule) in (0_u32..).zip(&mut rules) {
            rule.id = id;
        }
        Doc { default, enforcement, may_loosen, scoped, rules }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_means_nothing(
        (doc, rules) in doc().prop_flat_map(|doc| (Just(doc.clone()), Just(doc.rules).prop_shuffle()))
    ) {
        let shuffled = Doc { rules, ..doc.clone() };
        let (one, two) = (decide(&[doc]), decide(&[shuffled]));
        prop_assert_eq!(strictness(&one), strictness(&two));
        prop_assert_eq!((one.reason_code, one.reason, one.rules, one.detail), (two.reason_code, two.reason, two.rules, two.detail));
        prop_assert_eq!((one.enforcement, one.record), (two.enforcement, two.record));
    }

    #[test]
    fn order_of_layers_means_nothing_for_what_happens(docs in prop::collection::vec(doc(), 0..4)) {
        let forward = decide(&docs);
        let backward: Vec<Doc> = docs.iter().rev().cloned().collect();
        prop_assert_eq!(strictness(&forward), strictness(&decide(&backward)));
    }

    #[test]
    fn another_layer_never_loosens(docs in prop::collection::vec(doc(), 0..3), more in doc()) {
        let before = decide(&docs);
        let after = decide(&docs.into_iter().chain([more]).collect::<Vec<_>>());
        prop_assert!(strictness(&after) >= strictness(&before), "{before:?} {after:?}");
    }

    #[test]
    fn another_deny_never_loosens(doc in doc(), mut more in rule(), mode in prop::option::of(mode())) {
        more.decision = Verdict::Deny;
        more.id = 99;
        let before = decide_with(std::slice::from_ref(&doc), Options::default(), mode);
        let mut rules = doc.rules.clone();
        rules.push(more);
        let after = decide_with(&[Doc { rules, ..doc }], Options::default(), mode);
        prop_assert!(strictness(&after) >= strictness(&before), "{before:?} {after:?}");
    }

    #[test]
    fn a_stricter_mode_never_loosens(docs in prop::collection::vec(doc(), 0..3), one in mode(), two in mode()) {
        let (weak, strong) = (one.min(two), one.max(two));
        let by_call = |mode| decide_with(&docs, Options::default(), mode);
        prop_assert!(strictness(&by_call(Some(strong))) >= strictness(&by_call(Some(weak))));
        prop_assert!(strictness(&by_call(Some(weak))) >= strictness(&by_call(None)));
        let by_code = |mode| decide_with(&docs, Options { enforcement: Some(mode), ..Options::default() }, None);
        prop_assert!(strictness(&by_code(strong)) >= strictness(&by_code(weak)));
    }

    #[test]
    fn code_cannot_loosen_unless_the_policy_says_so(docs in prop::collection::vec(doc(), 0..3), asked in mode()) {
        let strict: Vec<Doc> = docs.into_iter().map(|doc| Doc { may_loosen: false, ..doc }).collect();
        let options = Options { enforcement: Some(asked), ..Options::default() };
        prop_assert!(strictness(&decide_with(&strict, options, None)) >= strictness(&decide(&strict)));
    }

    /// In place of a condition that fails, neither outcome would have been stricter.
    #[test]
    fn a_failure_only_tightens(doc in doc(), at in any::<prop::sample::Index>(), in_unless in any::<bool>()) {
        prop_assume!(!doc.rules.is_empty());
        let place = at.index(doc.rules.len());
        let with = |truth| {
            let mut doc = doc.clone();
            let rule = &mut doc.rules[place];
            if in_unless { rule.unless = Some(truth) } else { rule.when = truth }
            strictness(&decide(&[doc]))
        };
        let failed = with(Truth::Fails);
        prop_assert!(failed >= with(Truth::Yes) && failed >= with(Truth::No));
    }

    #[test]
    fn a_refusal_binds_in_every_mode(doc in doc()) {
        let layer = Layer { name: Arc::from("l"), policy: Arc::new(policy::load("p", &text(&doc)).unwrap()) };
        let layers = Layers::new(vec![layer], Options::default()).unwrap();
        let refusal = layers.refusal(counterseal::decide::ReasonCode::CaptureFailed, None);
        prop_assert_eq!((refusal.verdict, refusal.effect), (Verdict::Deny, Effect::Refused));
        prop_assert_eq!(refusal.policy, layers.version());
    }
}
