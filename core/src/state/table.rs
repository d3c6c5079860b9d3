//! The table of a home: opening it, and its transactions.

use super::edit::{Edit, Table};
use super::entry::{Entry, Stored};
use super::error::StateError;
use super::key::{Key, Kind, key_of, key_of_text};
use super::layout::{FILTER_AT, Geometry, MAGIC, PAGE, SHARDS, VERSION, header, shard, shard_at};
use super::owner::Owners;
use super::transaction::{Held, commit, shard_of};
use crate::clock::UnixNanos;
use crate::ledger::lock::FileLock;
use crate::ledger::{Home, boot_id};
use counterseal_spool::SharedWords;
use counterseal_spool::owned::Owner;
use smallvec::SmallVec;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

/// The most keys of one transaction.
pub const MAX_KEYS: usize = 32;
/// The most words of one entry: half a megabyte.
pub const MAX_WORDS: usize = 1 << 16;

/// How a [`State`] behaves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The most bytes the table takes on the disk and in memory, brought within 16 MiB to 2 GiB. It holds from when the table is
    /// made; another value takes effect when a process opens the table while no other uses it. Default: 256 MiB.
    pub max_bytes: u64,
    /// How long a transaction waits for one of a process that lives. Default: a second.
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_bytes: 256 << 20, patience: Duration::from_secs(1) }
    }
}

/// What a table holds. Read without locks: in a table in use, an estimate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Entries held, expired ones that nobody has asked for since among them.
    pub entries: u64,
    /// Entries that made room before they expired, since the table was made.
    pub evicted: u64,
    /// Bytes of the table that have room on the disk.
    pub bytes: u64,
    /// The most bytes it takes.
    pub max_bytes: u64,
}

/// The shared state of a home. Shared by threads; a forked child may go on using it.
#[derive(Debug)]
pub struct State {
    table: Table,
    owners: Owners,
    secret: [u8; 16],
    patience: Duration,
}

impl State {
    /// Opens the table of `home`, or makes it.
    ///
    /// # Errors
    /// [`StateError::Io`], [`StateError::Version`], [`StateError::Damaged`]: the table is left as it is.
    pub fn open(home: &Home, options: &Options) -> Result<Self, StateError> {
        Self::open_in(&home.path().join("state"), options)
    }

