//! Where our conditions and CEL overlap they agree: the `cel` crate's own evaluator is the oracle.
//!
//! Kept out because we differ by intention (`docs/conditions.md`): doubles that overflow or are divided by zero, and
//! not-a-number, fail here; an integer beyond 2⁵³ compares with a double exactly, as the specification of CEL has it,
//! where the crate rounds the integer.

#![cfg(test)]

use cel::{Context, Program, Value as Cel};
use counterseal::condition::{ArgumentType, ArgumentTypes, Condition, Declared, Facts, Lists, Outcome, compile};
use counterseal::value::Value;
use proptest::prelude::*;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

fn int() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        Just("args.i".to_owned()),
        Just("args.j".to_owned()),
        Just("args.absent".to_owned()),
        Just("args.l[1]".to_owned()),
        Just("args.l[9]".to_owned()),
        Just("9223372036854775807".to_owned()),
        (-3_i64..4).prop_map(|int| int.to_string()),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), prop_oneof![Just("+"), Just("-"), Just("*"), Just("/"), Just("%")], inner.clone())
                .prop_map(|(left, sign, right)| format!("({left} {sign} {right})")),
            inner.clone().prop_map(|inner| format!("-({inner})")),
            text().prop_map(|text| format!("size({text})")),
            text().prop_map(|text| format!("int({text})")),
            double().prop_map(|double| format!("int({double})")),
            Just("size(args.l)".to_owned()),
        ]
    })
    .boxed()
}

/// Doubles far below 2⁵³.
fn small_double() -> BoxedStrategy<String> {
    prop_oneof![
        Just("args.d".to_owned()),
        Just("args.e".to_owned()),
        Just("0.5".to_owned()),
        Just("-2.0".to_owned()),
        Just("(args.d + args.e)".to_owned()),
        Just("(args.d * 1.5)".to_owned()),
        Just("double(\"2.5\")".to_owned()),
    ]
    .boxed()
}

fn double() -> BoxedStrategy<String> {
    prop_oneof![small_double(), Just("double(args.i)".to_owned())].boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        Just("args.s".to_owned()),
        Just("args.t".to_owned()),
        Just("\"7\"".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"aü\"".to_owned()),
        Just("(args.s + args.t)".to_owned()),
        Just("string(args.i)".to_owned()),
        Just("string(args.b)".to_owned()),
    ]
    .boxed()
}

fn truth() -> BoxedStrategy<String> {
    let sign = || prop_oneof![Just("=="), Just("!="), Just("<"), Just("<="), Just(">"), Just(">=")];
    let pair = |(left, sign, right): (String, &str, String)| format!("{left} {sign} {right}");
    let leaf = prop_oneof![
        Just("true".to_owned()),
        Just("args.b".to_owned()),
        Just("args.c".to_owned()),
        Just("has(args.absent)".to_owned()),
        Just("has(args.i)".to_owned()),
        (int(), sign(), int()).prop_map(pair),
        (double(), sign(), double()).prop_map(pair),
        (int(), sign(), small_double()).prop_map(pair),
        (text(), sign(), text()).prop_map(pair),
        (int(), Just("in"), prop_oneof![Just("args.l"), Just("[1, 2, 3]")])
            .prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
        (text(), prop_oneof![Just("startsWith"), Just("endsWith"), Just("contains")], text())
            .prop_map(|(text, test, part)| format!("{text}.{test}({part})")),
        (prop_oneof![Just("all"), Just("exists"), Just("exists_one")], sign(), int())
            .prop_map(|(quantifier, sign, int)| format!("args.l.{quantifier}(x, 6 / x {sign} {int})")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} && {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} || {right})")),
            inner.clone().prop_map(|inner| format!("!({inner})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(test, yes, no)| format!("({test} ? {yes} : {no})")),
        ]
    })
    .boxed()
}

#[derive(Debug, Clone)]
struct Arguments {
    ints: (i64, i64),
    doubles: (f64, f64),
    texts: (String, String),
    truths: (bool, bool),
    list: Vec<i64>,
}

