//! What a condition is evaluated in: the call, the variables of comprehensions, and how much text is left to look at.

use super::failure::{Failure, Why};
use super::node::{Expect, Load, Root, Step};
use super::seen::Seen;
use super::{Facts, SessionView};
use crate::value::Value;
use std::borrow::Cow;
use std::cell::Cell;

/// The value of a part, or why it has none.
pub(super) type Eval<'v> = Result<Seen<'v>, Box<Failure>>;

/// What a comprehension's variable stands for.
#[derive(Debug, Clone)]
pub(super) enum Element<'v> {
    Value(&'v Value<'v>),
    Seen(Seen<'v>),
}

/// How many bytes of text one evaluation may look at, so that a long text in a comprehension costs no seconds.
const TEXT_BUDGET: u64 = 64 << 20;

/// A regular expression and the digits of a decimal cost several times what a plain search does.
pub(super) const DEAR: usize = 8;

/// What of the budget is left.
#[derive(Debug)]
pub(super) struct Budget(Cell<u64>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(TEXT_BUDGET))
    }
}

/// The call, and inside a comprehension its variable.
#[derive(Debug)]
pub(super) struct Scope<'o, 'v> {
    budget: &'o Budget,
    /// `None` while a condition is looked at without a call.
    call: Option<&'o Facts<'v>>,
    element: Option<Element<'v>>,
    outer: Option<&'o Scope<'o, 'v>>,
}

impl<'o, 'v> Scope<'o, 'v> {
    pub(super) const fn of(call: Option<&'o Facts<'v>>, budget: &'o Budget) -> Self {
        Self { budget, call, element: None, outer: None }
    }

    /// The session of the call.
    pub(super) fn session(&self) -> Option<&'v dyn SessionView> {
        self.call.and_then(|call| call.session)
    }

    /// The scope of one round of a comprehension.
    pub(super) const fn inside(&'o self, element: Option<Element<'v>>) -> Self {
        Self { budget: self.budget, call: self.call, element, outer: Some(self) }
    }

    /// Takes `bytes` of text, looked at `times` over, off the budget.
    pub(super) fn spend(&self, bytes: usize, times: usize) -> Result<(), Why> {
        let spent = u64::try_from(bytes.saturating_mul(times)).unwrap_or(u64::MAX);
        let left = self.budget.0.get().checked_sub(spent).ok_or(Why::TooMuchText)?;
        self.budget.0.set(left);
        Ok(())
    }

    /// Takes what looking at `seen` costs off the budget.
    pub(super) fn spend_on(&self, seen: &Seen<'_>) -> Result<(), Why> {
        match seen {
            Seen::Text(text) => self.spend(text.len(), 1),
            Seen::Bytes(bytes) => self.spend(bytes.len(), 1),
            Seen::Decimal(text) => self.spend(text.len(), DEAR),
            _ => Ok(()),
        }
    }
}

/// The entry of a map by key. Entries are in canonical order; few are faster looked through.
pub(super) fn entry<'v>(entries: &'v [(Cow<'v, str>, Value<'v>)], key: &str) -> Option<&'v Value<'v>> {
    if entries.len() <= 16 {
        return entries.iter().find(|(name, _)| name == key).map(|(_, value)| value);
    }
    let at = entries.binary_search_by(|(name, _)| name.encode_utf16().cmp(key.encode_utf16())).ok()?;
    entries.get(at).map(|(_, value)| value)
}

impl Load {
    fn element<'s, 'v>(&self, scope: &'s Scope<'_, 'v>, hops: u8) -> Result<&'s Element<'v>, Box<Failure>> {
        let mut scope = scope;
        for _ in 0..hops {
            scope = scope.outer.ok_or_else(|| Failure::new(self, Why::Missing))?;
        }
        scope.element.as_ref().ok_or_else(|| Failure::new(self, Why::Missing))
    }

    /// Walks `steps` from the root; `Err` names the path that was asked for.
    fn walk<'v>(&self, steps: &[Step], scope: &Scope<'_, 'v>) -> Result<Element<'v>, Box<Failure>> {
        let mut value = match &self.root {
            Root::Args => scope.call.ok_or_else(|| Failure::new(self, Why::NoCall))?.args,
            Root::Local { hops, .. } => match self.element(scope, *hops)? {
                Element::Value(value) => value,
                Element::Seen(seen) if steps.is_empty() => return Ok(Element::Seen(seen.clone())),
                Element::Seen(seen) => {
                    return Err(Failure::new(self, Why::WrongType { found: seen.kind(), wanted: "a map or a list" }));
                }
            },
        };
        for step in steps {
            let next = match (step, value) {
                (Step::Key(key), Value::Map(entries)) => entry(entries, key),
                (Step::At(at), Value::List(items)) => items.get(*at),
                (Step::Key(_), other) => return Err(self.not_a("a map", other)),
                (Step::At(_), other) => return Err(self.not_a("a list", other)),
            };
            value = next.ok_or_else(|| Failure::new(self, Why::Missing))?;
        }
        Ok(Element::Value(value))
    }

    fn not_a(&self, wanted: &'static str, found: &Value<'_>) -> Box<Failure> {
        match Seen::of(found, Expect::Any, self) {
            Ok(seen) => Failure::new(self, Why::WrongType { found: seen.kind(), wanted }),
            Err(failure) => failure,
        }
    }

    pub(super) fn eval<'v>(&self, scope: &Scope<'_, 'v>) -> Eval<'v> {
        match self.walk(&self.steps, scope)? {
            Element::Value(value) => Seen::of(value, self.expect, self),
            Element::Seen(seen) => Ok(seen),
        }
    }

    pub(super) fn has(&self, scope: &Scope<'_, '_>) -> Result<bool, Box<Failure>> {
        let Some((Step::Key(last), before)) = self.steps.split_last() else { return Ok(true) };
        match self.walk(before, scope)? {
            Element::Value(Value::Map(entries)) => Ok(entry(entries, last).is_some()),
            Element::Value(other) => Err(self.not_a("a map", other)),
            Element::Seen(seen) => Err(Failure::new(self, Why::WrongType { found: seen.kind(), wanted: "a map" })),
        }
    }
}
