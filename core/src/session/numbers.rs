//! Numbers, accounts, cards and telephones, which people write in more than one way.
//!
//! Groups are joined only where what they form has the shape of one of these; two amounts beside one another never are.

use super::detect::check_digits_fit;
use regex::Regex;
use std::sync::LazyLock;

/// Groups of an account number of ISO 13616, in the case of comparable text.
static ACCOUNT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[a-z]{2}[0-9]{2}(?:[ -][a-z0-9]{4}){2,7}(?:[ -][a-z0-9]{1,3})?").ok());
/// Groups of digits, as many as stand beside one another.
static DIGITS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\+?[0-9]+(?:[ -][0-9]+)+").ok());

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The one spelling of a number that a program wrote: `50` for `50.00`. `None` of what is no number, and of one that begins with
/// a zero, which is an identifier.
pub(super) fn plain(text: &str) -> Option<String> {
    let (sign, bare) = text.strip_prefix('-').map_or(("", text), |bare| ("-", bare));
    let (whole, fraction) = bare.split_once('.').unwrap_or((bare, "0"));
    if !is_digits(whole) || !is_digits(fraction) || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// The one spelling of a number that a person wrote: `1200.5` for `1,200.50`, `1'200.50` and `1.200,50`.
pub(super) fn written(text: &str) -> Option<String> {
    if let Some(plain) = plain(text) {
        return Some(plain);
    }
    let (sign, bare) = text.strip_prefix('-').map_or(("", text), |bare| ("-", bare));
    let mut marks = bare.chars().filter(|one| !one.is_ascii_digit());
    let (grouping, point) = match marks.next()? {
        '.' => ('.', ','),
        mark @ (',' | '\'' | '’') => (mark, '.'),
        _ => return None,
    };
    let (whole, fraction) = bare.split_once(point).unwrap_or((bare, "0"));
    // with a dot for thousands only a comma behind it tells that it is one
    if grouping == '.' && !(bare.contains(point) && (1..=2).contains(&fraction.len())) {
        return None;
    }
    let mut groups = whole.split(grouping);
    let first = groups.next()?;
    let rest = groups.try_fold(0, |count, group| (group.len() == 3 && is_digits(group)).then_some(count + 1))?;
    if rest == 0 || !is_digits(first) || first.len() > 3 || first.starts_with('0') {
        return None;
    }
    plain(&format!("{sign}{}.{fraction}", whole.replace(grouping, "")))
}

/// What the whole of `text` is without the spaces and hyphens between its groups, if it is an account, a card or a telephone.
pub(super) fn joined(text: &str) -> Option<String> {
    joined_in(text).into_iter().find(|(from, to, _)| (*from, *to) == (0, text.len())).map(|(_, _, bare)| bare)
}

/// Every account, card and telephone in `text` that is written in groups: from where, up to where, and without what parts it.
pub(super) fn joined_in(text: &str) -> Vec<(usize, usize, String)> {
    // most texts have no two digits in a row with a group behind them
    let mut found = Vec::new();
    for hit in ACCOUNT.iter().flat_map(|shape| shape.find_iter(text)) {
        found.extend(account(hit.as_str()).map(|(length, bare)| (hit.start(), hit.start() + length, bare)));
    }
    for hit in DIGITS.iter().flat_map(|shape| shape.find_iter(text)) {
        found.extend(digits(hit.as_str()).map(|bare| (hit.start(), hit.end(), bare)));
    }
    found
}

/// The longest run of whole groups whose check digits are right: text may go on behind it without a mark.
fn account(groups: &str) -> Option<(usize, String)> {
    let mut candidate = groups;
    loop {
        let bare = candidate.replace([' ', '-'], "");
        if (15..=34).contains(&bare.len()) && check_digits_fit(&bare) {
            return Some((candidate.len(), bare));
        }
        candidate = candidate.get(..candidate.rfind([' ', '-'])?)?;
    }
}

/// A card or a telephone: nothing whose groups may be amounts, years or a date.
fn digits(groups: &str) -> Option<String> {
    let bare = groups.replace([' ', '-'], "");
    let lengths: Vec<usize> = groups.trim_start_matches('+').split([' ', '-']).map(str::len).collect();
    let international = bare.starts_with('+') && (9..=16).contains(&bare.len());
    let national = bare.starts_with('0') && lengths.first() != Some(&1) && (9..=15).contains(&bare.len());
    let american = !groups.contains(' ') && matches!(*lengths, [3, 3, 4] | [1, 3, 3, 4]);
    let card = matches!(*lengths, [4, 4, 4, 4] | [4, 4, 4, 4, 3] | [4, 6, 5] | [4, 6, 4]) && luhn(&bare);
    (international || national || american || card).then_some(bare)
}

/// The check digit of ISO/IEC 7812-1, annex B.
fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte.wrapping_sub(b'0'));
            if place % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        for (number, expected) in [
            ("50", Some("50")),
            ("50.00", Some("50")),
            ("-0.50", Some("-0.5")),
            ("1,200.50", Some("1200.5")),
            ("1'200", Some("1200")),
            ("1.200,50", Some("1200.5")),
            ("1.200", Some("1.2")),
            ("1,234,567", Some("1234567")),
            ("1,23,456", None),
            ("10,20", None),
            ("1200,50", None),
            ("0,123", None),
            ("007", None),
            ("+50", None),
            ("1e3", None),
            ("", None),
            (".5", None),
            ("1.2.3", None),
        ] {
            assert_eq!(written(number).as_deref(), expected, "{number}");
        }
        assert_eq!(plain("1,200"), None);
    }

    #[test]
    fn only_accounts_cards_and_telephones_are_joined() {
        for (text, expected) in [
            ("de89 3704 0044 0532 0130 00", Some("de89370400440532013000")),
            ("de89-3704-0044-0532-0130-00", Some("de89370400440532013000")),
            ("de89 3704 0044 0532 0130 01", None),
            ("4111 1111 1111 1111", Some("4111111111111111")),
            ("3782-822463-10005", Some("378282246310005")),
            ("4111 1111 1111 1112", None),
            ("+49 170 1234567", Some("+491701234567")),
            ("030 1234 5678", Some("03012345678")),
            ("555-123-4567", Some("5551234567")),
            ("555 123 4567", None),
            ("2024-05-15", None),
            ("01-02-2024", None),
            ("1000 2000 3000", None),
            ("10 000 000", None),
            ("2024 2025", None),
        ] {
            assert_eq!(joined(text).as_deref(), expected, "{text}");
        }
        let found = joined_in("pay de89 3704 0044 0532 0130 00 till noon, call +49 170 1234567");
        let bare: Vec<&str> = found.iter().map(|(_, _, bare)| bare.as_str()).collect();
        assert_eq!(bare, ["de89370400440532013000", "+491701234567"]);
    }
}
