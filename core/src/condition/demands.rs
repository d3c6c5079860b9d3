//! Whether a condition can hold at all, so that the policy loader can refuse a rule that never matches.
//!
//! A condition is taken apart into the ways in which it can hold, each a set of demands on parts of the call that all have
//! to be met. What is not understood counts as met: only what is certain is refused.

use super::lists::List;
use super::node::{Load, Node, Quantifier, Root, Step, Unary};
use super::seen::Seen;
use super::{Constant, Relation, number};
use std::cmp::Ordering;
use std::sync::Arc;

/// The most ways that are looked at; a condition of more counts as one that can hold.
const MAX_WAYS: usize = 64;

/// What a way demands of one part.
#[derive(Debug, Clone, Copy)]
struct Demand<'n> {
    of: &'n Node,
    what: What<'n>,
}

#[derive(Debug, Clone, Copy)]
enum What<'n> {
    Stands(Relation, &'n Constant),
    In(&'n List),
    NotIn(&'n List),
}

type Way<'n> = Vec<Demand<'n>>;

static TRUE: Constant = Constant::Bool(true);
static FALSE: Constant = Constant::Bool(false);

/// Why no call can meet a condition: the part that no value of it suits, where it is one.
pub(super) fn never(node: &Node) -> Option<String> {
    let ways = ways(node, true)?;
    if ways.iter().any(|way| impossible(way).is_none()) {
        return None;
    }
    Some(match ways.as_slice() {
        [only] => match impossible(only) {
            Some(Demand { what: What::In(list), .. }) if list.items.is_empty() => {
                "the list that it looks in is empty".to_owned()
            }
            Some(demand) => format!("no value of `{}` meets all that is asked of it", demand.of),
            None => return None,
        },
        _ => "no call meets its `when`".to_owned(),
    })
}

/// Whether `unless` holds wherever `when` does, and cannot fail there.
pub(super) fn covers(unless: &Node, when: &Node) -> bool {
    let (Some(when), Some(not), Some(holds)) = (ways(when, true), ways(unless, false), ways(unless, true)) else {
        return false;
    };
    let asked: Vec<&Demand<'_>> = not.iter().chain(&holds).flatten().collect();
    let compared = |way: &Way<'_>, asked: &Demand<'_>| {
        way.iter().any(|demand| same(demand.of, asked.of) && demand.comparable(asked))
    };
    let possible: Vec<&Way<'_>> = when.iter().filter(|way| impossible(way).is_none()).collect();
    !possible.is_empty()
        && possible.iter().all(|way| asked.iter().all(|asked| compared(way, asked)))
        && possible
            .iter()
            .all(|way| not.iter().all(|not| impossible(&way.iter().chain(not).copied().collect::<Vec<_>>()).is_some()))
}

/// The ways in which `node` is `truth`; `None` where they are too many.
fn ways(node: &Node, truth: bool) -> Option<Vec<Way<'_>>> {
    let itself = || {
        let constant = if truth { &TRUE } else { &FALSE };
        Some(vec![vec![Demand { of: node, what: What::Stands(Relation::Equal, constant) }]])
    };
    let settled = |holds: bool| Some(if holds { vec![Vec::new()] } else { Vec::new() });
    match node {
        Node::Constant(Constant::Bool(constant)) => settled(*constant == truth),
        Node::Not(inner) => ways(inner, !truth),
        Node::And(both) if truth => both_of(&ways(&both.0, true)?, &ways(&both.1, true)?),
        Node::Or(both) if !truth => both_of(&ways(&both.0, false)?, &ways(&both.1, false)?),
        Node::And(both) | Node::Or(both) => either_of(ways(&both.0, truth)?, ways(&both.1, truth)?),
        Node::Choose(three) => either_of(
            both_of(&ways(&three.0, true)?, &ways(&three.1, truth)?)?,
            both_of(&ways(&three.0, false)?, &ways(&three.2, truth)?)?,
        ),
        Node::Compare(relation, both) => {
            let relation = if truth { *relation } else { relation.negated() };
            match (&both.0, &both.1) {
                (Node::Constant(_), Node::Constant(_)) => itself(),
                (of, Node::Constant(constant)) => {
                    Some(vec![vec![Demand { of, what: What::Stands(relation, constant) }]])
                }
                (Node::Constant(constant), of) => {
                    Some(vec![vec![Demand { of, what: What::Stands(relation.turned(), constant) }]])
                }
                (one, other) if same(one, other) && !relation.holds(Ordering::Equal) => settled(false),
                _ => itself(),
            }
        }
        Node::In(both, _) => match &both.1 {
            Node::Constants(list) if truth => Some(vec![vec![Demand { of: &both.0, what: What::In(list) }]]),
            Node::Constants(list) => Some(vec![vec![Demand { of: &both.0, what: What::NotIn(list) }]]),
            _ => itself(),
        },
        Node::Quantify(Quantifier::Exists | Quantifier::ExistsOne, both) if truth && never(&both.1).is_some() => {
            settled(false)
        }
        _ => itself(),
    }
}

fn both_of<'n>(one: &[Way<'n>], other: &[Way<'n>]) -> Option<Vec<Way<'n>>> {
    if one.len().saturating_mul(other.len()) > MAX_WAYS {
        return None;
    }
    let join = |one: &Way<'n>, other: &Way<'n>| one.iter().chain(other).copied().collect();
    Some(one.iter().flat_map(|one| other.iter().map(move |other| join(one, other))).collect())
}

fn either_of<'n>(mut one: Vec<Way<'n>>, other: Vec<Way<'n>>) -> Option<Vec<Way<'n>>> {
    one.extend(other);
    (one.len() <= MAX_WAYS).then_some(one)
}

/// The first demand on a part of which no value meets all demands on it.
fn impossible<'n>(way: &[Demand<'n>]) -> Option<Demand<'n>> {
    way.iter().find(|demand| !can_be_met(demand.of, way)).copied()
}

