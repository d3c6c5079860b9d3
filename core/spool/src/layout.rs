//! Where things lie in a spool file: the header page and the slots. Little-endian; `docs/formats.md` section 8.

/// Bytes of the header; the ring follows. A page on every supported system divides it or equals it, and the ring is
/// reached through one mapping together with it, so nothing depends on the page size.
pub(crate) const HEADER: usize = 4096;
/// First bytes of a spool whose creation was finished; written last.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"CSSPOOL1");
/// Version of this layout.
pub(crate) const VERSION: u32 = 1;

/// Offsets in the header. Words that different threads write have a cache line each.
pub(crate) mod at {
    pub(crate) const MAGIC: usize = 0;
    /// `version | mode << 32`.
    pub(crate) const VERSION_MODE: usize = 8;
    pub(crate) const CAPACITY: usize = 16;
    pub(crate) const PID: usize = 24;
    pub(crate) const STREAM: usize = 32;
    pub(crate) const NONCE: usize = 48;
    pub(crate) const BOOT: usize = 64;
    /// Where the next record will be reserved: an absolute position, never reduced.
    pub(crate) const HEAD: usize = 128;
    /// Up to where records were consumed; what producers compare with.
    pub(crate) const TAIL: usize = 256;
    /// Records refused because the spool stayed full.
    pub(crate) const REFUSED: usize = 384;
    /// Which of the two progress entries holds: 0 or 1.
    pub(crate) const WHICH: usize = 512;
    /// Two entries of four words: tail, note, refusals accounted for, base.
    pub(crate) const PROGRESS: [usize; 2] = [576, 640];
}

/// The ring is mapped.
pub(crate) const MODE_RING: u32 = 0;
/// Records are appended to the file with one write(2) each.
pub(crate) const MODE_PLAIN: u32 = 1;

/// Set in the head when nothing more may be appended. Positions stay below it: at a gigabyte a second for 292 years.
pub(crate) const SEALED: u64 = 1 << 63;

/// Bytes before a record's payload: the commit marker and the shape word.
pub(crate) const SLOT_HEADER: usize = 16;
/// Slots begin at multiples of this, so that a slot header always fits before the ring's end.
pub(crate) const ALIGN: u64 = 16;

/// What a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A record.
    Record,
    /// The rest of the ring before a record that would not have fitted in one piece.
    Pad,
    /// A record whose producer panicked while it wrote it.
    Abandoned,
}

/// The shape word: payload length, class and the caller's kind in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) length: u32,
    pub(crate) class: Class,
    pub(crate) kind: u8,
}

impl Shape {
    pub(crate) fn pack(self) -> u64 {
        let class = match self.class {
            Class::Record => 1u64,
            Class::Pad => 2,
            Class::Abandoned => 3,
        };
        u64::from(self.length) | class << 32 | u64::from(self.kind) << 40
    }

    /// `None` for a word that [`Shape::pack`] cannot have made.
    pub(crate) fn unpack(word: u64) -> Option<Self> {
        let [l0, l1, l2, l3, class, kind, 0, 0] = word.to_le_bytes() else { return None };
        let class = match class {
            1 => Class::Record,
            2 => Class::Pad,
            3 => Class::Abandoned,
            _ => return None,
        };
        Some(Self { length: u32::from_le_bytes([l0, l1, l2, l3]), class, kind })
    }
}

/// Bytes a payload of `length` takes in the ring, slot header and alignment included.
pub(crate) const fn slot_size(length: usize) -> u64 {
    ((SLOT_HEADER + length) as u64).next_multiple_of(ALIGN)
}

/// Capacities are powers of two from 4 KiB to 1 GiB, so that a position's place is a mask.
pub(crate) fn round_capacity(asked: usize) -> u64 {
    (asked as u64).clamp(4096, 1 << 30).next_power_of_two()
}

/// How far the consumer has come; replaced as a whole, so that a kill leaves the old or the new one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Everything before this position was consumed.
    pub(crate) tail: u64,
    /// What the consumer wanted remembered with it.
    pub(crate) note: u64,
    /// How many of the refusals it has accounted for.
    pub(crate) refused: u64,
    /// The position of the first byte after the header; always 0 in a ring.
    pub(crate) base: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_survive_packing_and_other_words_are_refused() {
        for class in [Class::Record, Class::Pad, Class::Abandoned] {
            let shape = Shape { length: u32::MAX, class, kind: 255 };
            assert_eq!(Shape::unpack(shape.pack()), Some(shape));
        }
        assert_eq!(Shape::unpack(0), None);
        assert_eq!(Shape::unpack(u64::MAX), None);
    }

    #[test]
    fn sizes_are_aligned_and_capacities_are_powers_of_two() {
        assert_eq!(slot_size(0), 16);
        assert_eq!(slot_size(1), 32);
        assert_eq!(slot_size(16), 32);
        assert_eq!(round_capacity(0), 4096);
        assert_eq!(round_capacity(4097), 8192);
        assert_eq!(round_capacity(usize::MAX), 1 << 30);
    }
}
