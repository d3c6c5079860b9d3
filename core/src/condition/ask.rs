//! Evaluates a question to the session.

use super::failure::{Failure, Why};
use super::node::{Ask, Expect, MAX_ELEMENTS, Node};
use super::scope::{DEAR, Eval, Scope};
use super::seen::Seen;
use super::session::{SessionView, Unknown};
use std::borrow::Cow;

impl Node {
    pub(super) fn ask<'v>(&'v self, ask: Ask, given: Option<&'v Self>, scope: &Scope<'_, 'v>) -> Eval<'v> {
        let session = scope.session().ok_or_else(|| Failure::new(self, Why::NoSession))?;
        let given = given.map(|given| given.eval(scope)).transpose()?;
        let unknown = |_: Unknown| Failure::new(self, Why::History);
        match (ask, given) {
            (Ask::Saw, Some(Seen::Text(tag))) => session.saw(&tag).map(Seen::Bool).map_err(unknown),
            (Ask::Calls, Some(Seen::Text(tool))) => session.calls(Some(&tool)).map(count).map_err(unknown),
            (Ask::Calls, None) => session.calls(None).map(count).map_err(unknown),
            (Ask::Said | Ask::Known, Some(Seen::List(items))) => {
                if items.len() > MAX_ELEMENTS {
                    return Err(Failure::new(self, Why::TooLong));
                }
                for item in items {
                    if !self.stated(ask, &Seen::of(item, Expect::Any, self)?, session, scope)? {
                        return Ok(Seen::Bool(false));
                    }
                }
                Ok(Seen::Bool(true))
            }
            (Ask::Said | Ask::Known, Some(seen)) => self.stated(ask, &seen, session, scope).map(Seen::Bool),
            (_, Some(other)) => Err(wrong(self, &other)),
            (_, None) => Err(Failure::new(self, Why::Missing)),
        }
    }

    /// Whether one text or number was said, or is known. An empty text never is.
    fn stated(
        &self,
        ask: Ask,
        seen: &Seen<'_>,
        session: &dyn SessionView,
        scope: &Scope<'_, '_>,
    ) -> Result<bool, Box<Failure>> {
        let text: Cow<'_, str> = match seen {
            Seen::Text(text) => Cow::Borrowed(text),
            Seen::Decimal(text) | Seen::Local(text) => Cow::Borrowed(text),
            Seen::Int(int) => Cow::Owned(int.to_string()),
            Seen::Double(double) if double.is_finite() => Cow::Owned(double.to_string()),
            other => return Err(wrong(self, other)),
        };
        scope.spend(text.len(), DEAR).map_err(|why| Failure::new(self, why))?;
        let answer = if ask == Ask::Said { session.said(&text) } else { session.known(&text) };
        answer.map_err(|_unknown| Failure::new(self, Why::History))
    }
}

fn wrong(part: &Node, found: &Seen<'_>) -> Box<Failure> {
    Failure::new(part, Why::WrongType { found: found.kind(), wanted: "text or a number" })
}

/// Counts end where the language's integers do.
fn count(calls: u64) -> Seen<'static> {
    Seen::Int(i64::try_from(calls).unwrap_or(i64::MAX))
}
