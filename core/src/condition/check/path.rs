//! Paths into the call: `args.a.b[0]`, `has(args.a)`, `lists.name`, a comprehension's variable.

use super::{Check, Checked, Checker, Problem, Type, did_you_mean, problem};
use crate::condition::node::{Load, Node, Root, Step};
use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, LiteralValue, SelectExpr, operators};
use std::sync::Arc;

/// A path as it stands in the tree, each step with the part that ends in it.
struct Path<'t> {
    root: &'t IdedExpr,
    steps: Vec<(&'t IdedExpr, Given<'t>)>,
}

#[derive(Clone, Copy)]
enum Given<'t> {
    Key(&'t str),
    At(i64),
}

/// Takes a chain of fields and constant indexes apart.
fn path_of(end: &IdedExpr) -> Path<'_> {
    let mut steps = Vec::new();
    let mut at = end;
    loop {
        match &at.expr {
            Expr::Select(select) if !select.test => {
                steps.push((at, Given::Key(&select.field)));
                at = &select.operand;
            }
            Expr::Call(call) => {
                let Some((base, given)) = constant_index(call) else { break };
                steps.push((at, given));
                at = base;
            }
            _ => break,
        }
    }
    steps.reverse();
    Path { root: at, steps }
}

/// `base[0]`, `base["key"]`.
fn constant_index(call: &CallExpr) -> Option<(&IdedExpr, Given<'_>)> {
    let (operators::INDEX, [base, index]) = (call.func_name.as_str(), call.args.as_slice()) else { return None };
    match &index.expr {
        Expr::Literal(LiteralValue::Int(at)) => Some((base, Given::At(*at.inner()))),
        Expr::Literal(LiteralValue::String(key)) => Some((base, Given::Key(key.inner()))),
        _ => None,
    }
}

impl<'t> Checker<'t> {
    /// A name, or fields of one.
    pub(super) fn path(&mut self, at: &'t IdedExpr) -> Check<'t> {
        let path = path_of(at);
        let Expr::Ident(root) = &path.root.expr else {
            return problem(at, "only arguments have fields", "name the argument itself, as `args.name`");
        };
        match root.as_str() {
            "args" => self.argument(&path),
            "lists" => self.list(at, &path),
            name => match self.scope.iter().rposition(|variable| variable.name == name) {
                Some(index) => self.local(&path, name, index),
                None => self.unknown(path.root, name),
            },
        }
    }

    /// `has(args.a)`: the last field may be absent, those before it may not.
    pub(super) fn has(&mut self, at: &'t IdedExpr, select: &'t SelectExpr) -> Check<'t> {
        let checked = self.path(&select.operand)?;
        let Node::Load(mut load) = checked.node else {
            return problem(at, "`has` asks for a field of an argument", "write `has(args.name)`");
        };
        let fields = match &checked.of {
            Type::Map(fields) => Some(*fields),
            Type::Any => None,
            other => {
                return problem(
                    at,
                    format!("`{load}` is {} and has no fields", other.kind()),
                    "name an argument that is a map",
                );
            }
        };
        if let Some(fields) = fields
            && fields.get(&select.field).is_none()
        {
            return unknown_field(at, &load, &select.field, fields.names());
        }
        if matches!(load.root, Root::Args) && load.steps.is_empty() {
            self.names.insert(select.field.clone());
        }
        load.steps = load.steps.into_iter().chain([Step::Key(select.field.as_str().into())]).collect();
        Ok(Checked { node: Node::Has(load), of: Type::Bool, ..checked })
    }

