//! What an entry is found by.

use std::cell::RefCell;

/// Whose words an entry holds. Keys of unlike kinds never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// The facts of a session; the part is the id of its root session.
    Session = 1,
    /// A budget in one scope.
    Budget = 2,
    /// A rate limit in one scope.
    Rate = 3,
    /// A loop limit in one scope.
    Loop = 4,
    /// A call that is open, so that it is not counted again when it is resumed.
    Call = 5,
    /// What a grant of an approver has left.
    Grant = 6,
    /// Tokens and money spent, for reports.
    Usage = 7,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Session, Self::Budget, Self::Rate, Self::Loop, Self::Call, Self::Grant, Self::Usage];
}

/// The name of an entry: a SipHash-2-4 of 128 bits under a secret of the home, so that nobody who chooses parts (a session's
/// id, an argument) can make two of them meet, exclusive-or what the entry is for. Made by [`super::State::key`]; worth keeping where
/// the same entry is asked for again. It does not outlive the table: a new table has a new secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub(super) high: u64,
    pub(super) low: u64,
    pub(super) kind: Kind,
}

impl Key {
    /// Whose entry it names.
    #[must_use]
    pub const fn kind(self) -> Kind {
        self.kind
    }

    /// The key of the same parts in another use, which `purpose` tells from all others. Costs nothing beside hashing, and loses nothing:
    /// two keys meet where their hashes differ by just what their purposes do, which for hashes under a secret is as
    /// unlikely as that they are equal. Entries of the same parts lie in one shard, so that a transaction over them takes one lock.
    #[must_use]
    pub const fn used_for(self, kind: Kind, purpose: [u64; 2]) -> Self {
        let [high, low] = purpose;
        Self { high: self.high ^ high & IN_SHARD, low: self.low ^ low, kind }
    }

    /// The key of the same parts and one more, a hash already that nobody can choose.
    #[must_use]
    pub const fn with_hash(self, hash: [u64; 2]) -> Self {
        let [high, low] = hash;
        Self { high: self.high ^ high, low: self.low ^ low, kind: self.kind }
    }
}

/// The bits of a key that do not choose its shard.
const IN_SHARD: u64 = u64::MAX >> super::layout::SHARDS.trailing_zeros();

/// The longest text whose key a thread keeps at hand.
const KEPT: usize = 64;

/// The last text that a thread asked the key of: calls of one session come after one another.
#[derive(Debug, Clone, Copy)]
struct Last {
    secret: [u8; 16],
    text: [u8; KEPT],
    length: usize,
    key: Key,
}

thread_local! {
    static LAST: RefCell<Last> = const {
        let key = Key { high: 0, low: 0, kind: Kind::Session };
        RefCell::new(Last { secret: [0; 16], text: [0; KEPT], length: usize::MAX, key })
    };
}

/// The key of one text, from the last time where it is the same.
pub(super) fn key_of_text(secret: &[u8; 16], kind: Kind, text: &str) -> Key {
    let hashed = || key_of(secret, kind, &[text.as_bytes()]);
    LAST.with(|last| {
        let Ok(mut last) = last.try_borrow_mut() else { return hashed() };
        if last.length == text.len()
            && last.text.get(..text.len()) == Some(text.as_bytes())
            && (last.key.kind, last.secret) == (kind, *secret)
        {
            return last.key;
        }
        let key = hashed();
        if let Some(place) = last.text.get_mut(..text.len()) {
            place.copy_from_slice(text.as_bytes());
            (last.length, last.secret, last.key) = (text.len(), *secret, key);
        }
        key
    })
}

/// Bytes that are hashed in one go; more are hashed part by part, which takes twice as long.
const AT_ONCE: usize = 192;

