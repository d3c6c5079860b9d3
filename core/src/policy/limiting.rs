//! The limits of a policy: what it writes, what of that means nothing, and what is left to decide on.

use super::compiled::Policy;
use super::conditions::TypedTools;
use super::document::{Budget, LoopLimit, RateLimit, Rule};
use super::problem::{At, Problems};
use super::quantity::{ArgumentPath, Count, Length, OnExceed, Per};
use super::read::Placed;
use super::text::Id;
use crate::condition::{ArgumentType, ArgumentTypes};
use crate::decide::Verdict;
use crate::error::ErrorCode;
use crate::limits::{Calendar, Meter, Unit, Window};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The id of the limit on loops, which has none of its own.
pub(crate) const LOOPS: &str = "loops";

/// Which key of the policy a limit stands under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LimitKind {
    Budget,
    Rate,
    Loop,
}

impl LimitKind {
    /// What people call it.
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Rate => "rate limit",
            Self::Loop => "limit",
        }
    }
}

/// What of a call is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Measure {
    Usd,
    Tokens,
    Calls,
    Sum(ArgumentPath),
}

impl Measure {
    /// Whether what models took counts too.
    pub(crate) const fn counts_models(&self) -> bool {
        matches!(self, Self::Usd | Self::Tokens)
    }

    pub(crate) const fn unit(&self) -> Unit {
        match self {
            Self::Usd => Unit::MicroUsd,
            Self::Tokens => Unit::Tokens,
            Self::Calls => Unit::Calls,
            Self::Sum(_) => Unit::Millionths,
        }
    }
}

/// A limit, checked.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) kind: LimitKind,
    /// Its id and the tools it speaks of: as a rule that stops calls.
    pub(crate) rule: Rule,
    pub(crate) at: At,
    pub(crate) per: Per,
    pub(crate) measure: Measure,
    pub(crate) meter: Meter,
    pub(crate) on_exceed: Verdict,
}

impl Limit {
    /// Its id.
    pub(crate) fn id(&self) -> &str {
        self.rule.id()
    }

    /// Whether it speaks of every tool.
    pub(crate) const fn is_of_all_tools(&self) -> bool {
        let rule = &self.rule;
        rule.tools.is_none()
            && rule.tags.is_none()
            && rule.risk.is_none()
            && rule.connectors.is_none()
            && rule.actions.is_none()
    }

    /// The arguments it looks at, and whether each has to be a number.
    fn paths(&self) -> impl Iterator<Item = (&ArgumentPath, bool)> {
        let sum = match &self.measure {
            Measure::Sum(path) => Some((path, true)),
            _ => None,
        };
        let per = match &self.per {
            Per::Argument(path) => Some((path, false)),
            _ => None,
        };
        sum.into_iter().chain(per)
    }

    /// Why it does not fit a tool of these arguments, and what to write instead.
    pub(crate) fn misfit(&self, arguments: &ArgumentTypes) -> Option<(String, Option<String>)> {
        self.paths().find_map(|(path, number)| misfit(path, number, arguments))
    }
}

fn misfit(path: &ArgumentPath, number: bool, arguments: &ArgumentTypes) -> Option<(String, Option<String>)> {
    let mut inner = arguments;
    let mut names = path.names().peekable();
    while let Some(name) = names.next() {
        let Some(of) = inner.get(name) else {
            let why = format!("`{}` names `{name}`, which the tool cannot have", path.text());
            return Some((why, super::did_you_mean(name, inner.names()).or_else(|| there_are(inner))));
        };
        match of {
            ArgumentType::Any => return None,
            ArgumentType::Map(fields) if names.peek().is_some() => inner = fields,
            _ if names.peek().is_some() => {
                let why = format!("`{}` looks into `{name}`, which has no fields", path.text());
                return Some((why, Some("name an argument that is a map, or correct the tool's `args`".to_owned())));
            }
            ArgumentType::Int | ArgumentType::Number | ArgumentType::Decimal => {}
            _ if number => {
                let instead = "name an argument that is one, or correct the tool's `args`";
                return Some((format!("`{}` is not a number", path.text()), Some(instead.to_owned())));
            }
            ArgumentType::List(_) | ArgumentType::Map(_) | ArgumentType::Bytes => {
                let why = format!("`{}` is no text and no number, so it tells nothing apart", path.text());
                return Some((why, Some("name an argument that is one of them".to_owned())));
            }
            ArgumentType::Bool | ArgumentType::String | ArgumentType::Time => {}
        }
    }
    None
}