    fn open_in(directory: &Path, options: &Options) -> Result<Self, StateError> {
        let path = directory.join("table");
        let failed = |what| {
            let path = path.clone();
            move |error: std::io::Error| StateError::Io { path, what, why: error.to_string() }
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory.join("owners"))
            .map_err(failed("made"))?;
        // makers and those who change its size are one at a time
        let _alone = FileLock::acquire(&directory.join("opening")).map_err(|error| StateError::Io {
            path: path.clone(),
            what: "locked",
            why: error.to_string(),
        })?;
        let file = match open_file(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make(directory, Geometry::new(options.max_bytes)).map_err(failed("made"))?;
                open_file(&path).map_err(failed("opened"))?
            }
            Err(error) => return Err(failed("opened")(error)),
        };
        let (mut geometry, secret) = read_header(&path, &file)?;
        let wanted = Geometry::bounded(options.max_bytes);
        // room for whatever it grows to while this process uses it
        let most = Geometry { max_bytes: geometry.max_bytes.max(wanted), ..geometry };
        let reached = file.metadata().map_err(failed("read"))?.len() as usize;
        let words = SharedWords::map(file, reached.max(most.words() * 8)).map_err(failed("mapped"))?;
        let owners = Owners::new(directory);
        let table = Table { words, geometry, path: path.clone() };
        if wanted != geometry.max_bytes && owners.is_idle(&table)? {
            table.put(header::MAX_BYTES, wanted)?;
            geometry.max_bytes = wanted;
        }
        let table = Table { geometry, ..table };
        // before anybody else can find the table idle
        owners.this(&table, options.patience)?;
        let state = Self { table, owners, secret, patience: options.patience };
        state.outlast_the_machine()?;
        Ok(state)
    }

    /// After a start of the machine, what the kernel had not written yet is gone: such a table is looked at whole before it is used.
    fn outlast_the_machine(&self) -> Result<(), StateError> {
        let boot = u128::from_le_bytes(boot_id()).max(1);
        let words = [boot as u64, (boot >> 64) as u64];
        let [low, high] = header::BOOT;
        let last = [self.table.read(low)?, self.table.read(high)?];
        if last != words {
            if last != [0, 0] {
                self.check()?;
            }
            self.table.put(low, words[0])?;
            self.table.put(high, words[1])?;
        }
        Ok(())
    }

    /// The key of `parts` in this table: any number of texts or numbers, each told apart from its neighbours.
    #[must_use]
    pub fn key(&self, kind: Kind, parts: &[&[u8]]) -> Key {
        key_of(&self.secret, kind, parts)
    }

    /// As [`State::key`] of one text; the last one of each thread is kept at hand.
    #[must_use]
    pub fn key_of_text(&self, kind: Kind, text: &str) -> Key {
        key_of_text(&self.secret, kind, text)
    }

    /// Lends the entries of `keys`, in their order, to `work`; nobody else sees or changes any of them meanwhile. Where `work`
    /// gives an error or panics, nothing of what it did is done. `work` must not block, and must not use this state again.
    ///
    /// # Errors
    /// The error of `work`; [`StateError::Busy`], [`StateError::Full`], [`StateError::Damaged`], [`StateError::Io`],
    /// [`StateError::Forked`], and [`StateError::Misuse`] for more than [`MAX_KEYS`] keys or a key given twice.
    pub fn transaction<T, E: From<StateError>>(
        &self,
        keys: &[Key],
        now: UnixNanos,
        work: impl FnOnce(&mut [Entry<'_>]) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut shards = 0_u64;
        for (index, key) in keys.iter().enumerate() {
            if index >= MAX_KEYS {
                return Err(StateError::Misuse("a transaction over too many keys").into());
            }
            let shard = 1 << shard_of(*key);
            if shards & shard != 0 && keys.iter().take(index).any(|other| other == key) {
                return Err(StateError::Misuse("a transaction over the same key twice").into());
            }
            shards |= shard;
        }
        if shards == 0 {
            return work(&mut []);
        }
        let owner = self.owners.this(&self.table, self.patience)?;
        let held = Held::take(&self.table, &self.owners, owner, shards, self.patience)?;
        // on the stack for as many as one call has: its limits, its session
        let mut entries = SmallVec::<[Entry<'_>; 4]>::new();
        for key in keys {
            let (stored, lost) = self.look_up(&held.edit, *key)?;
            entries.push(Entry::lend(&self.table, shard_of(*key), *key, now.0, stored, lost));
        }
        let outcome = work(&mut entries)?;
        if !held.is_ours() {
            return Err(StateError::Forked.into());
        }
        commit(&held, &mut entries)?;
        Ok(outcome)
    }

    /// This process, as a word that entries may keep and [`State::is_gone`] can be asked about.
    ///
    /// # Errors
    /// [`StateError::Full`] where more processes than there are places use the table, and those of reading it.
    #[inline]
    pub fn this_process(&self) -> Result<u64, StateError> {
        self.owners.this(&self.table, self.patience).map(|owner| owner.generation << 16 | u64::from(owner.slot))
    }

    /// Whether the process that [`State::this_process`] gave `word` in is dead, or has closed the table. Not to be asked within a
    /// transaction: it looks at a file.
    ///
    /// # Errors
    /// [`StateError::Damaged`] for a word that no process was given, [`StateError::Io`] where it cannot be told.
    pub fn is_gone(&self, word: u64) -> Result<bool, StateError> {
        let owner = Owner { slot: (word & 0xffff) as u16, generation: word >> 16 };
        self.owners.is_dead(&self.table, owner)
    }

    /// What the table holds under `key`; where that is nothing, whether it may have made room.
    #[inline]
    fn look_up<'a>(&'a self, edit: &Edit<'a>, key: Key) -> Result<(Option<Stored<'a>>, bool), StateError> {
        match edit.shard(shard_of(key)).find(key)? {
            Some(found) => Ok((Some(Stored::read(&self.table, found)?), false)),
            None => Ok((None, self.table.remembers(key)?)),
        }
    }

    /// What the table holds.
    ///
    /// # Errors
    /// [`StateError::Damaged`] where it is cut off.
    pub fn statistics(&self) -> Result<Statistics, StateError> {
        let table = &self.table;
        let mut found = Statistics { max_bytes: table.geometry.max_bytes, ..Statistics::default() };
        let filter = if table.read(header::FILTER_READY)? == 0 { 0 } else { table.geometry.filter_words };
        found.bytes = 8 * (FILTER_AT + filter) as u64;
        for number in 0..SHARDS as u8 {
            let read = |word| table.read(shard_at(number, word));
            found.entries += read(shard::ENTRIES)?;
            found.evicted += read(shard::EVICTED)?;
            found.bytes += read(shard::ALLOCATED)? * 8 * PAGE as u64;
        }
        Ok(found)
    }

    /// Looks at every entry, page and count. Holds one shard after the other, each as long as a transaction that waits for it is patient at
    /// most: a few milliseconds.
    ///
    /// # Errors
    /// [`StateError::Damaged`] for the first thing that is wrong; [`StateError::Busy`].
    pub fn check(&self) -> Result<(), StateError> {
        let owner = self.owners.this(&self.table, self.patience)?;
        for number in 0..SHARDS as u8 {
            let held = Held::take(&self.table, &self.owners, owner, 1 << number, self.patience)?;
            held.edit.shard(number).check()?;
        }
        Ok(())
    }

    /// Waits until the disk has what was done so far, so that it outlasts the machine too.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn sync(&self) -> Result<(), StateError> {
        self.table.words.sync().map_err(|error| self.table.io("synced", &error))
    }
}

