//! Regular expressions that are searched for in hosts and domains: one of which a part is never found holds nothing back.

use super::hosts::{Held, host, is_met, meets};
use super::{Problem, problem};
use crate::condition::node::{Node, TextTest, Unary};
use cel::IdedExpr;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Refuses to search a host or a domain for a pattern that is never found in one, or of which a branch is written in letters
/// that are not there.
pub(super) fn pattern_meets<'t>(at: &'t IdedExpr, name: &Node, pattern: &str) -> Result<(), Box<Problem<'t>>> {
    let Some(function) = host(name) else { return Ok(()) };
    // one that does not parse has been refused
    let Ok(parsed) = regex_syntax::parse(pattern) else { return Ok(()) };
    if let HirKind::Literal(literal) = parsed.kind()
        && let Ok(text) = str::from_utf8(&literal.0)
    {
        return meets(at, function, Held::Test(TextTest::Contains), text);
    }
    if has_never(&parsed, Branches::One, &|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        let message = format!("`{}` is lower case and ascii, and never all of `{pattern}`", function.as_str());
        let suggestion = if pattern.is_ascii() {
            "write it in lower case, or begin it with `(?i)`"
        } else {
            "write it as `xn--…`"
        };
        return problem(at, message, suggestion);
    }
    if has_never(&parsed, Branches::All, &|byte| is_met(function, byte)) {
        let message = format!("`{}` never has all of `{pattern}`", function.as_str());
        let suggestion = match function {
            Unary::UrlHost => "search for a part of a host: it has no scheme, port or path",
            _ => "search for a part of a domain: it has no `@`",
        };
        return problem(at, message, suggestion);
    }
    Ok(())
}

/// How many branches have to be impossible for a choice to count as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Branches {
    One,
    All,
}

/// Whether a pattern needs a byte that is not met. The nesting is bounded: it has compiled.
fn has_never(pattern: &Hir, branches: Branches, met: &dyn Fn(u8) -> bool) -> bool {
    let range_met = |start: u32, end: u32| (0..128).any(|byte| (start..=end).contains(&u32::from(byte)) && met(byte));
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => !literal.0.iter().all(|byte| met(*byte)),
        HirKind::Class(Class::Unicode(class)) => {
            !class.iter().any(|range| range_met(u32::from(range.start()), u32::from(range.end())))
        }
        HirKind::Class(Class::Bytes(class)) => {
            !class.iter().any(|range| range_met(u32::from(range.start()), u32::from(range.end())))
        }
        HirKind::Repetition(repeated) => repeated.min > 0 && has_never(&repeated.sub, branches, met),
        HirKind::Capture(group) => has_never(&group.sub, branches, met),
        HirKind::Concat(parts) => parts.iter().any(|part| has_never(part, branches, met)),
        HirKind::Alternation(parts) if branches == Branches::One => {
            parts.iter().any(|part| has_never(part, branches, met))
        }
        HirKind::Alternation(parts) => parts.iter().all(|part| has_never(part, branches, met)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_need_what_no_host_has_are_told_apart() {
        let never = |pattern: &str| {
            let parsed = regex_syntax::parse(pattern).expect("a pattern");
            has_never(&parsed, Branches::One, &|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
        };
        for pattern in ["Evil", "^evil|Bad$", "exämple", "(a(B)+)", "[A-Z]+", "[A-C]x", "\\p{Greek}x"] {
            assert!(never(pattern), "{pattern}");
        }
        for pattern in ["evil", "(?i)Evil", "[eE]vil", "\\S+\\.com", "[^A-Z]", "(WWW\\.)?evil", "\\D", "", "."] {
            assert!(!never(pattern), "{pattern}");
        }
    }

    #[test]
    fn a_branch_that_may_be_found_is_enough() {
        let never = |pattern: &str| {
            let parsed = regex_syntax::parse(pattern).expect("a pattern");
            has_never(&parsed, Branches::All, &|byte| is_met(Unary::UrlHost, byte))
        };
        for pattern in ["https?://evil", "evil\\.com/.*", "[@/]", "@x|/y", "^ ", "evil /*"] {
            assert!(never(pattern), "{pattern}");
        }
        for pattern in ["(^|://)evil", "(https?://)?evil", "evil\\.com(/|:|$)", "evil/*", ".", "[^a]", "\\W", "^fd00:"]
        {
            assert!(!never(pattern), "{pattern}");
        }
    }
}