fn there_are(arguments: &ArgumentTypes) -> Option<String> {
    let names: Vec<String> = arguments.names().map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| format!("there are {}", names.join(", ")))
}

/// What is written of any limit.
struct Written {
    kind: LimitKind,
    rule: Rule,
    at: At,
    per: Per,
    on_exceed: Option<OnExceed>,
}

impl Written {
    fn limit(self, measure: Measure, max: i64, window: Window) -> Limit {
        let on_exceed = self.on_exceed.map_or(Verdict::Deny, |verdict| verdict.0);
        let Self { kind, rule, at, per, .. } = self;
        Limit { kind, rule, at, per, measure, meter: Meter { max, window }, on_exceed }
    }
}

macro_rules! written {
    ($kind:expr, $placed:expr, $id:expr, $per:expr) => {{
        let Placed { value, at } = $placed;
        let rule = Rule {
            id: $id,
            decision: None,
            tools: value.tools.clone(),
            tags: value.tags.clone(),
            risk: value.risk.clone(),
            connectors: value.connectors.clone(),
            actions: value.actions.clone(),
            when: None,
            unless: None,
            reason: None,
            reason_for_agent: None,
            enforcement: None,
            fail_mode: None,
            record: None,
            approval: None,
        };
        Written { kind: $kind, rule, at: at.clone(), per: $per, on_exceed: value.on_exceed }
    }};
}

/// What a document says of limits; what means nothing is noted. Sorted by id.
pub(crate) fn limits(
    budgets: &[Placed<Budget>],
    rates: &[Placed<RateLimit>],
    loops: Option<&Placed<LoopLimit>>,
    out: &mut Problems,
) -> Vec<Limit> {
    // what could not be read would be missing here and look like another mistake
    let clean = out.is_empty();
    let per = |per: &Option<Placed<Per>>| per.as_ref().map_or(Per::Home, |per| per.value.clone());
    let mut all: Vec<Limit> = Vec::new();
    for placed in budgets {
        let written = written!(LimitKind::Budget, placed, placed.value.id.clone(), per(&placed.value.per));
        let measure = measure(placed, clean, out);
        let window = window(&placed.value.window, &placed.value.calendar, out);
        if let (Some((measure, max)), Some(window)) = (measure, window) {
            all.push(written.limit(measure, max, window.unwrap_or(Window::Ever)));
        }
    }
    for placed in rates {
        let written = written!(LimitKind::Rate, placed, placed.value.id.clone(), per(&placed.value.per));
        let window = window(&placed.value.window, &placed.value.calendar, out);
        if window == Some(None) && clean {
            let suggestion = "write `window: 1m`, or `calendar: day`; without an end it is a budget";
            out.instead(&placed.at, "a rate limit has no `window`", suggestion);
        }
        if let (Some(Count(max)), Some(Some(window))) = (placed.value.calls, window) {
            all.push(written.limit(Measure::Calls, max, window));
        }
    }
    if let Some(placed) = loops {
        let id = Some(Placed { value: Id(Arc::from(LOOPS)), at: placed.at.clone() });
        let written = written!(LimitKind::Loop, placed, id, Per::SameCall);
        if let (Some(Count(max)), Some(Length(length))) = (placed.value.same_call, placed.value.window) {
            all.push(written.limit(Measure::Calls, max, Window::Rolling(length)));
        }
    }
    for limit in &all {
        nothing_apart(limit, out);
    }
    all.sort_by(|one, two| one.id().cmp(two.id()));
    all
}

