//! Checkpoints as C2SP signed notes (`c2sp.org/signed-note`, `c2sp.org/tlog-checkpoint`): the home's tree size and root,
//! signed, with two lines more: the next key of the ratchet and the time.

use super::record::time::{Stamp, parse_time};
use crate::clock::UnixNanos;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

/// The algorithm byte of Ed25519 in the signed-note specification.
const ED25519: u8 = 1;
const SIGNATURE_LINE: &str = "\u{2014} ";

/// A public key with its name: `<name>+<8 hex of key hash>+<base64 of 0x01 ‖ public key>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    /// The name that signs: the home's origin.
    pub name: String,
    /// The raw Ed25519 public key.
    pub key: [u8; 32],
}

impl VerifierKey {
    /// The first 4 bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key).
    #[must_use]
    pub fn hash(&self) -> [u8; 4] {
        let digest =
            Sha256::new().chain_update(&self.name).chain_update([b'\n', ED25519]).chain_update(self.key).finalize();
        digest.first_chunk().copied().unwrap_or_default()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, super::hex::text(&self.hash()), encode_key(&self.key))
    }
}

/// The text is no verifier key of an Ed25519 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a verifier key is `<name>+<8 hex>+<base64>` of an ed25519 key")]
pub struct BadVerifierKey;

impl FromStr for VerifierKey {
    type Err = BadVerifierKey;

    fn from_str(text: &str) -> Result<Self, BadVerifierKey> {
        let mut fields = text.splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(BadVerifierKey);
        };
        let verifier = Self { name: name.to_owned(), key: decode_key(key).ok_or(BadVerifierKey)? };
        if name.is_empty() || hash != super::hex::text(&verifier.hash()) {
            return Err(BadVerifierKey);
        }
        Ok(verifier)
    }
}

fn encode_key(key: &[u8; 32]) -> String {
    let mut raw = [ED25519; 33];
    if let Some((_, place)) = raw.split_first_mut() {
        place.copy_from_slice(key);
    }
    BASE64.encode(raw)
}

fn decode_key(text: &str) -> Option<[u8; 32]> {
    match BASE64.decode(text).ok()?.split_first()? {
        (&ED25519, key) => key.try_into().ok(),
        _ => None,
    }
}

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The home's name: `counterseal/<32 hex>`.
    pub origin: String,
    /// How many lines of the index it covers.
    pub size: u64,
    /// The Merkle root over those lines.
    pub root: [u8; 32],
    /// The public key that will sign the next checkpoint.
    pub next: [u8; 32],
    /// When it was made.
    pub time: UnixNanos,
}

impl Checkpoint {
    /// The signed text, up to and including the newline before the empty line.
    #[must_use]
    pub fn body(&self) -> String {
        let mut stamp = Stamp::new();
        format!(
            "{}\n{}\n{}\nnext {}\ntime {}\n",
            self.origin,
            self.size,
            BASE64.encode(self.root),
            encode_key(&self.next),
            String::from_utf8_lossy(stamp.text(self.time)),
        )
    }

    /// The note: the body, an empty line and the signature's line.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        let mut note = self.body();
        let verifier = VerifierKey { name: self.origin.clone(), key: key.verifying_key().to_bytes() };
        let mut signature = verifier.hash().to_vec();
        signature.extend_from_slice(&key.sign(note.as_bytes()).to_bytes());
        // writing to a string cannot fail
        let _ = writeln!(note, "\n{SIGNATURE_LINE}{} {}", self.origin, BASE64.encode(signature));
        note
    }
}

/// A checkpoint with its signature, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it says.
    pub checkpoint: Checkpoint,
    key_hash: [u8; 4],
    signature: [u8; 64],
}