/// Whether some value of `of` meets all that the way demands of it.
fn can_be_met(of: &Node, way: &[Demand<'_>]) -> bool {
    let domain = Domain::of(of);
    let demands: Vec<What<'_>> = way.iter().filter(|demand| same(demand.of, of)).map(|demand| demand.what).collect();
    let all = |value: &Seen<'_>| domain.has(value) && demands.iter().all(|what| what.met_by(value));
    if demands.iter().any(|what| matches!(what, What::Stands(Relation::Equal, Constant::Null))) {
        return all(&Seen::Null);
    }
    if let Some(list) = demands.iter().find_map(|what| if let What::In(list) = what { Some(list) } else { None }) {
        return list.items.iter().any(|item| all(&item.seen()));
    }
    let mut points: Vec<Seen<'_>> = Vec::new();
    for what in &demands {
        if let What::Stands(_, constant) = what
            && !matches!(constant, Constant::Null)
        {
            points.push(constant.seen());
        }
    }
    // values of types that never compare: none meets both
    if points.iter().any(|one| points.first().is_some_and(|first| one.order(first).is_err())) {
        return false;
    }
    if matches!(points.first(), Some(Seen::Bool(_))) {
        return all(&Seen::Bool(true)) || all(&Seen::Bool(false));
    }
    points.sort_by(|one, other| one.order(other).unwrap_or(Ordering::Equal));
    if points.is_empty() || points.iter().any(&all) {
        return true;
    }
    (0..=points.len()).any(|gap| {
        let (below, above) = points.split_at_checked(gap).unwrap_or_default();
        let between = |constant: &Seen<'_>| {
            let is_below = below.last().is_some_and(|last| constant.order(last).is_ok_and(Ordering::is_le));
            if is_below { Ordering::Greater } else { Ordering::Less }
        };
        domain.has_between(below.last(), above.first())
            && demands.iter().all(|what| match what {
                What::Stands(_, Constant::Null) | What::In(_) | What::NotIn(_) => true,
                What::Stands(relation, constant) => relation.holds(between(&constant.seen())),
            })
    })
}

impl What<'_> {
    fn met_by(self, value: &Seen<'_>) -> bool {
        match self {
            Self::In(list) => list.contains(value),
            Self::NotIn(list) => !list.contains(value),
            Self::Stands(Relation::Equal, constant) => value.equal(&constant.seen()).unwrap_or(false),
            Self::Stands(Relation::NotEqual, constant) => value.equal(&constant.seen()).is_ok_and(|equal| !equal),
            Self::Stands(relation, constant) => value.order(&constant.seen()).is_ok_and(|order| relation.holds(order)),
        }
    }
}

impl Demand<'_> {
    /// Whether what met this demand can be held against what the other compares with.
    fn comparable(&self, other: &Self) -> bool {
        fn sample<'n>(what: &What<'n>) -> Option<Seen<'n>> {
            match what {
                What::Stands(_, Constant::Null) => None,
                What::Stands(_, constant) => Some(constant.seen()),
                What::In(list) | What::NotIn(list) => list.items.first().map(super::lists::Scalar::seen),
            }
        }
        match (sample(&self.what), sample(&other.what)) {
            (Some(one), Some(other)) => one.order(&other).is_ok(),
            _ => false,
        }
    }
}

/// What values a part can have, where that is less than its type.
#[derive(Debug, Clone, Copy)]
enum Domain {
    Any,
    Int { least: i64 },
    TextOfInt,
    TextOfBool,
}

