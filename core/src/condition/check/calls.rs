//! Functions: which there are, what they take, and what is prepared at load.

use super::host_pattern::pattern_meets;
use super::hosts::Held;
use super::{Check, Checked, Checker, Problem, Type, did_you_mean, problem};
use crate::condition::functions::cidr;
use crate::condition::glob::Glob;
use crate::condition::node::{Binary, Node, TextTest, Unary};
use crate::condition::{Constant, functions};
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr};
use regex::RegexBuilder;

/// A compiled regular expression and its lazily built automaton take at most this much each, in bytes.
const REGEX_SIZE: usize = 1 << 18;

/// Every function, and how it is written.
const FUNCTIONS: [(&str, &str); 19] = [
    ("all", "list.all(x, …)"),
    ("cidr", "cidr(\"10.0.0.0/8\", address)"),
    ("contains", "text.contains(part)"),
    ("double", "double(value)"),
    ("duration", "duration(\"1h\")"),
    ("email_domain", "email_domain(text)"),
    ("endsWith", "text.endsWith(part)"),
    ("exists", "list.exists(x, …)"),
    ("exists_one", "list.exists_one(x, …)"),
    ("glob", "glob(\"crm.*\", text)"),
    ("has", "has(args.name)"),
    ("int", "int(value)"),
    ("matches", "text.matches(\"pattern\")"),
    ("path_within", "path_within(path, root)"),
    ("size", "size(value)"),
    ("startsWith", "text.startsWith(part)"),
    ("string", "string(value)"),
    ("timestamp", "timestamp(\"2026-01-31T12:00:00Z\")"),
    ("url_host", "url_host(text)"),
];

fn unary(name: &str) -> Option<Unary> {
    Some(match name {
        "size" => Unary::Size,
        "int" => Unary::Int,
        "double" => Unary::Double,
        "string" => Unary::String,
        "timestamp" => Unary::Timestamp,
        "duration" => Unary::Duration,
        "email_domain" => Unary::EmailDomain,
        "url_host" => Unary::UrlHost,
        _ => return None,
    })
}

fn text_test(name: &str) -> Option<TextTest> {
    Some(match name {
        "startsWith" => TextTest::StartsWith,
        "endsWith" => TextTest::EndsWith,
        "contains" => TextTest::Contains,
        _ => return None,
    })
}

fn binary(name: &str) -> Option<Binary> {
    Some(match name {
        "glob" => Binary::Glob,
        "cidr" => Binary::Cidr,
        "path_within" => Binary::PathWithin,
        _ => return None,
    })
}

/// `a.b` of `a.b.f()`, where `a` is nothing a condition knows.
fn spelled(target: &IdedExpr) -> Option<String> {
    match &target.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => Some(format!("{}.{}", spelled(&select.operand)?, select.field)),
        _ => None,
    }
}

