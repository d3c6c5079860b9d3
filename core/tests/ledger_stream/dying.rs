//! A process whose spool still holds records, and the home it leaves when it is killed.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::reading::{completed, decided};
use counterseal::ledger::{Ledger, Options, Part, StreamId};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What each call has beside its record.
pub(crate) const PARTS: [Part<'_>; 1] = [Part { name: "arguments", canonical: br#"{"amount":5}"# }];

/// A process that leaves records in its spool: its writer sleeps for an hour after each flush.
pub(crate) struct Dying {
    /// Before its folder: it is closed when it is dropped.
    pub(crate) ledger: Ledger,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) next: u64,
    copies: u32,
}

impl Dying {
    pub(crate) fn new(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { group: Duration::from_secs(3600), spool_bytes: 64 << 10, ..options };
        let ledger = Ledger::open(&folder.path().join("home"), options).unwrap();
        Self { folder, ledger, next: 0, copies: 0 }
    }

    pub(crate) fn record(&mut self, count: u64) {
        for _ in 0..count {
            self.ledger.decided(&decided(self.next, &format!("c{}", self.next), &PARTS)).unwrap();
            self.ledger.completed(&completed(self.next)).unwrap();
            self.next += 1;
        }
    }

    pub(crate) fn stream(&self) -> StreamId {
        self.ledger.health().stream.unwrap()
    }

    /// The home as it is now.
    pub(crate) fn copy(&mut self) -> PathBuf {
        self.copies += 1;
        let to = self.folder.path().join(format!("copy-{}", self.copies));
        copy_tree(self.ledger.home().path(), &to);
        to
    }
}

pub(crate) fn copy_tree(from: &Path, to: &Path) {
    std::fs::DirBuilder::new().create(to).unwrap();
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
    let mut entries: Vec<_> = std::fs::read_dir(from).unwrap().map(Result::unwrap).collect();
    // the writer goes on meanwhile: the spool before the sidecar before the segment is what a kill can leave, the other
    // way round a record could be in neither copy
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
    for entry in entries {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
