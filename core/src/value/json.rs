//! Strict reading of JSON text: nothing is lost, guessed or taken twice.

use super::encode::{too_deep, too_many};
use super::{MAX_DEPTH, MAX_VALUES, Value, integer, map};
use crate::error::{Error, ErrorCode};
use json_event_parser::{JsonEvent, JsonSyntaxError, LowLevelJsonParser, LowLevelJsonParserResult};
use std::borrow::Cow;

/// How many bytes of text are read at all: escapes and white space may make it larger than the canonical encoding.
pub const MAX_TEXT_BYTES: usize = 8 << 20;

/// Reads JSON text (RFC 8259). Integers of any size are exact; a number with a point or an exponent is the nearest
/// double. A byte order mark is refused, as RFC 8259 §8.1 forbids it.
///
/// # Errors
/// With `line` and `column` (of characters, from 1) in the details: [`ErrorCode::ValueMalformed`],
/// [`ErrorCode::ValueDuplicateKey`], [`ErrorCode::ValueBadText`] for a lone surrogate,
/// [`ErrorCode::ValueBadNumber`] for a number beyond the doubles, [`ErrorCode::ValueTooDeep`],
/// [`ErrorCode::ValueTooLarge`].
pub fn parse(text: &str) -> Result<Value<'_>, Error> {
    Reader::new(text, MAX_DEPTH, Numbers::Text).read()
}

/// Reads canonical bytes, redacted ones too, whose tags lie up to two levels deeper than the value they stand for.
pub(super) fn parse_canonical(text: &str) -> Result<Value<'_>, Error> {
    Reader::new(text, MAX_DEPTH + 2, Numbers::Canonical).read()
}

/// How digits without point and exponent are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// An integer.
    Text,
    /// A double where an integer would have been tagged.
    Canonical,
}

