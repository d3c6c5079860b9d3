//! The compact binary form of records between the caller and the writer (`docs/formats.md` section 8).
//!
//! Encoding is described once and run twice: over [`encode::Measure`] for the length, over [`encode::Place`] into the
//! reserved slot. Decoding lends everything from the slot. The first byte is the version of the form.

mod decode;
mod encode;

pub(crate) use decode::{Decoded, Malformed, decode};
pub(crate) use encode::{Measure, Omitted, Place, Record, Timed};

/// The version this product writes; it reads every version up to it.
pub(crate) const VERSION: u8 = 1;

/// What stands in a spool, as the slot's kind.
pub(crate) mod kind {
    pub(crate) const DECIDED: u8 = 1;
    pub(crate) const COMPLETED: u8 = 2;
    pub(crate) const POLICY: u8 = 3;
    pub(crate) const APPROVAL: u8 = 4;
    pub(crate) const CONTROL: u8 = 5;
    pub(crate) const ERASED: u8 = 6;
}

/// The length that means: there is none.
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests;