fn arguments() -> impl Strategy<Value = Arguments> {
    let number = || prop_oneof![-4_i64..5, Just(i64::MAX), Just(i64::MIN), Just((1 << 53) + 1)];
    let double = || prop_oneof![-4.0..5.0_f64, Just(0.0), Just(1_048_576.0), Just(2.0)];
    let text = || prop_oneof![Just(String::new()), "[a7ü]{1,3}", Just("7".to_owned())];
    (
        (number(), number()),
        (double(), double()),
        (text(), text()),
        any::<(bool, bool)>(),
        prop::collection::vec(-2_i64..4, 0..4),
    )
        .prop_map(|(ints, doubles, texts, truths, list)| Arguments { ints, doubles, texts, truths, list })
}

fn ours(source: &str, given: &Arguments) -> Option<Option<bool>> {
    let types = ArgumentTypes::closed([
        ("absent", ArgumentType::Int),
        ("b", ArgumentType::Bool),
        ("c", ArgumentType::Bool),
        ("d", ArgumentType::Number),
        ("e", ArgumentType::Number),
        ("i", ArgumentType::Int),
        ("j", ArgumentType::Int),
        ("l", ArgumentType::List(Box::new(ArgumentType::Int))),
        ("s", ArgumentType::String),
        ("t", ArgumentType::String),
    ]);
    let condition = compile(source, &Declared { arguments: Some(&types), lists: &Lists::default() }).ok()?;
    let text = |text: &str| Value::Str(Cow::Owned(text.to_owned()));
    let entries = [
        ("b", Value::Bool(given.truths.0)),
        ("c", Value::Bool(given.truths.1)),
        ("d", Value::Float(given.doubles.0)),
        ("e", Value::Float(given.doubles.1)),
        ("i", Value::Int(given.ints.0)),
        ("j", Value::Int(given.ints.1)),
        ("l", Value::List(given.list.iter().map(|int| Value::Int(*int)).collect())),
        ("s", text(&given.texts.0)),
        ("t", text(&given.texts.1)),
    ];
    let args = Value::Map(entries.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect());
    Some(match condition.evaluate(&Facts::of_call(&args)) {
        Outcome::True => Some(true),
        Outcome::False => Some(false),
        Outcome::Failed(_) => None,
    })
}

fn theirs(source: &str, given: &Arguments) -> Option<bool> {
    let text = |text: &str| Cel::String(Arc::new(text.to_owned()));
    let args: HashMap<String, Cel> = [
        ("b", Cel::Bool(given.truths.0)),
        ("c", Cel::Bool(given.truths.1)),
        ("d", Cel::Float(given.doubles.0)),
        ("e", Cel::Float(given.doubles.1)),
        ("i", Cel::Int(given.ints.0)),
        ("j", Cel::Int(given.ints.1)),
        ("l", Cel::List(Arc::new(given.list.iter().map(|int| Cel::Int(*int)).collect()))),
        ("s", text(&given.texts.0)),
        ("t", text(&given.texts.1)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let mut context = Context::default();
    context.add_variable_from_value("args", args);
    match Program::compile(source).expect("both read the same syntax").execute(&context) {
        Ok(Cel::Bool(truth)) => Some(truth),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_condition_means_what_cel_means(source in truth(), given in arguments()) {
        // a condition that is refused at load (always fails, too deep) has no meaning to compare
        if let Some(ours) = ours(&source, &given) {
            prop_assert_eq!(ours, theirs(&source, &given), "{}", source);
        }
    }
}

#[test]
fn most_conditions_are_compared() {
    let given = Arguments {
        ints: (1, 2),
        doubles: (1.0, 2.0),
        texts: ("a".into(), "7".into()),
        truths: (true, false),
        list: vec![1, 2],
    };
    for source in ["args.i + 1 == args.j", "args.i < args.e", "args.l.all(x, x > 0) && args.s.startsWith(\"a\")"] {
        assert_eq!(ours(source, &given), Some(Some(true)), "{source}");
        assert_eq!(theirs(source, &given), Some(true), "{source}");
    }
}