impl Note {
    /// Reads one note, without the empty line that follows it in files. Only the exact form of `docs/formats.md` is read.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let origin = lines.next()?.to_owned();
        let size = lines.next()?;
        let checkpoint = Checkpoint {
            size: size.parse().ok()?,
            root: BASE64.decode(lines.next()?).ok()?.try_into().ok()?,
            next: decode_key(lines.next()?.strip_prefix("next ")?)?,
            time: parse_time(lines.next()?.strip_prefix("time ")?.as_bytes())?,
            origin,
        };
        if !lines.next()?.is_empty() {
            return None;
        }
        let (name, signature) = lines.next()?.strip_prefix(SIGNATURE_LINE)?.rsplit_once(' ')?;
        let raw = BASE64.decode(signature).ok()?;
        let (key_hash, signature) = raw.split_first_chunk()?;
        let note = Self { key_hash: *key_hash, signature: signature.try_into().ok()?, checkpoint };
        // a size such as `+1` or `01` is a number, but not this format's
        let exact = name == note.checkpoint.origin && note.checkpoint.size.to_string() == size;
        (exact && lines.next() == Some("") && lines.next().is_none()).then_some(note)
    }

    /// Whether `key` signed it.
    #[must_use]
    pub fn is_signed_by(&self, key: &VerifierKey) -> bool {
        key.name == self.checkpoint.origin
            && key.hash() == self.key_hash
            && VerifyingKey::from_bytes(&key.key).is_ok_and(|public| {
                let signature = Signature::from_bytes(&self.signature);
                public.verify_strict(self.checkpoint.body().as_bytes(), &signature).is_ok()
            })
    }

    /// The key that signs the note after this one.
    #[must_use]
    pub fn next_key(&self) -> VerifierKey {
        VerifierKey { name: self.checkpoint.origin.clone(), key: self.checkpoint.next }
    }
}

/// Notes one after another, each followed by one empty line, as `checkpoints` and the sink `file` hold them.
///
/// Yields for each the byte offset where it begins and its text with the last newline but without the empty line.
pub fn split_notes(file: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = file.get(at..).filter(|rest| !rest.is_empty())?;
        // the first empty line separates the body, the second ends the note
        let signature = rest.find("\n\n").map_or(rest.len(), |body| body + 2);
        let end =
            rest.get(signature..).and_then(|tail| tail.find("\n\n")).map_or(rest.len(), |end| signature + end + 1);
        let start = at;
        at += (end + 1).min(rest.len());
        Some((start, rest.get(..end).unwrap_or(rest)))
    })
}

/// How many bytes of a file of notes are whole notes; what follows is torn.
#[must_use]
pub fn whole_notes(file: &[u8]) -> usize {
    let text = match std::str::from_utf8(file) {
        Ok(text) => text,
        Err(error) => {
            file.get(..error.valid_up_to()).and_then(|head| std::str::from_utf8(head).ok()).unwrap_or_default()
        }
    };
    split_notes(text)
        .map(|(start, note)| start + note.len() + 1)
        .take_while(|end| *end <= text.len() && text.as_bytes().get(end - 1) == Some(&b'\n'))
        .last()
        .unwrap_or(0)
}

