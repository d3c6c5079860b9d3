//! Sidecar lines: what records only hold a hash of, so that it can be erased without breaking the chain.

use super::json;
use crate::ledger::entry::ActionId;
use crate::ledger::hex;
use sha2::{Digest, Sha256};

/// `{"action_id":"`, where every line begins.
pub(crate) const PREFIX: &[u8] = b"{\"action_id\":\"";
const PART: &[u8] = b"\",\"part\":\"";
const SALT: &[u8] = b"\",\"salt\":\"";
const PAYLOAD: &[u8] = b"\",\"payload\":";
const END: &[u8] = b"}";

/// The hash a record holds of a part: SHA-256(salt ‖ payload).
#[must_use]
pub fn payload_hash(salt: &[u8; 32], canonical: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(canonical).finalize().into()
}

/// Appends the line of one part, newline included, and returns the hash that belongs into the record.
pub fn push_sidecar_line(
    out: &mut Vec<u8>,
    action: ActionId,
    part: &str,
    salt: &[u8; 32],
    canonical: &[u8],
) -> [u8; 32] {
    out.reserve(canonical.len() + 256);
    out.extend_from_slice(PREFIX);
    out.extend_from_slice(&hex::digits32(&action.0));
    out.extend_from_slice(b"\",\"part\":");
    json::push_string(out, part);
    out.extend_from_slice(b",\"salt\":\"");
    out.extend_from_slice(&hex::digits64(salt));
    out.extend_from_slice(PAYLOAD);
    out.extend_from_slice(canonical);
    out.extend_from_slice(b"}\n");
    payload_hash(salt, canonical)
}

/// A sidecar line taken apart by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SidecarLine<'a> {
    /// The call.
    pub action: ActionId,
    /// The part's name.
    pub part: &'a str,
    /// The salt; zero once erased.
    pub salt: [u8; 32],
    /// Canonical bytes; `0` and spaces once erased.
    pub payload: &'a [u8],
    /// Where the salt's 64 digits begin in the line.
    pub salt_at: usize,
}

impl<'a> SidecarLine<'a> {
    /// Takes a line apart, given without its newline; `None` where it is none.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_prefix(PREFIX)?;
        let action = ActionId(hex::parse(rest.get(..32)?)?);
        let rest = rest.get(32..)?.strip_prefix(PART)?;
        let end = memchr::memchr(b'"', rest)?;
        let part = std::str::from_utf8(rest.get(..end)?).ok()?;
        let rest = rest.get(end..)?.strip_prefix(SALT)?;
        let salt_at = line.len() - rest.len();
        let salt = hex::parse(rest.get(..64)?)?;
        let payload = rest.get(64..)?.strip_prefix(PAYLOAD)?.strip_suffix(END)?;
        Some(Self { action, part, salt, payload, salt_at })
    }

    /// Whether it was erased: a zero salt and nothing but `0` and spaces.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.salt == [0; 32]
            && self.payload.split_first().is_some_and(|(first, rest)| *first == b'0' && rest.iter().all(|b| *b == b' '))
    }

    /// What takes the place of everything from [`Self::salt_at`] to the line's end when a payload of so many bytes is
    /// erased.
    #[must_use]
    pub fn erasure(payload_length: usize) -> Vec<u8> {
        let mut out = vec![b'0'; 64];
        out.extend_from_slice(PAYLOAD);
        out.push(b'0');
        out.resize(64 + PAYLOAD.len() + payload_length, b' ');
        out.extend_from_slice(END);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back_and_erases_to_the_same_length() {
        let mut out = Vec::new();
        let hash = push_sidecar_line(&mut out, ActionId([9; 16]), "arguments", &[3; 32], br#"{"a":"x"}"#);
        let line = out.strip_suffix(b"\n").unwrap();
        let parsed = SidecarLine::parse(line).unwrap();
        assert_eq!((parsed.part, parsed.payload), ("arguments", br#"{"a":"x"}"#.as_slice()));
        assert_eq!(payload_hash(&parsed.salt, parsed.payload), hash);
        assert!(!parsed.is_erased());
        let mut erased = line[..parsed.salt_at].to_vec();
        erased.extend(SidecarLine::erasure(parsed.payload.len()));
        assert_eq!(erased.len(), line.len());
        assert!(SidecarLine::parse(&erased).unwrap().is_erased());
        serde_json::from_slice::<serde_json::Value>(&erased).unwrap();
    }
}
