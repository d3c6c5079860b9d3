//! Where in a text something that stands there as itself may begin and end, and what its numbers are besides.
//!
//! What is not a border keeps a text from being found in a longer one: nothing ends inside an address, a host, a path, a number
//! or a word. So a border is added here only where ordinary writing sets something apart.

use super::numbers::{joined_in, written};
use std::collections::{BTreeMap, BTreeSet};

/// These part words wherever they stand; none of them is in an address, a host or a path.
const PARTS: &[char] = &[
    '<', '>', '"', '“', '”', '„', '«', '»', '「', '」', '『', '』', '【', '】', '《', '》', '（', '）', '，', '。',
    '、', '；', '：', '！', '？',
];
/// These may stand before a word, and are no part of it.
const BEFORE: &[char] = &['(', '[', '{', '\'', '`', '‘', '‚', '¿', '¡', '…', '#'];
/// These may stand behind a word, and are no part of it.
const BEHIND: &[char] = &['.', ',', ';', ':', '!', '?', ')', ']', '}', '\'', '`', '’', '‘', '…'];
/// Nobody sees these.
const UNSEEN: &[char] = &['\u{200b}', '\u{200e}', '\u{200f}', '\u{2060}', '\u{feff}'];
const CURRENCIES: &[char] = &['$', '€', '£', '¥', '₹'];
/// The currencies of ISO 4217 that are most traded.
const CODES: &[&str] = &[
    "usd", "eur", "gbp", "chf", "jpy", "cny", "inr", "cad", "aud", "nzd", "sek", "nok", "dkk", "pln", "czk", "huf",
    "brl", "mxn", "zar", "sgd", "hkd", "krw", "try",
];
/// What stands before a colon and names what is behind it. With any other word both may be one: a user and a password, a host and
/// a port.
const LABELS: &[&str] = &[
    "to", "cc", "bcc", "from", "mailto", "email", "mail", "tel", "sms", "phone", "iban", "account", "amount", "total",
    "id", "user", "name", "url", "link", "file", "path", "channel", "subject", "title",
];

/// What stands in a comparable text.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Bytes before which something may begin, and behind which something may end.
    pub(super) borders: BTreeMap<usize, Border>,
    /// Numbers that are written otherwise than a program would, as [`numbers::plain`](super::numbers::plain) gives them.
    pub(super) numbers: BTreeSet<String>,
    /// Accounts, cards and telephones that are written in groups.
    pub(super) joined: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Border {
    pub(super) starts: bool,
    pub(super) ends: bool,
}

/// Reads a comparable text.
pub(super) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut piece = 0;
    let mut last = None;
    let mut ahead = text.char_indices().peekable();
    while let Some((at, one)) = ahead.next() {
        let next = ahead.peek().map(|(_, next)| *next);
        let end = at + one.len_utf8();
        // `](` is where a link of Markdown has its address
        let part = PARTS.contains(&one) || (one == ']' && next == Some('(')) || (one == '(' && last == Some(']'));
        if part || one.is_whitespace() {
            reading.piece(text, piece, at);
            piece = end;
        }
        if part {
            reading.starts(at);
            reading.ends(end);
        }
        last = Some(one);
    }
    reading.piece(text, piece, text.len());
    for (from, to, bare) in joined_in(text) {
        let border = |at| reading.borders.get(&at).copied().unwrap_or_default();
        if border(from).starts && border(to).ends {
            reading.joined.insert(bare);
        }
    }
    reading
}

impl Reading {
    fn starts(&mut self, at: usize) {
        self.borders.entry(at).or_default().starts = true;
    }

    fn ends(&mut self, at: usize) {
        self.borders.entry(at).or_default().ends = true;
    }

    /// Something between white space.
    fn piece(&mut self, text: &str, from: usize, to: usize) {
        let Some(piece) = text.get(from..to).filter(|piece| !piece.is_empty()) else { return };
        let is_path = piece.contains(['/', '\\']);
        self.starts(from);
        self.ends(to);
        let mut start = from;
        for (at, mark) in separators(piece, is_path) {
            self.word(text, start, from + at, is_path);
            start = from + at + mark;
        }
        self.word(text, start, to, is_path && start == from);
    }

    /// What is set apart within its piece, without what stands around it.
    fn word(&mut self, text: &str, mut from: usize, mut to: usize, is_path: bool) {
        let mut labelled = false;
        while let Some(inner) = text.get(from..to).filter(|inner| !inner.is_empty()) {
            self.starts(from);
            self.ends(to);
            if let Some((before, behind)) = around(inner, is_path) {
                from += before;
                to -= behind;
            } else if let Some(label) = label(inner).filter(|_| !labelled) {
                labelled = true;
                from += label;
            } else {
                if let Some(number) = number(inner) {
                    self.numbers.insert(number);
                }
                if is_path && inner.ends_with('/') && inner.chars().rev().nth(1).is_some_and(char::is_alphanumeric) {
                    // the same with and without
                    self.ends(to - 1);
                }
                return;
            }
        }
    }
}

