//! What people say in a case to a call that waits for them.

use super::literal::Literal;
use crate::approval::{self, Consent, Edit, Grant, Person};
use crate::clock::UnixNanos;
use crate::decide::{Effect, Verdict};
use crate::error::Error;
use crate::ledger::record::scalar::Time;
use crate::policy::node::{Kind, Node};
use crate::policy::problem::Problems;
use crate::policy::quantity::{Count, Length};
use crate::policy::read::{Placed, Read, choices, keys};
use crate::policy::text::Text;
use crate::value::{self, Value};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Who answers where the case does not say: somebody that no rule names and nobody vouches for.
const SOMEBODY: &str = "somebody";

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Says {
    /// It may run.
    Yes,
    /// It may not.
    No,
}

choices! {
    Says { "yes" => Says::Yes, "no" => Says::No }
}

keys! {
    /// What one person says.
    pub(crate) struct Answered called "`answer`"
    requires {
        /// Yes or no.
        says: Placed<Says>,
    }
    {
        /// Who says it, by id.
        by: Text,
        /// The groups the person is in.
        groups: Vec<Text>,
        /// Who vouches for the person.
        verified_by: Text,
        /// How long after the question, or the answer before.
        after: Length,
        /// Other arguments by name, or a JSON Patch (RFC 6902).
        edit: Placed<Literal>,
        /// Like calls that need no asking then.
        grant: Placed<Granted>,
        /// What the person adds.
        note: Text,
    }
}

keys! {
    /// Like calls that need no asking.
    pub(crate) struct Granted called "`grant`" {
        /// How many.
        count: Count,
        /// For how long.
        lasts: Length,
        /// The condition on their arguments.
        when: Text,
    }
}

/// One answer, `yes` or `no` alone, or several of different people.
#[derive(Debug, Clone)]
pub(crate) struct Answers(Vec<Placed<Answered>>);

impl Read for Answers {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let one = |node: &Node<'_>, out: &mut Problems| {
            let value = match &node.kind {
                Kind::Map(_) => Answered::read(node, out)?,
                _ => Answered::only(Placed { value: Says::read(node, out)?, at: node.at.clone() }),
            };
            Some(Placed { value, at: node.at.clone() })
        };
        match &node.kind {
            Kind::List(items) if items.is_empty() => {
                out.instead(&node.at, "`answer` has no answer", "write `yes` or `no`, or leave it out");
                None
            }
            Kind::List(items) => Some(Self(items.iter().filter_map(|item| one(item, out)).collect())),
            _ => Some(Self(vec![one(node, out)?])),
        }
    }
}

crate::policy::read::schemas! {
    Answers |generator| {
        let (word, whole) = (generator.subschema_for::<Says>(), generator.subschema_for::<Answered>());
        let one = json!({ "anyOf": [word, whole] });
        schemars::json_schema!({ "anyOf": [word, whole, { "type": "array", "items": one, "minItems": 1 }] })
    };
}

impl Answered {
    const fn only(says: Placed<Says>) -> Self {
        let (by, groups, verified_by, after, edit, grant, note) = (None, None, None, None, None, None, None);
        Self { says: Some(says), by, groups, verified_by, after, edit, grant, note }
    }
}

/// One answer, ready to be given.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) by: Person,
    says: approval::Answer,
    /// How long its grant lasts from then on, in nanoseconds.
    lasts: Option<i64>,
    /// Nanoseconds after what was before.
    pub(crate) after: i64,
    pub(crate) note: Option<Arc<str>>,
}

impl Answer {
    /// What is said at `now`.
    pub(crate) fn said(&self, now: UnixNanos) -> approval::Answer {
        let mut says = self.says.clone();
        if let (approval::Answer::Yes(Consent { grant: Some(grant), .. }), Some(lasts)) = (&mut says, self.lasts) {
            grant.until = Some(Time(UnixNanos(now.0.saturating_add(lasts))));
        }
        says
    }