impl<'t> Checker<'t> {
    pub(super) fn call(&mut self, at: &'t IdedExpr, call: &'t CallExpr, depth: usize) -> Check<'t> {
        if call.target.is_none()
            && let Some(checked) = self.operator(at, call, depth)
        {
            return checked;
        }
        if let Some(Expr::Ident(target)) = call.target.as_deref().map(|target| &target.expr)
            && target == "session"
            && !self.scope.iter().any(|variable| variable.name == "session")
        {
            return self.session(at, call, depth);
        }
        let name = call.func_name.as_str();
        match (call.target.as_deref(), call.args.as_slice()) {
            (Some(text), [pattern]) | (None, [text, pattern]) if name == "matches" => {
                self.matches(text, pattern, depth)
            }
            (Some(text), [part]) => match text_test(name) {
                Some(test) => self.test(test, text, part, depth),
                None => self.no_such(at, call),
            },
            (None, [given]) | (Some(given), []) if name == "size" => self.one(Unary::Size, given, depth),
            (None, [given]) => match unary(name) {
                Some(function) => self.one(function, given, depth),
                None => self.no_such(at, call),
            },
            (None, [first, second]) => match binary(name) {
                Some(function) => self.two(at, function, first, second, depth),
                None => self.no_such(at, call),
            },
            _ => self.no_such(at, call),
        }
    }

    fn no_such(&self, at: &'t IdedExpr, call: &CallExpr) -> Check<'t> {
        let name = call.func_name.as_str();
        let known_root = |spelling: &str| {
            let root = spelling.split('.').next().unwrap_or(spelling);
            matches!(root, "args" | "lists") || self.scope.iter().any(|variable| variable.name == root)
        };
        if let Some(namespace) = call.target.as_deref().and_then(spelled).filter(|spelling| !known_root(spelling)) {
            return problem(
                at,
                format!("unknown function `{namespace}.{name}`"),
                "functions stand alone: write `name(…)`",
            );
        }
        match FUNCTIONS.iter().find(|(known, _)| *known == name) {
            Some((_, written)) => {
                problem(at, format!("`{name}` is not called like this"), format!("write `{written}`"))
            }
            None => {
                let suggestion = match did_you_mean(name, FUNCTIONS.iter().map(|(known, _)| *known)) {
                    none if none.is_empty() => {
                        let all: Vec<String> = FUNCTIONS.iter().map(|(known, _)| format!("`{known}`")).collect();
                        format!("the functions are {}", all.join(", "))
                    }
                    suggestion => suggestion,
                };
                problem(at, format!("unknown function `{name}`"), suggestion)
            }
        }
    }

    /// A part that has to be text; an untyped one fails in a call where it is not.
    fn text(&mut self, at: &'t IdedExpr, depth: usize) -> Check<'t> {
        let checked = self.check(at, depth)?;
        match checked.of {
            Type::Text | Type::Any => Ok(checked),
            _ => problem(
                at,
                format!("`{}` is {}, not text", checked.node, checked.of.kind()),
                format!("write `string({})`", checked.node),
            ),
        }
    }

    fn test(&mut self, test: TextTest, text: &'t IdedExpr, part: &'t IdedExpr, depth: usize) -> Check<'t> {
        let (at, text, part) = (part, self.text(text, depth)?, self.text(part, depth)?);
        self.host_meets(at, &text.node, Held::Test(test), &part.node)?;
        Ok(Checked::over(text, part, Type::Bool, |both| Node::Text(test, both)))
    }

    fn matches(&mut self, text: &'t IdedExpr, pattern: &'t IdedExpr, depth: usize) -> Check<'t> {
        let (text, checked) = (self.text(text, depth)?, self.text(pattern, depth)?);
        let Node::Constant(Constant::Text(source)) = &checked.node else {
            return problem(pattern, "the pattern of `matches` is not a constant", "write it as a text, or use `glob`");
        };
        let regex = RegexBuilder::new(source).size_limit(REGEX_SIZE).dfa_size_limit(REGEX_SIZE).nest_limit(32).build();
        match regex {
            Ok(regex) => {
                pattern_meets(pattern, &text.node, source)?;
                Ok(text.around(Type::Bool, |text| Node::Matches(text, Box::new(regex))))
            }
            Err(regex::Error::CompiledTooBig(_)) => {
                problem(pattern, "the regular expression is too large", "repeat less, or use several conditions")
            }
            Err(error) => {
                let said = error.to_string();
                let last = said.lines().last().unwrap_or("not well-formed").trim_start_matches("error: ");
                problem(
                    pattern,
                    format!("the regular expression is not well-formed: {last}"),
                    "correct it, or use `glob` or `contains`",
                )
            }
        }
    }

    fn one(&mut self, function: Unary, given: &'t IdedExpr, depth: usize) -> Check<'t> {
        let checked = self.check(given, depth)?;
        let of = &checked.of;
        let (takes, gives) = match function {
            Unary::Size => (matches!(of, Type::Text | Type::Bytes) || of.is_container(), Type::Int),
            Unary::Int => (of.is_number() || matches!(of, Type::Text | Type::Time), Type::Int),
            Unary::Double => (of.is_number() || matches!(of, Type::Text), Type::Number),
            Unary::String => {
                (of.is_number() || matches!(of, Type::Text | Type::Bool | Type::Bytes | Type::Time), Type::Text)
            }
            Unary::Timestamp => (matches!(of, Type::Text | Type::Time | Type::Int), Type::Time),
            Unary::Duration => (matches!(of, Type::Text | Type::Span), Type::Span),
            Unary::EmailDomain | Unary::UrlHost => (matches!(of, Type::Text), Type::Text),
        };
        if !takes && !matches!(of, Type::Any) {
            let message = format!("`{}` does not take {}", function.as_str(), of.kind());
            let suggestion = match (function, of) {
                (Unary::EmailDomain | Unary::UrlHost, Type::List(_)) => {
                    format!("write `{}.all(x, {}(x) …)`", checked.node, function.as_str())
                }
                _ => String::new(),
            };
            return problem(given, message, suggestion);
        }
        Ok(checked.around(gives, |inner| Node::Unary(function, inner)))
    }

    fn two(
        &mut self,
        at: &'t IdedExpr,
        function: Binary,
        first: &'t IdedExpr,
        second: &'t IdedExpr,
        depth: usize,
    ) -> Check<'t> {
        let (left, right) = (self.text(first, depth)?, self.text(second, depth)?);
        // what a call is measured by must not come from the call
        let (measure, place, what) = match function {
            Binary::Glob => (&left, first, "pattern"),
            Binary::Cidr => (&left, first, "network"),
            Binary::PathWithin => (&right, second, "root"),
        };
        if measure.from_call {
            let message = format!("the {what} of `{}` comes from the call", function.as_str());
            return problem(place, message, "write it as a text or take it from `lists`");
        }
        if let Node::Constant(Constant::Text(text)) = &measure.node {
            prepared(place, function, text)?;
            if function == Binary::Glob
                && let Some(glob) = Glob::new(text)
            {
                self.host_meets(first, &right.node, Held::Glob, &left.node)?;
                return Ok(right.around(Type::Bool, |inner| Node::Glob(inner, Box::new(glob))));
            }
        } else if matches!(function, Binary::Glob) && self.scope.is_empty() {
            return problem(at, "the pattern of `glob` is not a constant", "write it as a text");
        } else if matches!(function, Binary::Glob) {
            self.host_meets(first, &right.node, Held::Glob, &left.node)?;
        }
        Ok(Checked::over(left, right, Type::Bool, |both| Node::Binary(function, both)))
    }
}

/// Checks a constant pattern, network or root at load.
fn prepared<'t>(at: &'t IdedExpr, function: Binary, text: &str) -> Result<(), Box<Problem<'t>>> {
    let checked = match function {
        Binary::Glob => Glob::new(text).map(drop).ok_or("has a pattern that is too long"),
        Binary::Cidr => cidr::read_network(text).map(drop),
        Binary::PathWithin => functions::path::within(text, text).map(drop),
    };
    let instead = match function {
        Binary::Glob => "write a shorter one, or several conditions",
        Binary::Cidr => "write a network such as `10.0.0.0/8`",
        Binary::PathWithin => "write an absolute path such as `/srv/data`",
    };
    checked.or_else(|why| problem(at, format!("`{}` {why}", function.as_str()), instead))
}