fn open_file(path: &Path) -> std::io::Result<File> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new().read(true).write(true).custom_flags(no_follow).open(path)
}

/// Makes an empty table beside its place and moves it there: it is whole or not there.
fn make(directory: &Path, geometry: Geometry) -> std::io::Result<()> {
    let draft = directory.join("table.new");
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&draft)?;
    let mut secret = [0; 16];
    getrandom::fill(&mut secret).map_err(std::io::Error::other)?;
    let words = SharedWords::map(file.try_clone()?, geometry.words() * 8)?;
    words.allocate(0, FILTER_AT)?;
    let (low, high) = secret.split_at(8);
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    for (at, value) in [
        (header::MAGIC, MAGIC),
        (header::VERSION, VERSION),
        (header::SECRET[0], word(low)),
        (header::SECRET[1], word(high)),
        (header::MAX_BYTES, geometry.max_bytes),
        (header::FILTER_WORDS, geometry.filter_words as u64),
    ] {
        file.write_all_at(&value.to_le_bytes(), at as u64 * 8)?;
    }
    file.sync_all()?;
    std::fs::rename(&draft, directory.join("table"))?;
    File::open(directory)?.sync_all()
}

fn read_header(path: &Path, file: &File) -> Result<(Geometry, [u8; 16]), StateError> {
    let damaged = |what| StateError::Damaged { path: path.to_owned(), what };
    let mut bytes = [0; 64];
    file.read_exact_at(&mut bytes, 0).map_err(|_| damaged("it is cut off"))?;
    let word = |at: usize| {
        let word = bytes.get(at * 8..at * 8 + 8).and_then(|bytes| bytes.try_into().ok());
        u64::from_le_bytes(word.unwrap_or_default())
    };
    if word(header::MAGIC) != MAGIC {
        return Err(damaged("it does not begin as a table does"));
    }
    if word(header::VERSION) != VERSION {
        let found = word(header::VERSION);
        return Err(StateError::Version { path: path.to_owned(), found, known: VERSION });
    }
    let filter_words = usize::try_from(word(header::FILTER_WORDS)).unwrap_or(usize::MAX);
    let geometry = Geometry { max_bytes: word(header::MAX_BYTES), filter_words };
    if !geometry.is_possible() {
        return Err(damaged("its sizes are impossible"));
    }
    let length = file.metadata().map_or(0, |found| found.len());
    if length < FILTER_AT as u64 * 8 {
        return Err(damaged("it is cut off"));
    }
    let [a, b] = header::SECRET.map(|at| word(at).to_le_bytes());
    let mut secret = [0; 16];
    for (place, byte) in secret.iter_mut().zip(a.into_iter().chain(b)) {
        *place = byte;
    }
    Ok((geometry, secret))
}
