//! Cases that stand beside a policy: calls, alone or one after another, and what has to be decided of each.
//!
//! Loaded as strictly as the policy: a case with a slip in it would pass for ever. [`crate::rehearsal`] runs them.

mod answers;
mod document;
mod literal;

use super::compiled::Policy;
use super::problem::{At, PolicyErrors, Problems};
use super::read::{Placed, Read as _};
use super::{utf8, yaml};
use crate::call::{PROGRAM_SOURCE, ToolSpec};
use crate::clock::UnixNanos;
use crate::decide::{Effect, Enforcement, ReasonCode, Verdict};
use crate::session::ModelUse;
use crate::value::Value;
pub(crate) use answers::Answer;
use document::{Document, Expectation};
use std::collections::BTreeSet;
use std::sync::Arc;

/// 2026-01-01T00:00:00Z: when a case begins that does not say.
const START: UnixNanos = UnixNanos(1_767_225_600_000_000_000);

/// The session of a case that does not say.
const SESSION: &str = "test";

/// The layer whose rules cases may name without it.
pub(crate) const LAYER: &str = "local";

/// The cases of one file.
#[derive(Debug)]
pub struct Cases {
    pub(crate) list: Vec<Case>,
}

impl Cases {
    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.list.len()
    }
}

/// Steps one after another in a home of their own.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: Arc<str>,
    pub(crate) at: At,
    pub(crate) start: UnixNanos,
    pub(crate) steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) at: At,
    /// Nanoseconds after the step before.
    pub(crate) after: i64,
    pub(crate) context: Context,
    pub(crate) what: What,
}

/// On whose behalf and in which conversation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    pub(crate) session: Option<Arc<str>>,
    pub(crate) parent: Option<Arc<str>>,
    pub(crate) user_text: Option<Arc<str>>,
    pub(crate) user: Option<Arc<str>>,
    pub(crate) verified_by: Option<Arc<str>>,
    pub(crate) agent: Option<Arc<str>>,
    pub(crate) run: Option<Arc<str>>,
    pub(crate) enforcement: Option<Enforcement>,
}

/// What happens.
#[derive(Debug)]
pub(crate) enum What {
    Call(Box<Call>),
    Mark(Arc<str>),
    Usage(ModelUse),
}

/// A call of a tool.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) tool: ToolSpec,
    pub(crate) args: Value<'static>,
    /// Whether the call is only asked about.
    pub(crate) check: bool,
    pub(crate) result: Option<Value<'static>>,
    pub(crate) expect: Option<Expect>,
    /// What people say where it waits for them, in order.
    pub(crate) answers: Vec<Answer>,
    /// What has to come of it in the end.
    pub(crate) then: Option<Expect>,
}

impl Call {
    /// Whether the case goes on after the decision.
    pub(crate) const fn asks(&self) -> bool {
        !self.answers.is_empty() || self.then.is_some()
    }
}

/// What has to be decided; what is `None` may be anything.
#[derive(Debug, Default)]
pub(crate) struct Expect {
    pub(crate) decision: Option<Verdict>,
    pub(crate) effect: Option<Effect>,
    pub(crate) reason_code: Option<ReasonCode>,
    /// Layer first, sorted.
    pub(crate) rules: Option<Vec<String>>,
    pub(crate) reason: Option<Arc<str>>,
    pub(crate) reason_for_agent: Option<Arc<str>>,
}

/// Loads the cases of `policy` from the bytes of a file, which messages call `name`.
///
/// # Errors
/// Everything that is wrong with them, each with its place: also rules that the policy does not have, cases that expect nothing.
pub fn load_bytes(name: &str, bytes: &[u8], policy: &Policy) -> Result<Cases, PolicyErrors> {
    let text = utf8(name, "the file", bytes)?;
    let mut out = Problems::default();
    let prepared = yaml::join_surrogates(text);
    let root = yaml::parse(&prepared, &mut out);
    if root.is_none() && out.is_empty() {
        let start = At::Text { line: 1, column: 1 };
        out.instead(&start, "the file of cases is empty", "write `version: 1` and `cases:`");
    }
    let document = root.and_then(|root| Document::read(&root, &mut out));
    let cases = document.map(|document| compile(document, policy, &mut out));
    match cases {
        Some(cases) if out.is_empty() => Ok(cases),
        _ => Err(out.into_errors(name)),
    }
}

fn compile(document: Document, policy: &Policy, out: &mut Problems) -> Cases {
    // what could not be read would be missing here and look like another mistake
    let clean = out.is_empty();
    let outermost = document.context.map_or_else(Context::default, Context::of);
    let cases = document.cases;
    if let Some(cases) = cases.as_ref().filter(|cases| cases.value.is_empty()) {
        out.instead(&cases.at, "there is no case", "write at least one, with `name` and `steps`");
    }
    let mut names = BTreeSet::new();
    let list = cases.into_iter().flat_map(|cases| cases.value);
    let list = list.map(|case| compile_case(case, &outermost, &mut names, policy, clean, out)).collect();
    Cases { list }
}