/// The one thing a budget counts, and how much of it.
fn measure(placed: &Placed<Budget>, clean: bool, out: &mut Problems) -> Option<(Measure, i64)> {
    let budget = &placed.value;
    let mut given: Vec<(&str, &At)> = Vec::new();
    given.extend(budget.usd.as_ref().map(|usd| ("usd", &usd.at)));
    given.extend(budget.tokens.as_ref().map(|tokens| ("tokens", &tokens.at)));
    given.extend(budget.calls.as_ref().map(|calls| ("calls", &calls.at)));
    given.extend(budget.sum.as_ref().map(|sum| ("sum", &sum.at)));
    match given.as_slice() {
        [] => {
            if clean {
                let suggestion = "write one of `usd`, `tokens`, `calls`, or `sum` and `max`";
                out.instead(&placed.at, "the budget counts nothing", suggestion);
            }
            return None;
        }
        [_] => {}
        [(first, _), (second, at), ..] => {
            let message = format!("the budget counts both `{first}` and `{second}`");
            out.instead(at, message, "write a budget for each");
            return None;
        }
    }
    match (&budget.sum, &budget.max) {
        (None, Some(max)) => {
            if clean {
                out.instead(&max.at, "`max` is the most of a `sum`", "take it out, or write `sum: args.` and a name");
            }
            return None;
        }
        (Some(sum), None) => {
            if clean {
                out.instead(&sum.at, "the budget has a `sum` and no `max`", "write `max:` and the most it may come to");
            }
            return None;
        }
        (Some(sum), Some(max)) => return Some((Measure::Sum(sum.value.clone()), max.value.0)),
        (None, None) => {}
    }
    let usd = budget.usd.as_ref().map(|usd| (Measure::Usd, usd.value.0));
    let tokens = budget.tokens.as_ref().map(|tokens| (Measure::Tokens, tokens.value.0));
    let calls = budget.calls.as_ref().map(|calls| (Measure::Calls, calls.value.0));
    usd.or(tokens).or(calls)
}

/// The window; `None` where it was refused, `Some(None)` where there is none.
fn window(
    window: &Option<Placed<Length>>,
    calendar: &Option<Placed<Calendar>>,
    out: &mut Problems,
) -> Option<Option<Window>> {
    match (window, calendar) {
        (Some(_), Some(calendar)) => {
            out.instead(&calendar.at, "both `window` and `calendar` are given", "take one of them out");
            None
        }
        (Some(length), None) => Some(Some(Window::Rolling(length.value.0))),
        (None, Some(calendar)) => Some(Some(Window::Calendar(calendar.value))),
        (None, None) => Some(None),
    }
}

/// Notes what a limit cannot count because no call or every tool is meant.
fn nothing_apart(limit: &Limit, out: &mut Problems) {
    let id = limit.id();
    let noun = limit.kind.noun();
    if limit.is_of_all_tools() && limit.paths().next().is_some() {
        let message = format!("{noun} `{id}` looks at an argument of every tool");
        out.instead(&limit.at, message, "name the tools that have it, such as `tools: [issue_refund]`");
    }
    if limit.measure == Measure::Tokens && (!limit.is_of_all_tools() || matches!(limit.per, Per::Tool)) {
        let message = format!("{noun} `{id}` counts tokens, which are spent by the model and not by tools");
        out.instead(&limit.at, message, "leave out what selects tools; `per` may be session, run, agent or user");
    }
}

/// Notes ids that are given twice, among limits or to a rule as well.
pub(crate) fn check_ids(policy: &Policy, out: &mut Problems) {
    let mut seen: BTreeMap<&str, &'static str> = policy.rules.iter().map(|rule| (rule.rule.id(), "a rule")).collect();
    for limit in &policy.limits {
        let of = match limit.kind {
            LimitKind::Budget => "a budget",
            LimitKind::Rate => "a rate limit",
            LimitKind::Loop => "`loops`",
        };
        if let Some(other) = seen.insert(limit.id(), of) {
            let at = limit.rule.id.as_ref().map_or(&limit.at, |id| &id.at);
            let message = format!("the id `{}` is given to {other} and to {of}", limit.id());
            out.instead(at, message, "call one of them something else");
        }
    }
}

/// Notes arguments that the tools of a limit cannot have, or that it cannot count.
pub(crate) fn check_arguments(policy: &Policy, out: &mut Problems) {
    let looking: Vec<&Limit> = policy.limits.iter().filter(|limit| limit.paths().next().is_some()).collect();
    if looking.is_empty() {
        return;
    }
    let typed = TypedTools::new(policy);
    for limit in looking {
        let of_it =
            |tool: &&super::conditions::TypedTool| limit.rule.selects(&tool.spec.source, &tool.spec.name, &tool.known);
        for tool in typed.tools.iter().filter(of_it) {
            if let Some((why, suggestion)) = limit.misfit(&tool.arguments) {
                let (noun, id, name) = (limit.kind.noun(), limit.id(), &tool.spec.name);
                let message = format!("{noun} `{id}` does not fit the tool `{name}`: {why}");
                out.push(ErrorCode::PolicyInvalid, &limit.at, message, suggestion);
            }
        }
    }
}
