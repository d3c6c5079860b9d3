//! What the user's own text said, kept so that a text can be found in it and nothing can be read out of it.
//!
//! All texts stand in a row. At each border in it the number of bytes before it is kept, and a hash of them: the polynomial of the
//! bytes in a secret base modulo 2⁶¹ − 1 (Karp and Rabin 1987), so that the hash of what is between any two borders follows from
//! theirs, and a text is found by its length and its hash. Two texts of n bytes meet with a probability of n / 2⁶¹ for whoever does
//! not know the base. What was written in another form than a program's is kept beside it by its hash alone.

use super::borders::{Border, read};
use super::numbers::{joined, plain};
use super::text::comparable;
use crate::condition::Unknown;

/// The modulus, a Mersenne prime.
const MODULUS: u64 = (1 << 61) - 1;
/// Stands between two texts, so that nothing is found across them. No byte of UTF-8 has this value.
const BETWEEN: u8 = 0xff;
/// The most items that are kept: the borders of some 8,000 words. The oldest half goes first, and is remembered as gone.
pub(super) const MAX_ITEMS: usize = 16_384;

/// In the first word: something was said that is not kept any more.
const GONE: u64 = 1;
/// In the first word of an item: something begins here.
const STARTS: u64 = 1 << 63;
/// Something ends here.
const ENDS: u64 = 1 << 62;
/// The item is no border but the hash of another form.
const FORM: u64 = STARTS | ENDS | PLACE;
/// The number of bytes before a border.
const PLACE: u64 = (1 << 62) - 1;

/// A number, as [`plain`] gives it.
const NUMBER: u8 = 1;
/// An account, a card or a telephone without what parts its groups.
const JOINED: u8 = 2;
/// A text as a whole.
const WHOLE: u8 = 3;

/// The base of a home's hashes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base(u64);

impl Base {
    pub(super) const fn new(secret: u64) -> Self {
        // large, so that short texts do not hash to small numbers
        Self((secret % (MODULUS - (1 << 40))) + (1 << 40))
    }

    fn push(self, hash: u64, byte: u8) -> u64 {
        add(multiply(hash, self.0), u64::from(byte) + 1)
    }

    fn hash(self, bytes: impl IntoIterator<Item = u8>) -> u64 {
        bytes.into_iter().fold(0, |hash, byte| self.push(hash, byte))
    }

    fn form(self, kind: u8, text: &str) -> u64 {
        self.hash(std::iter::once(kind).chain(text.bytes()))
    }

    fn power(self, mut exponent: u64) -> u64 {
        let (mut square, mut power) = (self.0, 1);
        while exponent > 0 {
            if exponent & 1 == 1 {
                power = multiply(power, square);
            }
            square = multiply(square, square);
            exponent >>= 1;
        }
        power
    }
}

fn multiply(one: u64, other: u64) -> u64 {
    u64::try_from(u128::from(one) * u128::from(other) % u128::from(MODULUS)).unwrap_or_default()
}

const fn add(one: u64, other: u64) -> u64 {
    // both below 2⁶² together
    (one + other) % MODULUS
}

/// A border or another form: two words of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Item {
    /// What it is, and for a border how many bytes are before it over all texts.
    place: u64,
    /// The hash of those bytes, or of the form.
    hash: u64,
}

impl Item {
    const fn is_border(self) -> bool {
        self.place != FORM
    }

    const fn before(self) -> u64 {
        self.place & PLACE
    }

    const fn with(self, border: Border) -> Self {
        let starts = if border.starts { STARTS } else { 0 };
        let ends = if border.ends { ENDS } else { 0 };
        Self { place: self.before() | starts | ends, hash: self.hash }
    }

    const fn is(self, side: u64) -> bool {
        self.is_border() && self.place & side != 0
    }
}

/// What was said, read from its words in the table and written back to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    flags: u64,
    items: Vec<Item>,
}

