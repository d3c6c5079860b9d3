//! What the user's own text said, kept so that a text can be found in it and nothing can be read out of it.
//!
//! The words of all texts stand in a row, without spaces; at the border of each word the number of bytes before it and a
//! hash of them are kept. The hash is the polynomial of the bytes in a secret base modulo 2⁶¹ − 1 (Karp and Rabin 1987), so that
//! the hash of any run of words follows from those of its borders, and a text is found by its length and its hash. Two texts of
//! n bytes meet with a probability of n / 2⁶¹ for whoever does not know the base.

use super::words::words;

/// The modulus, a Mersenne prime.
const MODULUS: u64 = (1 << 61) - 1;
/// Stands between two texts, so that nothing is found across them. No byte of UTF-8 has this value.
const BETWEEN: u8 = 0xff;
/// The most borders that are kept; the oldest half goes first, which can only make less be said.
pub(super) const MAX_BORDERS: usize = 8192;

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

/// The border of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Border {
    /// Bytes before it, over all texts.
    before: u64,
    /// The hash of those bytes.
    hash: u64,
}

/// What was said, read from its words in the table and written back to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    borders: Vec<Border>,
}

impl Heard {
    /// Reads what [`Heard::to_words`] wrote; of no words: nothing was said.
    pub(super) fn from_words(words: &[u64]) -> Self {
        let mut borders: Vec<Border> = words
            .chunks_exact(2)
            .filter_map(|pair| match pair {
                [before, hash] => Some(Border { before: *before, hash: *hash }),
                _ => None,
            })
            .collect();
        if borders.is_empty() {
            borders.push(Border::default());
        }
        Self { borders }
    }

    pub(super) fn to_words(&self) -> impl ExactSizeIterator<Item = u64> {
        let pairs: Vec<u64> = self.borders.iter().flat_map(|border| [border.before, border.hash]).collect();
        pairs.into_iter()
    }

    /// Adds a text, unless it was said already. Says whether anything changed.
    pub(super) fn add(&mut self, base: Base, text: &str) -> bool {
        let words: Vec<String> = words(text).collect();
        if words.is_empty() || self.finds(base, &words, true) {
            return false;
        }
        let mut end = self.borders.last().copied().unwrap_or_default();
        let mut push = |end: &mut Border, bytes: &[u8]| {
            for byte in bytes {
                *end = Border { before: end.before + 1, hash: base.push(end.hash, *byte) };
            }
            self.borders.push(*end);
        };
        push(&mut end, &[BETWEEN]);
        for word in words {
            push(&mut end, word.as_bytes());
        }
        if self.borders.len() > MAX_BORDERS {
            self.borders.drain(..self.borders.len() - MAX_BORDERS / 2);
        }
        true
    }

    /// Whether `text` is a run of whole words that was said. An empty text is not.
    pub(super) fn said(&self, base: Base, text: &str) -> bool {
        let words: Vec<String> = words(text).collect();
        !words.is_empty() && self.finds(base, &words, false)
    }

    /// Whether these words were said, joined; with `borders`, also parted as they are here.
    fn finds(&self, base: Base, words: &[String], borders: bool) -> bool {
        let bytes = || words.iter().flat_map(|word| word.bytes());
        let length = bytes().count() as u64;
        let sought = bytes().fold(0, |hash, byte| base.push(hash, byte));
        let power = base.power(length);
        let mut ends = self.borders.iter();
        let mut end = ends.next();
        for (place, start) in self.borders.iter().enumerate() {
            let wanted = start.before + length;
            while end.is_some_and(|end| end.before < wanted) {
                end = ends.next();
            }
            let Some(end) = end else { return false };
            let parted = || {
                let mut before = start.before;
                words.iter().zip(self.borders.iter().skip(place + 1)).all(|(word, border)| {
                    before += word.len() as u64;
                    border.before == before
                })
            };
            let same = end.before == wanted && end.hash == add(multiply(start.hash, power), sought);
            if same && (!borders || parted()) {
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
    fn whole_words_are_found_and_parts_of_words_are_not() {
        let heard = heard(&["Send $1,200.50 to DE89 3704 0044 0532 0130 00.", "Ask Bob@evil.com, too"]);
        for said in [
            "send",
            "1200.5",
            "1200.50",
            "DE89370400440532013000",
            "de89 3704 0044 0532 0130 00",
            "bob@EVIL.com",
            "to de89",
            "Send 1200.5 to",
            "too",
        ] {
            assert!(heard.said(BASE, said), "{said}");
        }
        for never in
            ["", " ", "sen", "evil.com", "bob", "00. Ask", "too send", "120", "0044 3704", "DE8937040044053201300"]
        {
            assert!(!heard.said(BASE, never), "{never}");
        }
    }

    #[test]
    fn the_same_text_again_changes_nothing() {
        let mut once = heard(&["one two three"]);
        let before = once.clone();
        assert!(!once.add(BASE, "Two, three."));
        assert!(!once.add(BASE, " ... "));
        assert_eq!(once, before);
        assert!(once.add(BASE, "four"));
    }

    #[test]
    fn the_oldest_goes_first_and_the_rest_is_still_found() {
        let mut heard = heard(&["first"]);
        for round in 0..3 * MAX_BORDERS / 2 {
            heard.add(BASE, &format!("word{round} tail"));
        }
        assert!(heard.borders.len() <= MAX_BORDERS);
        assert!(!heard.said(BASE, "first"));
        assert!(heard.said(BASE, &format!("word{} tail", 3 * MAX_BORDERS / 2 - 1)));
        assert!(heard.said(BASE, &format!("word{}", 3 * MAX_BORDERS / 2 - 300)));
    }

    proptest! {
        #[test]
        fn it_agrees_with_looking_at_the_words(texts in prop::collection::vec("[ab ]{0,12}", 0..4), sought in "[ab ]{0,6}") {
            let lent: Vec<&str> = texts.iter().map(String::as_str).collect();
            let wanted: String = words(&sought).collect();
            let naive = !wanted.is_empty() && texts.iter().any(|text| {
                let said: Vec<String> = words(text).collect();
                (0..said.len()).any(|from| (from + 1..=said.len()).any(|to| said[from..to].concat() == wanted))
            });
            prop_assert_eq!(heard(&lent).said(BASE, &sought), naive);
        }

        #[test]
        fn no_text_is_too_odd(texts in prop::collection::vec(".{0,40}", 0..3), sought in ".{0,20}") {
            let lent: Vec<&str> = texts.iter().map(String::as_str).collect();
            let heard = heard(&lent);
            let _ = heard.said(BASE, &sought);
            for text in &lent {
                prop_assert_eq!(heard.said(BASE, text), words(text).next().is_some());
            }
        }
    }
}