/// A list or map whose end has not come yet.
enum Open<'a> {
    List(Vec<Value<'a>>),
    Map(Vec<(Cow<'a, str>, Value<'a>)>, Option<Cow<'a, str>>),
}

struct Reader<'a> {
    text: &'a str,
    offset: usize,
    parser: LowLevelJsonParser,
    open: Vec<Open<'a>>,
    depth: usize,
    values: usize,
    numbers: Numbers,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, depth: usize, numbers: Numbers) -> Self {
        // Where the value model counts one value a tag has up to seven: a map, a list, four names and a text.
        let values = if numbers == Numbers::Canonical { 7 * MAX_VALUES } else { MAX_VALUES };
        Self { text, offset: 0, parser: LowLevelJsonParser::new(), open: Vec::new(), depth, values, numbers }
    }

    fn read(mut self) -> Result<Value<'a>, Error> {
        if self.text.len() > MAX_TEXT_BYTES {
            return Err(Error::new(
                ErrorCode::ValueTooLarge,
                format!(
                    "json text has more than {MAX_TEXT_BYTES} bytes; pass a reference to it, such as a path, instead"
                ),
            ));
        }
        if self.text.starts_with('\u{feff}') {
            return Err(self.located(ErrorCode::ValueMalformed, "json text begins with a byte order mark; remove it"));
        }
        let mut whole = None;
        while let Some(event) = self.next()? {
            if let Some(value) = self.take(event)? {
                match self.open.last_mut() {
                    None => whole = Some(value),
                    Some(Open::List(elements)) => elements.push(value),
                    Some(Open::Map(entries, key)) => {
                        let key = key.take().ok_or_else(unexpected)?;
                        entries.push((key, value));
                    }
                }
            }
        }
        whole.ok_or_else(unexpected)
    }

    /// The next event; `None` at the end of a whole document.
    fn next(&mut self) -> Result<Option<JsonEvent<'a>>, Error> {
        loop {
            let rest = self.text.as_bytes().get(self.offset..).unwrap_or_default();
            let LowLevelJsonParserResult { event, consumed_bytes } = self.parser.parse_next(rest, true);
            self.offset += consumed_bytes;
            match event {
                Some(Ok(JsonEvent::Eof)) => return Ok(None),
                Some(Ok(event)) => return Ok(Some(event)),
                Some(Err(error)) => {
                    self.offset = usize::try_from(error.location().start.offset).unwrap_or(self.offset);
                    return Err(self.at(syntax(&error, rest)));
                }
                // At the end of the input the parser says so by an event or an error; without progress it never would.
                None if consumed_bytes == 0 => return Err(unexpected()),
                None => {}
            }
        }
    }

    /// The value that `event` completes.
    fn take(&mut self, event: JsonEvent<'a>) -> Result<Option<Value<'a>>, Error> {
        match event {
            JsonEvent::ObjectKey(key) => {
                if let Some(Open::Map(_, pending)) = self.open.last_mut() {
                    *pending = Some(key);
                }
                return Ok(None);
            }
            JsonEvent::StartArray => {
                self.enter(Open::List(Vec::new()))?;
                return Ok(None);
            }
            JsonEvent::StartObject => {
                self.enter(Open::Map(Vec::new(), None))?;
                return Ok(None);
            }
            JsonEvent::EndArray | JsonEvent::EndObject => {
                return match self.open.pop().ok_or_else(unexpected)? {
                    Open::List(elements) => Ok(Some(Value::List(elements))),
                    Open::Map(entries, _) => map(entries).map(Some).map_err(|error| self.at(error)),
                };
            }
            _ => self.count()?,
        }
        Ok(Some(match event {
            JsonEvent::String(text) => Value::Str(text),
            JsonEvent::Number(digits) => self.number(digits)?,
            JsonEvent::Boolean(truth) => Value::Bool(truth),
            _ => Value::Null,
        }))
    }

    fn enter(&mut self, container: Open<'a>) -> Result<(), Error> {
        self.count()?;
        if self.open.len() >= self.depth {
            return Err(self.at(too_deep()));
        }
        self.open.push(container);
        Ok(())
    }

    fn count(&mut self) -> Result<(), Error> {
        self.values = self.values.checked_sub(1).ok_or_else(|| self.at(too_many()))?;
        Ok(())
    }

    fn number(&self, digits: Cow<'a, str>) -> Result<Value<'a>, Error> {
        let whole = !digits.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
        if whole {
            let small = digits.parse::<i64>().ok().filter(|number| number.unsigned_abs() < 1 << 53);
            if let Some(number) = small {
                return Ok(Value::Int(number));
            }
            if self.numbers == Numbers::Text {
                return integer::canonical(digits);
            }
        }
        let number = digits.parse::<f64>().map_err(|_| unexpected())?;
        let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
        let vanished = number == 0.0 && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
        if vanished || !number.is_finite() {
            let message = "a number is beyond what a double can hold; write it as an integer or as text";
            return Err(self.located(ErrorCode::ValueBadNumber, message));
        }
        Ok(Value::Float(number))
    }

    fn located(&self, code: ErrorCode, message: &str) -> Error {
        self.at(Error::new(code, message))
    }

    /// Adds where in the text the reader is, to the message and to the details.
    fn at(&self, error: Error) -> Error {
        let before = self.text.get(..self.offset).unwrap_or(self.text);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        let column = before.chars().rev().take_while(|&character| character != '\n').count() + 1;
        let placed = Error::new(error.code(), format!("line {line}, column {column}: {}", error.message()));
        let placed = error.details().iter().fold(placed, |placed, (key, value)| placed.with(key, value));
        placed.with("line", line).with("column", column)
    }
}

/// What the parser refused at the beginning of `rest`.
fn syntax(error: &JsonSyntaxError, rest: &[u8]) -> Error {
    let (code, advice) = if begins_with_lone_surrogate(rest) {
        (ErrorCode::ValueBadText, "a string has half a surrogate pair, which is no character; remove it")
    } else {
        (ErrorCode::ValueMalformed, "json text is not well-formed; write it as rfc 8259 says")
    };
    let said = error.message().trim_end_matches('.').replace('`', "'");
    Error::new(code, advice).with("parser", said)
}

/// Whether the next token of `rest` is a string in which an escape stands for half a surrogate pair.
fn begins_with_lone_surrogate(rest: &[u8]) -> bool {
    let token = rest.trim_ascii_start();
    let token = token.strip_prefix(b",").or_else(|| token.strip_prefix(b":")).unwrap_or(token).trim_ascii_start();
    let Some(mut inside) = token.strip_prefix(b"\"") else { return false };
    loop {
        inside = match inside {
            [b'\\', b'u', ..] => match (escaped_unit(inside), inside.get(6..).and_then(escaped_unit)) {
                (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => inside.get(12..).unwrap_or_default(),
                (Some(0xd800..0xe000), _) => return true,
                _ => inside.get(6..).unwrap_or_default(),
            },
            [b'\\', _, after @ ..] => after,
            [] | [b'"', ..] => return false,
            [_, after @ ..] => after,
        }
    }
}

/// The UTF-16 code unit of the escape that `text` begins with.
fn escaped_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cold]
fn unexpected() -> Error {
    Error::new(ErrorCode::ValueMalformed, "json text ends before its value does; write it whole")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where() {
        for (text, line, column) in [("{\n \"ä\": x}", "2", "7"), ("[1,\n2,,3]", "2", "3"), ("[\n1e999]", "2", "6")] {
            let error = parse(text).unwrap_err();
            let details = error.details();
            assert_eq!((details["line"].as_str(), details["column"].as_str()), (line, column), "{text}: {error}");
            assert!(error.message().starts_with(&format!("line {line}, column {column}: ")));
        }
    }

    #[test]
    fn text_beyond_the_limit_is_not_read() {
        let long = " ".repeat(MAX_TEXT_BYTES + 1);
        assert_eq!(parse(&long).unwrap_err().code(), ErrorCode::ValueTooLarge);
    }

    #[test]
    fn text_without_escapes_is_lent() {
        let Value::Str(text) = parse("\"lent\"").unwrap() else { panic!("not a text") };
        assert!(matches!(text, Cow::Borrowed("lent")));
    }
}
