//! What a condition demands of single arguments, so that the policy loader can tell when it can never hold.

use super::instant::Nanos;
use super::node::Node;
use super::seen::Seen;
use std::cmp::Ordering;

/// A comparison of an argument with a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Relation {
    /// The operator, as written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// Whether it holds of two sides that order so.
    pub(super) const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    /// The same said from the other side: `1 < x` is `x > 1`.
    pub(super) const fn turned(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }

    /// What `!(…)` of it is; a comparison that fails stays failed either way.
    pub(super) const fn negated(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
        }
    }
}

/// A constant of a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// `1`
    Int(i64),
    /// `1.0`
    Double(f64),
    /// `"a"`
    Text(Box<str>),
    /// `b"a"`
    Bytes(Box<[u8]>),
    /// `timestamp("…")`: nanoseconds since 1970-01-01T00:00:00Z.
    Instant(Nanos),
    /// `duration("…")`: nanoseconds.
    Span(Nanos),
}

impl Constant {
    pub(super) fn seen(&self) -> Seen<'_> {
        match self {
            Self::Null => Seen::Null,
            Self::Bool(truth) => Seen::Bool(*truth),
            Self::Int(int) => Seen::Int(*int),
            Self::Double(double) => Seen::Double(*double),
            Self::Text(text) => Seen::text(text),
            Self::Bytes(bytes) => Seen::Bytes(bytes),
            Self::Instant(instant) => Seen::Instant(*instant),
            Self::Span(span) => Seen::Span(*span),
        }
    }
}

/// One thing that has to hold for the condition to hold: `args.amount > 100.0`.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// The argument's path as written: `args.amount`.
    pub path: String,
    /// How it has to stand to the constant.
    pub relation: Relation,
    /// The constant.
    pub constant: Constant,
}

/// The comparisons of an argument with a constant that are joined by `&&` at the top of a condition.
pub(super) fn of(node: &Node) -> Vec<Bound> {
    let mut bounds = Vec::new();
    collect(node, &mut bounds);
    bounds
}

fn collect(node: &Node, into: &mut Vec<Bound>) {
    match node {
        Node::And(both) => {
            collect(&both.0, into);
            collect(&both.1, into);
        }
        Node::Compare(relation, both) => into.extend(comparison(*relation, &both.0, &both.1)),
        Node::Not(inner) => {
            if let Node::Compare(relation, both) = &**inner {
                into.extend(comparison(relation.negated(), &both.0, &both.1));
            }
        }
        _ => {}
    }
}

fn comparison(relation: Relation, left: &Node, right: &Node) -> Option<Bound> {
    let (load, relation, constant) = match (left, right) {
        (Node::Load(load), Node::Constant(constant)) => (load, relation, constant),
        (Node::Constant(constant), Node::Load(load)) => (load, relation.turned(), constant),
        _ => return None,
    };
    Some(Bound { path: load.to_string(), relation, constant: constant.clone() })
}

/// The first two bounds that no value meets both, such as `args.n > 5` and `args.n < 3`.
pub(super) fn contradiction(bounds: &[Bound]) -> Option<(&Bound, &Bound)> {
    bounds.iter().enumerate().find_map(|(at, first)| {
        let rest = bounds.iter().skip(at.saturating_add(1));
        rest.filter(|second| first.path == second.path)
            .find(|second| excludes(first, second))
            .map(|second| (first, second))
    })
}

fn excludes(first: &Bound, second: &Bound) -> bool {
    let order = match (&first.constant, &second.constant) {
        (Constant::Null, Constant::Null) => Ordering::Equal,
        // null equals nothing else and has no place in an order
        (Constant::Null, _) => return first.relation == Relation::Equal && second.relation != Relation::NotEqual,
        (_, Constant::Null) => return second.relation == Relation::Equal && first.relation != Relation::NotEqual,
        (first, second) => match first.seen().order(&second.seen()) {
            Ok(order) => order,
            // types that never compare: no value passes both
            Err(_) => return true,
        },
    };
    // some x with first(x against 0) and second(x against the side where 0 is not): try below, on and between
    let candidates: &[(Ordering, Ordering)] = match order {
        Ordering::Equal => &[
            (Ordering::Less, Ordering::Less),
            (Ordering::Equal, Ordering::Equal),
            (Ordering::Greater, Ordering::Greater),
        ],
        Ordering::Less => &[
            (Ordering::Less, Ordering::Less),
            (Ordering::Equal, Ordering::Less),
            (Ordering::Greater, Ordering::Less),
            (Ordering::Greater, Ordering::Equal),
            (Ordering::Greater, Ordering::Greater),
        ],
        Ordering::Greater => &[
            (Ordering::Less, Ordering::Less),
            (Ordering::Less, Ordering::Equal),
            (Ordering::Less, Ordering::Greater),
            (Ordering::Equal, Ordering::Greater),
            (Ordering::Greater, Ordering::Greater),
        ],
    };
    !candidates.iter().any(|(one, two)| first.relation.holds(*one) && second.relation.holds(*two))
}
