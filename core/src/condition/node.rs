//! A checked condition: the typed tree that is evaluated.

use super::glob::Glob;
use super::instant::Nanos;
use super::lists::List;
use super::{Constant, Relation};
use regex::Regex;
use std::fmt;
use std::sync::Arc;

/// The longest list or map of a call that a comprehension goes through; a longer one fails. The static cost counts on it.
pub(super) const MAX_ELEMENTS: usize = 1024;

/// What an argument has to be where it was checked with a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    Any,
    Bool,
    Int,
    Number,
    Text,
    Bytes,
    Decimal,
    Time,
    List,
    Map,
}

impl Expect {
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Bool => "a truth value",
            Self::Int => "an integer",
            Self::Number => "a number",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Decimal => "a decimal",
            Self::Time => "a time",
            Self::List => "a list",
            Self::Map => "a map",
        }
    }
}

/// Where a path begins.
#[derive(Debug)]
pub(super) enum Root {
    Args,
    /// The variable of the comprehension so many levels out; 0 is the innermost.
    Local {
        hops: u8,
        name: Box<str>,
    },
}

#[derive(Debug)]
pub(super) enum Step {
    Key(Box<str>),
    At(usize),
}

/// A path into the call: `args.a.b[0]`.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) root: Root,
    pub(super) steps: Box<[Step]>,
    pub(super) expect: Expect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

impl TextTest {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::StartsWith => "startsWith",
            Self::EndsWith => "endsWith",
            Self::Contains => "contains",
        }
    }
}

/// A function of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unary {
    Size,
    Int,
    Double,
    String,
    Timestamp,
    Duration,
    EmailDomain,
    UrlHost,
}

impl Unary {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Int => "int",
            Self::Double => "double",
            Self::String => "string",
            Self::Timestamp => "timestamp",
            Self::Duration => "duration",
            Self::EmailDomain => "email_domain",
            Self::UrlHost => "url_host",
        }
    }
}

/// A function of two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Glob,
    Cidr,
    PathWithin,
}

impl Binary {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Glob => "glob",
            Self::Cidr => "cidr",
            Self::PathWithin => "path_within",
        }
    }
}

/// What is asked of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Saw,
    Calls,
    Said,
    Known,
}

impl Ask {
    pub(super) const ALL: [Self; 4] = [Self::Saw, Self::Calls, Self::Said, Self::Known];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Saw => "saw",
            Self::Calls => "calls",
            Self::Said => "said",
            Self::Known => "known",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    All,
    Exists,
    ExistsOne,
}

impl Quantifier {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Exists => "exists",
            Self::ExistsOne => "exists_one",
        }
    }
}

/// One node. Types were checked; what depends on the call is checked again when it is evaluated.
#[derive(Debug)]
pub(super) enum Node {
    Constant(Constant),
    Constants(Arc<List>),
    Load(Load),
    /// The last step is a key: whether the map before it has it.
    Has(Load),
    Index(Box<(Node, Node)>, Expect),
    Not(Box<Node>),
    And(Box<(Node, Node)>),
    Or(Box<(Node, Node)>),
    Choose(Box<(Node, Node, Node)>),
    Compare(Relation, Box<(Node, Node)>),
    Arithmetic(Operator, Box<(Node, Node)>),
    Negate(Box<Node>),
    /// Is the left in the list on the right?
    In(Box<(Node, Node)>, Expect),
    Text(TextTest, Box<(Node, Node)>),
    Matches(Box<Node>, Box<Regex>),
    Unary(Unary, Box<Node>),
    Binary(Binary, Box<(Node, Node)>),
    /// `glob` of a constant pattern.
    Glob(Box<Node>, Box<Glob>),
    Quantify(Quantifier, Box<(Node, Node)>),
    /// `session.saw("tag")`; only `calls` can be asked of nothing.
    Session(Ask, Option<Box<Node>>),
}

/// Shortens what is shown of a constant.
const SHOWN: usize = 40;

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            Root::Args => f.write_str("args")?,
            Root::Local { name, .. } => f.write_str(name)?,
        }
        self.steps.iter().try_for_each(|step| match step {
            Step::Key(key) if is_name(key) => write!(f, ".{key}"),
            Step::Key(key) => write!(f, "[{key:?}]"),
            Step::At(at) => write!(f, "[{at}]"),
        })
    }
}

fn is_name(key: &str) -> bool {
    key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The part as its author would write it, nested ones shortened to `…`.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(constant) => write!(f, "{constant}"),
            Self::Constants(_) => f.write_str("[…]"),
            Self::Load(load) => write!(f, "{load}"),
            Self::Has(load) => write!(f, "has({load})"),
            Self::Index(both, _) => write!(f, "{}[{}]", both.0, both.1),
            Self::Not(inner) => write!(f, "!{inner}"),
            Self::And(_) => f.write_str("… && …"),
            Self::Or(_) => f.write_str("… || …"),
            Self::Choose(_) => f.write_str("… ? … : …"),
            Self::Compare(relation, both) => write!(f, "{} {} {}", both.0, relation.as_str(), both.1),
            Self::Arithmetic(operator, both) => write!(f, "{} {} {}", both.0, operator.as_str(), both.1),
            Self::Negate(inner) => write!(f, "-{inner}"),
            Self::In(both, _) => write!(f, "{} in {}", both.0, both.1),
            Self::Text(test, both) => write!(f, "{}.{}({})", both.0, test.as_str(), both.1),
            Self::Matches(text, _) => write!(f, "{text}.matches(…)"),
            Self::Unary(function, inner) => write!(f, "{}({inner})", function.as_str()),
            Self::Binary(function, both) => write!(f, "{}({}, {})", function.as_str(), both.0, both.1),
            Self::Glob(text, glob) => write!(f, "glob({:?}, {text})", glob.as_str()),
            Self::Quantify(quantifier, both) => write!(f, "{}.{}(…)", both.0, quantifier.as_str()),
            Self::Session(ask, Some(given)) => write!(f, "session.{}({given})", ask.as_str()),
            Self::Session(ask, None) => write!(f, "session.{}()", ask.as_str()),
        }
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Int(int) => write!(f, "{int}"),
            Self::Double(double) => write!(f, "{double:?}"),
            Self::Text(text) if text.chars().nth(SHOWN).is_some() => {
                write!(f, "{:?}…", text.chars().take(SHOWN).collect::<String>())
            }
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Bytes(_) => f.write_str("b\"…\""),
            Self::Instant(_) => f.write_str("timestamp(…)"),
            Self::Span(_) => f.write_str("duration(…)"),
        }
    }
}

/// Keeps the size of a node in view: ten thousand conditions are held at once.
const _: () = assert!(size_of::<Node>() <= 64 && size_of::<Nanos>() == 16);
