//! Text from outside, shown to people so that it can neither steer a terminal nor pass for other text.
//!
//! Every place where people judge a call shows texts by these two: what a model, a tool or a user wrote is escaped, and where it
//! is long it is wrapped here, not by the terminal, so that no part of it ever begins a line of its own.

use std::fmt::{self, Write};

/// Columns of a wrapped text. With what stands before it that is less than the narrowest terminal in use.
const WIDTH: usize = 60;

/// Shows a text with every character escaped that steers a terminal, reorders what is around it, or shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Plain<'a> {
    text: &'a str,
    keep_lines: bool,
}

impl<'a> Plain<'a> {
    /// Of one line: line ends are escaped too.
    #[must_use]
    pub const fn line(text: &'a str) -> Self {
        Self { text, keep_lines: false }
    }

    /// Of several lines.
    #[must_use]
    pub const fn lines(text: &'a str) -> Self {
        Self { text, keep_lines: true }
    }
}

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.text.chars() {
            if is_escaped(character) && !(self.keep_lines && character == '\n') {
                write!(f, "\\u{{{:x}}}", u32::from(character))?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// A text whole, as [`Plain::line`], in lines of at most 60 columns. The first begins with `first`; every other one with as many
/// spaces and `| `, by which it is told from lines that are the program's own.
#[must_use]
pub fn wrapped(first: &str, text: &str) -> String {
    let next = format!("\n{:1$}| ", "", first.chars().count());
    let (mut lines, mut columns) = (first.to_owned(), 0);
    for character in Plain::line(text).to_string().chars() {
        // what is not ascii may be two columns wide
        let wide = if character.is_ascii() { 1 } else { 2 };
        if columns + wide > WIDTH {
            lines.push_str(&next);
            columns = 0;
        }
        lines.push(character);
        columns += wide;
    }
    lines
}

/// General category Cc, Cf, Zl or Zp, or `Default_Ignorable_Code_Point`, which covers fillers, variation selectors and tags.
/// Unicode 15.1, `DerivedGeneralCategory.txt` and `DerivedCoreProperties.txt`; the category Cs is in no text of Rust.
const fn is_escaped(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
        | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