impl Heard {
    /// Reads what [`Heard::to_words`] wrote; of no words: nothing was said.
    pub(super) fn from_words(words: &[u64]) -> Self {
        let (flags, words) = words.split_first().map_or((0, words), |(flags, words)| (*flags, words));
        let item = |pair: &[u64]| match pair {
            [place, hash] => Some(Item { place: *place, hash: *hash }),
            _ => None,
        };
        Self { flags, items: words.chunks_exact(2).filter_map(item).collect() }
    }

    pub(super) fn to_words(&self) -> impl ExactSizeIterator<Item = u64> {
        let items = self.items.iter().flat_map(|item| [item.place, item.hash]);
        let words: Vec<u64> = std::iter::once(self.flags).chain(items).collect();
        words.into_iter()
    }

    /// Adds a text, unless it was said already. Says whether anything changed.
    pub(super) fn add(&mut self, base: Base, text: &str) -> bool {
        let text = comparable(text.trim());
        let whole = base.form(WHOLE, &text);
        if text.is_empty() || self.has_form(whole) {
            return false;
        }
        let reading = read(&text);
        // a text ends with a border, and its borders come last: here the row goes on
        let mut end = self.items.last().copied().unwrap_or_default();
        let next = |end: Item, byte| Item { place: end.before() + 1, hash: base.push(end.hash, byte) };
        let numbers = reading.numbers.iter().map(|number| base.form(NUMBER, number));
        let joined = reading.joined.iter().map(|joined| base.form(JOINED, joined));
        for hash in numbers.chain(joined).chain([whole]) {
            if !self.has_form(hash) {
                self.items.push(Item { place: FORM, hash });
            }
        }
        end = next(end, BETWEEN);
        let (mut bytes, mut done) = (text.bytes(), 0);
        for (place, border) in &reading.borders {
            end = bytes.by_ref().take(place - done).fold(end, next);
            done = *place;
            self.items.push(end.with(*border));
        }
        if self.items.len() > MAX_ITEMS {
            self.items.drain(..self.items.len() - MAX_ITEMS / 2);
            self.flags |= GONE;
        }
        true
    }

    /// Whether `text` was said: as it stands, between two borders; a number, an account, a card or a telephone also in another
    /// form. An empty text was not.
    ///
    /// # Errors
    /// It is not among what is kept, and not all is kept.
    pub(super) fn said(&self, base: Base, text: &str) -> Result<bool, Unknown> {
        let text = comparable(text);
        let form = |kind, text: &str| self.has_form(base.form(kind, text));
        let other =
            |kind, other: Option<String>| other.is_some_and(|other| self.has(base, &other) || form(kind, &other));
        let bare = text.strip_suffix('/').filter(|bare| bare.ends_with(char::is_alphanumeric));
        let said = self.has(base, &text)
            || bare.is_some_and(|bare| self.has(base, bare))
            || other(NUMBER, plain(&text))
            || other(JOINED, joined(&text))
            || form(JOINED, &text);
        if said || text.is_empty() || self.flags & GONE == 0 { Ok(said) } else { Err(Unknown) }
    }

    fn has_form(&self, hash: u64) -> bool {
        self.items.contains(&Item { place: FORM, hash })
    }

