//! Where in the source a part of a condition stands. Only looked up when a condition is refused.

use super::ConditionError;
use super::fence::parser;
use cel::IdedExpr;
use cel::ParseErrors;
use cel::common::ast::{Expr, SourceInfo};
use cel::parser::pratt_parser::{Lexer, TokenKind};
use std::ops::Range;
use std::sync::Arc;

/// The bytes of `source` from the first to the last token of `tree`.
///
/// The parser keeps its offsets to itself unless it fails; so the same source is parsed once more with a bracket too many
/// behind it, which changes no node's number. `None` where that does not give them.
pub(super) fn of(source: &str, tree: &IdedExpr) -> Option<Range<usize>> {
    let unbalanced = format!("{source}\n)");
    let errors = parser().parse(&unbalanced).err()?;
    let offsets: Arc<SourceInfo> = errors.errors.into_iter().find_map(|error| error.source_info)?;
    let mut span: Option<Range<usize>> = None;
    widen(tree, &offsets, &mut span);
    let Range { start, end } = span?;
    Some(start..closed(source, start, end))
}

/// The end of a part once the brackets opened in it are closed: the last token of a call that has a number is its last
/// argument's.
fn closed(source: &str, start: usize, end: usize) -> usize {
    let mut lexer = Lexer::new(source);
    let (mut depth, mut end, mut after_dot) = (0_usize, end, false);
    loop {
        let token = lexer.lex();
        match token.kind {
            TokenKind::TokEnd => return end,
            _ if token.start < start => {}
            TokenKind::TokLeftBrace | TokenKind::TokLeftBracket | TokenKind::TokLeftParen if token.start < end => {
                depth = depth.saturating_add(1);
            }
            TokenKind::TokRightBrace | TokenKind::TokRightBracket | TokenKind::TokRightParen => {
                match depth.checked_sub(1) {
                    Some(outer) => depth = outer,
                    None => return end,
                }
                end = end.max(token.end);
            }
            TokenKind::TokWhitespace | TokenKind::TokComment => continue,
            // a selection has the number of its dot
            TokenKind::TokIdent if after_dot && token.start >= end => end = token.end,
            _ if token.start >= end && depth == 0 => return end,
            _ => {}
        }
        after_dot = token.kind == TokenKind::TokDot && token.end == end;
    }
}

fn widen(tree: &IdedExpr, offsets: &SourceInfo, span: &mut Option<Range<usize>>) {
    if let Some((start, end)) = offsets.offset_for(tree.id) {
        let (start, end) = (start as usize, end as usize);
        *span = Some(match span.take() {
            Some(known) => known.start.min(start)..known.end.max(end),
            None => start..end,
        });
    }
    match &tree.expr {
        Expr::Call(call) => {
            call.target.iter().for_each(|target| widen(target, offsets, span));
            call.args.iter().for_each(|argument| widen(argument, offsets, span));
        }
        Expr::Select(select) => widen(&select.operand, offsets, span),
        Expr::List(list) => list.elements.iter().for_each(|element| widen(element, offsets, span)),
        Expr::Comprehension(comprehension) => {
            widen(&comprehension.iter_range, offsets, span);
            widen(&comprehension.loop_step, offsets, span);
        }
        Expr::Ident(_) | Expr::Literal(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {}
    }
}

/// The first error of the parser, in our words.
pub(super) fn syntax_error(source: &str, errors: &ParseErrors) -> ConditionError {
    // the limit on its recovery is reported without a place, and sorts first
    let placed = errors.errors.iter().find(|error| error.pos.0 > 0);
    let Some(first) = placed.or(errors.errors.first()) else {
        return ConditionError { message: "the condition cannot be read".to_owned(), span: None, suggestion: None };
    };
    let said = first.msg.strip_prefix("Syntax error: ").unwrap_or(&first.msg);
    let said = said.trim_end_matches('.').replace("'<EOF>'", "the end").replace("<EOF>", "the end").replace('\'', "`");
    let mut letters = said.chars();
    let lower: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
    let at = offset(source, first.pos);
    let width = source.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    let instead = match source.get(at..) {
        Some(rest) if rest.starts_with('=') => "compare with `==`",
        _ => "write a cel expression, such as `args.amount > 100.0`",
    };
    ConditionError {
        message: format!("not well-formed: {lower}"),
        span: Some(at..at.saturating_add(width)),
        suggestion: Some(instead.to_owned()),
    }
}

/// The byte a line and column stand for; both count from 1, columns in bytes.
fn offset(source: &str, (line, column): (isize, isize)) -> usize {
    let before = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    let start: usize = source.split_inclusive('\n').take(before).map(str::len).sum();
    let column = usize::try_from(column).unwrap_or(1).saturating_sub(1);
    start.saturating_add(column).min(source.len())
}
