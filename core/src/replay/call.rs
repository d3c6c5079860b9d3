//! One recorded call: what is known of it, whether that is enough to give it back, and how people are told of it.

use super::difference::{is_redacted, short};
use crate::call::qualified;
use crate::decide::{Effect, ReasonCode};
use crate::ledger::read::Payload;
use crate::ledger::record::typed::{CallResult, Completed, Decided, Outcome};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// A call of a recorded run.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) decided: Box<Decided>,
    pub(super) completed: Option<Box<Completed>>,
    /// Canonical JSON of the redacted arguments, where they were kept.
    pub(super) arguments: Option<String>,
    /// Of the redacted result.
    pub(super) result: Option<String>,
    /// Of what was raised, or of what the caller of a refused call was told.
    pub(super) error: Option<String>,
    /// Whether what it came to was erased.
    erased: bool,
    /// Where it was decided among all records of the home.
    pub(super) begins: usize,
    /// Where it ended: before another one's `begins`, it was over when that one was made.
    pub(super) ends: usize,
    /// Those that began before it and ended after it, by index: it may have been made by the body of one of them, or beside it.
    pub(super) around: Vec<usize>,
    pub(super) served: bool,
}

impl Call {
    pub(super) fn new(decided: Box<Decided>, payloads: Vec<(String, Payload)>, place: usize) -> Self {
        let mut call = Self {
            decided,
            completed: None,
            arguments: None,
            result: None,
            error: None,
            erased: false,
            begins: place,
            ends: place,
            around: Vec::new(),
            served: false,
        };
        call.keep(payloads);
        call
    }

    pub(super) fn end(&mut self, completed: Box<Completed>, payloads: Vec<(String, Payload)>, place: usize) {
        self.completed = Some(completed);
        self.ends = place;
        self.keep(payloads);
    }

    fn keep(&mut self, payloads: Vec<(String, Payload)>) {
        for (part, payload) in payloads {
            let kept = match &*part {
                "arguments" => &mut self.arguments,
                "result" => &mut self.result,
                "error" => &mut self.error,
                _ => continue,
            };
            self.erased |= payload == Payload::Erased && part != "arguments";
            *kept = match payload {
                Payload::Value(canonical) => Some(String::from_utf8_lossy(&canonical).into_owned()),
                Payload::Erased | Payload::Missing => None,
            };
        }
    }

    pub(super) fn session(&self) -> &str {
        &self.decided.session
    }

    pub(super) fn tool(&self) -> Cow<'_, str> {
        self.decided.tool.qualified()
    }

    pub(super) fn is_of(&self, source: &str, name: &str) -> bool {
        self.decided.tool.source == source && self.decided.tool.name == name
    }

    /// Why it cannot be given back, if it cannot.
    pub(super) fn missing(&self) -> Option<Cow<'static, str>> {
        if self.decided.digest.is_none() {
            return Some("its arguments could not be captured".into());
        }
        if self.decided.effect != Effect::Run {
            let code = &self.decided.reason_code;
            let is_known = ReasonCode::ALL.iter().any(|known| known.as_str() == code);
            return (!is_known).then(|| format!("this version does not know why it was refused, `{code}`").into());
        }
        let Some(completed) = &self.completed else {
            return Some("it has not ended, or its end was not recorded".into());
        };
        match (completed.outcome, &completed.result) {
            (Outcome::Error, _) if self.error.is_some() => None,
            (Outcome::Error, _) if self.erased => Some("what it raised was erased".into()),
            (Outcome::Error, _) => Some("what it raised was not recorded".into()),
            (Outcome::Success, None) => None,
            (Outcome::Success, Some(CallResult::Uncaptured(_))) => {
                Some("its result could not be captured, as of a generator or a stream".into())
            }
            (Outcome::Success, Some(CallResult::Digest(_))) => match &self.result {
                None if self.erased => Some("its result was erased".into()),
                None => Some("its result was not recorded; write `record: {result: full}` in the policy".into()),
                Some(result) => match serde_json::from_str(result) {
                    Ok(result) => unreadable(&result),
                    Err(_) => Some("its result cannot be read from the ledger".into()),
                },
            },
            (other, _) => Some(format!("its outcome is `{}`", crate::ledger::Outcome::from(other).as_str()).into()),
        }
    }

    /// The object `{"tool","arguments"}`, arguments null where they were not kept.
    pub(super) fn shown(&self) -> String {
        shown(&self.tool(), self.arguments.as_deref())
    }
}

/// The object `{"tool","arguments"}` of a tool's name and canonical arguments.
pub(super) fn shown(tool: &str, arguments: Option<&str>) -> String {
    let mut text = b"{\"tool\":".to_vec();
    crate::value::text::write_string(tool, &mut text);
    let tool = String::from_utf8_lossy(&text);
    format!("{tool},\"arguments\":{}}}", arguments.unwrap_or("null"))
}

/// A call for people.
pub(super) fn named(source: &str, name: &str, arguments: &str) -> String {
    format!("`{}` with {}", qualified(source, name), short(arguments))
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.arguments {
            Some(arguments) => f.write_str(&named(&self.decided.tool.source, &self.decided.tool.name, arguments)),
            None => write!(f, "`{}`", self.tool()),
        }
    }
}

/// Why a recorded result cannot be given back, if it cannot. Recursion is bounded by the reader's depth.
fn unreadable(value: &Value) -> Option<Cow<'static, str>> {
    match value {
        Value::Array(elements) => elements.iter().find_map(unreadable),
        Value::Object(_) if is_redacted(value) => {
            Some("its result was redacted; write `record: {result: full}` in the policy".into())
        }
        Value::Object(members) => match members.get("$opaque") {
            Some(Value::String(kind)) if members.len() == 1 => {
                Some(format!("its result holds a `{kind}`, which has no value").into())
            }
            _ => members.values().find_map(unreadable),
        },
        _ => None,
    }
}