    pub(crate) const fn is_yes(&self) -> bool {
        matches!(self.says, approval::Answer::Yes(_))
    }
}

/// What comes of the call in the end where the case does not say: what the last answer asks for.
pub(crate) fn meant(answers: &[Answer]) -> Option<Effect> {
    answers.last().map(|last| if last.is_yes() { Effect::Run } else { Effect::Refused })
}

/// Makes the answers ready.
pub(crate) fn compile(answers: Answers, out: &mut Problems) -> Vec<Answer> {
    answers.0.into_iter().filter_map(|answer| one(answer, out)).collect()
}

fn one(placed: Placed<Answered>, out: &mut Problems) -> Option<Answer> {
    let Placed { value: answered, .. } = placed;
    let Answered { says, by, groups, verified_by, after, edit, grant, note } = answered;
    let lasts = grant.as_ref().and_then(|grant| grant.value.lasts).map(|length| length.0);
    let says = match says?.value {
        Says::Yes => {
            let at = grant.as_ref().map(|grant| grant.at.clone());
            let consent = Consent {
                edit: edit.and_then(|edit| usable(&edit.at, edited(&edit.value.0), out)),
                grant: grant.and_then(|grant| usable(&grant.at, granted(&grant.value), out)),
            };
            if let Some(at) = at {
                usable(&at, consent.check(), out);
            }
            approval::Answer::Yes(consent)
        }
        Says::No => {
            for (key, at) in [("edit", edit.map(|edit| edit.at)), ("grant", grant.map(|grant| grant.at))] {
                if let Some(at) = at {
                    out.instead(&at, format!("a no has no `{key}`"), format!("remove `{key}`, or say `yes`"));
                }
            }
            approval::Answer::No
        }
    };
    let text = |text: Option<Text>| text.map(|text| text.0);
    Some(Answer {
        by: Person {
            id: text(by).unwrap_or_else(|| Arc::from(SOMEBODY)),
            groups: groups.into_iter().flatten().map(|group| group.0).collect(),
            verified_by: text(verified_by),
        },
        says,
        lasts,
        after: after.map_or(0, |after| after.0),
        note: text(note),
    })
}

fn usable<T>(at: &crate::policy::At, made: Result<T, Error>, out: &mut Problems) -> Option<T> {
    made.map_err(|error| out.instead(at, error.message(), "correct it, or leave it out")).ok()
}

/// A map of arguments, or a JSON Patch.
fn edited(given: &Value<'_>) -> Result<Edit, Error> {
    let mut canonical = Vec::new();
    value::encode(given, &mut canonical)?;
    // in canonical form, as what it changes is: keys and large numbers are written as there
    let json: Json = serde_json::from_slice(&canonical).unwrap_or(Json::Null);
    let Json::Object(arguments) = json else { return Edit::from_json(json) };
    let set = |(name, value): (String, Json)| {
        let path = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        json!({ "op": "add", "path": path, "value": value })
    };
    Edit::from_json(arguments.into_iter().map(set).collect())
}

fn granted(given: &Granted) -> Result<Grant, Error> {
    let count = given.count.map(|count| u32::try_from(count.0).unwrap_or(u32::MAX));
    // its time begins with the answer
    let until = given.lasts.map(|_| Time(UnixNanos(i64::MAX)));
    let grant = Grant { when: given.when.as_ref().map(|when| Arc::clone(&when.0)), count, until };
    grant.check().map(|()| grant)
}

/// What the mode makes of a call, or more of what is expected in the end.
pub(crate) fn effect_alone(node: &Node<'_>, out: &mut Problems) -> Option<Effect> {
    if let Kind::Str(text, _) = &node.kind
        && [Verdict::Allow, Verdict::Deny, Verdict::RequireApproval].iter().any(|verdict| verdict.as_str() == &**text)
    {
        let message = format!("`{text}` is what the policy says, and `then` what comes of the call in the end");
        out.instead(&node.at, message, "write `run`, `refused` or `asked`");
        return None;
    }
    Effect::read(node, out)
}