/// The key of `parts` under `secret`. Every part is preceded by its length: `["ab", "c"]` is another key than `["a", "bc"]`.
pub(super) fn key_of(secret: &[u8; 16], kind: Kind, parts: &[&[u8]]) -> Key {
    use siphasher::sip128::{Hasher128 as _, SipHasher24};
    use std::hash::Hasher as _;
    let mut hasher = SipHasher24::new_with_key(secret);
    let mut bytes = [0; AT_ONCE];
    let hash = match joined(kind, parts, &mut bytes) {
        Some(whole) => hasher.hash(whole),
        None => {
            hasher.write(&[kind as u8]);
            for part in parts {
                hasher.write(&(part.len() as u64).to_le_bytes());
                hasher.write(part);
            }
            hasher.finish128()
        }
    };
    Key { high: hash.h1, low: hash.h2, kind }
}

/// What is hashed, in one piece; `None` where it does not fit.
fn joined<'b>(kind: Kind, parts: &[&[u8]], into: &'b mut [u8; AT_ONCE]) -> Option<&'b [u8]> {
    let (first, mut rest) = into.split_first_mut()?;
    *first = kind as u8;
    let mut length = 1;
    for part in parts {
        let (size, behind) = rest.split_at_mut_checked(8)?;
        size.copy_from_slice(&(part.len() as u64).to_le_bytes());
        let (place, behind) = behind.split_at_mut_checked(part.len())?;
        place.copy_from_slice(part);
        rest = behind;
        length += 8 + part.len();
    }
    into.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn kinds_parts_and_secrets_make_unlike_keys() {
        let mut keys = BTreeSet::new();
        let parts: [&[&[u8]]; 5] = [&[], &[b""], &[b"ab", b"c"], &[b"a", b"bc"], &[b"abc"]];
        for secret in [[0; 16], [1; 16]] {
            for kind in Kind::ALL {
                for part in parts {
                    let key = key_of(&secret, kind, part);
                    assert_eq!(key, key_of(&secret, kind, part));
                    keys.insert((key.high, key.low));
                }
            }
        }
        assert_eq!(keys.len(), 2 * Kind::ALL.len() * parts.len());
    }

    #[test]
    fn purposes_and_hashes_tell_keys_apart_within_a_shard() {
        let mut keys = BTreeSet::new();
        for secret in [[0; 16], [1; 16]] {
            for text in ["", "s-1", "s-2", &"x".repeat(KEPT), &"x".repeat(KEPT + 1)] {
                let whole = key_of(&secret, Kind::Session, &[text.as_bytes()]);
                for _again in 0..2 {
                    assert_eq!(key_of_text(&secret, Kind::Session, text), whole);
                }
                keys.insert((whole.high, whole.low));
                for purpose in [[1, 0], [0, 1], [u64::MAX, 0]] {
                    let key = whole.used_for(Kind::Rate, purpose);
                    assert_eq!((key.kind, key.high >> 58), (Kind::Rate, whole.high >> 58));
                    keys.insert((key.high, key.low));
                    keys.insert((key.with_hash([5 << 60, 5]).high, key.with_hash([5 << 60, 5]).low));
                }
            }
        }
        assert_eq!(keys.len(), 2 * 5 * (1 + 3 + 3));
    }

    #[test]
    fn a_key_is_the_same_however_its_parts_are_hashed() {
        use siphasher::sip128::{Hasher128 as _, SipHasher24};
        use std::hash::Hasher as _;
        for length in [0, 1, 7, 8, 100, AT_ONCE - 18, AT_ONCE - 17, AT_ONCE - 16, AT_ONCE, 1000] {
            let part = vec![b'x'; length];
            let mut pieces = SipHasher24::new_with_key(&[3; 16]);
            pieces.write(&[Kind::Loop as u8]);
            for part in [&part[..], b""] {
                pieces.write(&(part.len() as u64).to_le_bytes());
                pieces.write(part);
            }
            let (key, hash) = (key_of(&[3; 16], Kind::Loop, &[&part, b""]), pieces.finish128());
            assert_eq!((key.high, key.low), (hash.h1, hash.h2), "{length}");
        }
    }
}