/// Where marks part the words of a piece, and how many bytes each mark takes.
fn separators(piece: &str, is_path: bool) -> Vec<(usize, usize)> {
    let marks = |marks: &'static [char]| piece.match_indices(marks).map(|(at, mark)| (at, mark.len()));
    if is_path {
        // a path may hold any of the others, but no address has a slash
        let addresses = piece.split('/').all(|part| part.contains('@') && !part.contains([':', '?', '=', '\\']));
        return if addresses { marks(&['/']).collect() } else { Vec::new() };
    }
    let digit = |one: Option<char>| one.is_some_and(|one| one.is_ascii_digit());
    let around = |at: usize, length: usize| {
        let (before, behind) = (piece.get(..at).unwrap_or_default(), piece.get(at + length..).unwrap_or_default());
        (before, behind)
    };
    let letters =
        |text: &str| text.trim_end_matches(BEHIND).chars().all(|one| one.is_alphabetic() || matches!(one, '\'' | '’'));
    let parts = |(at, length): &(usize, usize)| {
        let (before, behind) = around(*at, *length);
        match piece.get(*at..at + length) {
            Some(",") => !(digit(before.chars().next_back()) && digit(behind.chars().next())),
            // in a name of a file it parts nothing
            Some("—") => before.contains('@') || behind.contains('@') || (letters(before) && letters(behind)),
            _ => true,
        }
    };
    marks(&[',', ';', '|', '—']).filter(parts).collect()
}

/// How many bytes of what stands around the word are to be left out next, before and behind it.
fn around(inner: &str, is_path: bool) -> Option<(usize, usize)> {
    let (first, last) = (inner.chars().next()?, inner.chars().next_back()?);
    let second = inner.chars().nth(1);
    if UNSEEN.contains(&first) {
        return Some((first.len_utf8(), 0));
    }
    if UNSEEN.contains(&last) {
        return Some((0, last.len_utf8()));
    }
    if BEFORE.contains(&first) && (first != '#' || second.is_some_and(char::is_alphanumeric)) {
        return Some((first.len_utf8(), 0));
    }
    let dots = inner.len() - inner.trim_end_matches('.').len();
    match dots {
        // a folder, or whatever is under one
        2 => {}
        3.. if is_path => {}
        0 if !BEHIND.contains(&last) => {}
        0 => return Some((0, last.len_utf8())),
        dots => return Some((0, dots)),
    }
    if let Some(stars) = emphasis(inner) {
        return Some((stars, stars));
    }
    let possessive = ["'s", "’s"].into_iter().find(|end| !is_path && inner.ends_with(end));
    possessive.map(|end| (0, end.len())).or_else(|| measure(inner))
}

/// As many stars before as behind: the emphasis of Markdown.
fn emphasis(inner: &str) -> Option<usize> {
    let bare = inner.trim_start_matches('*');
    let before = inner.len() - bare.len();
    let behind = bare.len() - bare.trim_end_matches('*').len();
    (before > 0 && before == behind).then_some(before)
}

/// A currency or a percent sign beside a number.
fn measure(inner: &str) -> Option<(usize, usize)> {
    let is_amount = |text: &str| {
        let text = text.strip_prefix(['-', '+']).unwrap_or(text);
        text.starts_with(|one: char| one.is_ascii_digit())
            && text.chars().all(|one| one.is_ascii_digit() || matches!(one, '.' | ',' | '\'' | '’'))
    };
    let signs = || CODES.iter().copied();
    let sign = |one: char| CURRENCIES.contains(&one);
    if let Some(amount) = inner.strip_prefix(sign).or_else(|| signs().find_map(|code| inner.strip_prefix(code)))
        && is_amount(amount)
    {
        return Some((inner.len() - amount.len(), 0));
    }
    let behind = |one: char| one == '%' || sign(one);
    let amount = inner.strip_suffix(behind).or_else(|| signs().find_map(|code| inner.strip_suffix(code)))?;
    is_amount(amount).then(|| (0, inner.len() - amount.len()))
}

/// How many bytes of `to:`, `amount=` or `--path=` are before what they name.
fn label(inner: &str) -> Option<usize> {
    let at = inner.find([':', '='])?;
    let (name, rest) = (inner.get(..at)?, inner.get(at + 1..)?);
    let named = match inner.get(at..=at)? {
        ":" => LABELS.contains(&name) && !rest.starts_with("//"),
        _ => {
            let bare = name.trim_start_matches('-');
            let part = |one: char| one.is_ascii_alphanumeric() || matches!(one, '-' | '_');
            bare.starts_with(|one: char| one.is_ascii_alphabetic()) && bare.chars().all(part)
        }
    };
    (named && !rest.is_empty()).then_some(at + 1)
}

