//! Text from outside, shown so that it can neither steer a terminal nor pass for other text.

use std::fmt::{self, Write};

/// Shows a text with its control and direction-changing characters escaped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain<'a> {
    text: &'a str,
    keep_lines: bool,
}

impl<'a> Plain<'a> {
    /// Of one line: line ends are escaped too, so that one record stays one line.
    pub(crate) const fn line(text: &'a str) -> Self {
        Self { text, keep_lines: false }
    }

    /// Of several lines.
    pub(crate) const fn lines(text: &'a str) -> Self {
        Self { text, keep_lines: true }
    }
}

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.text.chars() {
            if steers(character) && !(self.keep_lines && character == '\n') {
                write!(f, "\\u{{{:x}}}", u32::from(character))?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// Control characters, and those that reorder or hide text around them (Unicode UAX #9 §2, UTS #39 §5).
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(character, '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A count and its noun: `1 rule`, `2 rules`.
pub(crate) fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    let count: u64 = count.try_into().unwrap_or(u64::MAX);
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Bytes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::Plain;

    #[test]
    fn what_steers_a_terminal_is_shown_instead() {
        assert_eq!(Plain::line("a\u{1b}[2Jb\nc").to_string(), "a\\u{1b}[2Jb\\u{a}c");
        assert_eq!(Plain::lines("a\nb\u{202e}c").to_string(), "a\nb\\u{202e}c");
        assert_eq!(Plain::line("a\u{ad}b\u{e0068}c\u{206e}").to_string(), "a\\u{ad}b\\u{e0068}c\\u{206e}");
        assert_eq!(Plain::line("größer 💶").to_string(), "größer 💶");
    }
}
