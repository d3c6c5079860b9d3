//! Questions to the session: `session.saw("tag")`, `session.calls("tool")`, `session.said(x)`, `session.known(x)`.

use super::{Check, Checked, Checker, Type, did_you_mean, problem};
use crate::condition::Constant;
use crate::condition::node::{Ask, Node};
use cel::IdedExpr;
use cel::common::ast::CallExpr;

/// Looking a text up in a session costs about as much as so many nodes.
const COST: u64 = 16;

impl<'t> Checker<'t> {
    pub(super) fn session(&mut self, at: &'t IdedExpr, call: &'t CallExpr, depth: usize) -> Check<'t> {
        let name = call.func_name.as_str();
        let Some(ask) = Ask::ALL.into_iter().find(|ask| ask.as_str() == name) else {
            let suggestion = match did_you_mean(name, Ask::ALL.map(Ask::as_str)) {
                none if none.is_empty() => "the session is asked by `saw`, `calls`, `said` and `known`".to_owned(),
                suggestion => suggestion,
            };
            return problem(at, format!("unknown function `session.{name}`"), suggestion);
        };
        self.asks_session = true;
        self.asks_calls |= ask == Ask::Calls;
        match (ask, call.args.as_slice()) {
            (Ask::Calls, []) => Ok(asked(ask, None, Type::Int)),
            (Ask::Saw | Ask::Calls, [given]) => self.named(ask, given, depth),
            (Ask::Said | Ask::Known, [given]) => self.stated(ask, given, depth),
            _ => {
                let written = match ask {
                    Ask::Saw => "session.saw(\"tag\")",
                    Ask::Calls => "session.calls(\"tool\")",
                    Ask::Said => "session.said(args.name)",
                    Ask::Known => "session.known(args.name)",
                };
                problem(at, format!("`session.{name}` is not called like this"), format!("write `{written}`"))
            }
        }
    }

    /// A tag or a tool by name: a constant, since what the session is asked for must not come from the call.
    fn named(&mut self, ask: Ask, given: &'t IdedExpr, depth: usize) -> Check<'t> {
        let checked = self.check(given, depth)?;
        let Node::Constant(Constant::Text(name)) = &checked.node else {
            let what = if ask == Ask::Saw { "tag" } else { "tool" };
            let message = format!("the {what} that `session.{}` asks for is no constant text", ask.as_str());
            return problem(given, message, "write it as a text");
        };
        if name.is_empty() {
            return problem(given, format!("`session.{}` asks for an empty name", ask.as_str()), "");
        }
        if ask == Ask::Saw {
            self.tags.insert(name.to_string());
        }
        let of = if ask == Ask::Saw { Type::Bool } else { Type::Int };
        Ok(asked(ask, Some(checked), of))
    }

    /// What the user said or a tool gave: text, a number, or a list of them.
    fn stated(&mut self, ask: Ask, given: &'t IdedExpr, depth: usize) -> Check<'t> {
        let checked = self.check(given, depth)?;
        let scalar = |of: &Type<'_>| of.is_number() || matches!(of, Type::Text | Type::Any);
        let fits = match &checked.of {
            Type::List(element) => scalar(&Type::of(element)),
            other => scalar(other),
        };
        if !fits {
            let message = format!("`session.{}` does not take {}", ask.as_str(), checked.of.kind());
            return problem(given, message, "give it text, a number, or a list of them");
        }
        Ok(asked(ask, Some(checked), Type::Bool))
    }
}

fn asked<'t>(ask: Ask, given: Option<Checked<'t>>, of: Type<'t>) -> Checked<'t> {
    Checked {
        of,
        from_call: true,
        closed: false,
        cost: given.as_ref().map_or(0, |given| given.cost).saturating_add(COST),
        node: Node::Session(ask, given.map(|given| Box::new(given.node))),
    }
}
