//! A record's line taken apart by position: without parsing JSON, since prefix and suffix have a fixed form and the hash
//! covers everything between.

use super::render::{END, HASH, PREFIX, PREV, SEQ, TIME};
use super::time::TIME_LEN;
use sha2::{Digest, Sha256};

/// `,"hash":"`, 64 digits, `"}`.
const SUFFIX_LEN: usize = HASH.len() + 64 + END.len();

/// The parts of a record that every kind has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawRecord<'a> {
    /// Its kind.
    pub(crate) kind: &'a [u8],
    /// Its number in the stream.
    pub(crate) seq: u64,
    /// The digits of the hash of the record before.
    pub(crate) prev: &'a [u8; 64],
    /// The digits of its hash, as the line says.
    pub(crate) hash: &'a [u8; 64],
    /// What the hash is over.
    hashed: &'a [u8],
}

impl<'a> RawRecord<'a> {
    /// Takes a line apart, given without its newline.
    pub(crate) fn split(line: &'a [u8]) -> Option<Self> {
        let (hashed, suffix) = line.split_at_checked(line.len().checked_sub(SUFFIX_LEN)?)?;
        let hash = suffix.strip_prefix(HASH)?.strip_suffix(END)?.try_into().ok()?;
        let rest = hashed.strip_prefix(PREFIX)?;
        let (kind, rest) = rest.split_at_checked(rest.iter().position(|byte| *byte == b'"')?)?;
        let rest = rest.strip_prefix(SEQ)?;
        let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let (number, rest) = rest.split_at_checked(digits)?;
        let seq = decimal(number)?;
        let rest = rest.strip_prefix(TIME)?.get(TIME_LEN..)?.strip_prefix(PREV)?;
        let (prev, rest) = rest.split_first_chunk()?;
        matches!(rest, [b'"'] | [b'"', b',', ..]).then_some(Self { kind, seq, prev, hash, hashed })
    }

    /// What the hash has to be.
    pub(crate) fn computed(&self) -> [u8; 32] {
        Sha256::digest(self.hashed).into()
    }
}

/// Digits as a number; none, a leading zero and more than 19 are refused.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.len() > 19 || digits.first().is_none_or(|first| *first == b'0') {
        return None;
    }
    Some(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixNanos;
    use crate::ledger::event::Recovered;
    use crate::ledger::hex;
    use crate::ledger::record::{Position, Renderer};

    #[test]
    fn a_rendered_record_is_taken_apart() {
        let mut out = Vec::new();
        let at = Position { seq: 70, prev: [3; 32] };
        let recovered = Recovered { records: 1, skipped: 2, torn: 3 };
        let hash = Renderer::default().recovered(&mut out, at, UnixNanos(0), &recovered);
        let line = out.strip_suffix(b"\n").unwrap();
        let raw = RawRecord::split(line).unwrap();
        assert_eq!((raw.kind, raw.seq), (b"recovered".as_slice(), 70));
        assert_eq!((raw.prev, raw.hash), (&hex::digits64(&[3; 32]), &hex::digits64(&hash)));
        assert_eq!(raw.computed(), hash);
        for cut in 1..line.len() {
            assert!(RawRecord::split(&line[..cut]).is_none_or(|raw| raw.computed() != hash));
        }
    }
}