/// The number that `word` is, where a program would write it otherwise.
fn number(word: &str) -> Option<String> {
    let negative = word.strip_prefix('-').and_then(|rest| rest.strip_prefix(|one| CURRENCIES.contains(&one)));
    let number = match negative {
        Some(amount) => written(amount).map(|amount| format!("-{amount}")),
        None => written(word),
    };
    number.filter(|number| number != word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `sought` stands in `text` between two borders.
    fn stands(text: &str, sought: &str) -> bool {
        let reading = read(text);
        let border = |at: usize| reading.borders.get(&at).copied().unwrap_or_default();
        text.match_indices(sought).any(|(at, _)| border(at).starts && border(at + sought.len()).ends)
    }

    #[test]
    fn ordinary_writing_sets_things_apart() {
        for (text, sought) in [
            ("mail bob@x.com, please", "bob@x.com"),
            ("(bob@x.com).", "bob@x.com"),
            ("bob <bob@x.com>", "bob@x.com"),
            ("\"hi, bob.\"", "hi, bob."),
            ("\"hi, bob.\"", "\"hi, bob.\""),
            ("to:bob@x.com", "bob@x.com"),
            ("mailto:bob@x.com", "bob@x.com"),
            ("[bob](mailto:bob@x.com)", "bob@x.com"),
            ("a@x.com,b@x.com;c@x.com", "b@x.com"),
            ("a@x.com/b@x.com", "b@x.com"),
            ("mail bob@x.com—now", "bob@x.com"),
            ("tell alice—she knows", "alice"),
            ("bob@x.com's", "bob@x.com"),
            ("bob@x.com\u{200b} now", "bob@x.com"),
            ("给bob 发 （bob@x.com），谢谢", "bob@x.com"),
            ("order #42", "42"),
            ("amount=50", "50"),
            ("--to=/srv/x", "/srv/x"),
            ("50usd", "50"),
            ("usd50", "50"),
            ("$50.", "50"),
            ("50%", "50"),
            ("see https://x.com/.", "https://x.com"),
            ("**urgent**", "urgent"),
            ("bob...", "bob"),
            ("red,green", "green"),
            ("le marais (boutique) hotel", "le marais (boutique) hotel"),
        ] {
            assert!(stands(text, sought), "{sought} in {text}");
        }
    }

    #[test]
    fn nothing_stands_in_a_part_of_something_else() {
        for (text, never) in [
            ("bob@corp.com", "corp.com"),
            ("bob@corp.com", "bob"),
            ("bob@corp.com", "bob@corp.co"),
            ("notbob@corp.com", "bob@corp.com"),
            ("https://good.com@evil.com/", "evil.com"),
            ("https://good.com/a?q=evil.com", "evil.com"),
            ("https://good.com/a,b", "https://good.com/a"),
            ("https://good.com/a", "https://good.com"),
            ("https://x.com", "https:"),
            ("/tmp/report", "/tmp"),
            ("/tmp/report", "report"),
            ("/tmp/..", "/tmp/"),
            ("/tmp/*", "/tmp/"),
            ("/tmp/...", "/tmp"),
            ("/home/bob's", "/home/bob"),
            ("c:\\users\\bob", "c:\\users"),
            ("report.pdf", "report"),
            ("report—final.pdf", "final.pdf"),
            ("*.log", ".log"),
            ("_private", "private"),
            ("$home", "home"),
            ("50.20", "50"),
            ("50,20", "50"),
            ("1,200", "200"),
            ("-50", "50"),
            ("50k", "50"),
            ("$50k", "50"),
            ("10-20", "10"),
            ("10:30", "10"),
            ("localhost:8080", "8080"),
            ("root:hunter2", "hunter2"),
            ("@types/node", "types/node"),
            ("to=a=b", "b"),
            ("two words", "wo words"),
        ] {
            assert!(!stands(text, never), "{never} in {text}");
        }
    }

    #[test]
    fn numbers_and_groups_are_read_besides() {
        let reading = read("send $1,200.50 and -$5 to de89 3704 0044 0532 0130 00, not 10 or 4111 1111 1111 1111 50");
        assert_eq!(reading.numbers.iter().collect::<Vec<_>>(), ["-5", "1200.5"]);
        assert_eq!(reading.joined.iter().collect::<Vec<_>>(), ["de89370400440532013000"]);
        assert!(read("x12 3456-789-1234-5678").joined.is_empty());
    }
}
