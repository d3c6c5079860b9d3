//! The Merkle tree of RFC 9162 §2.1.1 over records and index lines, grown leaf by leaf: only the roots of the complete
//! subtrees are kept, one for each set bit of the size.

use sha2::{Digest, Sha256};

/// A tree that grows. Its memory is logarithmic in its size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// Roots of complete subtrees, largest first: exactly as many as `size` has set bits.
    roots: Vec<[u8; 32]>,
}

impl Tree {
    /// The tree without leaves.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, roots: Vec::new() }
    }

    /// How many leaves it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf: the 32 bytes of a record's hash, or an index line without its newline.
    pub fn push(&mut self, leaf: &[u8]) {
        let mut node = leaf_node(leaf);
        // each trailing one of the old size is a complete subtree as large as the node: they join
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                node = inner(&left, &node);
            }
        }
        self.roots.push(node);
        self.size += 1;
    }

    /// The root over all leaves; of no leaves, the hash of nothing.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        let mut subtrees = self.roots.iter().rev();
        match subtrees.next() {
            None => Sha256::digest([]).into(),
            Some(last) => subtrees.fold(*last, |right, left| inner(left, &right)),
        }
    }
}

/// Records' leaves are 32 bytes long and there are millions of them, so that theirs are hashed in one piece.
fn leaf_node(leaf: &[u8]) -> [u8; 32] {
    let mut joined = [0; 33];
    match joined.split_first_mut() {
        Some((_, place)) if place.len() == leaf.len() => {
            place.copy_from_slice(leaf);
            Sha256::digest(joined).into()
        }
        _ => Sha256::new().chain_update([0]).chain_update(leaf).finalize().into(),
    }
}

fn inner(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut joined = [1; 65];
    if let Some((_, children)) = joined.split_first_mut() {
        let (first, second) = children.split_at_mut(32);
        first.copy_from_slice(left);
        second.copy_from_slice(right);
    }
    Sha256::digest(joined).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::hex;
    use proptest::prelude::*;

    /// The leaves and roots that the Certificate Transparency reference implementation tests itself with.
    #[test]
    fn published_vectors() {
        let leaves: [&[u8]; 8] = [
            &[],
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Tree::new();
        for (size, root) in roots.iter().enumerate() {
            assert_eq!(tree.size(), size as u64);
            assert_eq!(&hex::text(&tree.root()), root, "{size} leaves");
            if let Some(leaf) = leaves.get(size) {
                tree.push(leaf);
            }
        }
    }

    /// RFC 9162 §2.1.1, word for word.
    fn by_definition(leaves: &[Vec<u8>]) -> [u8; 32] {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => Sha256::digest([&[0], leaf.as_slice()].concat()).into(),
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                inner(&by_definition(&leaves[..split]), &by_definition(&leaves[split..]))
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..70)) {
            let mut tree = Tree::new();
            for leaf in &leaves {
                tree.push(leaf);
            }
            prop_assert_eq!(tree.root(), by_definition(&leaves));
        }
    }
}
