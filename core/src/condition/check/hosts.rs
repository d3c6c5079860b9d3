//! What `url_host` and `email_domain` can give: a text that never meets it would make a rule that holds nothing back.

use super::{Checker, Problem, problem};
use crate::condition::Constant;
use crate::condition::functions::{email, url};
use crate::condition::node::{Node, Root, TextTest, Unary};
use cel::IdedExpr;
use std::net::Ipv6Addr;

/// How a text is held against a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    Equal,
    Test(TextTest),
    Glob,
}

/// The function whose result this is, where that is a host or a domain.
pub(super) fn host(node: &Node) -> Option<Unary> {
    match node {
        Node::Unary(function @ (Unary::EmailDomain | Unary::UrlHost), _) => Some(*function),
        Node::Unary(Unary::String, inner) => host(inner),
        _ => None,
    }
}

impl<'t> Checker<'t> {
    /// Refuses to hold `name`, where it is a host or a domain, against a `part` that is known at load and never met: a
    /// text, or the variable of a comprehension over a list with such a text.
    pub(super) fn host_meets(
        &self,
        at: &'t IdedExpr,
        name: &Node,
        held: Held,
        part: &Node,
    ) -> Result<(), Box<Problem<'t>>> {
        let Some(function) = host(name) else { return Ok(()) };
        match part {
            Node::Constant(Constant::Text(text)) => meets(at, function, held, text),
            Node::Load(load) if load.steps.is_empty() => {
                let Root::Local { hops, .. } = &load.root else { return Ok(()) };
                let variable = self.scope.iter().rev().nth(usize::from(*hops));
                let list = variable.and_then(|variable| variable.list.as_ref());
                // an item may be meant for another part of the condition, but not one that no part could meet
                let strange =
                    |text: &&str| !text.bytes().all(|byte| is_met(function, byte) || matches!(byte, b'*' | b'?'));
                let texts = list.into_iter().flat_map(|list| list.texts());
                texts.filter(strange).try_for_each(|text| refuse(at, function, held, text))
            }
            Node::Unary(Unary::String, inner) => self.host_meets(at, name, held, inner),
            _ => Ok(()),
        }
    }
}

/// Refuses to hold what `function` gives against a text that it never equals, begins or ends with, or contains.
pub(super) fn meets<'t>(at: &'t IdedExpr, function: Unary, held: Held, text: &str) -> Result<(), Box<Problem<'t>>> {
    if fits(function, held, text) { Ok(()) } else { refuse(at, function, held, text) }
}

fn refuse<'t>(at: &'t IdedExpr, function: Unary, held: Held, text: &str) -> Result<(), Box<Problem<'t>>> {
    let name = function.as_str();
    let message = if !text.is_ascii() || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        format!("`{name}` is lower case and ascii, and never `{text}`")
    } else {
        let never = match held {
            Held::Equal => "is never",
            Held::Test(TextTest::StartsWith) => "never starts with",
            Held::Test(TextTest::EndsWith) => "never ends with",
            Held::Test(TextTest::Contains) => "never contains",
            Held::Glob => "never fits",
        };
        format!("`{name}` {never} `{text}`")
    };
    problem(at, message, instead(function, held, text))
}

/// Whether a byte stands in some host or domain.
pub(super) const fn is_met(function: Unary, byte: u8) -> bool {
    let in_a_name = byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_');
    in_a_name || (byte == b':' && matches!(function, Unary::UrlHost))
}

/// Whether `function` can give `text`.
fn is_host(function: Unary, text: &str) -> bool {
    match function {
        Unary::UrlHost => host_of(text).as_deref() == Some(text),
        _ => email::host_name(text).as_deref() == Some(text),
    }
}

/// The host of `text` as it may stand in a URL.
fn host_of(text: &str) -> Option<String> {
    let url = if text.contains("://") {
        text.to_owned()
    } else if text.parse::<Ipv6Addr>().is_ok() {
        format!("http://[{text}]")
    } else {
        format!("http://{text}")
    };
    url::host(&url).ok()
}

/// Whether what `function` gives can stand so to `text`. `true` where that is not plain to see.
fn fits(function: Unary, held: Held, text: &str) -> bool {
    match held {
        Held::Equal => is_host(function, text),
        Held::Test(test) => can_be_part(function, test, text),
        Held::Glob if !text.contains(['*', '?']) => is_host(function, text),
        Held::Glob => {
            let last = text.split(['*', '?']).count().saturating_sub(1);
            text.split(['*', '?']).enumerate().all(|(place, part)| {
                let test = match place {
                    0 => TextTest::StartsWith,
                    place if place == last => TextTest::EndsWith,
                    _ => TextTest::Contains,
                };
                can_be_part(function, test, part)
            })
        }
    }
}

/// Whether some host begins with, ends with or contains `part`: where one does, one does that has a `z`, or a label of it,
/// beside the part. Addresses have no such letters and are told by their characters.
fn can_be_part(function: Unary, test: TextTest, part: &str) -> bool {
    let before: &[&str] = if test == TextTest::StartsWith { &[""] } else { &["", "z", "z."] };
    let after: &[&str] = if test == TextTest::EndsWith { &[""] } else { &["", "z", ".z"] };
    part.is_empty()
        || (function == Unary::UrlHost && can_be_in_address(test, part))
        || before.iter().any(|before| after.iter().any(|after| is_host(function, &format!("{before}{part}{after}"))))
}