fn compile_case(
    case: Placed<document::Case>,
    outer: &Context,
    names: &mut BTreeSet<Arc<str>>,
    policy: &Policy,
    clean: bool,
    out: &mut Problems,
) -> Case {
    let Placed { value: case, at } = case;
    let name = case.name.as_ref().map_or_else(|| Arc::from(""), |name| Arc::clone(&name.value.0));
    if let Some(placed) = &case.name
        && !names.insert(Arc::clone(&name))
    {
        out.instead(&placed.at, format!("two cases are called `{name}`"), "call one of them something else");
    }
    let context = case.context.map_or_else(|| outer.clone(), |own| Context::of(own).over(outer));
    let expects = |step: &Placed<document::Step>| {
        step.value.expect.is_some() || step.value.then.is_some() || step.value.answer.is_some()
    };
    if let Some(steps) = case.steps.as_ref().filter(|_| clean)
        && !steps.iter().any(expects)
    {
        let message = format!("the case `{name}` expects nothing, so that it can never fail");
        out.instead(&steps.at, message, "write `expect: deny`, or another decision, in one of its steps");
    }
    let steps = case.steps.into_iter().flat_map(|steps| steps.value);
    let steps = steps.filter_map(|step| compile_step(step, &context, policy, clean, out)).collect();
    Case { name, at, start: case.start.map_or(START, |start| start.0), steps }
}

fn compile_step(
    step: Placed<document::Step>,
    outer: &Context,
    policy: &Policy,
    clean: bool,
    out: &mut Problems,
) -> Option<Step> {
    let Placed { value: mut step, at } = step;
    let context = step.context.take().map_or_else(|| outer.clone(), |own| Context::of(own).over(outer));
    let after = step.after.map_or(0, |after| after.0);
    let kinds = [step.tool.is_some(), step.mark.is_some(), step.usage.is_some()];
    if kinds.iter().filter(|given| **given).count() != 1 {
        if !clean {
            return None;
        }
        let message = "a step is either a call, a mark or what a model took";
        out.instead(&at, message, "write one of `tool`, `mark` and `usage`");
        return None;
    }
    if step.tool.is_none() {
        for (key, place) in of_calls(&step) {
            out.instead(place, format!("`{key}` is only of a step with a `tool`"), "remove it");
        }
    }
    let what = match (step.mark.take(), step.usage.take()) {
        (Some(tag), _) => {
            if let Some(known) = policy.tags.as_ref().filter(|known| !known.contains(&tag.value.0)) {
                let message = format!("the tag `{}` is not in the vocabulary `tags` of the policy", tag.value.0);
                let known = known.iter().map(|known| &**known);
                out.unknown(&tag.at, message, &tag.value.0, known, "mark the session with one that is there");
            }
            What::Mark(tag.value.0)
        }
        (None, Some(usage)) => What::Usage(ModelUse {
            prompt_tokens: usage.value.prompt_tokens.map_or(0, |count| count.0),
            completion_tokens: usage.value.completion_tokens.map_or(0, |count| count.0),
            cost_micro_usd: usage.value.cost_usd.map_or(0, |cost| cost.0.unsigned_abs()),
        }),
        (None, None) => What::Call(Box::new(compile_call(step, policy, clean, out)?)),
    };
    Some(Step { at, after, context, what })
}

/// The keys that only a call has, where they are given.
fn of_calls(step: &document::Step) -> impl Iterator<Item = (&'static str, &At)> {
    let places = [
        ("source", step.source.as_ref().map(|key| &key.at)),
        ("tags", step.tags.as_ref().map(|key| &key.at)),
        ("risk", step.risk.as_ref().map(|key| &key.at)),
        ("connector", step.connector.as_ref().map(|key| &key.at)),
        ("action", step.action.as_ref().map(|key| &key.at)),
        ("cost_usd", step.cost_usd.as_ref().map(|key| &key.at)),
        ("args", step.args.as_ref().map(|key| &key.at)),
        ("result", step.result.as_ref().map(|key| &key.at)),
        ("check", step.check.as_ref().map(|key| &key.at)),
        ("expect", step.expect.as_ref().map(|key| &key.at)),
        ("answer", step.answer.as_ref().map(|key| &key.at)),
        ("then", step.then.as_ref().map(|key| &key.at)),
    ];
    places.into_iter().filter_map(|(key, place)| Some((key, place?)))
}

