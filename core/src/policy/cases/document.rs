//! The file of cases: its types are its reader and its JSON Schema in one.

use super::answers::{Answers, effect_alone};
use super::literal::{Arguments, Code, Literal, Moment, Tokens, Usd};
use crate::call::Risk;
use crate::decide::{Effect, Enforcement, Verdict};
use crate::policy::node::{Kind, Node};
use crate::policy::problem::Problems;
use crate::policy::quantity::Length;
use crate::policy::read::{Placed, Read, choices, keys};
use crate::policy::text::{Name, Tag, Text, Version};

choices! {
    Effect { "run" => Effect::Run, "refused" => Effect::Refused, "asked" => Effect::Asked }
}

keys! {
    /// Cases that a policy has to decide as they say.
    pub(crate) struct Document called "the file of cases"
    requires {
        /// The version of the policy language.
        version: Version,
        /// The cases; each has a home of its own.
        cases: Placed<Vec<Placed<Case>>>,
    }
    {
        /// What holds in every case that does not say otherwise.
        context: Context,
    }
}

keys! {
    /// A case: steps one after another in one home.
    pub(crate) struct Case called "a case"
    requires {
        /// What it shows.
        name: Placed<Text>,
        /// What happens.
        steps: Placed<Vec<Placed<Step>>>,
    }
    {
        /// When it begins, in UTC; `2026-01-01T00:00:00Z` where left out.
        start: Moment,
        /// On whose behalf, in all its steps.
        context: Context,
    }
}

keys! {
    /// On whose behalf and in which conversation.
    pub(crate) struct Context called "`context`" {
        /// The conversation; `test` where left out.
        session: Text,
        /// The session whose sub-agent's this one is.
        parent: Text,
        /// What the user said in the session.
        user_text: Text,
        /// The user's id.
        user: Text,
        /// Who vouched for the user's id.
        verified_by: Text,
        /// The agent's id.
        agent: Text,
        /// The execution in the session.
        run: Text,
        /// A mode that the call asks for; it only tightens.
        enforcement: Enforcement,
    }
}

keys! {
    /// A step: a call of a tool, a mark of the session, or what a model took.
    pub(crate) struct Step called "a step" {
        /// How long after the step before.
        after: Length,
        /// On whose behalf, over what the case says.
        context: Context,
        /// The tool that is called.
        tool: Placed<Name>,
        /// Where the tool comes from; `program` where left out.
        source: Placed<Name>,
        /// The tags that the code declares.
        tags: Placed<Vec<Placed<Tag>>>,
        /// The risk that the code declares.
        risk: Placed<Risk>,
        /// The system the tool acts on, as the code declares it.
        connector: Placed<Name>,
        /// What it does there, as the code declares it.
        action: Placed<Name>,
        /// What the call is expected to cost.
        cost_usd: Placed<Usd>,
        /// The arguments by name.
        args: Placed<Arguments>,
        /// What the body returns, if the call runs.
        result: Placed<Literal>,
        /// Only asks: the call does not run and nothing is counted.
        check: Placed<bool>,
        /// Marks the session with a tag.
        mark: Placed<Tag>,
        /// Logs what a model took.
        usage: Placed<Usage>,
        /// What has to be decided.
        expect: Placed<Expected>,
        /// What people say where the call waits for them.
        answer: Placed<Answers>,
        /// What has to come of the call then.
        then: Placed<Ended>,
    }
}

keys! {
    /// What a model took.
    pub(crate) struct Usage called "`usage`" {
        /// Tokens of the prompt.
        prompt_tokens: Tokens,
        /// Tokens of the completion.
        completion_tokens: Tokens,
        /// What it cost.
        cost_usd: Usd,
    }
}

keys! {
    /// What has to be decided; what is left out may be anything.
    pub(crate) struct Expectation called "`expect`" {
        /// What the policy says.
        decision: Verdict,
        /// What the mode makes of it.
        effect: Effect,
        /// Why, as a stable code.
        reason_code: Code,
        /// The rules and limits that decide, in any order; all of them.
        rules: Vec<Placed<Text>>,
        /// Why, for people.
        reason: Text,
        /// What the model is told.
        reason_for_agent: Text,
    }
}

/// What is expected, or only the decision.
#[derive(Debug, Clone)]
pub(crate) struct Expected(pub(crate) Expectation);

impl Read for Expected {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        if !matches!(node.kind, Kind::Str(..)) {
            return Expectation::read(node, out).map(Self);
        }
        let decision = Some(Verdict::read(node, out)?);
        Some(Self(Expectation { decision, ..Expectation::ANYTHING }))
    }
}

impl Expectation {
    const ANYTHING: Self =
        Self { decision: None, effect: None, reason_code: None, rules: None, reason: None, reason_for_agent: None };
}

/// What has to come of a call, or only the effect.
#[derive(Debug, Clone)]
pub(crate) struct Ended(pub(crate) Expectation);

impl Read for Ended {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        if matches!(node.kind, Kind::Map(..)) {
            return Expectation::read(node, out).map(Self);
        }
        Some(Self(Expectation { effect: Some(effect_alone(node, out)?), ..Expectation::ANYTHING }))
    }
}

crate::policy::read::schemas! {
    Ended |generator| {
        let (whole, short) = (generator.subschema_for::<Expectation>(), generator.subschema_for::<Effect>());
        schemars::json_schema!({ "anyOf": [short, whole] })
    };
}

crate::policy::read::schemas! {
    Expected |generator| {
        let (whole, short) = (generator.subschema_for::<Expectation>(), generator.subschema_for::<Verdict>());
        schemars::json_schema!({ "anyOf": [short, whole] })
    };
}
