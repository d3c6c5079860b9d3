//! How much, over which time and for whom: the texts and numbers of limits.

use super::asking::span;
use super::node::{Kind, Node};
use super::problem::Problems;
use super::read::{Read, choice, wrong};
use super::text::shown;
use crate::decide::Verdict;
use crate::limits::{Calendar, fixed_decimal};
use std::sync::Arc;

super::read::choices! {
    Calendar {
        "hour" => Calendar::Hour, "day" => Calendar::Day, "week" => Calendar::Week, "month" => Calendar::Month,
    }
}

super::read::schemas! {
    Amount { "type": "number", "exclusiveMinimum": 0 };
    Count { "type": "integer", "minimum": 1 };
    Length { "type": "string", "pattern": "^[1-9][0-9]{0,8}[smhd]$" };
    OnExceed { "type": "string", "enum": ["deny", "require_approval"] };
    ArgumentPath { "type": "string", "pattern": "^args(\\.[A-Za-z_][A-Za-z0-9_]*)+$" };
    Per { "type": "string", "pattern": "^(session|run|agent|user|tool|args(\\.[A-Za-z_][A-Za-z0-9_]*)+)$" };
}

/// An amount above nothing, in millionths.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amount(pub(crate) i64);

impl Read for Amount {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let text = match &node.kind {
            Kind::Int(whole) => whole.to_string(),
            // the fewest digits that read back as the same number, which is what was written
            Kind::Float(number) if number.is_finite() => format!("{number:e}"),
            Kind::BigInt(digits) => digits.to_string(),
            _ => return wrong(node, "a number", out),
        };
        match fixed_decimal(&text) {
            Ok(0) => {
                out.instead(&node.at, "a limit of nothing refuses every call", "write a rule that denies them");
                None
            }
            Ok(amount) => Some(Self(amount)),
            Err(why) => {
                out.instead(&node.at, format!("the amount {why}"), "write a number such as `500` or `12.50`");
                None
            }
        }
    }
}

/// How many, at least one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count(pub(crate) i64);

impl Read for Count {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        match node.kind {
            Kind::Int(0) => {
                out.instead(&node.at, "a limit of nothing refuses every call", "write a rule that denies them");
                None
            }
            Kind::Int(count @ 1..) => Some(Self(count)),
            Kind::Int(_) => {
                out.instead(&node.at, "the count is negative", "write a whole number from 1");
                None
            }
            Kind::BigInt(_) => {
                out.instead(&node.at, "the count is too large to be reached", "write a smaller one, or leave it out");
                None
            }
            _ => wrong(node, "a whole number", out),
        }
    }
}

/// The length of a window, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Length(pub(crate) i64);

/// Windows of up to a year and a day.
const LONGEST_DAYS: u64 = 366;

impl Read for Length {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let Kind::Str(text, _) = &node.kind else {
            return wrong(node, "a time such as `15m`, as text", out);
        };
        let found = span(text).filter(|length| length.as_secs() <= LONGEST_DAYS * 86_400);
        let nanos = found.and_then(|length| i64::try_from(length.as_nanos()).ok());
        if nanos.is_none() {
            let message = format!("`{}` is no time between 1s and {LONGEST_DAYS}d", shown(text));
            out.instead(&node.at, message, "write a whole number and `s`, `m`, `h` or `d`, such as `15m`");
        }
        nanos.map(Self)
    }
}

/// What happens to a call beyond a limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnExceed(pub(crate) Verdict);

impl Read for OnExceed {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let choices = [("deny", Verdict::Deny), ("require_approval", Verdict::RequireApproval)];
        choice(node, &choices, out).map(Self)
    }
}

/// An argument of a call, or a field within one, by names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArgumentPath(Arc<[Box<str>]>);

impl ArgumentPath {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let is_name = |part: &str| {
            part.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if parts.next() != Some("args") {
            return None;
        }
        let names: Arc<[Box<str>]> = parts.map(Box::from).collect();
        (!names.is_empty() && text.len() <= 256 && names.iter().all(|name| is_name(name))).then_some(Self(names))
    }

