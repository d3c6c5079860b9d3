//! How a policy names tools: `issue_refund`, `crm.*`, `mcp:server/search`.
//!
//! A name without a source means the program's own tools where it lets a call through (a scope, an allow rule), and the
//! name from any source where it stops one: whoever can add a tool must not get it admitted by choosing its name.

use super::overlap;
use crate::call::PROGRAM_SOURCE;
use crate::condition::glob::Glob;
use std::sync::Arc;

/// The longest name or pattern of a tool, in bytes.
const MAX_BYTES: usize = 256;

/// What a name without a source means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bare {
    /// The program's own tools.
    Program,
    /// Tools of that name from any source.
    Any,
}

/// Tools by name, with or without wildcards.
#[derive(Debug, Clone)]
pub(crate) struct ToolPattern {
    text: Arc<str>,
    source: Option<Part>,
    name: Part,
}

/// One part of a pattern.
#[derive(Debug, Clone)]
enum Part {
    Exact(Box<str>),
    Glob(Glob),
}

impl Part {
    fn new(text: &str) -> Option<Self> {
        let glob = Glob::new(text)?;
        Some(if glob.is_pattern() { Self::Glob(glob) } else { Self::Exact(text.into()) })
    }

    fn text(&self) -> &str {
        match self {
            Self::Exact(text) => text,
            Self::Glob(glob) => glob.as_str(),
        }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => &**exact == text,
            Self::Glob(glob) => glob.matches(text),
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(one), any) | (any, Self::Exact(one)) => any.matches(one),
            (Self::Glob(one), Self::Glob(two)) => overlap::globs(one.as_str(), two.as_str()),
        }
    }

    /// Whether it matches all that `other` matches; `false` where that is not plain to see.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Exact(exact)) => self.matches(exact),
            (Self::Exact(_), Self::Glob(_)) => false,
            // the other's `*` read as a character can then only be met by a `*` of this one
            (Self::Glob(one), Self::Glob(two)) => {
                one == two || (!one.as_str().contains('?') && one.matches(two.as_str()))
            }
        }
    }
}

impl ToolPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with `text`, to follow the name of what it is, and what to write instead.
    pub(crate) fn new(text: &str) -> Result<Self, (&'static str, String)> {
        names_nothing(text).or_else(|| no_glob(text)).map_or(Ok(()), Err)?;
        let pattern = Self::parse(text).map_err(|wrong| (wrong, "write a name such as `issue_refund`".to_owned()))?;
        match &pattern.source {
            // whatever else the source says, it has to fit that of some server
            Some(source) if !overlap::globs(source.text(), "mcp:*") => {
                let server = source.text().split_once(':').map_or("server", |(_, server)| server);
                let name = pattern.name.text();
                let instead =
                    format!("write `mcp:{server}/{name}` for a server's tool, `{name}` for the program's own");
                Err(("names a source that does not exist: tools come from the program or from an mcp server", instead))
            }
            _ => Ok(pattern),
        }
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("is empty");
        }
        if text.len() > MAX_BYTES {
            return Err("is longer than 256 bytes");
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("has a space or a control character");
        }
        let (source, name) = match text.split_once('/') {
            Some((source, name)) if source.contains(':') => (Some(source), name),
            _ => (None, text),
        };
        if name.is_empty() {
            return Err("names a source and no tool");
        }
        let too_long = "is longer than 256 bytes";
        let source = match source {
            Some(source) => Some(Part::new(source).ok_or(too_long)?),
            None => None,
        };
        Ok(Self { text: text.into(), source, name: Part::new(name).ok_or(too_long)? })
    }

    /// The pattern as written.
    pub(crate) const fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The tool's name where the pattern has no wildcard in it.
    pub(crate) const fn exact_name(&self) -> Option<&str> {
        match &self.name {
            Part::Exact(name) => Some(name),
            Part::Glob(_) => None,
        }
    }

    /// The source where it is written without wildcard.
    pub(crate) const fn exact_source(&self) -> Option<&str> {
        match &self.source {
            Some(Part::Exact(source)) => Some(source),
            _ => None,
        }
    }

    /// Whether the source is written and has a wildcard in it.
    pub(crate) const fn has_open_source(&self) -> bool {
        matches!(self.source, Some(Part::Glob(_)))
    }

    /// Whether there is no wildcard at all.
    pub(crate) const fn is_exact(&self) -> bool {
        matches!((&self.source, &self.name), (None | Some(Part::Exact(_)), Part::Exact(_)))
    }

    /// Whether it names its source.
    pub(crate) const fn has_source(&self) -> bool {
        self.source.is_some()
    }

    /// Whether a tool is meant.
    pub(crate) fn matches(&self, bare: Bare, source: &str, name: &str) -> bool {
        let from = match (&self.source, bare) {
            (Some(part), _) => part.matches(source),
            (None, Bare::Program) => source == PROGRAM_SOURCE,
            (None, Bare::Any) => true,
        };
        from && self.name.matches(name)
    }

    /// Whether the names' first characters already tell that no tool is meant by both.
    pub(crate) fn begins_unlike(&self, other: &Self) -> bool {
        let literal = |part: &Part| part.text().chars().next().filter(|first| !matches!(first, '*' | '?'));
        matches!((literal(&self.name), literal(&other.name)), (Some(one), Some(two)) if one != two)
    }

    /// Whether some tool is meant by both.
    pub(crate) fn overlaps(&self, bare: Bare, other: &Self, other_bare: Bare) -> bool {
        let from = match (&self.source, &other.source) {
            (Some(one), Some(two)) => one.overlaps(two),
            (Some(one), None) => other_bare == Bare::Any || one.matches(PROGRAM_SOURCE),
            (None, Some(two)) => bare == Bare::Any || two.matches(PROGRAM_SOURCE),
            (None, None) => true,
        };
        from && !self.begins_unlike(other) && self.name.overlaps(&other.name)
    }

    /// Whether every tool that `other` means is meant; `false` where that is not plain to see.
    pub(crate) fn covers(&self, bare: Bare, other: &Self, other_bare: Bare) -> bool {
        let from = match (&self.source, &other.source) {
            (Some(one), Some(two)) => one.covers(two),
            (Some(one), None) => other_bare == Bare::Program && one.matches(PROGRAM_SOURCE),
            (None, Some(two)) => bare == Bare::Any || two.text() == PROGRAM_SOURCE,
            (None, None) => bare == Bare::Any || other_bare == Bare::Program,
        };
        from && self.name.covers(&other.name)
    }
}

