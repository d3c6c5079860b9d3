//! What a source has to pass before it is parsed, and the parser behind it.
//!
//! The crate's default parser takes 14 µs for a short condition and has inputs of 125 bytes that cost gigabytes; its
//! Pratt parser takes 0.6 µs, does not backtrack and counts its own recursion. Both stand behind the same fence: size,
//! tokens and brackets are bounded first, with that parser's own lexer, so that what is counted is what is parsed.

use super::ConditionError;
use super::span;
use cel::IdedExpr;
use cel::parser::PrattParser;
use cel::parser::pratt_parser::{Lexer, TokenKind};

/// The longest source, in bytes.
pub(super) const MAX_SOURCE: usize = 2048;
/// The deepest nesting, of brackets in the source and of nodes in the tree.
pub(super) const MAX_DEPTH: usize = 24;
/// The most opening brackets.
pub(super) const MAX_BRACKETS: usize = 64;
/// The most tokens: a left-leaning chain of operators is as deep as it has tokens.
const MAX_TOKENS: usize = 512;

/// The parser, each time anew: it is consumed by one parse.
pub(super) fn parser() -> PrattParser {
    PrattParser::new()
        .max_recursion_depth(MAX_DEPTH as u16 + 8)
        .error_recovery_limit(1)
        .max_expression_node_count(MAX_TOKENS * 4)
}

/// Parses a source that passes the fence.
///
/// # Errors
/// The source is too long, too deep or not well-formed.
pub(super) fn parse(source: &str) -> Result<IdedExpr, ConditionError> {
    check(source)?;
    parser().parse(source).map_err(|errors| span::syntax_error(source, &errors))
}

fn check(source: &str) -> Result<(), ConditionError> {
    let refuse = |message: String, suggestion: &str, span| {
        Err(ConditionError { message, span, suggestion: Some(suggestion.to_owned()) })
    };
    if source.len() > MAX_SOURCE {
        let message = format!("the condition has {} bytes, more than {MAX_SOURCE}", source.len());
        return refuse(message, "move its texts into `lists`, or split it into several rules", None);
    }
    let mut lexer = Lexer::new(source);
    let (mut tokens, mut depth, mut brackets) = (0_usize, 0_usize, 0_usize);
    loop {
        let token = lexer.lex();
        let at = || Some(token.start..token.end);
        match token.kind {
            TokenKind::TokEnd => return Ok(()),
            TokenKind::TokLeftBrace | TokenKind::TokLeftBracket | TokenKind::TokLeftParen => {
                depth = depth.saturating_add(1);
                brackets = brackets.saturating_add(1);
            }
            TokenKind::TokRightBrace | TokenKind::TokRightBracket | TokenKind::TokRightParen => {
                depth = depth.saturating_sub(1);
            }
            TokenKind::TokWhitespace => continue,
            // folded over several lines of a policy, it would hide all lines behind it
            TokenKind::TokComment => {
                return refuse("a comment (`//`) is not supported".to_owned(), "write it outside the condition", at());
            }
            // the parser reports it with its own words
            TokenKind::TokError => return Ok(()),
            _ => {}
        }
        tokens = tokens.saturating_add(1);
        if depth > MAX_DEPTH {
            return refuse(format!("brackets are nested deeper than {MAX_DEPTH}"), "split it into several rules", at());
        }
        if brackets > MAX_BRACKETS {
            return refuse(format!("there are more than {MAX_BRACKETS} brackets"), "split it into several rules", at());
        }
        if tokens > MAX_TOKENS {
            let message = format!("the condition has more than {MAX_TOKENS} words and signs");
            return refuse(message, "move its texts into `lists`, or split it into several rules", at());
        }
    }
}