    /// The names, the argument's first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    /// As written.
    pub(crate) fn text(&self) -> String {
        format!("args.{}", self.0.join("."))
    }
}

impl Read for ArgumentPath {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        let Kind::Str(text, _) = &node.kind else {
            return wrong(node, "an argument such as `args.amount`, as text", out);
        };
        let read = Self::parse(text);
        if read.is_none() {
            let message = format!("`{}` names no argument", shown(text));
            let bare = (&**text != "args").then(|| Self::parse(&format!("args.{text}"))).flatten();
            let bare = bare.map(|path| format!("write `{}`", path.text()));
            out.instead(&node.at, message, bare.unwrap_or_else(|| "write `args.` and the argument's name".to_owned()));
        }
        read
    }
}

/// What a limit counts apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Per {
    /// Nothing: all calls of the home together.
    Home,
    /// Each session.
    Session,
    /// Each run.
    Run,
    /// Each agent.
    Agent,
    /// Each user.
    User,
    /// Each tool.
    Tool,
    /// Each value of an argument.
    Argument(ArgumentPath),
    /// Each call within a session: the same tool with the same arguments.
    SameCall,
}

impl Read for Per {
    fn read(node: &Node<'_>, out: &mut Problems) -> Option<Self> {
        if let Kind::Str(text, _) = &node.kind
            && (text.starts_with("args.") || &**text == "args")
        {
            return ArgumentPath::read(node, out).map(Self::Argument);
        }
        let choices = [("session", 0_u8), ("run", 1), ("agent", 2), ("user", 3), ("tool", 4), ("args.x", 5)];
        Some(match choice(node, &choices, out)? {
            0 => Self::Session,
            1 => Self::Run,
            2 => Self::Agent,
            3 => Self::User,
            _ => Self::Tool,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_names_behind_args() {
        let path = |text: &str| ArgumentPath::parse(text).map(|path| path.text());
        assert_eq!(path("args.amount").as_deref(), Some("args.amount"));
        assert_eq!(path("args.order.total_2").as_deref(), Some("args.order.total_2"));
        for wrong in ["", "args", "args.", "amount", "args.a-b", "args..a", "args.1a", "arg.a", "args.a[0]"] {
            assert_eq!(path(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_the_one_thing_that_is_told() {
        let told = |limits: &str| {
            let errors = crate::policy::load("p", &format!("version: 1\n{limits}\n")).unwrap_err();
            errors.list().iter().map(|error| error.message.clone()).collect::<Vec<_>>()
        };
        for (limits, expected) in [
            ("rate_limits: [{id: r, calls: 1, window: 1.5h}]", "`1.5h` is no time between 1s and 366d"),
            ("rate_limits: [{id: r, calls: 1, window: 0s}]", "`0s` is no time between 1s and 366d"),
            (
                "rate_limits: [{id: r, calls: 1, window: 60}]",
                "expected a time such as `15m`, as text, found an integer",
            ),
            ("rate_limits: [{id: r, calls: 0, window: 1h}]", "a limit of nothing refuses every call"),
            ("budgets: [{id: b, tools: [t], sum: args.x, max: .inf}]", "expected a number, found a number without end"),
            ("budgets: [{id: b, usd: .nan}]", "expected a number, found no number at all"),
            ("budgets: [{id: b, usd: 0}]", "a limit of nothing refuses every call"),
            ("budgets: [{id: b, calls: -1}]", "the count is negative"),
            ("loops: {same_call: 3, window: soon}", "`soon` is no time between 1s and 366d"),
        ] {
            let found = told(limits);
            assert_eq!(found.len(), 1, "{limits}: {found:?}");
            assert!(found[0].contains(expected), "{limits}: {found:?}");
        }
        let found = told("rate_limits: [{id: r, calls: 1, calendar: fortnight}]");
        assert_eq!(found.len(), 1, "{found:?}");
    }
}
