//! Lower-case hexadecimal, as every hash, id and key is written in the ledger.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The two digits of every byte, so that a hash costs 32 look-ups.
const PAIRS: [[u8; 2]; 256] = pairs();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks every index")]
const fn pairs() -> [[u8; 2]; 256] {
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    table
}

/// Writes `bytes` as hex into the front of `out`, which is twice as long.
fn fill(out: &mut [u8], bytes: &[u8]) {
    for (to, byte) in out.chunks_exact_mut(2).zip(bytes) {
        to.copy_from_slice(PAIRS.get(usize::from(*byte)).unwrap_or(&[b'0'; 2]));
    }
}

/// The 64 digits of a hash.
pub(crate) fn digits64(bytes: &[u8; 32]) -> [u8; 64] {
    let mut out = [0; 64];
    fill(&mut out, bytes);
    out
}

/// The 32 digits of an id.
pub(crate) fn digits32(bytes: &[u8; 16]) -> [u8; 32] {
    let mut out = [0; 32];
    fill(&mut out, bytes);
    out
}

/// Hex as a string.
pub(crate) fn text(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| PAIRS.get(usize::from(*byte)).unwrap_or(&[b'0'; 2])).map(|b| char::from(*b)).collect()
}

/// The bytes of exactly `2 * N` lower-case digits.
pub(crate) fn parse<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    if digits.len() != 2 * N {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(out)
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let all: [u8; 16] = [0, 1, 15, 16, 127, 128, 0xab, 0xcd, 0xef, 255, 2, 3, 4, 5, 6, 7];
        assert_eq!(text(&all).as_bytes(), digits32(&all));
        assert_eq!(parse::<16>(&digits32(&all)), Some(all));
        assert_eq!(text(&[0xab, 0x01]), "ab01");
    }

    #[test]
    fn upper_case_and_wrong_lengths_are_refused() {
        assert_eq!(parse::<1>(b"AB"), None);
        assert_eq!(parse::<1>(b"abc"), None);
        assert_eq!(parse::<2>(b"abgh"), None);
    }
}
