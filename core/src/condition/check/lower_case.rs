//! Hosts and domains are lower case and ASCII: a text or pattern that never meets one would make a rule that holds nothing back.

use super::{Checker, Problem, problem};
use crate::condition::Constant;
use crate::condition::node::{Node, Root, Unary};
use cel::IdedExpr;
use regex_syntax::hir::{Class, Hir, HirKind};

/// The function whose result this is, where that is a host or a domain.
fn host(node: &Node) -> Option<Unary> {
    match node {
        Node::Unary(function @ (Unary::EmailDomain | Unary::UrlHost), _) => Some(*function),
        Node::Unary(Unary::String, inner) => host(inner),
        _ => None,
    }
}

impl<'t> Checker<'t> {
    /// Refuses to hold `name`, where it is a host or a domain, against a `part` that is known at load and never met: a
    /// text, or the variable of a comprehension over a list with such a text.
    pub(super) fn lower_case(&self, at: &'t IdedExpr, name: &Node, part: &Node) -> Result<(), Box<Problem<'t>>> {
        match part {
            Node::Constant(Constant::Text(text)) => lower_case(at, name, text),
            Node::Load(load) if load.steps.is_empty() => {
                let Root::Local { hops, .. } = &load.root else { return Ok(()) };
                let variable = self.scope.iter().rev().nth(usize::from(*hops));
                let list = variable.and_then(|variable| variable.list.as_ref());
                list.into_iter().flat_map(|list| list.texts()).try_for_each(|text| lower_case(at, name, text))
            }
            Node::Unary(Unary::String, inner) => self.lower_case(at, name, inner),
            _ => Ok(()),
        }
    }
}

/// Refuses to hold a host or a domain against a text that it never equals, begins or ends with, or contains.
pub(super) fn lower_case<'t>(at: &'t IdedExpr, name: &Node, text: &str) -> Result<(), Box<Problem<'t>>> {
    let Some(function) = host(name) else { return Ok(()) };
    if text.bytes().all(|byte| !is_never_met(byte)) {
        return Ok(());
    }
    let message = format!("`{}` is lower case and ascii, and never `{text}`", function.as_str());
    let suggestion = if text.is_ascii() {
        format!("write `{}`", text.to_ascii_lowercase())
    } else {
        "write it as `xn--…`".to_owned()
    };
    problem(at, message, suggestion)
}

/// Refuses to search a host or a domain for a pattern of which a part is never found in one.
pub(super) fn lower_case_pattern<'t>(at: &'t IdedExpr, name: &Node, pattern: &str) -> Result<(), Box<Problem<'t>>> {
    let Some(function) = host(name) else { return Ok(()) };
    // one that does not parse has been refused
    if !regex_syntax::parse(pattern).is_ok_and(|parsed| is_never_found(&parsed)) {
        return Ok(());
    }
    let message = format!("`{}` is lower case and ascii, and never all of `{pattern}`", function.as_str());
    let suggestion =
        if pattern.is_ascii() { "write it in lower case, or begin it with `(?i)`" } else { "write it as `xn--…`" };
    problem(at, message, suggestion)
}

const fn is_never_met(byte: u8) -> bool {
    !byte.is_ascii() || byte.is_ascii_uppercase()
}

/// Whether a pattern, or a branch of it, needs a character that is not there. The nesting is bounded: it has compiled.
fn is_never_found(pattern: &Hir) -> bool {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.iter().copied().any(is_never_met),
        HirKind::Class(Class::Unicode(class)) => {
            !class.iter().any(|range| may_be_met(u32::from(range.start()), u32::from(range.end())))
        }
        HirKind::Class(Class::Bytes(class)) => {
            !class.iter().any(|range| may_be_met(u32::from(range.start()), u32::from(range.end())))
        }
        HirKind::Repetition(repeated) => repeated.min > 0 && is_never_found(&repeated.sub),
        HirKind::Capture(group) => is_never_found(&group.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(is_never_found),
    }
}

/// Whether a range has a character before `A`, or one from behind `Z` to the end of ASCII.
const fn may_be_met(start: u32, end: u32) -> bool {
    start < b'A' as u32 || (end > b'Z' as u32 && start < 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_need_what_no_host_has_are_told_apart() {
        let never = |pattern: &str| is_never_found(&regex_syntax::parse(pattern).expect("a pattern"));
        for pattern in ["Evil", "^evil|Bad$", "exämple", "(a(B)+)", "[A-Z]+", "[A-C]x", "\\p{Greek}x"] {
            assert!(never(pattern), "{pattern}");
        }
        for pattern in ["evil", "(?i)Evil", "[eE]vil", "\\S+\\.com", "[^A-Z]", "(WWW\\.)?evil", "\\D", "", "."] {
            assert!(!never(pattern), "{pattern}");
        }
    }
}
