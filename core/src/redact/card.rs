//! Payment card numbers: 13 to 19 digits (ISO/IEC 7812-1) whose check digit is right.

use std::ops::Range;

/// The fewest and the most digits of a card number.
const DIGITS: Range<usize> = 13..20;

/// Where card numbers stand in `text`, in order, without overlap.
///
/// Digits may be parted by single separators ([`parts`]) into groups, each of at least three digits but the last. The first
/// digit is 2 to 6, as on every payment card, so that times in milliseconds are none. Digits after a decimal point are
/// none. Linear in the text: a number begins at a group and has at most 19 digits.
#[must_use]
pub fn find(text: &str) -> Vec<Range<usize>> {
    let groups = groups(text.as_bytes());
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(rest) = groups.get(from..).filter(|rest| !rest.is_empty()) {
        match longest_number(text.as_bytes(), rest) {
            Some((count, range)) => {
                found.push(range);
                from += count;
            }
            None => from += 1,
        }
    }
    found
}

/// Whether `digits`, all of them, are a card number: for numbers, which have no groups.
#[must_use]
pub fn is_number(digits: &str) -> bool {
    DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && is_card(digits.bytes())
}

/// A run of digits.
struct Group {
    range: Range<usize>,
    /// True where only one separator lies between this group and the one before.
    joined: bool,
    /// True where the digits stand after a decimal point.
    fraction: bool,
}

/// Whether `between` is one of the separators of groups: a space, one that does not break, a hyphen, an en dash, `_`. No line
/// end, since one number in ten of a column of numbers would have the check digit, and no dot, which parts other numbers.
fn parts(between: &[u8]) -> bool {
    matches!(
        str::from_utf8(between),
        Ok(" " | "-" | "_" | "\u{a0}" | "\u{202f}" | "\u{2010}" | "\u{2011}" | "\u{2012}" | "\u{2013}")
    )
}

fn groups(text: &[u8]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut at = 0;
    while let Some(start) =
        text.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_digit)).map(|skip| at + skip)
    {
        let length = text.get(start..).map_or(0, |rest| rest.iter().take_while(|byte| byte.is_ascii_digit()).count());
        let between = groups.last().and_then(|last| text.get(last.range.end..start));
        groups.push(Group {
            range: start..start + length,
            joined: between.is_some_and(parts),
            fraction: matches!(between, Some(b".")),
        });
        at = start + length;
    }
    groups
}

/// The longest card number that begins at the first of `groups`, and of how many groups it is.
fn longest_number(text: &[u8], groups: &[Group]) -> Option<(usize, Range<usize>)> {
    let start = groups.first().filter(|first| !first.fraction)?.range.start;
    let mut digits = 0;
    let mut longest = None;
    for (index, group) in groups.iter().enumerate() {
        digits += group.range.len();
        if (index > 0 && !group.joined) || digits >= DIGITS.end {
            break;
        }
        let range = start..group.range.end;
        let number = text.get(range.clone()).unwrap_or_default();
        if digits >= DIGITS.start && is_card(number.iter().copied().filter(u8::is_ascii_digit)) {
            longest = Some((index + 1, range));
        }
        if group.range.len() < 3 {
            break;
        }
    }
    longest
}

/// A payment card's first digit and the check digit of ISO/IEC 7812-1 annex B (Luhn).
fn is_card(digits: impl DoubleEndedIterator<Item = u8> + Clone) -> bool {
    let sum: u32 = digits
        .clone()
        .rev()
        .map(|digit| u32::from(digit - b'0'))
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    sum.is_multiple_of(10) && digits.clone().next().is_some_and(|first| matches!(first, b'2'..=b'6'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        find(text).into_iter().map(|range| text.get(range).unwrap()).collect()
    }

    #[test]
    fn the_published_test_numbers_are_found() {
        for number in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "3782 822463 10005",
            "30569309025904",
            "5555555555554444",
            "2223003122003222",
            "6011111111111117",
            "4222222222222",
            "6304000000000000",
            "4000 0000 0000 0000 006",
            "4111\u{a0}1111\u{a0}1111\u{a0}1111",
            "4111\u{2013}1111\u{2013}1111\u{2013}1111",
            "4111_1111_1111_1111",
        ] {
            assert_eq!(found(number), [number]);
            assert_eq!(found(&format!("order 12 {number}, thanks")), [number]);
            assert_eq!(found(&format!("{number} 123")), [number], "{number}");
        }
        assert_eq!(found("4111111111111111/5555555555554444").len(), 2);
    }

    #[test]
    fn what_is_no_card_is_left() {
        for text in [
            "",
            "4111111111111112",
            "1732179856121",
            "0.4111111111111111",
            "41111111111111110000000",
            "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
            "4111  1111 1111 1111",
            "411111111111",
            "4111\n1111\n1111\n1111",
            "4111.1111.1111.1111",
        ] {
            assert_eq!(found(text), Vec::<&str>::new(), "{text}");
        }
        assert!(is_number("4111111111111111"));
        assert!(!is_number("4111 1111 1111 1111"));
    }
}
