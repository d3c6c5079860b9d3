//! Operators: what they take, and what to write where the types are not known.

use super::hosts::{self, Held};
use super::{Check, Checked, Checker, Type, problem};
use crate::condition::node::{Expect, Node, Operator};
use crate::condition::{Relation, node};
use cel::IdedExpr;
use cel::common::ast::{CallExpr, operators};

fn relation(name: &str) -> Option<Relation> {
    Some(match name {
        operators::EQUALS => Relation::Equal,
        operators::NOT_EQUALS => Relation::NotEqual,
        operators::LESS => Relation::Less,
        operators::LESS_EQUALS => Relation::LessOrEqual,
        operators::GREATER => Relation::Greater,
        operators::GREATER_EQUALS => Relation::GreaterOrEqual,
        _ => return None,
    })
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        operators::ADD => Operator::Add,
        operators::SUBSTRACT => Operator::Subtract,
        operators::MULTIPLY => Operator::Multiply,
        operators::DIVIDE => Operator::Divide,
        operators::MODULO => Operator::Remainder,
        _ => return None,
    })
}

impl<'t> Checked<'t> {
    /// A node over two checked parts.
    pub(super) fn over(left: Self, right: Self, of: Type<'t>, node: impl FnOnce(Box<(Node, Node)>) -> Node) -> Self {
        Self {
            from_call: left.from_call || right.from_call,
            closed: left.closed && right.closed,
            cost: left.cost.saturating_add(right.cost).saturating_add(1),
            node: node(Box::new((left.node, right.node))),
            of,
        }
    }

    /// A node over one checked part.
    pub(super) fn around(self, of: Type<'t>, node: impl FnOnce(Box<Node>) -> Node) -> Self {
        Self { cost: self.cost.saturating_add(1), node: node(Box::new(self.node)), of, ..self }
    }
}