fn compile_call(step: document::Step, policy: &Policy, clean: bool, out: &mut Problems) -> Option<Call> {
    let tool = step.tool?;
    let check = step.check.is_some_and(|check| check.value);
    let of_calls_that_run = [
        ("result", step.result.as_ref().map(|key| &key.at)),
        ("answer", step.answer.as_ref().map(|key| &key.at)),
        ("then", step.then.as_ref().map(|key| &key.at)),
    ];
    for (key, at) in of_calls_that_run.into_iter().filter_map(|(key, at)| Some((key, at.filter(|_| check)?))) {
        let message = format!("a call that is only asked about has no `{key}`");
        out.instead(at, message, format!("remove `{key}` or `check`"));
    }
    let text = |name: Option<Placed<super::text::Name>>| name.map(|name| name.value.0.to_string());
    let tool = ToolSpec {
        name: tool.value.0.to_string(),
        source: text(step.source).unwrap_or_else(|| PROGRAM_SOURCE.to_owned()),
        tags: step.tags.into_iter().flat_map(|tags| tags.value).map(|tag| tag.value.0.to_string()).collect(),
        risk: step.risk.map(|risk| risk.value),
        connector: text(step.connector),
        action: text(step.action),
        cost_micro_usd: step.cost_usd.map(|cost| cost.value.0),
        ..ToolSpec::default()
    };
    let expect = step.expect.map(|expect| expectation("expect", expect.value.0, &expect.at, policy, clean, out));
    let then = step.then.map(|then| expectation("then", then.value.0, &then.at, policy, clean, out));
    let answers = step.answer.map_or_else(Vec::new, |answers| answers::compile(answers.value, out));
    let args = step.args.map_or_else(|| Value::Map(Vec::new()), |args| args.value.0);
    let meant = || answers::meant(&answers).map(|effect| Expect { effect: Some(effect), ..Expect::default() });
    let then = then.or_else(meant);
    Some(Call { tool, args, check, result: step.result.map(|result| result.value.0), expect, answers, then })
}

fn expectation(key: &str, expected: Expectation, at: &At, policy: &Policy, clean: bool, out: &mut Problems) -> Expect {
    let Expectation { decision, effect, reason_code, rules, reason, reason_for_agent } = expected;
    let nothing = decision.is_none() && effect.is_none() && reason_code.is_none() && rules.is_none();
    if clean && nothing && reason.is_none() && reason_for_agent.is_none() {
        let instead = if key == "then" {
            "write `then: run`, `refused` or `asked`"
        } else {
            "write `expect: deny`, or another decision"
        };
        out.instead(at, format!("`{key}` expects nothing"), instead);
    }
    let known: BTreeSet<&str> = policy.rule_ids().chain(policy.limits.iter().map(super::limiting::Limit::id)).collect();
    let mut named = |rule: &Placed<super::text::Text>| {
        let id = &*rule.value.0;
        let own = id.strip_prefix(LAYER).and_then(|rest| rest.strip_prefix('/')).unwrap_or(id);
        if !known.contains(own) {
            let message = format!("the policy has no rule or limit `{own}`");
            out.unknown(&rule.at, message, own, known.iter().copied(), "name one that it has");
        }
        format!("{LAYER}/{own}")
    };
    let rules = rules.map(|rules| {
        let mut ids: Vec<String> = rules.iter().map(&mut named).collect();
        ids.sort();
        ids
    });
    let text = |text: Option<super::text::Text>| text.map(|text| text.0);
    let reason_code = reason_code.map(|code| code.0);
    Expect { decision, effect, reason_code, rules, reason: text(reason), reason_for_agent: text(reason_for_agent) }
}

impl Context {
    fn of(written: document::Context) -> Self {
        let text = |text: Option<super::text::Text>| text.map(|text| text.0);
        Self {
            session: text(written.session),
            parent: text(written.parent),
            user_text: text(written.user_text),
            user: text(written.user),
            verified_by: text(written.verified_by),
            agent: text(written.agent),
            run: text(written.run),
            enforcement: written.enforcement,
        }
    }

    /// What this one says, and `outer` where it says nothing. What a session began with is that session's alone.
    fn over(self, outer: &Self) -> Self {
        let another = self.session.as_ref().is_some_and(|own| **own != *outer.session());
        let begun = |own: Option<Arc<str>>, outer: &Option<Arc<str>>| match another {
            true => own,
            false => own.or_else(|| outer.clone()),
        };
        let of_user = |own: Option<Arc<str>>, outer: &Option<Arc<str>>| match self.user {
            Some(_) => own,
            None => own.or_else(|| outer.clone()),
        };
        Self {
            parent: begun(self.parent, &outer.parent),
            user_text: begun(self.user_text, &outer.user_text),
            verified_by: of_user(self.verified_by, &outer.verified_by),
            session: self.session.or_else(|| outer.session.clone()),
            user: self.user.or_else(|| outer.user.clone()),
            agent: self.agent.or_else(|| outer.agent.clone()),
            run: self.run.or_else(|| outer.run.clone()),
            enforcement: self.enforcement.or(outer.enforcement),
        }
    }

    /// The session, or the one of a case that names none.
    pub(crate) fn session(&self) -> Arc<str> {
        self.session.clone().unwrap_or_else(|| Arc::from(SESSION))
    }
}
