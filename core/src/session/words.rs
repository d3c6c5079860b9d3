//! Text as the words that count when somebody asks whether it was said: lower case, without the marks around them.

/// Marks that stand on either side of a word and are no part of it.
const AROUND: &[char] =
    &['(', ')', '[', ']', '{', '}', '<', '>', '"', '\'', '`', '*', '_', '“', '”', '‘', '’', '«', '»', '„', '‚', '…'];
/// Marks that end a word and are no part of it.
const BEHIND: &[char] = &['.', ',', ';', ':', '!', '?', '。', '、'];
const CURRENCIES: &[char] = &['$', '€', '£', '¥', '₹'];

/// The words of `text`, in order, each as it is compared.
///
/// White space, `,`, `;` and `|` part words, but not the comma in `1,200`. A number loses its currency, its grouping and the
/// zeros behind its fraction; one that begins with a zero is an identifier and stays as it is.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    let mut last = None;
    let mut ahead = text.chars().peekable();
    let mut parts = vec![String::new()];
    while let Some(one) = ahead.next() {
        let digit = |other: Option<char>| other.is_some_and(|other| other.is_ascii_digit());
        let grouping = one == ',' && digit(last) && digit(ahead.peek().copied());
        if one.is_whitespace() || (matches!(one, ',' | ';' | '|') && !grouping) {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(one);
        }
        last = Some(one);
    }
    parts.into_iter().filter_map(|part| word(&part))
}

fn word(part: &str) -> Option<String> {
    let mut bare = part;
    loop {
        let inner = bare.trim_matches(AROUND).trim_end_matches(BEHIND);
        if inner == bare {
            break;
        }
        bare = inner;
    }
    let bare = bare.strip_suffix("'s").or_else(|| bare.strip_suffix("’s")).unwrap_or(bare);
    if bare.is_empty() {
        return None;
    }
    Some(number(bare).unwrap_or_else(|| bare.to_lowercase()))
}

/// `1200.5` for `$1,200.50`; `None` for what is no number.
fn number(word: &str) -> Option<String> {
    let bare = word.trim_matches(CURRENCIES);
    let (sign, bare) = match bare.strip_prefix('-') {
        Some(rest) => ("-", rest.trim_start_matches(CURRENCIES)),
        None => ("", bare.strip_prefix('+').unwrap_or(bare)),
    };
    let (whole, fraction) = bare.split_once('.').unwrap_or((bare, "0"));
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let grouped = whole.contains(',');
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let well_grouped = first.len() <= 3 && groups.all(|group| group.len() == 3 && digits(group));
    if !digits(first) || !digits(fraction) || (grouped && !well_grouped) || (first.len() > 1 && first.starts_with('0'))
    {
        return None;
    }
    let whole = whole.replace(',', "");
    let fraction = fraction.trim_end_matches('0');
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_case_and_layout_do_not_count() {
        for (text, expected) in [
            ("Pay Bob's (rent), please!", "pay|bob|rent|please"),
            ("send $1,200.50 or 1200.5€ to a,b;c", "send|1200.5|or|1200.5|to|a|b|c"),
            ("\"Bob@Example.com\", <x@y.org>.", "bob@example.com|x@y.org"),
            ("account 00123 is not 123", "account|00123|is|not|123"),
            ("/etc/passwd .env -50 +49 2024-05-15 10:30", "/etc/passwd|.env|-50|49|2024-05-15|10:30"),
            ("1,2 and 1,23,456 and 1,234,567", "1,2|and|1,23,456|and|1234567"),
            (" \t\n … ", ""),
            ("«Straße» ÜBER 50.00 0.50 0", "straße|über|50|0.5|0"),
            ("https://a.example/p?q=1.", "https://a.example/p?q=1"),
        ] {
            assert_eq!(words(text).collect::<Vec<_>>().join("|"), expected, "{text}");
        }
    }
}