fn can_be_in_address(test: TextTest, part: &str) -> bool {
    let cut_short = match test {
        TextTest::StartsWith => part.starts_with('.'),
        TextTest::EndsWith => part.ends_with('.'),
        TextTest::Contains => false,
    };
    let ipv4 = !cut_short && !part.contains("..") && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let hexadecimal = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    let ipv6 = part.bytes().all(|byte| hexadecimal(byte) || byte == b':') && !part.contains(":::");
    ipv4 || ipv6
}

/// What to write instead of a text that is never met.
fn instead(function: Unary, held: Held, text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let write = |text: &str| format!("write `{text}`");
    if !text.is_ascii() {
        return "write it as `xn--…`".to_owned();
    }
    if fits(function, held, &lower) {
        return write(&lower);
    }
    if held == Held::Equal && text.contains(['*', '?']) {
        let name = function.as_str();
        return format!("compare with `glob`, as in `glob(\"*.example.com\", {name}(…))`");
    }
    let (alone, example) = match function {
        Unary::UrlHost => ("a host has no scheme, port or path", "`example.com`, `10.0.0.1` or `::1`"),
        _ => ("a domain has nothing before its `@`", "`example.com`"),
    };
    let bare = match held {
        Held::Equal if function == Unary::UrlHost => host_of(&lower).unwrap_or_default(),
        _ => bare(&lower).to_owned(),
    };
    if !bare.is_empty() && fits(function, held, &bare) {
        write(&bare)
    } else if held == Held::Equal {
        format!("write {example}")
    } else {
        format!("{alone}: write {example}, or a part of one")
    }
}

/// A text without what stands around a host in a URL or an address.
fn bare(text: &str) -> &str {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
    let text = text.split(['/', '#']).next().unwrap_or(text);
    let text = text
        .split_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(text, |(host, _)| host);
    text.strip_suffix('.').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TESTS: [TextTest; 3] = [TextTest::StartsWith, TextTest::EndsWith, TextTest::Contains];

    #[test]
    fn what_is_no_host_is_told_with_what_was_meant() {
        for (text, meant) in [
            ("https://evil.com", "write `evil.com`"),
            ("evil.com/", "write `evil.com`"),
            ("evil.com:443", "write `evil.com`"),
            ("evil.com.", "write `evil.com`"),
            ("[::1]", "write `::1`"),
            ("0:0:0:0:0:0:0:1", "write `::1`"),
            ("::ffff:10.0.0.1", "write `10.0.0.1`"),
            ("*.evil.com", "compare with `glob`, as in `glob(\"*.example.com\", url_host(…))`"),
            ("", "write `example.com`, `10.0.0.1` or `::1`"),
            ("a b", "write `example.com`, `10.0.0.1` or `::1`"),
            ("0x7f000001", "write `example.com`, `10.0.0.1` or `::1`"),
        ] {
            assert!(!fits(Unary::UrlHost, Held::Equal, text), "{text}");
            assert_eq!(instead(Unary::UrlHost, Held::Equal, text), meant, "{text}");
        }
        for text in ["@evil.com", "ann@evil.com", "evil.com."] {
            assert!(!fits(Unary::EmailDomain, Held::Equal, text), "{text}");
            assert_eq!(instead(Unary::EmailDomain, Held::Equal, text), "write `evil.com`", "{text}");
        }
        for text in ["evil.com", "localhost", "10.0.0.1", "::1", "fd00::1", "xn--e1afmkfd.com", "a_b.c"] {
            assert!(fits(Unary::UrlHost, Held::Equal, text), "{text}");
        }
    }

    #[test]
    fn parts_that_no_host_has_are_told_apart() {
        for (held, text, meant) in [
            (
                Held::Test(TextTest::StartsWith),
                "https://",
                "a host has no scheme, port or path: write `example.com`, `10.0.0.1` or `::1`, or a part of one",
            ),
            (Held::Test(TextTest::StartsWith), "https://evil", "write `evil`"),
            (Held::Test(TextTest::EndsWith), ".evil.com.", "write `.evil.com`"),
            (Held::Test(TextTest::EndsWith), ".evil.com/", "write `.evil.com`"),
            (Held::Test(TextTest::Contains), "evil.com:80", "write `evil.com`"),
            (Held::Glob, "https://*.evil.com", "write `*.evil.com`"),
        ] {
            assert!(!fits(Unary::UrlHost, held, text), "{text}");
            assert_eq!(instead(Unary::UrlHost, held, text), meant, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_part_of_a_host_is_refused(
            host in r"([a-z0-9_-]{1,4}\.){0,3}[a-z0-9]{1,4}|([0-9]{1,3}\.){3}[0-9]{1,3}|\[([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}\]|\[[0-9a-f]{1,4}::[0-9a-f]{1,4}\]",
            cut in any::<(prop::sample::Index, prop::sample::Index)>(),
        ) {
            for (function, host) in [(Unary::UrlHost, host_of(&host)), (Unary::EmailDomain, email::host_name(&host))] {
                let Some(host) = host else { continue };
                prop_assert!(fits(function, Held::Equal, &host), "{host}");
                let (one, other) = (cut.0.index(host.len() + 1), cut.1.index(host.len() + 1));
                let (from, to) = (one.min(other), one.max(other));
                let ((start, rest), (upto, end)) = (host.split_at(from), host.split_at(to));
                let middle = upto.split_at(from).1;
                for (test, part) in TESTS.into_iter().zip([upto, rest, middle]) {
                    prop_assert!(can_be_part(function, test, part), "{host} {part}");
                }
                let glob = format!("{start}*{end}");
                prop_assert!(fits(function, Held::Glob, &glob), "{host} {glob}");
            }
        }
    }
}
