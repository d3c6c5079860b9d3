//! Keyed digests: HMAC-SHA-256, so that nobody without the key can guess a small value from its digest.

use super::text::write_string;
use hmac::digest::Key;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroize as _;

/// How many canonical bytes of a result enter its digest.
pub const MAX_RESULT_BYTES: usize = 65_536;

const RESULT_PREFIX: &[u8] = b"[\"counterseal.result.v1\",";

/// The key of one home or environment, held as the state of the hash after the key: the bytes themselves are gone.
#[derive(Clone)]
pub struct DigestKey {
    keyed: Hmac<Sha256>,
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(…)")
    }
}

/// What the digest of every call of one tool begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallPrefix(Box<[u8]>);

impl CallPrefix {
    /// The prefix of the tool `name` of `source`.
    #[must_use]
    pub fn new(source: &str, name: &str) -> Self {
        let mut bytes = b"[\"counterseal.call.v1\",".to_vec();
        write_string(source, &mut bytes);
        bytes.push(b',');
        write_string(name, &mut bytes);
        bytes.push(b',');
        Self(bytes.into_boxed_slice())
    }
}

impl DigestKey {
    /// Takes the 32 key bytes and overwrites them where they were.
    #[must_use]
    pub fn new(key: &mut [u8; 32]) -> Self {
        let mut block = Key::<Hmac<Sha256>>::default();
        for (to, from) in block.iter_mut().zip(key.iter()) {
            *to = *from;
        }
        let keyed = Hmac::<Sha256>::new(&block);
        block.as_mut_slice().zeroize();
        key.zeroize();
        Self { keyed }
    }

    /// The digest of a call: of the list `["counterseal.call.v1",<source>,<name>,<arguments>]`.
    #[must_use]
    pub fn call(&self, prefix: &CallPrefix, arguments_canonical: &[u8]) -> [u8; 32] {
        self.digest(&[&prefix.0, arguments_canonical, b"]"])
    }

    /// The digest of what a yes holds for: of the list
    /// `["counterseal.binding.v1",<source>,<name>,<session>,<the bound arguments>]`.
    #[must_use]
    pub fn binding(&self, source: &str, name: &str, session: &str, bound_canonical: &[u8]) -> [u8; 32] {
        let mut head = b"[\"counterseal.binding.v1\",".to_vec();
        for text in [source, name, session] {
            write_string(text, &mut head);
            head.push(b',');
        }
        self.digest(&[&head, bound_canonical, b"]"])
    }

    /// The digest of a result, and how many canonical bytes it has. Beyond [`MAX_RESULT_BYTES`] the digest is over
    /// those first bytes and nothing after them.
    #[must_use]
    pub fn result(&self, canonical: &[u8]) -> ([u8; 32], u64) {
        let size = u64::try_from(canonical.len()).unwrap_or(u64::MAX);
        let digest = match canonical.get(..MAX_RESULT_BYTES) {
            Some(first) if canonical.len() > MAX_RESULT_BYTES => self.digest(&[RESULT_PREFIX, first]),
            _ => self.digest(&[RESULT_PREFIX, canonical, b"]"]),
        };
        (digest, size)
    }

    /// Tells this key from another without showing it: the digest of the list `["counterseal.key.v1"]`.
    #[must_use]
    pub fn check_value(&self) -> [u8; 32] {
        self.digest(&[b"[\"counterseal.key.v1\"]"])
    }

    fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> DigestKey {
        DigestKey::new(&mut [7; 32])
    }

    #[test]
    fn the_key_is_taken_and_not_shown() {
        let mut bytes = [7; 32];
        let key = DigestKey::new(&mut bytes);
        assert_eq!(bytes, [0; 32]);
        assert_eq!(format!("{key:?}"), "DigestKey(…)");
    }

    #[test]
    fn a_call_is_its_source_name_and_arguments() {
        let digest = |source, name, arguments: &str| key().call(&CallPrefix::new(source, name), arguments.as_bytes());
        let call = digest("program", "send", "{}");
        assert_eq!(call, digest("program", "send", "{}"));
        for other in
            [digest("program", "sen", "{}"), digest("mcp:program", "send", "{}"), digest("program", "send", "[]")]
        {
            assert_ne!(call, other);
        }
        assert_ne!(call, DigestKey::new(&mut [8; 32]).call(&CallPrefix::new("program", "send"), b"{}"));
    }

    #[test]
    fn a_long_result_is_digested_over_its_beginning() {
        let at_limit = vec![b'1'; MAX_RESULT_BYTES];
        let mut longer = at_limit.clone();
        longer.push(b'2');
        let (digest, size) = key().result(&longer);
        assert_eq!(size, 65_537);
        longer.push(b'3');
        assert_eq!(key().result(&longer), (digest, 65_538));
        assert_ne!(key().result(&at_limit), (digest, 65_536));
    }
}
