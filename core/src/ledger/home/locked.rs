//! The home's lock, and the index that is written under it.

use super::Home;
use crate::error::{Error, ErrorCode};
use crate::ledger::files::{io_error, open_file};
use crate::ledger::index::{IndexLine, IndexTree};
use crate::ledger::lock::FileLock;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// Read of the index at once.
const BLOCK: usize = 256 * 1024;
/// No line of an index comes near it; whatever does is not one, and is not read into memory.
const LONGEST: usize = 8 * 1024 * 1024;

/// The home's lock, held until this is dropped.
#[derive(Debug)]
pub struct HomeLock<'a> {
    home: &'a Home,
    _lock: FileLock,
}

impl<'a> HomeLock<'a> {
    pub(super) fn acquire(home: &'a Home) -> Result<Self, Error> {
        Ok(Self { home, _lock: FileLock::acquire(&home.path().join("lock"))? })
    }

    /// The home that is locked.
    #[must_use]
    pub const fn home(&self) -> &Home {
        self.home
    }

    /// Brings `tree` up to what other processes added to the index, cutting a line that a dead one left torn.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where the disk fails, [`ErrorCode::LedgerCorrupt`] where the index became shorter.
    pub fn catch_up(&self, tree: &mut IndexTree) -> Result<(), Error> {
        self.open_index(tree).map(|_| ())
    }

    /// Appends lines to the index and syncs it. A line torn by a dead process is cut first; a failed append is undone by
    /// the next one, since lines are written where `tree` ends.
    ///
    /// # Errors
    /// As [`Self::catch_up`].
    pub fn append_index(&self, tree: &mut IndexTree, lines: &[IndexLine]) -> Result<(), Error> {
        let path = self.home.index_path();
        let file = self.open_index(tree)?;
        let mut text = Vec::new();
        for line in lines {
            text.extend_from_slice(&line.render());
            text.push(b'\n');
        }
        file.write_all_at(&text, tree.bytes()).map_err(|error| io_error(&path, "written", &error))?;
        file.sync_data().map_err(|error| io_error(&path, "synced", &error))?;
        tree.extend(&text);
        Ok(())
    }

    fn open_index(&self, tree: &mut IndexTree) -> Result<File, Error> {
        let path = self.home.index_path();
        let file = open_file(&path)?;
        let size = file.metadata().map_err(|error| io_error(&path, "read", &error))?.len();
        let corrupt = |what: &str| {
            Error::new(
                ErrorCode::LedgerCorrupt,
                format!("the index `{}` {what}; run `counterseal ledger verify`", path.display()),
            )
            .with("path", path.display())
        };
        let mut window = BLOCK;
        let mut added = Vec::new();
        loop {
            let Some(new) = size.checked_sub(tree.bytes()) else {
                return Err(corrupt("lost lines while it was in use"));
            };
            let read = usize::try_from(new).unwrap_or(usize::MAX).min(window);
            added.resize(read, 0);
            file.read_exact_at(&mut added, tree.bytes()).map_err(|error| io_error(&path, "read", &error))?;
            let torn = tree.extend(&added);
            if read as u64 == new {
                if torn > 0 {
                    file.set_len(tree.bytes()).map_err(|error| io_error(&path, "written", &error))?;
                }
                return Ok(file);
            }
            if torn == read as u64 {
                // not one line ends in it
                if window >= LONGEST {
                    return Err(corrupt("has a line that is longer than any of its own"));
                }
                window *= 2;
            }
        }
    }
}