/// Signs of a regular expression, or of a glob with sets and exceptions: nothing here reads them, so they would select nothing.
fn no_glob(text: &str) -> Option<(&'static str, String)> {
    const WRONG: &str = "has signs of a pattern that is not read: there are `*` and `?`";
    let each = |names: &str, parted: char| {
        let names = names.split(parted).filter(|name| !name.is_empty()).map(|name| format!("`{name}`"));
        format!("write each name: {}", names.collect::<Vec<_>>().join(", "))
    };
    let plain = |text: &str| !text.is_empty() && !text.contains(SIGNS);
    const SIGNS: [char; 10] = ['{', '}', '[', ']', '(', ')', '|', '^', '$', '\\'];
    let anchored = text.trim_start_matches('^').trim_end_matches('$');
    let delimited = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let instead = if let Some(name) = text.strip_prefix('!') {
        format!("nothing can be excepted: name the tools that are meant, and not `{name}`")
    } else if let Some(name) = delimited {
        format!("write `{name}`")
    } else if !text.contains(SIGNS) {
        return None;
    } else if plain(anchored) {
        format!("write `{anchored}`")
    } else if let Some(names) =
        text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).filter(|names| plain(names))
    {
        each(names, ',')
    } else if plain(&anchored.replace('|', "")) {
        each(anchored, '|')
    } else {
        "write each name, with `*` for any characters and `?` for one".to_owned()
    };
    Some((WRONG, instead))
}

