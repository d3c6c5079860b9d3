//! How much a spool holds, as another process sees it while its own lives.

use crate::error::LeftoverError;
use crate::layout::{HEADER, MAGIC, MODE_PLAIN, MODE_RING, SEALED, VERSION, at};
use crate::leftover::{halves, open, progress, word};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Positions of a spool at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The process that made it.
    pub pid: u32,
    /// Where the next record would be reserved.
    pub head: u64,
    /// Up to where the consumer has taken records and overwritten them. Once it has reached an earlier `head`, nothing
    /// that was recorded before then is in the file.
    pub tail: u64,
}

/// Reads how much the spool at `path` holds; `None` for one that is not finished.
///
/// # Errors
/// The file cannot be read, is of another version, or has an impossible header.
pub fn read_extent(path: &Path) -> Result<Option<Extent>, LeftoverError> {
    let file = open(path)?;
    let mut header = [0u8; HEADER];
    match file.read_exact_at(&mut header, 0) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    // after the header: a file cut in between has given everything back
    let size = file.metadata()?.len();
    let value = |offset| word(&header, offset).unwrap_or(0);
    if value(at::MAGIC) != MAGIC {
        return Ok(None);
    }
    let [version, mode] = halves(value(at::VERSION_MODE));
    let head = match (version, mode) {
        (VERSION, MODE_RING) => value(at::HEAD) & !SEALED,
        (VERSION, MODE_PLAIN) => progress(&header).base.saturating_add(size.saturating_sub(HEADER as u64)),
        (VERSION, _) => return Err(LeftoverError::Damaged("its mode is not one that is ever made")),
        _ => return Err(LeftoverError::Version(version)),
    };
    let [pid, _] = halves(value(at::PID));
    Ok(Some(Extent { pid, head, tail: value(at::TAIL) }))
}
