//! Evaluates a checked condition on one call. Recursion is as deep as the condition's nesting, which the checker bounds.

use super::failure::{Failure, Why};
use super::functions::{self, convert};
use super::node::{Binary, Expect, MAX_ELEMENTS, Node, Quantifier, TextTest, Unary};
use super::scope::{DEAR, Element, Eval, Scope, entry};
use super::seen::Seen;
use super::{Relation, glob};
use crate::value::Value;
use std::borrow::Cow;

impl Node {
    /// Whether the condition, or a part of it that has to be true or false, holds.
    ///
    /// `&&` and `||` take a side that decides by itself whatever the other one is, a failure included, as CEL has it.
    pub(super) fn truth<'v>(&'v self, scope: &Scope<'_, 'v>) -> Result<bool, Box<Failure>> {
        match self {
            Self::And(both) => match both.0.truth(scope) {
                Ok(true) => both.1.truth(scope),
                Ok(false) => Ok(false),
                Err(failed) => {
                    if matches!(both.1.truth(scope), Ok(false)) {
                        Ok(false)
                    } else {
                        Err(failed)
                    }
                }
            },
            Self::Or(both) => match both.0.truth(scope) {
                Ok(false) => both.1.truth(scope),
                Ok(true) => Ok(true),
                Err(failed) => {
                    if matches!(both.1.truth(scope), Ok(true)) {
                        Ok(true)
                    } else {
                        Err(failed)
                    }
                }
            },
            Self::Not(inner) => inner.truth(scope).map(|truth| !truth),
            Self::Compare(relation, both) => {
                let (left, right) = (both.0.eval(scope)?, both.1.eval(scope)?);
                let holds = match (&left, &right) {
                    (Seen::Null, _) | (_, Seen::Null) if matches!(relation, Relation::Equal | Relation::NotEqual) => {
                        left.equal(&right).map(|equal| equal == (*relation == Relation::Equal))
                    }
                    _ => scope
                        .spend_on(&left)
                        .and_then(|()| scope.spend_on(&right))
                        .and_then(|()| left.order(&right))
                        .map(|order| relation.holds(order)),
                };
                holds.map_err(|why| Failure::new(self, why))
            }
            Self::In(both, expect) => self.is_in(&both.0, &both.1, *expect, scope),
            Self::Has(load) => load.has(scope),
            Self::Text(test, both) => {
                let (text, part) = (both.0.text(scope)?, both.1.text(scope)?);
                Ok(match test {
                    TextTest::StartsWith => text.starts_with(part.as_ref()),
                    TextTest::EndsWith => text.ends_with(part.as_ref()),
                    TextTest::Contains => text.contains(part.as_ref()),
                })
            }
            Self::Matches(text, regex) => {
                let text = text.text(scope)?;
                scope.spend(text.len(), DEAR).map_err(|why| Failure::new(self, why))?;
                Ok(regex.is_match(&text))
            }
            Self::Glob(text, glob) => {
                let text = text.text(scope)?;
                scope.spend(text.len(), glob.as_str().len()).map_err(|why| Failure::new(self, why))?;
                Ok(glob.matches(&text))
            }
            Self::Binary(function, both) => {
                let (left, right) = (both.0.text(scope)?, both.1.text(scope)?);
                if *function == Binary::Glob {
                    scope.spend(right.len(), left.len()).map_err(|why| Failure::new(self, why))?;
                }
                let answer = match function {
                    Binary::Glob => {
                        glob::Glob::new(&left).map(|glob| glob.matches(&right)).ok_or("has a pattern that is too long")
                    }
                    Binary::Cidr => functions::cidr::contains(&left, &right),
                    Binary::PathWithin => functions::path::within(&left, &right),
                };
                answer.map_err(|why| Failure::new(self, Why::Function(why)))
            }
            Self::Quantify(quantifier, both) => both.0.each(&both.1, *quantifier, scope),
            Self::Choose(all) => {
                if all.0.truth(scope)? {
                    all.1.truth(scope)
                } else {
                    all.2.truth(scope)
                }
            }
            Self::Constant(_)
            | Self::Constants(_)
            | Self::Load(_)
            | Self::Index(..)
            | Self::Arithmetic(..)
            | Self::Negate(_)
            | Self::Unary(..)
            | Self::Session(..) => match self.eval(scope)? {
                Seen::Bool(truth) => Ok(truth),
                other => Err(self.wrong(&other, "a truth value")),
            },
        }
    }

    /// The part's value.
    pub(super) fn eval<'v>(&'v self, scope: &Scope<'_, 'v>) -> Eval<'v> {
        match self {
            Self::Constant(constant) => Ok(constant.seen()),
            Self::Load(load) => load.eval(scope),
            Self::Constants(list) => Ok(Seen::Constants(list)),
            Self::Index(both, expect) => self.index(&both.0, &both.1, *expect, scope),
            Self::Choose(all) => {
                if all.0.truth(scope)? {
                    all.1.eval(scope)
                } else {
                    all.2.eval(scope)
                }
            }
            Self::Arithmetic(operator, both) => {
                let (left, right) = (both.0.eval(scope)?, both.1.eval(scope)?);
                scope
                    .spend_on(&left)
                    .and_then(|()| scope.spend_on(&right))
                    .and_then(|()| functions::arithmetic::apply(*operator, &left, &right))
                    .map_err(|why| Failure::new(self, why))
            }
            Self::Negate(inner) => {
                functions::arithmetic::negate(&inner.eval(scope)?).map_err(|why| Failure::new(self, why))
            }
            Self::Unary(function, inner) => self.unary(*function, inner, scope),
            Self::Session(ask, given) => self.ask(*ask, given.as_deref(), scope),
            Self::Not(_)
            | Self::And(_)
            | Self::Or(_)
            | Self::Compare(..)
            | Self::In(..)
            | Self::Has(_)
            | Self::Text(..)
            | Self::Matches(..)
            | Self::Glob(..)
            | Self::Binary(..)
            | Self::Quantify(..) => self.truth(scope).map(Seen::Bool),
        }
    }

    fn wrong(&self, found: &Seen<'_>, wanted: &'static str) -> Box<Failure> {
        Failure::new(self, Why::WrongType { found: found.kind(), wanted })
    }

    fn text<'v>(&'v self, scope: &Scope<'_, 'v>) -> Result<Cow<'v, str>, Box<Failure>> {
        match self.eval(scope)? {
            Seen::Text(text) => {
                scope.spend(text.len(), 1).map_err(|why| Failure::new(self, why))?;
                Ok(text)
            }
            other => Err(self.wrong(&other, "text")),
        }
    }

    fn unary<'v>(&'v self, function: Unary, inner: &'v Self, scope: &Scope<'_, 'v>) -> Eval<'v> {
        let given = inner.eval(scope)?;
        scope.spend_on(&given).map_err(|why| Failure::new(self, why))?;
        let converted = match function {
            Unary::Size => convert::size(&given),
            Unary::Int => convert::to_int(&given),
            Unary::Double => convert::to_double(&given),
            Unary::String => convert::to_text(given),
            Unary::Timestamp => convert::to_instant(&given),
            Unary::Duration => convert::to_span(&given),
            Unary::EmailDomain => convert::text_function(&given, functions::email::domain),
            Unary::UrlHost => convert::text_function(&given, functions::url::host),
        };
        converted.map_err(|why| match why {
            Why::WrongType { .. } => Failure::new(inner, why),
            why => Failure::new(self, why),
        })
    }

    fn index<'v>(&'v self, base: &'v Self, at: &'v Self, expect: Expect, scope: &Scope<'_, 'v>) -> Eval<'v> {
        let found = match (base.eval(scope)?, at.eval(scope)?) {
            (Seen::List(items), Seen::Int(at)) => usize::try_from(at).ok().and_then(|at| items.get(at)),
            (Seen::Map(entries), Seen::Text(key)) => entry(entries, &key),
            (Seen::List(_), other) => return Err(at.wrong(&other, "an integer")),
            (Seen::Map(_), other) => return Err(at.wrong(&other, "text")),
            (other, _) => return Err(base.wrong(&other, "a map or a list")),
        };
        Seen::of(found.ok_or_else(|| Failure::new(self, Why::Missing))?, expect, self)
    }

    fn is_in<'v>(
        &'v self,
        left: &'v Self,
        right: &'v Self,
        expect: Expect,
        scope: &Scope<'_, 'v>,
    ) -> Result<bool, Box<Failure>> {
        let sought = left.eval(scope)?;
        if matches!(sought, Seen::Double(double) if double.is_nan()) || matches!(sought, Seen::Decimal("NaN")) {
            return Err(Failure::new(self, Why::NotANumber));
        }
        scope.spend_on(&sought).map_err(|why| Failure::new(self, why))?;
        match right.eval(scope)? {
            Seen::Constants(list) => Ok(list.contains(&sought)),
            Seen::List(items) => {
                // as `exists` has it: an item that is equal decides, whatever the others are
                let mut failed = None;
                for item in items {
                    match Seen::of(item, expect, right).and_then(|item| {
                        scope.spend_on(&item).and_then(|()| item.equal(&sought)).map_err(|why| Failure::new(self, why))
                    }) {
                        Ok(true) => return Ok(true),
                        Ok(false) => {}
                        Err(failure) => failed = failed.or(Some(failure)),
                    }
                }
                failed.map_or(Ok(false), Err)
            }
            other => Err(right.wrong(&other, "a list")),
        }
    }

    /// Goes through the list, or the keys of the map, that this node is.
    fn each<'v>(&'v self, body: &'v Self, quantifier: Quantifier, scope: &Scope<'_, 'v>) -> Result<bool, Box<Failure>> {
        let elements: Elements<'v> = match self.eval(scope)? {
            Seen::List(items) => Elements::Values(items),
            Seen::Map(entries) => Elements::Keys(entries),
            Seen::Constants(list) => Elements::Constants(list),
            other => return Err(self.wrong(&other, "a list or a map")),
        };
        let length = elements.len();
        if length > MAX_ELEMENTS && !matches!(elements, Elements::Constants(_)) {
            return Err(Failure::new(self, Why::TooLong));
        }
        let mut found = 0_usize;
        let mut failed = None;
        for at in 0..length {
            let inner = scope.inside(elements.get(at));
            match (body.truth(&inner), quantifier) {
                (Ok(true), Quantifier::Exists) => return Ok(true),
                (Ok(false), Quantifier::All) => return Ok(false),
                (Ok(true), Quantifier::ExistsOne) => found = found.saturating_add(1),
                (Ok(_), _) => {}
                (Err(failure), Quantifier::ExistsOne) => return Err(failure),
                (Err(failure), _) => failed = failed.or(Some(failure)),
            }
        }
        match (failed, quantifier) {
            (Some(failure), _) => Err(failure),
            (None, Quantifier::All) => Ok(true),
            (None, Quantifier::Exists) => Ok(false),
            (None, Quantifier::ExistsOne) => Ok(found == 1),
        }
    }
}

/// What a comprehension goes through.
#[derive(Debug)]
enum Elements<'v> {
    Values(&'v [Value<'v>]),
    Keys(&'v [(Cow<'v, str>, Value<'v>)]),
    Constants(&'v super::lists::List),
}

impl<'v> Elements<'v> {
    const fn len(&self) -> usize {
        match self {
            Self::Values(items) => items.len(),
            Self::Keys(entries) => entries.len(),
            Self::Constants(list) => list.items.len(),
        }
    }

    fn get(&self, at: usize) -> Option<Element<'v>> {
        match self {
            Self::Values(items) => items.get(at).map(Element::Value),
            Self::Keys(entries) => entries.get(at).map(|(key, _)| Element::Seen(Seen::text(key))),
            Self::Constants(list) => list.items.get(at).map(|item| Element::Seen(item.seen())),
        }
    }
}
