//! The checker: turns a parsed condition into a typed tree, or says what is wrong with it, where, and what to write.

mod calls;
mod comprehension;
mod host_pattern;
mod hosts;
mod kind;
mod operators;
mod path;
mod session;

pub(super) use kind::Type;

use super::fence::MAX_DEPTH;
use super::lists::{List, Lists, Scalar};
use super::node::Node;
use super::scope::{Budget, Scope};
use super::seen::Seen;
use super::types::ArgumentTypes;
use super::{Constant, number};
use cel::IdedExpr;
use cel::common::ast::{Expr, ListExpr, LiteralValue};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The most node visits one evaluation may cost in the worst case: about a millisecond.
pub(super) const MAX_COST: u64 = 100_000;

/// What is wrong with which part.
#[derive(Debug)]
pub(super) struct Problem<'t> {
    pub(super) at: &'t IdedExpr,
    pub(super) message: String,
    pub(super) suggestion: Option<String>,
}

pub(super) type Check<'t> = Result<Checked<'t>, Box<Problem<'t>>>;

fn problem<'t, T>(
    at: &'t IdedExpr,
    message: impl Into<String>,
    suggestion: impl Into<String>,
) -> Result<T, Box<Problem<'t>>> {
    let suggestion = Some(suggestion.into()).filter(|suggestion| !suggestion.is_empty());
    Err(Box::new(Problem { at, message: message.into(), suggestion }))
}

/// A checked part.
#[derive(Debug)]
pub(super) struct Checked<'t> {
    pub(super) node: Node,
    pub(super) of: Type<'t>,
    /// Whether its value depends on the call.
    pub(super) from_call: bool,
    /// Whether it depends on nothing, not even on a comprehension's variable.
    closed: bool,
    /// Node visits in the worst case.
    pub(super) cost: u64,
}

/// A comprehension's variable.
#[derive(Debug)]
struct Variable<'t> {
    name: &'t str,
    of: Type<'t>,
    from_call: bool,
    /// The list that it goes through, where that is known at load.
    list: Option<Arc<List>>,
}

#[derive(Debug)]
pub(super) struct Checker<'t> {
    arguments: &'t ArgumentTypes,
    lists: &'t Lists,
    scope: Vec<Variable<'t>>,
    /// Top-level arguments that are named.
    pub(super) names: BTreeSet<String>,
    pub(super) list_names: BTreeSet<String>,
    /// Tags that the session is asked for.
    pub(super) tags: BTreeSet<String>,
    pub(super) asks_session: bool,
    /// Whether the session is asked how many calls it made.
    pub(super) asks_calls: bool,
}

impl<'t> Checker<'t> {
    pub(super) const fn new(arguments: &'t ArgumentTypes, lists: &'t Lists) -> Self {
        Self {
            arguments,
            lists,
            scope: Vec::new(),
            names: BTreeSet::new(),
            list_names: BTreeSet::new(),
            tags: BTreeSet::new(),
            asks_session: false,
            asks_calls: false,
        }
    }

    /// Checks a whole condition.
    pub(super) fn condition(&mut self, tree: &'t IdedExpr) -> Check<'t> {
        let checked = self.check(tree, 0)?;
        if !matches!(checked.of, Type::Bool | Type::Any) {
            return problem(
                tree,
                format!("a condition is true or false, and `{}` is {}", checked.node, checked.of.kind()),
                "compare it with something",
            );
        }
        if checked.cost > MAX_COST {
            return problem(
                tree,
                format!("the condition can take {} steps, more than {MAX_COST}", checked.cost),
                "look a value up with `in lists.name` instead of going through the list, or shorten the list",
            );
        }
        Ok(checked)
    }

    fn check(&mut self, at: &'t IdedExpr, depth: usize) -> Check<'t> {
        if depth >= MAX_DEPTH {
            return problem(
                at,
                format!("the condition is nested deeper than {MAX_DEPTH}"),
                "split it into several rules",
            );
        }
        let deeper = depth.saturating_add(1);
        let checked = match &at.expr {
            Expr::Literal(literal) => literal_value(at, literal)?,
            Expr::List(list) => literal_list(at, list)?,
            Expr::Ident(_) => self.path(at)?,
            Expr::Select(select) if select.test => self.has(at, select)?,
            Expr::Select(_) => self.path(at)?,
            Expr::Call(call) => self.call(at, call, deeper)?,
            Expr::Comprehension(comprehension) => self.comprehension(at, comprehension, deeper)?,
            Expr::Map(_) | Expr::Struct(_) => {
                return problem(at, "conditions do not build maps", "compare the fields one by one");
            }
            Expr::Unspecified => return problem(at, "the condition is empty", "leave `when` out"),
        };
        fold(at, checked)
    }
}

/// Evaluates at load what depends on nothing; what fails then always fails.
fn fold<'t>(at: &'t IdedExpr, mut checked: Checked<'t>) -> Check<'t> {
    if !checked.closed || matches!(checked.node, Node::Constant(_) | Node::Constants(_)) {
        return Ok(checked);
    }
    let constant = match checked.node.eval(&Scope::of(None, &Budget::default())) {
        Err(failure) => return problem(at, format!("it always fails: {failure}"), "correct what it is given"),
        Ok(Seen::Null) => Constant::Null,
        Ok(Seen::Bool(truth)) => Constant::Bool(truth),
        Ok(Seen::Int(int)) => Constant::Int(int),
        Ok(Seen::Double(double)) => Constant::Double(double),
        Ok(Seen::Text(text)) => Constant::Text(text.into()),
        Ok(Seen::Bytes(bytes)) => Constant::Bytes(bytes.into()),
        Ok(Seen::Instant(instant)) => Constant::Instant(instant),
        Ok(Seen::Span(span)) => Constant::Span(span),
        Ok(Seen::Decimal(_) | Seen::Local(_) | Seen::List(_) | Seen::Map(_) | Seen::Constants(_)) => {
            return Ok(checked);
        }
    };
    checked.node = Node::Constant(constant);
    checked.cost = 1;
    Ok(checked)
}

fn constant<'t>(constant: Constant, of: Type<'t>) -> Checked<'t> {
    Checked { node: Node::Constant(constant), of, from_call: false, closed: true, cost: 1 }
}

