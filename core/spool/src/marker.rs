//! The commit marker: what tells a finished record from everything else that may lie in its place.

/// Makes markers from positions under a secret nonce.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marker {
    add: u64,
    mask: u64,
}

impl Marker {
    pub(crate) fn new(nonce: [u8; 16]) -> Self {
        let [a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7] = nonce;
        Self {
            add: u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7]),
            mask: u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]),
        }
    }

    /// The marker of the slot at the absolute position `position`. It carries the lap, so that what an earlier lap left in
    /// the same place does not match; it is never 0, which is what fresh pages hold. A payload can hold a marker only by
    /// guessing 63 bits: the nonce never leaves the 0600 file, and no marker is ever shown to anyone.
    /// Mixing: splitmix64's finaliser (Steele, Lea, Flood, 2014), a bijection, so no two positions share one before the last step.
    #[inline]
    pub(crate) fn of(self, position: u64) -> u64 {
        let mut x = position.wrapping_add(self.add);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) ^ self.mask) | 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn laps_and_nonces_do_not_share_markers() {
        let mut seen = HashSet::new();
        for nonce in [[1u8; 16], [2u8; 16]] {
            let marker = Marker::new(nonce);
            for position in (0..1_000_000u64).step_by(16) {
                assert_ne!(marker.of(position), 0);
                assert!(seen.insert(marker.of(position)));
            }
        }
    }
}
