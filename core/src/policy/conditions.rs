//! The conditions of rules: compiled at load with what is known of the tools then, and again for each tool.

use super::compiled::Policy;
use super::document::Rule;
use super::problem::{At, Problems};
use super::text::Expression;
use super::vocabulary;
use super::words::Known;
use crate::call::{PROGRAM_SOURCE, ToolSpec};
use crate::condition::{ArgumentTypes, Compiled, ConditionError, Declared, Lists, Path, asked_for, compile, lacks};
use crate::error::ErrorCode;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// How many pairs of a rule and a tool are checked at load beyond those that name each other, and how many are looked at for
/// that; the rest are checked when the tool is guarded, as all are. Bounds the time of a load.
const PAIRS: usize = 20_000;
const LOOKS: usize = 10_000_000;

/// The conditions of one rule.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    pub(crate) when: Option<Arc<Compiled>>,
    pub(crate) unless: Option<Arc<Compiled>>,
}

impl Conditions {
    fn both(&self) -> impl Iterator<Item = &Arc<Compiled>> {
        self.when.iter().chain(&self.unless)
    }

    /// Whether one of them asks the session for anything.
    pub(crate) fn ask_session(&self) -> bool {
        self.both().any(|condition| condition.asks_session())
    }
}

/// What the rules of a policy ask sessions for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Anything.
    pub(crate) anything: bool,
    /// How many calls they made.
    calls: bool,
    /// Whether they saw one of these tags.
    tags: BTreeSet<Box<str>>,
}

impl Asked {
    fn take_in(&mut self, conditions: &Conditions) {
        for condition in conditions.both() {
            self.anything |= condition.asks_session();
            self.calls |= condition.asks_calls();
            self.tags.extend(condition.tags().map(Box::from));
        }
    }

    /// Whether an answer may be another one where a call of a tool with these tags is not remembered.
    pub(crate) fn would_miss(&self, tags: &[Arc<str>]) -> bool {
        self.calls || tags.iter().any(|tag| self.tags.contains(&**tag))
    }
}

/// Why a rule's condition was refused, and which one.
pub(crate) type Refused<'r> = (&'static str, &'r Expression, ConditionError);

/// Compiles the conditions of `rule` for tools whose arguments are `arguments`, or unknown. What a rule over several tools asks for
/// with `has` may be missing from one of them; in a rule on one tool it is a slip.
pub(crate) fn compile_rule<'r>(
    rule: &'r Rule,
    arguments: Option<&ArgumentTypes>,
    lists: &Lists,
) -> Result<Conditions, Vec<Refused<'r>>> {
    compile_excusing(rule, arguments, lists, &|_| true)
}

/// As [`compile_rule`]; what of the rule's questions by `has` is not `excused` has to be an argument.
fn compile_excusing<'r>(
    rule: &'r Rule,
    arguments: Option<&ArgumentTypes>,
    lists: &Lists,
    excused: &dyn Fn(&Path) -> bool,
) -> Result<Conditions, Vec<Refused<'r>>> {
    let Some(arguments) = arguments else { return compile_strictly(rule, None, lists) };
    let mut lacking = rule.optional();
    lacking.retain(|path| lacks(arguments, path) && excused(path));
    if lacking.is_empty() {
        return compile_strictly(rule, Some(arguments), lists);
    }
    let mut widened = arguments.clone();
    lacking.iter().for_each(|path| widened.with(path));
    compile_strictly(rule, Some(&widened), lists)
}

impl Rule {
    /// Whether it can select more tools than one.
    fn is_of_several_tools(&self) -> bool {
        let one = self.tools.as_ref().is_some_and(|list| match list.value.as_slice() {
            [only] => only.exact_name().is_some(),
            _ => false,
        });
        !one
    }

    /// What its conditions ask for with `has` where it is of several tools.
    pub(crate) fn optional(&self) -> BTreeSet<Path> {
        if !self.is_of_several_tools() {
            return BTreeSet::new();
        }
        let sources = self.when.iter().chain(&self.unless).map(|expression| &expression.source);
        sources.flat_map(|source| asked_for(source)).collect()
    }
}

fn compile_strictly<'r>(
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
    let typed = TypedTools::new(policy);
    let mut rules = std::mem::take(&mut policy.rules);
    let mut budget = Budget { looks: LOOKS, pairs: PAIRS };
    for compiled in &mut rules {
        let rule = &compiled.rule;
        if rule.when.is_none() && rule.unless.is_none() {
            compiled.conditions = Some(Conditions::default());
            continue;
        }
        match compile_typed(rule, &typed, &policy.lists, &mut budget) {
            Err((tool, refused)) => note(rule, refused, Some(tool), out),
            Ok(Some(conditions)) if typed.have_all_of(rule) => {
                vocabulary::asked(rule, &conditions, policy.tags.as_ref(), out);
                policy.asked.take_in(&conditions);
                never_holds(rule, &conditions, out);
            }
            Ok(_) => match compile_rule(rule, None, &policy.lists) {
                Ok(conditions) => {
                    vocabulary::asked(rule, &conditions, policy.tags.as_ref(), out);
                    policy.asked.take_in(&conditions);
                    never_holds(rule, &conditions, out);
                    compiled.conditions = Some(conditions);
                }
                Err(refused) => note(rule, refused, None, out),
            },
        }
    }
    policy.rules = rules;
}