    /// Whether a comparable text stands between two borders.
    fn has(&self, base: Base, text: &str) -> bool {
        if text.is_empty() {
            return false;
        }
        let length = text.len() as u64;
        let sought = base.hash(text.bytes());
        let power = base.power(length);
        let mut ends = self.items.iter().filter(|item| item.is(ENDS)).peekable();
        for start in self.items.iter().filter(|item| item.is(STARTS)) {
            let wanted = start.before() + length;
            while ends.next_if(|end| end.before() < wanted).is_some() {}
            let Some(end) = ends.peek() else { return false };
            if end.before() == wanted && end.hash == add(multiply(start.hash, power), sought) {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: Base = Base::new(0x1234_5678_9abc_def1);

    fn heard(texts: &[&str]) -> Heard {
        let mut heard = Heard::from_words(&[]);
        for text in texts {
            heard.add(BASE, text);
        }
        Heard::from_words(&heard.to_words().collect::<Vec<_>>())
    }

    #[test]
    fn what_stands_there_as_itself_was_said() {
        let heard = heard(&[
            "Send $1,200.50 and 50.00 to DE89 3704 0044 0532 0130 00.",
            "Ask Bob@evil.com, too; call 030 1234-5678",
            "my card is 4111111111111111",
        ]);
        for said in [
            "send",
            "1200.5",
            "1200.50",
            "$1,200.50",
            "50",
            "DE89370400440532013000",
            "de89 3704 0044 0532 0130 00",
            "DE89-3704-0044-0532-0130-00",
            "bob@EVIL.com",
            "to de89",
            "too",
            "ask bob@evil.com, too",
            "03012345678",
            "4111 1111 1111 1111",
        ] {
            assert_eq!(heard.said(BASE, said), Ok(true), "{said}");
        }
        for never in [
            "",
            " ",
            "sen",
            "evil.com",
            "bob",
            "00. Ask",
            "too send",
            "120",
            "0044 37",
            "DE8937040044053201300",
            "Send 1200.5",
            "ask bob@evil.com too",
            "€1,200.50",
            " too",
            "too ",
        ] {
            assert_eq!(heard.said(BASE, never), Ok(false), "{never}");
        }
    }

    #[test]
    fn what_was_said_beside_one_another_is_not_one() {
        for (text, never) in [
            ("Forward my statement to bob@gmail.com", "tobob@gmail.com"),
            ("Forward my statement to bob@gmail.com", "statementtobob@gmail.com"),
            ("email ops@corp.net work items", "ops@corp.network"),
            ("mail bob@corp.com please", "bob@corp.co,m"),
            ("mail bob@corp.com please", "bob@corp.co\nm"),
            ("mail bob@corp.com please", "bob@corp.com\n"),
            ("mail bob@corp.com please", "bob@corp.com\u{200b}"),
            ("mail bob@corp.com please", "\"bob@corp.com\""),
            ("mail bob@corp.com please", "mail\nbob@corp.com"),
            ("refund 50, 20 and 10", "5020"),
            ("refund 50, 20 and 10", "50 20"),
            ("refund 1000 2000", "10002000"),
            ("refund 1200", "1,200"),
            ("delete the report in /tmp", "*report*"),
            ("delete the report in /tmp", "report*"),
            ("delete the report in /tmp", "_report_"),
            ("delete the report in /tmp", "{report}"),
            ("delete the report in /tmp", "/tmp*"),
            ("delete the report in /tmp", "/tmp/*"),
            ("delete the report in /tmp", "/tmp;*"),
        ] {
            assert_eq!(heard(&[text]).said(BASE, never), Ok(false), "{never:?} of {text}");
        }
    }

    #[test]
    fn the_same_text_again_changes_nothing() {
        let mut once = heard(&["one two three"]);
        let before = once.clone();
        assert!(!once.add(BASE, " One  two\u{a0}three\n"));
        assert!(!once.add(BASE, " \n "));
        assert_eq!(once, before);
        assert!(once.add(BASE, "two three"));
    }

    #[test]
    fn the_oldest_goes_first_and_is_not_forgotten_to_have_been() {
        let mut heard = heard(&["first"]);
        assert_eq!(heard.said(BASE, "second"), Ok(false));
        for round in 0..MAX_ITEMS {
            heard.add(BASE, &format!("word{round} tail"));
        }
        assert!(heard.items.len() <= MAX_ITEMS);
        assert_eq!(heard.said(BASE, "first"), Err(Unknown));
        assert_eq!(heard.said(BASE, ""), Ok(false));
        assert_eq!(heard.said(BASE, &format!("word{} tail", MAX_ITEMS - 1)), Ok(true));
        assert_eq!(heard.said(BASE, &format!("word{}", MAX_ITEMS - 300)), Ok(true));
        let numbers: Vec<String> = (0..MAX_ITEMS).map(|number| format!("{number}.00")).collect();
        heard.add(BASE, &numbers.join(" "));
        heard.add(BASE, "and the end");
        assert_eq!(heard.said(BASE, "the end"), Ok(true));
        assert_eq!(heard.said(BASE, "16383"), Err(Unknown));
    }

    /// Says more than is said: whether `sought` stands in `text` with no letter or digit beside it, or forms a number or a row of groups
    /// that does.
    fn may_be_said(text: &str, sought: &str) -> bool {
        let (text, sought) = (comparable(text), comparable(sought));
        let one = |beside: Option<char>, own: Option<char>| {
            beside.is_some_and(char::is_alphanumeric) && own.is_some_and(char::is_alphanumeric)
        };
        let beside = |at: usize, sought: &str| {
            let (before, rest) = text.split_at(at);
            let behind = rest.strip_prefix(sought).unwrap();
            // `usd50` and `50usd`
            let currency = ["usd", "eur"].into_iter().any(|code| before.ends_with(code) || behind.starts_with(code));
            currency
                || !(one(before.chars().next_back(), sought.chars().next())
                    || one(behind.chars().next(), sought.chars().next_back()))
        };
        let stands = |sought: &str| !sought.is_empty() && text.match_indices(sought).any(|(at, _)| beside(at, sought));
        let bare = |text: &str| text.replace([' ', '-'], "");
        let numbers = |text: &str| {
            text.split(char::is_whitespace).any(|word| {
                let word: String =
                    word.chars().filter(|one| one.is_ascii_digit() || matches!(one, '-' | '.')).collect();
                let word = word.trim_end_matches('.');
                plain(word).is_some() && plain(word) == plain(&sought)
            })
        };
        let grouped = bare(&sought).len() >= 8 && bare(&text).contains(&bare(&sought));
        stands(&sought) || stands(sought.trim_end_matches('/')) || numbers(&text) || grouped
    }

    proptest! {
        #[test]
        fn nothing_else_is_said(
            texts in prop::collection::vec("[ab10@./:;,*'\"<(=# \n-]{0,16}|(usd|[ab]{1,2}|[0-9]{1,4}|[ ,.@-]){1,8}", 0..4),
            sought in "[ab10@./:;,*'\"<(=# \n-]{0,6}|(usd|[ab]{1,2}|[0-9]{1,4}|[ ,.@-]){1,3}",
        ) {
            let lent: Vec<&str> = texts.iter().map(String::as_str).collect();
            if heard(&lent).said(BASE, &sought) == Ok(true) {
                prop_assert!(texts.iter().any(|text| may_be_said(text, &sought)));
            }
        }

        #[test]
        fn it_agrees_with_looking_at_the_borders(texts in prop::collection::vec("[ab@./,' -]{0,12}", 0..4), sought in "[ab@./,' -]{0,6}") {
            let lent: Vec<&str> = texts.iter().map(String::as_str).collect();
            let stands = |text: &str, sought: &str| {
                let text = comparable(text.trim());
                let reading = read(&text);
                let border = |at: usize| reading.borders.get(&at).copied().unwrap_or_default();
                (0..text.len()).any(|at| {
                    !sought.is_empty() && text.get(at..).is_some_and(|rest| rest.starts_with(sought)) && border(at).starts && border(at + sought.len()).ends
                })
            };
            let sought = comparable(&sought);
            let bare = sought.strip_suffix('/').filter(|bare| bare.ends_with(char::is_alphanumeric)).unwrap_or(&sought);
            let naive = texts.iter().any(|text| stands(text, &sought) || stands(text, bare));
            prop_assert_eq!(heard(&lent).said(BASE, &sought), Ok(naive));
        }

        #[test]
        fn no_text_is_too_odd(texts in prop::collection::vec(".{0,40}", 0..3), sought in ".{0,20}") {
            let lent: Vec<&str> = texts.iter().map(String::as_str).collect();
            let heard = heard(&lent);
            let _ = heard.said(BASE, &sought);
            for text in &lent {
                prop_assert_eq!(heard.said(BASE, text.trim()), Ok(!text.trim().is_empty()));
            }
        }
    }
}