impl<'t> Checker<'t> {
    /// An operator, or `None` where the call is a function's.
    pub(super) fn operator(&mut self, at: &'t IdedExpr, call: &'t CallExpr, depth: usize) -> Option<Check<'t>> {
        let name = call.func_name.as_str();
        Some(match (name, call.args.as_slice()) {
            (operators::INDEX, _) => self.index(at, call, depth),
            (operators::LOGICAL_AND, [left, right]) => self.logical(left, right, depth, Node::And),
            (operators::LOGICAL_OR, [left, right]) => self.logical(left, right, depth, Node::Or),
            (operators::LOGICAL_NOT, [inner]) => {
                self.truth(inner, depth).map(|inner| inner.around(Type::Bool, Node::Not))
            }
            (operators::NEGATE, [inner]) => self.negate(inner, depth),
            (operators::CONDITIONAL, [test, yes, no]) => self.choose(at, (test, yes, no), depth),
            (operators::IN, [left, right]) => self.is_in(at, left, right, depth),
            (_, [left, right]) => {
                if let Some(relation) = relation(name) {
                    self.compare(at, relation, left, right, depth)
                } else {
                    self.arithmetic(at, operator(name)?, left, right, depth)
                }
            }
            _ => return None,
        })
    }

    /// A part that has to be true or false; an untyped one fails in a call where it is neither.
    pub(super) fn truth(&mut self, at: &'t IdedExpr, depth: usize) -> Check<'t> {
        let checked = self.check(at, depth)?;
        match checked.of {
            Type::Bool | Type::Any => Ok(checked),
            _ => problem(
                at,
                format!("`{}` is {}, not a truth value", checked.node, checked.of.kind()),
                "compare it with something",
            ),
        }
    }

    fn logical(
        &mut self,
        left: &'t IdedExpr,
        right: &'t IdedExpr,
        depth: usize,
        node: fn(Box<(Node, Node)>) -> Node,
    ) -> Check<'t> {
        let (left, right) = (self.truth(left, depth)?, self.truth(right, depth)?);
        Ok(Checked::over(left, right, Type::Bool, node))
    }

    fn negate(&mut self, inner: &'t IdedExpr, depth: usize) -> Check<'t> {
        let checked = self.check(inner, depth)?;
        match checked.of {
            Type::Int | Type::Number | Type::Span => {
                let of = checked.of.clone();
                Ok(checked.around(of, Node::Negate))
            }
            Type::Any => {
                let suggestion = format!("write `-double({0})` or `-int({0})`", checked.node);
                problem(inner, format!("the type of `{}` is not known", checked.node), suggestion)
            }
            _ => problem(
                inner,
                format!("`{}` is {}, not a number", checked.node, checked.of.kind()),
                "take the `-` away",
            ),
        }
    }

    fn choose(
        &mut self,
        at: &'t IdedExpr,
        (test, yes, no): (&'t IdedExpr, &'t IdedExpr, &'t IdedExpr),
        depth: usize,
    ) -> Check<'t> {
        let (test, yes, no) = (self.truth(test, depth)?, self.check(yes, depth)?, self.check(no, depth)?);
        let of = match (&yes.of, &no.of) {
            (Type::Any | Type::Null, _) | (_, Type::Any | Type::Null) => Type::Any,
            (Type::Int, Type::Int) => Type::Int,
            (yes, no) if yes.is_number() && no.is_number() => Type::Any,
            (one, other) if one.compares(other) => one.clone(),
            (one, other) => {
                let message = format!("the two results differ: one is {}, the other {}", one.kind(), other.kind());
                return problem(at, message, "make both the same type");
            }
        };
        Ok(Checked {
            from_call: test.from_call || yes.from_call || no.from_call,
            closed: test.closed && yes.closed && no.closed,
            cost: test.cost.saturating_add(yes.cost.max(no.cost)).saturating_add(1),
            node: Node::Choose(Box::new((test.node, yes.node, no.node))),
            of,
        })
    }

    fn compare(
        &mut self,
        at: &'t IdedExpr,
        relation: Relation,
        left: &'t IdedExpr,
        right: &'t IdedExpr,
        depth: usize,
    ) -> Check<'t> {
        let (left, right) = (self.check(left, depth)?, self.check(right, depth)?);
        let equality = matches!(relation, Relation::Equal | Relation::NotEqual);
        let (sign, one, other) = (relation.as_str(), &left.node, &right.node);
        match (&left.of, &right.of) {
            (one_type, other_type) if one_type.is_container() || other_type.is_container() => {
                let message = format!("`{sign}` does not compare lists or maps");
                return problem(at, message, "compare their elements, as in `list.all(x, …)` or `list.exists(x, …)`");
            }
            (Type::Null, Type::Null | Type::Any) | (Type::Any, Type::Null) if equality => {}
            (Type::Null, _) | (_, Type::Null) if !equality => {
                return problem(
                    at,
                    format!("null has no place in an order, in `{one} {sign} {other}`"),
                    "compare with `==` or `!=`",
                );
            }
            (Type::Null, known) | (known, Type::Null) => {
                return problem(
                    at,
                    format!("`{one} {sign} {other}` never differs: {} is never null", known.kind()),
                    "take the comparison out",
                );
            }
            (Type::Any, Type::Bool) if equality => {
                return problem(
                    at,
                    format!("the type of `{one}` is not known"),
                    format!("write `{one}` or `!{one}` alone"),
                );
            }
            (Type::Bool, Type::Any) if equality => {
                return problem(
                    at,
                    format!("the type of `{other}` is not known"),
                    format!("write `{other}` or `!{other}` alone"),
                );
            }
            (Type::Any, Type::Any) if equality => {
                let suggestion = format!("write `string({one}) {sign} string({other})`");
                return problem(at, format!("the types of `{one}` and `{other}` are not known"), suggestion);
            }
            (Type::Any, known) if equality => {
                let suggestion =
                    known.conversion().map_or_else(String::new, |by| format!("write `{by}({one}) {sign} {other}`"));
                return problem(at, format!("the type of `{one}` is not known"), suggestion);
            }
            (known, Type::Any) if equality => {
                let suggestion =
                    known.conversion().map_or_else(String::new, |by| format!("write `{one} {sign} {by}({other})`"));
                return problem(at, format!("the type of `{other}` is not known"), suggestion);
            }
            (Type::Any, _) | (_, Type::Any) => {}
            (one_type, other_type) if one_type.compares(other_type) => {}
            (one_type, other_type) => {
                let message = format!("`{one} {sign} {other}` compares {} with {}", one_type.kind(), other_type.kind());
                return problem(at, message, "such a comparison fails in every call");
            }
        }
        if equality {
            self.host_meets(at, one, Held::Equal, other)?;
            self.host_meets(at, other, Held::Equal, one)?;
        }
        Ok(Checked::over(left, right, Type::Bool, |both| Node::Compare(relation, both)))
    }

    fn is_in(&mut self, at: &'t IdedExpr, left: &'t IdedExpr, right: &'t IdedExpr, depth: usize) -> Check<'t> {
        let (left, right) = (self.check(left, depth)?, self.check(right, depth)?);
        let (item, expect) = match &right.of {
            Type::Constants(list) => (Type::of_item(list), Expect::Any),
            Type::List(element) => (Type::of(element), Type::of(element).expect()),
            Type::Any => {
                let suggestion = format!("write `{}.exists(x, string(x) == …)`, or `has(…)` for a map", right.node);
                return problem(at, format!("the type of `{}` is not known", right.node), suggestion);
            }
            Type::Map(_) => {
                return problem(at, "`in` does not look into maps", format!("write `has({}.name)`", right.node));
            }
            other => {
                return problem(
                    at,
                    format!("`{}` is {}, not a list", right.node, other.kind()),
                    "write `==`, or put it into a list",
                );
            }
        };
        match (&left.of, &item) {
            (Type::Any, item) => {
                let by = item.conversion().unwrap_or("string");
                let suggestion = format!("write `{by}({}) in …`", left.node);
                return problem(at, format!("the type of `{}` is not known", left.node), suggestion);
            }
            (Type::Null, _) => return problem(at, "null is in no list", "compare with `== null`"),
            (one, _) if one.is_container() => {
                let message = format!("`{}` is {}, which is in no list", left.node, one.kind());
                return problem(at, message, "go through it, as in `list.exists(x, x in lists.name)`");
            }
            // an empty list
            (_, Type::Any) if matches!(right.of, Type::Constants(_)) => {}
            (_, Type::Any) => {
                let suggestion = format!("write `{}.exists(x, string(x) == …)`", right.node);
                return problem(at, format!("the type of the elements of `{}` is not known", right.node), suggestion);
            }
            (one, item) if one.compares(item) => {}
            (one, item) => {
                let message = format!("`{}` is {}, and the list holds {}", left.node, one.kind(), item.kind());
                return problem(at, message, "such a value is never in it");
            }
        }
        if let (Type::Int, Type::Constants(list)) = (&left.of, &right.of)
            && let Some(item) = list.no_integer()
        {
            let message = format!("`{}` is an integer, and never `{item:?}`", left.node);
            return problem(at, message, "hold integers in the list, or look up a `double(…)`");
        }
        if let (Type::Constants(list), Some(function)) = (&right.of, hosts::host(&left.node)) {
            for text in list.texts() {
                hosts::meets(at, function, Held::Equal, text)?;
            }
        }
        // going through a list of the call costs as much as a comprehension does
        let extra = if right.from_call { node::MAX_ELEMENTS as u64 } else { 0 };
        let mut checked = Checked::over(left, right, Type::Bool, |both| Node::In(both, expect));
        checked.cost = checked.cost.saturating_add(extra);
        Ok(checked)
    }

    fn arithmetic(
        &mut self,
        at: &'t IdedExpr,
        operator: Operator,
        left: &'t IdedExpr,
        right: &'t IdedExpr,
        depth: usize,
    ) -> Check<'t> {
        let (left, right) = (self.check(left, depth)?, self.check(right, depth)?);
        let (sign, one, other) = (operator.as_str(), &left.node, &right.node);
        let of = match (&left.of, operator, &right.of) {
            (Type::Any, _, known) | (known, _, Type::Any) => {
                let by = known.conversion().unwrap_or("double");
                let wrap = |node: &Node, of: &Type<'_>| {
                    if matches!(of, Type::Any) { format!("{by}({node})") } else { node.to_string() }
                };
                let suggestion = format!("write `{} {sign} {}`", wrap(one, &left.of), wrap(other, &right.of));
                let unknown = if matches!(left.of, Type::Any) { one } else { other };
                return problem(at, format!("the type of `{unknown}` is not known"), suggestion);
            }
            (Type::Text, Operator::Add, Type::Text) if !self.scope.is_empty() => {
                return problem(at, "no text is built inside a comprehension", "compare the parts one by one");
            }
            (Type::Text, Operator::Add, Type::Text) => Type::Text,
            (Type::Int, _, Type::Int) => Type::Int,
            (
                Type::Number,
                Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide,
                Type::Number,
            ) => Type::Number,
            (Type::Time, Operator::Add | Operator::Subtract, Type::Span) | (Type::Span, Operator::Add, Type::Time) => {
                Type::Time
            }
            (Type::Time, Operator::Subtract, Type::Time)
            | (Type::Span, Operator::Add | Operator::Subtract, Type::Span) => Type::Span,
            (one_type, _, other_type) => {
                let suggestion = match (one_type, other_type) {
                    (Type::Int, Type::Number) => format!("write `double({one}) {sign} {other}`"),
                    (Type::Number, Type::Int) => format!("write `{one} {sign} double({other})`"),
                    (Type::Decimal, _) | (_, Type::Decimal) => {
                        "decimals are compared, not calculated with; write `double(…)`".to_owned()
                    }
                    _ => String::new(),
                };
                return problem(
                    at,
                    format!("`{sign}` does not take {} and {}", one_type.kind(), other_type.kind()),
                    suggestion,
                );
            }
        };
        Ok(Checked::over(left, right, of, |both| Node::Arithmetic(operator, both)))
    }
}