fn literal_value<'t>(at: &'t IdedExpr, literal: &LiteralValue) -> Check<'t> {
    Ok(match literal {
        LiteralValue::Null => constant(Constant::Null, Type::Null),
        LiteralValue::Boolean(truth) => constant(Constant::Bool(*truth.inner()), Type::Bool),
        LiteralValue::Int(int) => constant(Constant::Int(*int.inner()), Type::Int),
        LiteralValue::Double(double) if !double.inner().is_finite() => {
            return problem(at, "the number is too large for a double", "write a smaller one");
        }
        LiteralValue::Double(double) => constant(Constant::Double(*double.inner()), Type::Number),
        LiteralValue::String(text) => constant(Constant::Text(text.inner().into()), Type::Text),
        LiteralValue::Bytes(bytes) => constant(Constant::Bytes(bytes.inner().into()), Type::Bytes),
        LiteralValue::UInt(uint) => {
            return problem(at, "there are no unsigned integers", format!("write `{}`", uint.inner()));
        }
    })
}

/// A list that the condition itself spells: constants only.
fn literal_list<'t>(at: &'t IdedExpr, list: &'t ListExpr) -> Check<'t> {
    let mut items = Vec::with_capacity(list.elements.len());
    for element in &list.elements {
        items.push(match &element.expr {
            Expr::Literal(LiteralValue::Boolean(truth)) => Scalar::Bool(*truth.inner()),
            Expr::Literal(LiteralValue::Int(int)) => Scalar::Int(*int.inner()),
            Expr::Literal(LiteralValue::Double(double)) => match number::exact_int(*double.inner()) {
                Some(int) => Scalar::Int(int),
                None => Scalar::Double(*double.inner()),
            },
            Expr::Literal(LiteralValue::String(text)) => Scalar::Text(text.inner().into()),
            _ => {
                return problem(
                    element,
                    "a list in a condition holds texts, numbers and truth values only",
                    "write `a == b || a == c` instead of `a in [b, c]`",
                );
            }
        });
    }
    let Some(first) = items.first().map(Scalar::kind) else {
        return problem(at, "the list is empty", "put at least one item into it");
    };
    for (element, item) in list.elements.iter().zip(&items) {
        if item.kind() != first {
            let message =
                format!("the item is {} and the first {first}, and a list holds items of one kind", item.kind());
            return problem(element, message, "put every item in quotes, or none");
        }
    }
    let list = Arc::new(List::new(items));
    Ok(Checked {
        node: Node::Constants(Arc::clone(&list)),
        of: Type::Constants(list),
        from_call: false,
        closed: true,
        cost: 1,
    })
}

/// The candidate that `name` was probably meant to be.
fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let distance = |candidate: &str| strsim::damerau_levenshtein(name, candidate);
    let (best, by) =
        candidates.into_iter().map(|candidate| (candidate, distance(candidate))).min_by_key(|(_, by)| *by)?;
    (by <= 2 && by < name.chars().count()).then_some(best)
}

fn did_you_mean<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    nearest(name, candidates).map_or_else(String::new, |best| format!("did you mean `{best}`"))
}
