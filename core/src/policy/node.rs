//! A policy as a tree of values that know where they stand, before anything is known of their meaning.

use super::problem::At;
use std::borrow::Cow;
use std::ops::Range;

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    /// Where it begins.
    pub(crate) at: At,
    /// What it is.
    pub(crate) kind: Kind<'a>,
}

/// What a value is.
#[derive(Debug)]
pub(crate) enum Kind<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Outside `i64`: digits, `-` first if negative, no leading zero.
    BigInt(Cow<'a, str>),
    Float(f64),
    Str(Cow<'a, str>, Layout),
    List(Vec<Node<'a>>),
    /// In the order written; keys are unique.
    Map(Vec<(Key<'a>, Node<'a>)>),
}

/// A key of a map.
#[derive(Debug)]
pub(crate) struct Key<'a> {
    pub(crate) at: At,
    pub(crate) text: Cow<'a, str>,
}

/// How the characters of a text lie in the document, to point into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As they are, this many characters after the node's place: 0, or 1 after a quote.
    Inline(u32),
    /// A literal block: each line begins at the node's column.
    Block,
    /// Changed by folding or escapes: only the beginning is known.
    Changed,
}

impl Node<'_> {
    /// What a person calls this kind of value.
    pub(crate) const fn what(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a truth value",
            Kind::Int(_) | Kind::BigInt(_) => "an integer",
            Kind::Float(number) if number.is_nan() => "no number at all",
            Kind::Float(number) if number.is_infinite() => "a number without end",
            Kind::Float(_) => "a number",
            Kind::Str(..) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}

/// The place of byte `offset` of `text`, which begins at `at` and lies there as `layout` says.
pub(crate) fn place(at: &At, layout: Layout, text: &str, span: Option<&Range<usize>>) -> At {
    let (At::Text { line, column }, Some(span)) = (at, span) else {
        return at.clone();
    };
    let Some(before) = text.get(..span.start) else {
        return at.clone();
    };
    let narrow = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    match layout {
        Layout::Inline(skip) => {
            At::Text { line: *line, column: column.saturating_add(skip).saturating_add(narrow(before.chars().count())) }
        }
        Layout::Block => {
            let (lines, last) = before
                .rsplit_once('\n')
                .map_or((0, before), |(head, last)| (head.bytes().filter(|byte| *byte == b'\n').count() + 1, last));
            At::Text {
                line: line.saturating_add(narrow(lines)),
                column: column.saturating_add(narrow(last.chars().count())),
            }
        }
        Layout::Changed => at.clone(),
    }
}