impl Domain {
    fn of(node: &Node) -> Self {
        use super::node::Expect;
        let is_int = |node: &Node| matches!(Self::of(node), Self::Int { .. });
        match node {
            Node::Unary(Unary::Size, _) => Self::Int { least: 0 },
            Node::Unary(Unary::Int, _) | Node::Load(Load { expect: Expect::Int, .. }) => Self::Int { least: i64::MIN },
            Node::Unary(Unary::String, inner) => match &**inner {
                Node::Load(Load { expect: Expect::Bool, .. }) => Self::TextOfBool,
                inner if is_int(inner) => Self::TextOfInt,
                _ => Self::Any,
            },
            _ => Self::Any,
        }
    }

    fn has(self, value: &Seen<'_>) -> bool {
        match (self, value) {
            (Self::Int { least }, Seen::Int(int)) => *int >= least,
            (Self::Int { least }, Seen::Double(double)) => number::exact_int(*double).is_some_and(|int| int >= least),
            (Self::TextOfInt, Seen::Text(text)) => {
                text.parse::<i64>().is_ok_and(|int| int.to_string() == text.as_ref())
            }
            (Self::TextOfBool, Seen::Text(text)) => matches!(text.as_ref(), "true" | "false"),
            _ => true,
        }
    }

    /// Whether a value lies between two others.
    fn has_between(self, low: Option<&Seen<'_>>, high: Option<&Seen<'_>>) -> bool {
        match self {
            Self::Int { least } => {
                let from = low.map_or(Some(i128::from(least)), |low| whole(low, f64::floor)?.checked_add(1));
                let to = high.map_or(Some(i128::from(i64::MAX)), |high| whole(high, f64::ceil)?.checked_sub(1));
                let (Some(from), Some(to)) = (from, to) else { return true };
                from.max(i128::from(least)) <= to.min(i128::from(i64::MAX))
            }
            Self::TextOfBool => ["true", "false"].into_iter().map(Seen::text).any(|text| {
                low.is_none_or(|low| low.order(&text).is_ok_and(Ordering::is_lt))
                    && high.is_none_or(|high| text.order(high).is_ok_and(Ordering::is_lt))
            }),
            Self::Any | Self::TextOfInt => !matches!((low, high), (None, Some(Seen::Text(text))) if text.is_empty()),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a double beyond 128 bits saturates, which keeps its place among integers"
)]
fn whole(number: &Seen<'_>, round: fn(f64) -> f64) -> Option<i128> {
    match number {
        Seen::Int(int) => Some(i128::from(*int)),
        Seen::Double(double) => Some((round(*double) as i128).clamp(i128::MIN / 2, i128::MAX / 2)),
        _ => None,
    }
}

/// Whether two parts are written alike, so that they have the same value in every call.
fn same(one: &Node, other: &Node) -> bool {
    let both = |one: &(Node, Node), other: &(Node, Node)| same(&one.0, &other.0) && same(&one.1, &other.1);
    match (one, other) {
        (Node::Constant(one), Node::Constant(other)) => one == other,
        (Node::Constants(one), Node::Constants(other)) => Arc::ptr_eq(one, other),
        (Node::Load(one), Node::Load(other)) | (Node::Has(one), Node::Has(other)) => same_path(one, other),
        (Node::Index(one, _), Node::Index(other, _)) | (Node::In(one, _), Node::In(other, _)) => both(one, other),
        (Node::Not(one), Node::Not(other)) | (Node::Negate(one), Node::Negate(other)) => same(one, other),
        (Node::And(one), Node::And(other)) | (Node::Or(one), Node::Or(other)) => both(one, other),
        (Node::Compare(by, one), Node::Compare(with, other)) => by == with && both(one, other),
        (Node::Arithmetic(by, one), Node::Arithmetic(with, other)) => by == with && both(one, other),
        (Node::Text(by, one), Node::Text(with, other)) => by == with && both(one, other),
        (Node::Binary(by, one), Node::Binary(with, other)) => by == with && both(one, other),
        (Node::Unary(by, one), Node::Unary(with, other)) => by == with && same(one, other),
        (Node::Matches(one, by), Node::Matches(other, with)) => by.as_str() == with.as_str() && same(one, other),
        (Node::Glob(one, by), Node::Glob(other, with)) => by.as_str() == with.as_str() && same(one, other),
        _ => false,
    }
}

fn same_path(one: &Load, other: &Load) -> bool {
    let root = match (&one.root, &other.root) {
        (Root::Args, Root::Args) => true,
        (Root::Local { hops: one, .. }, Root::Local { hops: other, .. }) => one == other,
        _ => false,
    };
    let step = |(one, other): (&Step, &Step)| match (one, other) {
        (Step::Key(one), Step::Key(other)) => one == other,
        (Step::At(one), Step::At(other)) => one == other,
        _ => false,
    };
    root && one.steps.len() == other.steps.len() && one.steps.iter().zip(&other.steps).all(step)
}