/// A source that no tool can come from, and the spelling that was likely meant.
fn names_nothing(text: &str) -> Option<(&'static str, String)> {
    let (source, name) = match text.split_once('/') {
        Some((source, name)) => (source, Some(name)),
        None => (text, None),
    };
    let (scheme, server) = match source.split_once(':') {
        Some((scheme, server)) => (scheme, Some(server)),
        None => (source, None),
    };
    let is_mcp = scheme.eq_ignore_ascii_case("mcp");
    match (server, name) {
        (server, Some(name)) if scheme == PROGRAM_SOURCE && !name.is_empty() => {
            let rest = if server.is_some() { "is no source of tools" } else { "names the program as a source" };
            Some((rest, format!("write `{name}`")))
        }
        (Some(""), Some(name)) => {
            let name = if name.is_empty() { "name" } else { name };
            Some(("names a kind of source and no server", format!("write `mcp:server/{name}`")))
        }
        (Some(_), Some(name)) if scheme.is_empty() => {
            Some(("names a server and not its kind", format!("write `mcp{source}/{name}`")))
        }
        (Some(server), Some(name)) if is_mcp && scheme != "mcp" => {
            Some(("names no source: `mcp` is lower case", format!("write `mcp:{server}/{name}`")))
        }
        (Some(server), None) if is_mcp || scheme == PROGRAM_SOURCE => {
            let written = match server {
                _ if scheme == PROGRAM_SOURCE => server.to_owned(),
                "" => "mcp:server/name".to_owned(),
                "*" => "mcp:*/*".to_owned(),
                server => format!("mcp:{server}/name"),
            };
            Some(("names a source and no tool", format!("write `{written}`")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> ToolPattern {
        ToolPattern::new(text).expect("a pattern")
    }

    #[test]
    fn a_bare_name_that_admits_means_the_program_only() {
        let bare = pattern("search");
        assert!(bare.matches(Bare::Program, "program", "search"));
        assert!(!bare.matches(Bare::Program, "mcp:web", "search"));
        assert!(bare.matches(Bare::Any, "mcp:web", "search"));
        let written = pattern("mcp:web/search");
        assert!(written.matches(Bare::Program, "mcp:web", "search"));
        assert!(!written.matches(Bare::Any, "program", "search"));
        assert!(pattern("files/read").matches(Bare::Program, "program", "files/read"));
    }

    #[test]
    fn overlap_and_cover_know_sources() {
        let (bare, written) = (pattern("search"), pattern("mcp:web/search"));
        assert!(!bare.overlaps(Bare::Program, &written, Bare::Any));
        assert!(bare.overlaps(Bare::Any, &written, Bare::Program));
        assert!(pattern("crm.*").covers(Bare::Any, &pattern("crm.a*"), Bare::Any));
        assert!(!pattern("crm.?").covers(Bare::Any, &pattern("crm.*"), Bare::Any));
        assert!(!pattern("*").covers(Bare::Program, &pattern("x"), Bare::Any));
    }

    #[test]
    fn a_source_that_no_tool_comes_from_is_refused_with_the_likely_spelling() {
        for (text, instead) in [
            ("program/f", "write `f`"),
            ("program:/f", "write `f`"),
            ("program:f", "write `f`"),
            ("mcp:/f", "write `mcp:server/f`"),
            ("mcp:files", "write `mcp:files/name`"),
            ("mcp:*", "write `mcp:*/*`"),
            ("mcp:", "write `mcp:server/name`"),
            (":files/read", "write `mcp:files/read`"),
            ("MCP:files/read", "write `mcp:files/read`"),
            ("foo:bar/x", "write `mcp:bar/x` for a server's tool, `x` for the program's own"),
            ("mpc:files/*", "write `mcp:files/*` for a server's tool, `*` for the program's own"),
            ("h*:files/read", "write `mcp:files/read` for a server's tool, `read` for the program's own"),
        ] {
            let refused = ToolPattern::new(text).map(drop);
            assert_eq!(refused.map_err(|(_, said)| said), Err(instead.to_owned()), "{text}");
        }
        for (text, instead) in [
            ("{a,t}", "write each name: `a`, `t`"),
            ("[st]", "write each name, with `*` for any characters and `?` for one"),
            ("t|u", "write each name: `t`, `u`"),
            ("^t$", "write `t`"),
            ("/t/", "write `t`"),
            ("!x", "nothing can be excepted: name the tools that are meant, and not `x`"),
            ("crm\\..*", "write each name, with `*` for any characters and `?` for one"),
        ] {
            let refused = ToolPattern::new(text).map(drop);
            assert_eq!(refused.map_err(|(_, said)| said), Err(instead.to_owned()), "{text}");
        }
        for text in
            ["*", "*:*/x", "mcp:*/x", "mcp:s/a/b", "m*:s/a", "?cp:s/a", "*e:s/a", "files/read", "programs/f", "a:b"]
        {
            assert!(ToolPattern::new(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_names_no_tool_is_refused() {
        for text in ["", "a b", "mcp:web/", "a\n"] {
            assert!(ToolPattern::new(text).is_err(), "{text:?}");
        }
    }
}