    /// `base[index]` where the index is not constant.
    pub(super) fn index(&mut self, at: &'t IdedExpr, call: &'t CallExpr, depth: usize) -> Check<'t> {
        if constant_index(call).is_some() {
            return self.path(at);
        }
        let [base, index] = call.args.as_slice() else {
            return problem(at, "an index has one value", "write `args.name[0]`");
        };
        let (base_checked, index_checked) = (self.check(base, depth)?, self.check(index, depth)?);
        let of = match (&base_checked.of, &index_checked.of) {
            (Type::Any, Type::Any | Type::Int | Type::Text) => Type::Any,
            (Type::List(element), Type::Int | Type::Any) => Type::of(element),
            (Type::Map(_), Type::Text | Type::Any) => Type::Any,
            (Type::List(_), other) => {
                return problem(
                    index,
                    format!("a list is indexed by an integer, not by {}", other.kind()),
                    "write `args.name[0]`",
                );
            }
            (Type::Map(_), other) => {
                return problem(
                    index,
                    format!("a map is indexed by text, not by {}", other.kind()),
                    "write `args.name[\"key\"]`",
                );
            }
            (other, _) => {
                return problem(
                    base,
                    format!("`{}` is {} and has no elements to index", base_checked.node, other.kind()),
                    "take the index away",
                );
            }
        };
        Ok(Checked {
            from_call: base_checked.from_call || index_checked.from_call,
            closed: false,
            cost: base_checked.cost.saturating_add(index_checked.cost).saturating_add(1),
            node: Node::Index(Box::new((base_checked.node, index_checked.node)), of.expect()),
            of,
        })
    }

    fn argument(&mut self, path: &Path<'t>) -> Check<'t> {
        if let Some((_, Given::Key(name))) = path.steps.first() {
            self.names.insert((*name).to_owned());
        }
        let root = Load { root: Root::Args, steps: Box::default(), expect: crate::condition::node::Expect::Map };
        let (load, of) = follow(root, Type::Map(self.arguments), path)?;
        Ok(Checked { node: Node::Load(load), of, from_call: true, closed: false, cost: 1 })
    }

    fn local(&self, path: &Path<'t>, name: &str, index: usize) -> Check<'t> {
        let (Some(variable), Ok(hops)) =
            (self.scope.get(index), u8::try_from(self.scope.len().saturating_sub(index).saturating_sub(1)))
        else {
            return self.unknown(path.root, name);
        };
        let root =
            Load { root: Root::Local { hops, name: name.into() }, steps: Box::default(), expect: variable.of.expect() };
        let (load, of) = follow(root, variable.of.clone(), path)?;
        Ok(Checked { node: Node::Load(load), of, from_call: variable.from_call, closed: false, cost: 1 })
    }

    fn list(&mut self, at: &'t IdedExpr, path: &Path<'t>) -> Check<'t> {
        let [(_, Given::Key(name))] = path.steps.as_slice() else {
            return problem(at, "`lists` is used as `lists.name`", "write `x in lists.name`");
        };
        let Some(list) = self.lists.get(name) else {
            let suggestion = match did_you_mean(name, self.lists.names()) {
                none if none.is_empty() => format!("add `{name}` to `lists`"),
                suggestion => suggestion,
            };
            return problem(at, format!("there is no list `{name}`"), suggestion);
        };
        self.list_names.insert((*name).to_owned());
        let (node, of) = (Node::Constants(Arc::clone(list)), Type::Constants(Arc::clone(list)));
        Ok(Checked { node, of, from_call: false, closed: true, cost: 1 })
    }

    fn unknown(&self, at: &'t IdedExpr, name: &str) -> Check<'t> {
        let message = format!("unknown variable `{name}`");
        if self.arguments.names().any(|argument| argument == name) {
            return problem(at, message, format!("write `args.{name}`"));
        }
        let variables = self.scope.iter().map(|variable| variable.name).chain(["args", "lists"]);
        let suggestion = match did_you_mean(name, variables) {
            none if none.is_empty() => format!("an argument is written `args.{name}`, a text `\"{name}\"`"),
            suggestion => suggestion,
        };
        problem(at, message, suggestion)
    }
}

/// Follows the steps of a path through what is known of the types.
fn follow<'t>(mut load: Load, mut of: Type<'t>, path: &Path<'t>) -> Result<(Load, Type<'t>), Box<Problem<'t>>> {
    let mut steps = Vec::with_capacity(path.steps.len());
    for (at, given) in &path.steps {
        let so_far = |steps: Vec<Step>| Load { root: copy(&load.root), steps: steps.into(), expect: load.expect };
        of = match (&of, given) {
            (Type::Any, _) => Type::Any,
            (Type::Map(fields), Given::Key(name)) => match fields.get(name) {
                Some(declared) => Type::of(declared),
                None => return unknown_field(at, &so_far(steps), name, fields.names()),
            },
            (Type::List(element), Given::At(_)) => Type::of(element),
            (other, Given::Key(name)) => {
                let message = format!("`{}` is {} and has no field `{name}`", so_far(steps), other.kind());
                return problem(at, message, "take the field away, or correct the tool's `args`");
            }
            (other, Given::At(_)) => {
                let message = format!("`{}` is {} and has no elements to index", so_far(steps), other.kind());
                return problem(at, message, "take the index away, or correct the tool's `args`");
            }
        };
        steps.push(match given {
            Given::Key(name) => Step::Key((*name).into()),
            Given::At(index) => match usize::try_from(*index) {
                Ok(index) => Step::At(index),
                Err(_) => return problem(at, format!("the index {index} is negative"), "elements count from 0"),
            },
        });
    }
    load.steps = steps.into();
    load.expect = of.expect();
    Ok((load, of))
}

fn copy(root: &Root) -> Root {
    match root {
        Root::Args => Root::Args,
        Root::Local { hops, name } => Root::Local { hops: *hops, name: name.clone() },
    }
}

fn unknown_field<'t, 'c, T>(
    at: &'t IdedExpr,
    of: &Load,
    name: &str,
    known: impl Iterator<Item = &'c str> + Clone,
) -> Result<T, Box<Problem<'t>>> {
    let is_tool = matches!(of.root, Root::Args) && of.steps.is_empty();
    let message =
        if is_tool { format!("the tool has no argument `{name}`") } else { format!("`{of}` has no field `{name}`") };
    let suggestion = match did_you_mean(name, known.clone()) {
        none if none.is_empty() => {
            let known = known.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            if known.is_empty() { String::new() } else { format!("there are {known}") }
        }
        suggestion => suggestion,
    };
    problem(at, message, suggestion)
}
