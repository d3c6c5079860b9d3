//! Arguments that a condition asks for with `has`: a tool of several may lack them.

use super::fence;
use super::types::ArgumentTypes;
use cel::IdedExpr;
use cel::common::ast::{Expr, LiteralValue, operators};
use std::collections::BTreeSet;

/// From an argument down to the field that may be absent, as in `has(args.a.b)`.
pub(crate) type Path = Vec<String>;

/// What the condition `source` asks for with `has`; nothing where it is not well-formed.
pub(crate) fn asked_for(source: &str) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    if source.contains("has")
        && let Ok(tree) = fence::parse(source)
    {
        look(&tree, &mut found);
    }
    found
}

/// As deep as the parser lets a tree be.
fn look(at: &IdedExpr, found: &mut BTreeSet<Path>) {
    match &at.expr {
        Expr::Select(select) => {
            if select.test
                && let Some(mut path) = path(&select.operand)
            {
                path.push(select.field.clone());
                found.insert(path);
            }
            look(&select.operand, found);
        }
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).for_each(|part| look(part, found)),
        Expr::Comprehension(of) => {
            [&of.iter_range, &of.accu_init, &of.loop_cond, &of.loop_step, &of.result]
                .into_iter()
                .for_each(|part| look(part, found));
        }
        Expr::List(list) => list.elements.iter().for_each(|part| look(part, found)),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Map(_) | Expr::Struct(_) => {}
    }
}

/// `args.a["b"]` as names; `None` for what does not begin with `args`, or goes through a list.
fn path(at: &IdedExpr) -> Option<Path> {
    match &at.expr {
        Expr::Ident(name) => (name == "args").then(Vec::new),
        Expr::Select(select) if !select.test => {
            let mut path = path(&select.operand)?;
            path.push(select.field.clone());
            Some(path)
        }
        Expr::Call(call) if call.func_name == operators::INDEX => {
            let [base, IdedExpr { expr: Expr::Literal(LiteralValue::String(key)), .. }] = call.args.as_slice() else {
                return None;
            };
            let mut path = path(base)?;
            path.push(key.inner().to_owned());
            Some(path)
        }
        _ => None,
    }
}

/// Whether a call can never have what `path` ends in, and can have what it goes through.
pub(crate) fn lacks(arguments: &ArgumentTypes, path: &[String]) -> bool {
    let Some((last, before)) = path.split_last() else { return false };
    let mut at = arguments;
    for name in before {
        match at.fields(name) {
            Some(fields) => at = fields,
            None => return false,
        }
    }
    at.get(last).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::ArgumentType;

    fn found(source: &str) -> Vec<String> {
        asked_for(source).iter().map(|path| path.join(".")).collect()
    }

    #[test]
    fn every_has_is_found_wherever_it_stands() {
        assert_eq!(found("has(args.a) && args.b > 1"), ["a"]);
        assert_eq!(found("!has(args.a) || (has(args.b.c) ? args.d : has(args.e[\"f\"].g))"), ["a", "b.c", "e.f.g"]);
        assert_eq!(found("args.list.exists(x, has(x.y) && has(args.z))"), ["z"]);
        assert_eq!(found("size(string(args.hash)) > 3"), [""; 0]);
        assert_eq!(found("has(args.a[0].b)"), [""; 0], "a field of an element is the element's affair");
        assert_eq!(found("has(args.a"), [""; 0]);
    }

    #[test]
    fn what_is_lacking_is_known_of_closed_arguments_alone() {
        let inner = ArgumentTypes::closed([("b", ArgumentType::Int)]);
        let closed = ArgumentTypes::closed([("a", ArgumentType::Map(inner)), ("n", ArgumentType::Any)]);
        let lacks = |path: &str| lacks(&closed, &path.split('.').map(str::to_owned).collect::<Vec<_>>());
        assert!(lacks("x") && lacks("a.x"));
        assert!(!lacks("a") && !lacks("a.b") && !lacks("n.x") && !lacks("x.y"));
        assert!(!super::lacks(&ArgumentTypes::open([("a", ArgumentType::Any)]), &["x".to_owned()]));
    }
}
