//! What came of the cases of a policy, for people and as JSON.

use crate::decide::{Decision, Effect, ReasonCode, Verdict};
use crate::policy::cases::Expect;
use serde::Serialize;
use std::sync::Arc;

/// What came of all cases.
#[derive(Debug, Serialize)]
pub struct Rehearsed {
    /// The cases, in the order of the file.
    pub cases: Vec<CaseReport>,
    /// Rules and limits that decided no call of any case, by id.
    pub untried: Vec<String>,
}

/// What came of one case.
#[derive(Debug, Serialize)]
pub struct CaseReport {
    /// What it shows.
    pub name: Arc<str>,
    /// Its line in the file, from 1.
    pub line: u32,
    /// Whether everything was as expected.
    pub ok: bool,
    /// Its calls.
    pub calls: Vec<CallReport>,
}

/// What came of one call.
#[derive(Debug, Serialize)]
pub struct CallReport {
    /// Which step of the case it is, from 1.
    pub step: usize,
    /// The step's line in the file, from 1.
    pub line: u32,
    /// The tool's name.
    pub tool: String,
    /// What was decided; `None` where the tool cannot be guarded under this policy.
    pub decided: Option<Decided>,
    /// What came of it where people could be asked; `None` where the case does not ask them.
    pub then: Option<Decided>,
    /// What is not as it was expected; empty where all is.
    pub differences: Vec<Difference>,
}

/// What was decided of a call.
#[derive(Debug, Serialize)]
pub struct Decided {
    /// What the policy says.
    pub decision: &'static str,
    /// What the mode makes of it.
    pub effect: &'static str,
    /// Why, as a stable code.
    pub reason_code: &'static str,
    /// The rules and limits that decided.
    pub rules: Vec<Arc<str>>,
    /// Why, for people.
    pub reason: Option<Arc<str>>,
    /// What the model is told.
    pub reason_for_agent: Option<Arc<str>>,
    /// The part of a condition that failed.
    pub detail: Option<Arc<str>>,
}

/// One thing that is not as it was expected.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// Which member of what is expected; with `then.` before it, of what comes of the call in the end.
    pub member: &'static str,
    /// What was expected.
    pub expected: String,
    /// What is.
    pub found: String,
}

impl Rehearsed {
    /// Whether every case was as expected.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.cases.iter().all(|case| case.ok)
    }
}

impl Decided {
    pub(super) fn of(decision: Decision) -> Self {
        Self {
            decision: decision.verdict.as_str(),
            effect: decision.effect.as_str(),
            reason_code: decision.reason_code.as_str(),
            rules: decision.rules.to_vec(),
            reason: decision.reason,
            reason_for_agent: decision.reason_for_agent,
            detail: decision.detail,
        }
    }
}

/// The members of what is expected of a decision, and of what comes of the call in the end.
const MEMBERS: [[&str; 6]; 2] = [
    ["decision", "effect", "reason_code", "reason", "reason_for_agent", "rules"],
    ["then.decision", "then.effect", "then.reason_code", "then.reason", "then.reason_for_agent", "then.rules"],
];

pub(super) fn differences(expect: &Expect, decided: &Decided, in_the_end: bool) -> Vec<Difference> {
    let [decision, effect, reason_code, reason, reason_for_agent, rules] =
        if in_the_end { MEMBERS[1] } else { MEMBERS[0] };
    let mut found = Vec::new();
    let mut compare = |member, expected: Option<&str>, is: Option<&str>| {
        if let Some(expected) = expected
            && is != Some(expected)
        {
            let found_text = is.unwrap_or("nothing").to_owned();
            found.push(Difference { member, expected: expected.to_owned(), found: found_text });
        }
    };
    compare(decision, expect.decision.map(Verdict::as_str), Some(decided.decision));
    compare(effect, expect.effect.map(Effect::as_str), Some(decided.effect));
    compare(reason_code, expect.reason_code.map(ReasonCode::as_str), Some(decided.reason_code));
    compare(reason, expect.reason.as_deref(), decided.reason.as_deref());
    compare(reason_for_agent, expect.reason_for_agent.as_deref(), decided.reason_for_agent.as_deref());
    if let Some(expected) = &expect.rules {
        let mut is: Vec<&str> = decided.rules.iter().map(|rule| &**rule).collect();
        is.sort_unstable();
        let named = |ids: &[&str]| if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        if expected != is {
            found.push(Difference { member: rules, expected: named(&expected), found: named(&is) });
        }
    }
    found
}
