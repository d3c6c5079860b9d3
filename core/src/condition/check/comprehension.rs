//! `all`, `exists`, `exists_one`: recognised by what the parser expands them to.

use super::{Check, Checked, Checker, Problem, Type, Variable, problem};
use crate::condition::node::{MAX_ELEMENTS, Node, Quantifier};
use crate::condition::types::ArgumentType;
use cel::IdedExpr;
use cel::common::ast::{ComprehensionExpr, Expr, LiteralValue, operators};
use std::sync::Arc;

impl<'t> Checker<'t> {
    pub(super) fn comprehension(&mut self, at: &'t IdedExpr, given: &'t ComprehensionExpr, depth: usize) -> Check<'t> {
        let (quantifier, body) = expansion(at, given)?;
        let range = self.check(&given.iter_range, depth)?;
        let (of, length) = match &range.of {
            Type::Any => (Type::Any, MAX_ELEMENTS),
            Type::List(element) => (Type::of(element), MAX_ELEMENTS),
            Type::Map(_) => (Type::of(&ArgumentType::String), MAX_ELEMENTS),
            Type::Constants(list) => (Type::of_item(list), list.items.len()),
            other => {
                let message = format!("`{}` is {}, not a list or a map", range.node, other.kind());
                return problem(
                    &given.iter_range,
                    message,
                    "go through an argument that is one, or through `lists.name`",
                );
            }
        };
        if range.from_call && self.scope.iter().any(|variable| variable.from_call) {
            let message = format!("`{}` goes through arguments inside another that does", quantifier.as_str());
            return problem(at, message, "go through one list only, and look the other up with `in`");
        }
        let name = given.iter_var.as_str();
        if matches!(name, "args" | "lists") || self.scope.iter().any(|variable| variable.name == name) {
            return problem(
                at,
                format!("the variable `{name}` already stands for something else"),
                "give it another name",
            );
        }
        let list = if let Type::Constants(list) = &range.of { Some(Arc::clone(list)) } else { None };
        self.scope.push(Variable { name, of, from_call: range.from_call, list });
        let body = self.truth(body, depth);
        self.scope.pop();
        let body = body?;
        let each = body.cost.saturating_add(1);
        Ok(Checked {
            from_call: range.from_call || body.from_call,
            // what is inside depends on the variable, and through it on the range; or on the call
            closed: range.closed && !body.from_call && self.scope.is_empty(),
            cost: range.cost.saturating_add(each.saturating_mul(length as u64)),
            node: Node::Quantify(quantifier, Box::new((range.node, body.node))),
            of: Type::Bool,
        })
    }
}

/// Which macro it was, and the part that was asked of each element.
fn expansion<'t>(
    at: &'t IdedExpr,
    given: &'t ComprehensionExpr,
) -> Result<(Quantifier, &'t IdedExpr), Box<Problem<'t>>> {
    let Expr::Call(step) = &given.loop_step.expr else { return refused(at) };
    match (&given.accu_init.expr, step.func_name.as_str(), step.args.as_slice()) {
        (Expr::Literal(LiteralValue::Boolean(_)), operators::LOGICAL_AND, [_, body]) => Ok((Quantifier::All, body)),
        (Expr::Literal(LiteralValue::Boolean(_)), operators::LOGICAL_OR, [_, body]) => Ok((Quantifier::Exists, body)),
        (Expr::Literal(LiteralValue::Int(_)), operators::CONDITIONAL, [body, _, _]) => {
            Ok((Quantifier::ExistsOne, body))
        }
        _ => refused(at),
    }
}

fn refused<'t, T>(at: &'t IdedExpr) -> Result<T, Box<Problem<'t>>> {
    problem(at, "`map` and `filter` build lists, which conditions do not", "use `all`, `exists` or `exists_one`")
}
