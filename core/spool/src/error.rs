//! Why a record was not taken, and why a spool left by another process cannot be read.

use std::io;

/// Why a record was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// No room came free in time.
    #[error("no room came free in the spool in time")]
    Full,
    /// The record is larger than a spool of this capacity takes.
    #[error("a record of {size} bytes is larger than the {limit} bytes this spool takes")]
    TooLarge {
        /// Bytes of the record.
        size: usize,
        /// The most it takes: a quarter of the capacity.
        limit: usize,
    },
    /// It was sealed: its owner is closing.
    #[error("the spool was closed")]
    Sealed,
    /// This process was forked from the one that owns the spool.
    #[error("the spool belongs to the process this one was forked from")]
    Forked,
    /// The spool is a plain file (no shared mappings on its file system) and could not be written.
    #[error("the spool could not be written: {0}")]
    Io(#[from] io::Error),
}

/// Why a spool left by another process cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LeftoverError {
    /// The file could not be read.
    #[error("the spool could not be read: {0}")]
    Io(#[from] io::Error),
    /// It was written in a format this version does not know.
    #[error("the spool has format version {0}, which this version does not read")]
    Version(u32),
    /// Its header is impossible.
    #[error("the spool's header is damaged: {0}")]
    Damaged(&'static str),
}
