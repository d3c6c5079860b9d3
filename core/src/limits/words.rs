//! What the machine keeps its state in: words of 64 bits that survive its process.

/// Words of one counter, all zero before its first use.
///
/// The machine holds on to no word between two calls and never relies on two stores being one.
pub trait Words {
    /// How many there are.
    fn len(&self) -> usize;

    /// The word at `index`; 0 beyond the end.
    fn get(&self, index: usize) -> u64;

    /// Stores a word; beyond the end nothing happens.
    fn set(&mut self, index: usize, word: u64);

    /// Makes room for `len` words, the new ones zero and the others kept; `false` where there is no room, and all is as before.
    fn grow(&mut self, len: usize) -> bool;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Words for Vec<u64> {
    fn len(&self) -> usize {
        self.len()
    }

    fn get(&self, index: usize) -> u64 {
        self.as_slice().get(index).copied().unwrap_or(0)
    }

    fn set(&mut self, index: usize, word: u64) {
        if let Some(place) = self.get_mut(index) {
            *place = word;
        }
    }

    fn grow(&mut self, len: usize) -> bool {
        if len > self.len() {
            self.resize(len, 0);
        }
        true
    }
}
