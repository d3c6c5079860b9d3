//! The conditions of rules: compiled at load with what is known of the tools then, and again for each tool.

use super::compiled::Policy;
use super::document::Rule;
use super::problem::{At, Problems};
use super::text::Expression;
use super::words::Known;
use crate::call::{PROGRAM_SOURCE, ToolSpec};
use crate::condition::{ArgumentTypes, Compiled, ConditionError, Declared, Lists, compile};
use crate::error::ErrorCode;
use std::sync::Arc;

/// How many pairs of a rule and a tool are checked at load beyond those that name each other; the rest are checked when the
/// tool is guarded, as all are. Bounds the time of a load.
const PAIRS: usize = 20_000;

/// The conditions of one rule.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    pub(crate) when: Option<Arc<Compiled>>,
    pub(crate) unless: Option<Arc<Compiled>>,
}

/// Why a rule's condition was refused, and which one.
pub(crate) type Refused<'r> = (&'static str, &'r Expression, ConditionError);

/// Compiles the conditions of `rule` for tools whose arguments are `arguments`, or unknown.
pub(crate) fn compile_rule<'r>(
    rule: &'r Rule,
    arguments: Option<&ArgumentTypes>,
    lists: &Lists,
) -> Result<Conditions, Vec<Refused<'r>>> {
    let declared = Declared { arguments, lists };
    let mut refused = Vec::new();
    let mut one = |key, expression: &'r Option<Expression>| {
        let expression = expression.as_ref()?;
        match compile(&expression.source, &declared) {
            Ok(compiled) => Some(Arc::new(compiled)),
            Err(error) => {
                refused.push((key, expression, error));
                None
            }
        }
    };
    let conditions = Conditions { when: one("when", &rule.when), unless: one("unless", &rule.unless) };
    if refused.is_empty() { Ok(conditions) } else { Err(refused) }
}

/// Compiles the conditions of every rule of `policy` and checks them with every tool whose arguments it gives.
pub(crate) fn compile_all(policy: &mut Policy, out: &mut Problems) {
    let typed = typed_tools(policy);
    let mut rules = std::mem::take(&mut policy.rules);
    let mut pairs = PAIRS;
    for compiled in &mut rules {
        let rule = &compiled.rule;
        if rule.when.is_none() && rule.unless.is_none() {
            compiled.conditions = Some(Conditions::default());
            continue;
        }
        let before = out.count();
        for tool in &typed {
            if !rule.selects(&tool.spec.source, &tool.spec.name, &tool.known) {
                continue;
            }
            let named = rule.tools.iter().flat_map(|list| &list.value).any(|pattern| pattern.is_exact());
            if !named {
                let Some(left) = pairs.checked_sub(1) else {
                    break;
                };
                pairs = left;
            }
            if let Err(refused) = compile_rule(rule, Some(&tool.arguments), &policy.lists) {
                note(rule, refused, Some(&tool.spec.name), out);
                break;
            }
        }
        if out.count() > before || every_tool_is_typed(rule, &typed) {
            continue;
        }
        match compile_rule(rule, None, &policy.lists) {
            Ok(conditions) => compiled.conditions = Some(conditions),
            Err(refused) => note(rule, refused, None, out),
        }
    }
    for compiled in &rules {
        never_holds(&compiled.rule, compiled.conditions.as_ref(), out);
    }
    policy.rules = rules;
}

/// A tool of the policy whose arguments it gives.
struct TypedTool {
    spec: ToolSpec,
    known: Known,
    arguments: ArgumentTypes,
}

fn typed_tools(policy: &Policy) -> Vec<TypedTool> {
    let entries = policy.tools.entries().iter();
    let typed = entries.filter_map(|entry| {
        let arguments = ArgumentTypes::from_schema(&entry.tool.args.as_ref()?.0);
        let spec = ToolSpec {
            name: entry.pattern.exact_name()?.to_owned(),
            source: entry.pattern.exact_source().unwrap_or(PROGRAM_SOURCE).to_owned(),
            ..ToolSpec::default()
        };
        let known = Known::new(policy, &spec);
        Some(TypedTool { spec, known, arguments })
    });
    typed.collect()
}

/// Whether the rule names its tools one by one and the arguments of each are known.
fn every_tool_is_typed(rule: &Rule, typed: &[TypedTool]) -> bool {
    rule.tools.as_ref().is_some_and(|list| {
        list.value.iter().all(|pattern| {
            let source = pattern.exact_source().unwrap_or(PROGRAM_SOURCE);
            let known = |tool: &TypedTool| Some(&*tool.spec.name) == pattern.exact_name() && tool.spec.source == source;
            pattern.is_exact() && typed.iter().any(known)
        })
    })
}

fn note(rule: &Rule, refused: Vec<Refused<'_>>, tool: Option<&str>, out: &mut Problems) {
    for (key, expression, error) in refused {
        let of = tool.map_or(String::new(), |tool| format!(" on the tool `{tool}`"));
        let message = format!("`{key}` of rule `{}`{of}: {}", rule.id(), error.message);
        out.push(ErrorCode::PolicyCondition, &expression.place(error.span.as_ref()), message, error.suggestion);
    }
}

/// Notes a rule whose conditions rule out every call.
fn never_holds(rule: &Rule, conditions: Option<&Conditions>, out: &mut Problems) {
    let Some(conditions) = conditions else {
        return;
    };
    let id = rule.id();
    let mut never = |at: &At, why: String, suggestion: &str| {
        let message = format!("rule `{id}` can never match: {why}");
        out.push(ErrorCode::PolicyUnreachable, at, message, Some(suggestion.to_owned()));
    };
    if let (Some(expression), Some(when)) = (&rule.when, &conditions.when) {
        if when.constant() == Some(false) {
            never(
                &expression.at,
                "its `when` is always false".to_owned(),
                "take the rule out, or write what it depends on",
            );
        } else if let Some((one, other)) = when.contradiction() {
            let why = format!("no value of `{}` meets both of its bounds", one.path);
            let suggestion = format!("look at `{}` and `{}`", one.relation.as_str(), other.relation.as_str());
            never(&expression.at, why, &suggestion);
        }
    }
    if let (Some(expression), Some(unless)) = (&rule.unless, &conditions.unless)
        && unless.constant() == Some(true)
    {
        let why = "its `unless` is always true".to_owned();
        never(&expression.at, why, "take `unless` out, or write what it depends on");
    }
}