/// Whether `text` is what a kill can leave of a note by `origin`: its beginning and nothing else. An empty one is.
#[must_use]
pub fn is_torn_note(text: &[u8], origin: &str) -> bool {
    type Follows = fn(u8) -> bool;
    let base64: Follows = |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let digit: Follows = |byte| byte.is_ascii_digit();
    let stamp: Follows = |byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'T' | b':' | b'.' | b'Z');
    let none: Follows = |_| false;
    let signature = format!("{SIGNATURE_LINE}{origin} ");
    // of each line: how it begins, what may follow, and at most how much of that
    let lines: [(&str, Follows, usize); 8] = [
        (origin, none, 0),
        ("", digit, 20),
        ("", base64, 44),
        ("next ", base64, 44),
        ("time ", stamp, 30),
        ("", none, 0),
        (&signature, base64, 92),
        ("", none, 0),
    ];
    let mut found = text.split(|byte| *byte == b'\n').peekable();
    let mut expected = lines.into_iter();
    while let Some(line) = found.next() {
        let whole = found.peek().is_some();
        let Some((start, follows, most)) = expected.next() else { return line.is_empty() && !whole };
        let fits = match line.strip_prefix(start.as_bytes()) {
            Some(rest) => rest.len() <= most && rest.iter().all(|byte| follows(*byte)),
            None => !whole && start.as_bytes().starts_with(line),
        };
        if !fits {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "counterseal/00ff".into(), size: 3, root: [1; 32], next: [2; 32], time: UnixNanos(5) }
    }

    /// The example of c2sp.org/signed-note: its key hash belongs to its name and key.
    #[test]
    fn a_published_verifier_key_is_read() {
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key: VerifierKey = text.parse().unwrap();
        assert_eq!(key.to_string(), text);
        assert!(text.replace("c74f20a3", "c74f20a4").parse::<VerifierKey>().is_err());
    }

    /// Go's `golang.org/x/mod/sumdb/note` signs its documentation's example with that key.
    #[test]
    fn a_published_signature_verifies() {
        let key: VerifierKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let text =
            "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        let raw = BASE64
            .decode("x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=")
            .unwrap();
        assert_eq!(raw[..4], key.hash());
        let signature = Signature::from_slice(&raw[4..]).unwrap();
        VerifyingKey::from_bytes(&key.key).unwrap().verify_strict(text.as_bytes(), &signature).unwrap();
    }

    #[test]
    fn a_note_comes_back_and_only_its_signer_fits() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let text = checkpoint().sign(&key);
        let note = Note::parse(&text).unwrap();
        assert_eq!(note.checkpoint, checkpoint());
        let verifier = VerifierKey { name: "counterseal/00ff".into(), key: key.verifying_key().to_bytes() };
        assert!(note.is_signed_by(&verifier));
        assert!(!note.is_signed_by(&VerifierKey { name: "other".into(), ..verifier.clone() }));
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes();
        assert!(!note.is_signed_by(&VerifierKey { key: other, ..verifier }));
    }

    #[test]
    fn no_changed_byte_goes_unnoticed() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let text = checkpoint().sign(&key);
        let verifier = VerifierKey { name: "counterseal/00ff".into(), key: key.verifying_key().to_bytes() };
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let accepted =
                    std::str::from_utf8(&bytes).ok().and_then(Note::parse).is_some_and(|n| n.is_signed_by(&verifier));
                assert!(!accepted, "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn notes_are_told_apart_and_a_torn_one_is_seen() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let note = checkpoint().sign(&key);
        let file = format!("{note}\n{note}\n");
        let found: Vec<_> = split_notes(&file).collect();
        assert_eq!(found, [(0, note.as_str()), (note.len() + 1, note.as_str())]);
        assert_eq!(whole_notes(file.as_bytes()), file.len());
        for cut in 1..=note.len() {
            assert_eq!(whole_notes(&file.as_bytes()[..file.len() - cut]), note.len() + 1, "{cut} bytes cut");
        }
    }

    #[test]
    fn every_beginning_of_a_note_is_torn_and_nothing_else_is() {
        let note = format!("{}\n", checkpoint().sign(&SigningKey::from_bytes(&[3; 32])));
        let origin = "counterseal/00ff";
        for cut in 0..=note.len() {
            assert!(is_torn_note(note.as_bytes().get(..cut).unwrap(), origin), "cut at {cut}");
            let strange = [note.as_bytes().get(..cut).unwrap(), b"!"].concat();
            assert!(!is_torn_note(&strange, origin), "cut at {cut}");
        }
        for other in [&b"counterseal/EVIL EVIL"[..], b"counterseal/00fe", b"\n", b"\0\0", "\u{2014} ".as_bytes()] {
            assert!(!is_torn_note(other, origin));
        }
        assert!(!is_torn_note(format!("{note}\n").as_bytes(), origin));
    }
}
