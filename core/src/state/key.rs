//! What an entry is found by.

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
/// id, an argument) can make two of them meet. Made by [`super::State::key`]; worth keeping where the same entry is asked for
/// again. It does not outlive the table: a new table has a new secret.
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
}

/// The key of `parts` under `secret`. Every part is preceded by its length: `["ab", "c"]` is another key than `["a", "bc"]`.
pub(super) fn key_of(secret: &[u8; 16], kind: Kind, parts: &[&[u8]]) -> Key {
    use siphasher::sip128::{Hasher128 as _, SipHasher24};
    use std::hash::Hasher as _;
    let mut hasher = SipHasher24::new_with_key(secret);
    hasher.write(&[kind as u8]);
    for part in parts {
        hasher.write(&(part.len() as u64).to_le_bytes());
        hasher.write(part);
    }
    let hash = hasher.finish128();
    Key { high: hash.h1, low: hash.h2, kind }
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
}
