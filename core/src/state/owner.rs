//! Which processes use a table, whether they live, and what is taken back from those that died.
//!
//! A process has a slot: a file in `owners/` that it holds a POSIX record lock on while it lives, and a word of the table that counts
//! how often the slot was given. A forked child takes a slot of its own with its first transaction.

use super::edit::Table;
use super::error::StateError;
use super::layout::{SLOTS, generation_at};
use crate::ledger::lock::FileLock;
use counterseal_spool::generation;
use counterseal_spool::owned::{Holder, Owner};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// This process among the owners.
#[derive(Debug)]
pub(super) struct Owners {
    directory: PathBuf,
    /// The generation of the process that `current` is of; 0: none.
    of: AtomicU64,
    /// As [`Owner::holding`] of leader 0 would have it.
    slot: AtomicU64,
    number: AtomicU64,
    /// The generation of the process in which a thread is taking a slot; 0: none.
    taking: AtomicU64,
    /// What keeps the slots of this process and of those it was forked from; the latter's are never touched.
    kept: Mutex<Vec<(u64, ManuallyDrop<FileLock>)>>,
}

impl Owners {
    pub(super) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            of: AtomicU64::new(0),
            slot: AtomicU64::new(0),
            number: AtomicU64::new(0),
            taking: AtomicU64::new(0),
            kept: Mutex::default(),
        }
    }

    /// This process. The first time, and after a fork, it takes a slot.
    #[inline]
    pub(super) fn this(&self, table: &Table, patience: Duration) -> Result<Owner, StateError> {
        if self.of.load(Ordering::Acquire) != generation() {
            self.take_slot(table, patience)?;
        }
        let slot = self.slot.load(Ordering::Relaxed) as u16;
        Ok(Owner { slot, generation: self.number.load(Ordering::Relaxed) })
    }

    #[cold]
    fn take_slot(&self, table: &Table, patience: Duration) -> Result<(), StateError> {
        let process = generation();
        while self.of.load(Ordering::Acquire) != process {
            let taking = self.taking.load(Ordering::SeqCst);
            if taking == process {
                // another thread of this process; what a parent left behind is another number
                std::thread::sleep(Duration::from_micros(50));
            } else if self.taking.compare_exchange(taking, process, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                let taken = self.take_slot_alone(table, process, patience);
                self.taking.store(0, Ordering::SeqCst);
                return taken;
            }
        }
        Ok(())
    }

    fn take_slot_alone(&self, table: &Table, process: u64, patience: Duration) -> Result<(), StateError> {
        if self.of.load(Ordering::Acquire) == process {
            return Ok(());
        }
        for slot in 0..SLOTS as u16 {
            let Some(lock) = FileLock::try_acquire(&self.file(slot)).map_err(|error| lock_error(table, &error))? else {
                continue;
            };
            let lock = ManuallyDrop::new(lock);
            let number = self.begin(table, slot, patience);
            let Ok(number) = number else {
                drop(ManuallyDrop::into_inner(lock));
                return number.map(|_| ());
            };
            self.slot.store(u64::from(slot), Ordering::Relaxed);
            self.number.store(number, Ordering::Relaxed);
            self.keep(process, lock);
            self.of.store(process, Ordering::Release);
            return Ok(());
        }
        Err(StateError::Full("every place for a process is taken"))
    }

    fn keep(&self, process: u64, lock: ManuallyDrop<FileLock>) {
        // a thread of the parent may have held it when this process was forked off: then the lock is kept by never being dropped
        if let Ok(mut kept) = self.kept.try_lock() {
            kept.push((process, lock));
        }
    }

    /// Takes back what the last process of the slot left behind, then counts.
    fn begin(&self, table: &Table, slot: u16, patience: Duration) -> Result<u64, StateError> {
        let _alone = self.alone(table, patience)?;
        let at = generation_at(slot);
        let last = table.read(at)?;
        if last > 0 {
            take_back(table, Owner { slot, generation: last })?;
        }
        let number = (last + 1) & ((1 << 40) - 1);
        let number = if number == 0 { 1 } else { number };
        table.put(at, number)?;
        Ok(number)
    }

    fn file(&self, slot: u16) -> PathBuf {
        self.directory.join(format!("owners/{slot:04}"))
    }

    /// The lock under which dead processes are dealt with. Who holds it waits for no other lock.
    pub(super) fn alone(&self, table: &Table, patience: Duration) -> Result<FileLock, StateError> {
        let begun = Instant::now();
        loop {
            let lock =
                FileLock::try_acquire(&self.directory.join("lock")).map_err(|error| lock_error(table, &error))?;
            if let Some(lock) = lock {
                return Ok(lock);
            }
            if begun.elapsed() > patience {
                return Err(StateError::Busy(patience.as_millis()));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Frees what `holder` holds, if its process is dead; whether it was.
    pub(super) fn rescue(&self, table: &Table, holder: Holder, patience: Duration) -> Result<bool, StateError> {
        if !self.is_dead(table, holder.owner())? {
            return Ok(false);
        }
        let _alone = self.alone(table, patience)?;
        // somebody else may have done it, and the slot may have been given anew
        if !self.is_dead(table, holder.owner())? {
            return Ok(false);
        }
        take_back(table, holder.owner())?;
        Ok(true)
    }

    /// A slot is given anew only after everything of its last owner was taken back.
    pub(super) fn is_dead(&self, table: &Table, owner: Owner) -> Result<bool, StateError> {
        if usize::from(owner.slot) >= SLOTS {
            return Err(table.damaged("a lock is held by nobody"));
        }
        if table.read(generation_at(owner.slot))? != owner.generation {
            return Ok(true);
        }
        FileLock::is_held(&self.file(owner.slot)).map(|held| !held).map_err(|error| lock_error(table, &error))
    }

    /// Whether no other process uses the table.
    pub(super) fn is_idle(&self, table: &Table) -> Result<bool, StateError> {
        for slot in 0..SLOTS as u16 {
            let owner = Owner { slot, generation: table.read(generation_at(slot))? };
            if owner.generation > 0 && !self.is_dead(table, owner)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Drop for Owners {
    fn drop(&mut self) {
        let process = generation();
        let kept = self.kept.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (of, lock) in kept.drain(..) {
            // the locks of a parent guard memory and descriptors that are not here
            if of == process {
                drop(ManuallyDrop::into_inner(lock));
            }
        }
    }
}

fn take_back(table: &Table, dead: Owner) -> Result<u32, StateError> {
    table.locks().take_back(dead).map_err(|_| table.damaged("a journal cannot be taken back"))
}

fn lock_error(table: &Table, error: &crate::Error) -> StateError {
    StateError::Io { path: table.path.clone(), what: "locked", why: error.to_string() }
}