/// Compiles the conditions of `rule` for every tool of known arguments that it speaks of; what comes back are those for the
/// last one.
fn compile_typed<'r, 't>(
    rule: &'r Rule,
    typed: &'t TypedTools,
    lists: &Lists,
    budget: &mut Budget,
) -> Result<Option<Conditions>, (&'t str, Vec<Refused<'r>>)> {
    let mut last = None;
    let mut check = |tool: &'t TypedTool| match compile_rule(rule, Some(&tool.arguments), lists) {
        Ok(conditions) => {
            last = Some(conditions);
            Ok(())
        }
        Err(refused) => Err((&*tool.spec.name, refused)),
    };
    if let Some((tool, missing)) = typed.that_all_lack(rule)
        && let Err(refused) = compile_excusing(rule, Some(&tool.arguments), lists, &|path| !missing.contains(path))
    {
        return Err((&*tool.spec.name, refused));
    }
    let patterns = rule.tools.as_ref().map(|list| &list.value);
    for name in patterns.into_iter().flatten().filter_map(|pattern| pattern.exact_name()) {
        for tool in typed.named(name).filter(|tool| rule.selects(&tool.spec.source, &tool.spec.name, &tool.known)) {
            check(tool)?;
        }
    }
    if patterns.is_none_or(|list| list.iter().any(|pattern| pattern.exact_name().is_none())) {
        for tool in &typed.tools {
            if !Budget::spend(&mut budget.looks) {
                break;
            }
            if rule.selects(&tool.spec.source, &tool.spec.name, &tool.known) {
                if !Budget::spend(&mut budget.pairs) {
                    break;
                }
                check(tool)?;
            }
        }
    }
    Ok(last)
}

/// What is left of the pairs of rules and tools that are looked at and checked at load.
struct Budget {
    looks: usize,
    pairs: usize,
}

impl Budget {
    /// Takes one, if one is left.
    const fn spend(left: &mut usize) -> bool {
        match left.checked_sub(1) {
            Some(rest) => {
                *left = rest;
                true
            }
            None => false,
        }
    }
}

/// A tool of the policy whose arguments it gives.
pub(super) struct TypedTool {
    pub(super) spec: ToolSpec,
    pub(super) known: Known,
    pub(super) arguments: ArgumentTypes,
}

/// The tools of the policy whose arguments it gives, by name.
pub(super) struct TypedTools {
    pub(super) tools: Vec<TypedTool>,
    by_name: HashMap<String, Vec<usize>>,
}

impl TypedTools {
    pub(super) fn new(policy: &Policy) -> Self {
        let mut new = Self { tools: Vec::new(), by_name: HashMap::new() };
        for entry in policy.tools.entries() {
            let (Some(schema), Some(name)) = (&entry.tool.args, entry.pattern.exact_name()) else {
                continue;
            };
            let source = entry.pattern.exact_source().unwrap_or(PROGRAM_SOURCE).to_owned();
            let spec = ToolSpec { name: name.to_owned(), source, ..ToolSpec::default() };
            new.by_name.entry(name.to_owned()).or_default().push(new.tools.len());
            let known = Known::new(policy, &spec);
            new.tools.push(TypedTool { spec, known, arguments: ArgumentTypes::from_schema(&schema.0) });
        }
        new
    }

    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &TypedTool> {
        self.by_name.get(name).into_iter().flatten().filter_map(|place| self.tools.get(*place))
    }

    /// What the rule asks for with `has` and none of its tools has, and one of them, where the arguments of all are known.
    fn that_all_lack(&self, rule: &Rule) -> Option<(&TypedTool, BTreeSet<Path>)> {
        let mut optional = rule.optional();
        if optional.is_empty() || !self.have_all_of(rule) {
            return None;
        }
        let names = rule.tools.iter().flat_map(|list| &list.value).filter_map(|pattern| pattern.exact_name());
        let selected = |tool: &&TypedTool| rule.selects(&tool.spec.source, &tool.spec.name, &tool.known);
        let tools: Vec<&TypedTool> = names.flat_map(|name| self.named(name)).filter(selected).collect();
        optional.retain(|path| tools.iter().all(|tool| lacks(&tool.arguments, path)));
        tools.first().filter(|_| !optional.is_empty()).map(|first| (*first, optional))
    }

    /// Whether the rule names its tools one by one and the arguments of each are known.
    fn have_all_of(&self, rule: &Rule) -> bool {
        rule.tools.as_ref().is_some_and(|list| {
            list.value.iter().all(|pattern| {
                let source = pattern.exact_source().unwrap_or(PROGRAM_SOURCE);
                let name = pattern.exact_name().filter(|_| pattern.is_exact());
                name.is_some_and(|name| self.named(name).any(|tool| tool.spec.source == source))
            })
        })
    }
}

fn note(rule: &Rule, refused: Vec<Refused<'_>>, tool: Option<&str>, out: &mut Problems) {
    for (key, expression, error) in refused {
        let of = tool.map_or(String::new(), |tool| format!(" on the tool `{tool}`"));
        let message = format!("`{key}` of rule `{}`{of}: {}", rule.id(), error.message);
        out.push(ErrorCode::PolicyCondition, &expression.place(error.span.as_ref()), message, error.suggestion);
    }
}

/// Notes a rule whose conditions rule out every call.
fn never_holds(rule: &Rule, conditions: &Conditions, out: &mut Problems) {
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
        } else if let Some(why) = when.never_holds() {
            never(&expression.at, why, "correct it, or take the rule out");
        }
    }
    if let (Some(expression), Some(unless), Some(when)) = (&rule.unless, &conditions.unless, &conditions.when)
        && unless.covers(when)
    {
        let why = "its `unless` holds wherever its `when` does".to_owned();
        never(&expression.at, why, "correct one of them, or take the rule out");
    }
    if let (Some(expression), Some(unless)) = (&rule.unless, &conditions.unless)
        && unless.constant() == Some(true)
    {
        let why = "its `unless` is always true".to_owned();
        never(&expression.at, why, "take `unless` out, or write what it depends on");
    }
}
