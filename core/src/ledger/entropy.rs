//! Randomness for salts, ids and keys: drawn from the machine in blocks, or fixed where a ledger must come out the same
//! every time.

use crate::error::{Error, ErrorCode};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

/// Bytes fetched at once: one system call for 128 salts.
const BLOCK: usize = 4096;

/// A source of randomness. One thread owns it; a forked child must make its own.
#[derive(Debug)]
pub struct Entropy {
    block: Vec<u8>,
    used: usize,
    seed: Option<([u8; 32], u64)>,
}

impl Entropy {
    /// The machine's generator.
    #[must_use]
    pub const fn system() -> Self {
        Self { block: Vec::new(), used: 0, seed: None }
    }

    /// The same bytes for the same seed, for test vectors: SHA-256(seed ‖ counter). Nothing drawn from it is secret.
    #[must_use]
    pub const fn fixed(seed: [u8; 32]) -> Self {
        Self { block: Vec::new(), used: 0, seed: Some((seed, 0)) }
    }

    /// The next `N` bytes, at most 64.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where the machine has no randomness to give.
    pub fn draw<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        const { assert!(N <= 64) };
        if self.block.len() - self.used < N {
            self.refill()?;
        }
        let mut out = [0; N];
        if let Some(from) = self.block.get_mut(self.used..self.used + N) {
            out.copy_from_slice(from);
            from.zeroize();
            self.used += N;
        }
        Ok(out)
    }

    fn refill(&mut self) -> Result<(), Error> {
        self.block.resize(BLOCK, 0);
        match &mut self.seed {
            None => getrandom::fill(&mut self.block).map_err(|error| {
                Error::new(ErrorCode::LedgerIo, format!("the machine gave no randomness for the ledger: {error}"))
            })?,
            Some((seed, counter)) => {
                for chunk in self.block.chunks_exact_mut(32) {
                    chunk.copy_from_slice(
                        &Sha256::new().chain_update(*seed).chain_update(counter.to_be_bytes()).finalize(),
                    );
                    *counter += 1;
                }
            }
        }
        self.used = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_blocks_do_not() {
        let (mut a, mut b) = (Entropy::fixed([7; 32]), Entropy::fixed([7; 32]));
        let drawn: Vec<[u8; 32]> = (0..300).map(|_| a.draw().unwrap()).collect();
        let again: Vec<[u8; 32]> = (0..300).map(|_| b.draw().unwrap()).collect();
        assert_eq!(drawn, again);
        let distinct: std::collections::BTreeSet<_> = drawn.iter().collect();
        assert_eq!(distinct.len(), 300);
    }

    #[test]
    fn the_machine_does_not_repeat_itself() {
        let mut entropy = Entropy::system();
        let drawn: std::collections::BTreeSet<[u8; 16]> = (0..1000).map(|_| entropy.draw().unwrap()).collect();
        assert_eq!(drawn.len(), 1000);
    }
}
