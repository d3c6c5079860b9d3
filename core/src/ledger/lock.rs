//! Whole-file POSIX record locks (`F_SETLK`), which the death of their process always releases.
//!
//! Such a lock belongs to the process: threads do not exclude each other by it, and closing *any* descriptor of the file
//! releases it. So every lock file is opened through here, where a table of this process keeps at most one descriptor of
//! each open and makes threads wait for each other. A forked child inherits no locks; it starts with an empty table.

use super::files::open_regular;
use crate::error::{Error, ErrorCode};
use arc_swap::ArcSwap;
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, fcntl_getlk};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};

/// Device and inode: one file, whatever path leads to it.
type FileKey = (u64, u64);

#[derive(Debug)]
struct Table {
    process: u32,
    /// The files whose lock this process holds, and whether only as an heir.
    held: Mutex<BTreeMap<FileKey, bool>>,
    released: Condvar,
}

impl Table {
    fn new() -> Arc<Self> {
        Arc::new(Self { process: std::process::id(), held: Mutex::default(), released: Condvar::new() })
    }

    /// This process's table. In a forked child the parent's is left as it is: one of its threads may have held the mutex.
    fn get() -> Arc<Self> {
        static TABLE: LazyLock<ArcSwap<Table>> = LazyLock::new(|| ArcSwap::new(Table::new()));
        let table = TABLE.load_full();
        if table.process == std::process::id() {
            return table;
        }
        TABLE.compare_and_swap(&table, Self::new());
        TABLE.load_full()
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<FileKey, bool>> {
        // the map is whole whenever its mutex is free, even if a thread died holding it
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A held lock. It is released when this is dropped.
#[derive(Debug)]
pub struct FileLock {
    file: Option<File>,
    key: FileKey,
    table: Arc<Table>,
}

impl FileLock {
    /// Waits until nobody else holds the lock of the file at `path`, which is made if it is missing.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where the file cannot be made, opened or locked.
    pub fn acquire(path: &Path) -> Result<Self, Error> {
        let table = Table::get();
        let mut held = table.held();
        let (file, key) = loop {
            match reserve(&held, path)? {
                Some(reserved) => break reserved,
                None => held = table.released.wait(held).unwrap_or_else(PoisonError::into_inner),
            }
        };
        held.insert(key, false);
        drop(held);
        let lock = Self { file: Some(file), key, table };
        lock.set(path, FlockOperation::LockExclusive)?;
        Ok(lock)
    }

    /// The lock if nobody else holds it.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where the file cannot be made, opened or locked.
    pub fn try_acquire(path: &Path) -> Result<Option<Self>, Error> {
        Self::attempt(path, false)
    }

    /// Whether this or another process holds the lock of the file at `path`. A missing file is not locked.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where the file cannot be opened.
    pub fn is_held(path: &Path) -> Result<bool, Error> {
        Self::probe(path, FlockType::WriteLock)
    }

    /// As [`FileLock::is_held`], but for holders that are only the heirs of the file's process ([`FileLock::try_inherit`]).
    ///
    /// # Errors
    /// Those of [`FileLock::is_held`].
    pub fn is_lived_in(path: &Path) -> Result<bool, Error> {
        Self::probe(path, FlockType::ReadLock)
    }

    /// As [`FileLock::try_acquire`], in the place of the dead process whose file it is: it excludes everybody, and tells nobody that
    /// that process lives ([`FileLock::is_lived_in`]).
    ///
    /// # Errors
    /// Those of [`FileLock::try_acquire`].
    pub fn try_inherit(path: &Path) -> Result<Option<Self>, Error> {
        let lock = Self::attempt(path, true)?;
        // of a lock that this process holds alone the change is one step, and never waits; until then other processes may take
        // this one for the dead one, and ask people anew
        lock.as_ref().map_or(Ok(true), |lock| lock.set(path, FlockOperation::NonBlockingLockShared))?;
        Ok(lock)
    }

    fn attempt(path: &Path, heir: bool) -> Result<Option<Self>, Error> {
        let table = Table::get();
        let mut held = table.held();
        let Some((file, key)) = reserve(&held, path)? else { return Ok(None) };
        held.insert(key, heir);
        drop(held);
        let lock = Self { file: Some(file), key, table };
        Ok(if lock.set(path, FlockOperation::NonBlockingLockExclusive)? { Some(lock) } else { None })
    }

    fn probe(path: &Path, against: FlockType) -> Result<bool, Error> {
        let table = Table::get();
        // held throughout: a descriptor opened here and closed while a thread locks the file would release that lock
        let held = table.held();
        let found = match std::fs::symlink_metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(unusable(path, &error)),
        };
        if let Some(heir) = held.get(&(found.dev(), found.ino())) {
            return Ok(!heir || against == FlockType::WriteLock);
        }
        let opened = open_regular(OpenOptions::new().read(true).write(true), path)
            .or_else(|_| open_regular(OpenOptions::new().read(true), path));
        let file = match opened {
            Ok(file) => file,
            // removed since it was looked at
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(unusable(path, &error)),
        };
        let other = fcntl_getlk(&file, &Flock::from(against)).map_err(|error| unusable(path, &error.into()))?;
        Ok(other.is_some())
    }

    fn set(&self, path: &Path, operation: FlockOperation) -> Result<bool, Error> {
        let Some(file) = &self.file else { return Ok(false) };
        loop {
            match fcntl_lock(file, operation) {
                Ok(()) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN | Errno::ACCESS) => return Ok(false),
                Err(error) => return Err(unusable(path, &error.into())),
            }
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        let mut held = self.table.held();
        self.file = None;
        held.remove(&self.key);
        drop(held);
        self.table.released.notify_all();
    }
}

/// Opens the file for locking, unless this process has it open already.
fn reserve(held: &BTreeMap<FileKey, bool>, path: &Path) -> Result<Option<(File, FileKey)>, Error> {
    let io = |error| unusable(path, &error);
    match std::fs::symlink_metadata(path) {
        Ok(found) if held.contains_key(&(found.dev(), found.ino())) => return Ok(None),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(unusable(path, &error)),
    }
    let file = open_regular(OpenOptions::new().read(true).write(true).create(true).mode(0o600), path).map_err(io)?;
    let opened = file.metadata().map_err(io)?;
    Ok(Some((file, (opened.dev(), opened.ino()))))
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorCode::LedgerIo, format!("the lock `{}` cannot be used: {error}", path.display()))
        .with("path", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_heir_excludes_others_and_does_not_count_as_the_living() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = FileLock::acquire(&path).unwrap();
        assert!(FileLock::is_lived_in(&path).unwrap());
        drop(lock);
        let lock = FileLock::try_inherit(&path).unwrap().unwrap();
        assert_eq!((FileLock::is_lived_in(&path).unwrap(), FileLock::is_held(&path).unwrap()), (false, true));
        assert!(FileLock::try_acquire(&path).unwrap().is_none());
        drop(lock);
        assert!(!FileLock::is_held(&path).unwrap());
    }

    #[test]
    fn threads_exclude_each_other_and_the_lock_comes_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert!(!FileLock::is_held(&path).unwrap());
        let lock = FileLock::acquire(&path).unwrap();
        assert!(FileLock::is_held(&path).unwrap());
        assert!(FileLock::try_acquire(&path).unwrap().is_none());
        let second = folder.path().join("second");
        std::fs::hard_link(&path, &second).unwrap();
        assert!(FileLock::try_acquire(&second).unwrap().is_none(), "another name of the same file");
        drop(lock);
        assert!(!FileLock::is_held(&path).unwrap());
        assert!(FileLock::try_acquire(&path).unwrap().is_some());
    }

    #[test]
    fn waiting_threads_count_to_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let (path, count) = (folder.path().join("lock"), folder.path().join("count"));
        std::fs::write(&count, "0").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        let _lock = FileLock::acquire(&path).unwrap();
                        let before: u32 = std::fs::read_to_string(&count).unwrap().parse().unwrap();
                        std::fs::write(&count, (before + 1).to_string()).unwrap();
                    }
                });
            }
        });
        assert_eq!(std::fs::read_to_string(&count).unwrap(), "200");
    }
}
