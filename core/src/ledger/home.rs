//! The home: the directory that the processes of one agent share (`docs/formats.md` §3).

use super::entropy::Entropy;
use super::files::{io_error, key_text, open_file, read_file, read_key, sync_directory, write_whole};
use super::id::{HomeId, StreamId};
use super::index::{IndexLine, IndexTree};
use super::lock::FileLock;
use super::note::VerifierKey;
use crate::error::{Error, ErrorCode};
use ed25519_dalek::SigningKey;
use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The environment variable that names the home.
pub const HOME_VARIABLE: &str = "COUNTERSEAL_HOME";

/// An opened home.
#[derive(Debug, Clone)]
pub struct Home {
    path: PathBuf,
    id: HomeId,
    first_key: VerifierKey,
}

#[derive(serde::Deserialize)]
struct HomeFile {
    v: u32,
    home: String,
    origin: String,
    first_key: String,
}

impl Home {
    /// Where the home is if nobody says: `COUNTERSEAL_HOME`, else `counterseal` in the user's state directory
    /// (`XDG_STATE_HOME`, else `~/.local/state`).
    ///
    /// # Errors
    /// [`ErrorCode::HomeUnusable`] where none of these is set to an absolute path.
    pub fn default_path() -> Result<PathBuf, Error> {
        Self::path_from(|name| std::env::var_os(name).map(PathBuf::from))
    }

    fn path_from(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<PathBuf, Error> {
        if let Some(path) = variable(HOME_VARIABLE).filter(|path| !path.as_os_str().is_empty()) {
            return Ok(path);
        }
        // a relative one is to be ignored, says the XDG Base Directory Specification
        let absolute = |name| variable(name).filter(|path| path.is_absolute());
        absolute("XDG_STATE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
            .map(|state| state.join("counterseal"))
            .ok_or_else(|| {
                Error::new(
                    ErrorCode::HomeUnusable,
                    "there is no place for the ledger: neither `COUNTERSEAL_HOME` nor `HOME` is set; set `COUNTERSEAL_HOME` to a directory",
                )
            })
    }

    /// Opens the home at `path`, or makes it. Processes that race make one home.
    ///
    /// # Errors
    /// [`ErrorCode::HomeUnusable`] where it cannot be made or trusted, [`ErrorCode::LedgerVersion`] where a later version
    /// made it, [`ErrorCode::LedgerIo`] where the disk fails.
    pub fn open_or_create(path: &Path, entropy: &mut Entropy) -> Result<Self, Error> {
        let path = &absolute(path)?;
        make_directory(path)?;
        check_trusted(path)?;
        if let Some(home) = Self::read(path)? {
            return Ok(home);
        }
        let _lock = FileLock::acquire(&path.join("lock"))?;
        match Self::read(path)? {
            Some(home) => Ok(home),
            None => Self::create(path, entropy),
        }
    }

    /// Opens the home at `path`, which must be there.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerNotFound`] where there is none; else as [`Self::open_or_create`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let missing = || {
            Error::new(
                ErrorCode::LedgerNotFound,
                format!("there is no ledger in `{}`: it has no `home.json`; name its home, or make one with `counterseal init`", path.display()),
            )
            .with("path", path.display())
        };
        match std::fs::metadata(path) {
            Ok(_) => check_trusted(path)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing()),
            Err(error) => return Err(io_error(path, "read", &error)),
        }
        Self::read(path)?.ok_or_else(missing)
    }

    fn read(path: &Path) -> Result<Option<Self>, Error> {
        // the program may change its working directory, and its records must not move with it
        let path = &absolute(path)?;
        let file = path.join("home.json");
        let text = match read_file(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error(&file, "read", &error)),
        };
        Self::parse(path, &text).map(Some)
    }

    pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<Self, Error> {
        let damaged = |what: &str| {
            let file = path.join("home.json");
            Error::new(
                ErrorCode::HomeUnusable,
                format!("`{}` {what}; restore it or choose another home", file.display()),
            )
            .with("path", file.display())
        };
        let parsed: HomeFile =
            serde_json::from_slice(text).map_err(|error| damaged(&format!("is damaged: {error}")))?;
        if parsed.v != 1 {
            return Err(Error::new(
                ErrorCode::LedgerVersion,
                format!(
                    "the home `{}` has version {} and this product reads version 1; use the version that made it",
                    path.display(),
                    parsed.v
                ),
            ));
        }
        let id: HomeId = parsed.home.parse().map_err(|_| damaged("has no id of 32 hex characters"))?;
        let first_key: VerifierKey =
            parsed.first_key.parse().map_err(|_| damaged("has no verifier key in `first_key`"))?;
        if parsed.origin != origin(id) || first_key.name != parsed.origin {
            return Err(damaged("names another origin than its own id"));
        }
        Ok(Self { path: path.to_owned(), id, first_key })
    }

    /// Makes the files; the lock is held. `home.json` comes last, so that a home is either whole or not yet one.
    fn create(path: &Path, entropy: &mut Entropy) -> Result<Self, Error> {
        for used in ["index", "checkpoints"] {
            if std::fs::metadata(path.join(used)).is_ok_and(|file| file.len() > 0) {
                return Err(Error::new(
                    ErrorCode::HomeUnusable,
                    format!(
                        "`{}` holds a ledger but its `home.json` is gone; restore it or choose another home",
                        path.display()
                    ),
                )
                .with("path", path.display()));
            }
        }
        let id = HomeId(entropy.draw()?);
        let seed = Zeroizing::new(entropy.draw::<32>()?);
        let digest_key = Zeroizing::new(entropy.draw::<32>()?);
        let key = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
        let home = Self { path: path.to_owned(), id, first_key: VerifierKey { name: origin(id), key } };
        make_directory(&path.join("keys"))?;
        make_directory(&path.join("streams"))?;
        write_whole(&home.current_key_path(), &key_text(&seed))?;
        write_whole(&home.digest_key_path(), &key_text(&digest_key))?;
        for empty in [home.index_path(), home.checkpoints_path()] {
            write_whole(&empty, b"")?;
        }
        let draft = path.join("home.json.new");
        write_whole(&draft, home.json().as_bytes())?;
        std::fs::rename(&draft, path.join("home.json")).map_err(|error| io_error(&draft, "renamed", &error))?;
        sync_directory(&path.join("keys"))?;
        sync_directory(path)?;
        Ok(home)
    }

    /// The exact text of `home.json`.
    #[must_use]
    pub fn json(&self) -> String {
        format!(
            "{{\"v\":1,\"home\":\"{}\",\"origin\":\"{}\",\"first_key\":\"{}\"}}\n",
            self.id, self.first_key.name, self.first_key
        )
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> HomeId {
        self.id
    }

    /// What its checkpoints are signed as: `counterseal/<id>`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.first_key.name
    }

    /// The key that signs its first checkpoint; held outside, it proves the whole chain of keys.
    #[must_use]
    pub const fn first_key(&self) -> &VerifierKey {
        &self.first_key
    }

    /// The key of keyed digests.
    ///
    /// # Errors
    /// [`ErrorCode::HomeUnusable`] where `digest.key` is missing or damaged.
    pub fn digest_key(&self) -> Result<Zeroizing<[u8; 32]>, Error> {
        read_key(&self.digest_key_path())?.ok_or_else(|| {
            let path = self.digest_key_path();
            Error::new(
                ErrorCode::HomeUnusable,
                format!(
                    "`{}` is missing or damaged: it has 64 hex characters and a newline; restore it",
                    path.display()
                ),
            )
            .with("path", path.display())
        })
    }

    fn digest_key_path(&self) -> PathBuf {
        self.path.join("digest.key")
    }

    pub(crate) fn keys_path(&self) -> PathBuf {
        self.path.join("keys")
    }

    pub(crate) fn current_key_path(&self) -> PathBuf {
        self.path.join("keys/current")
    }

    pub(crate) fn next_key_path(&self) -> PathBuf {
        self.path.join("keys/next")
    }

    /// The index.
    #[must_use]
    pub fn index_path(&self) -> PathBuf {
        self.path.join("index")
    }

    /// The checkpoints.
    #[must_use]
    pub fn checkpoints_path(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// The directory of all streams.
    #[must_use]
    pub fn streams_path(&self) -> PathBuf {
        self.path.join("streams")
    }

    /// The directory of a stream.
    #[must_use]
    pub fn stream_path(&self, stream: StreamId) -> PathBuf {
        self.streams_path().join(stream.to_string())
    }

    /// The file whose lock says that a stream's process lives.
    #[must_use]
    pub fn stream_lock_path(&self, stream: StreamId) -> PathBuf {
        self.stream_path(stream).join("lock")
    }

    /// A segment's file.
    #[must_use]
    pub fn segment_path(&self, stream: StreamId, segment: u32) -> PathBuf {
        self.stream_path(stream).join(format!("{segment:06}.jsonl"))
    }

    /// A segment's sidecar.
    #[must_use]
    pub fn sidecar_path(&self, stream: StreamId, segment: u32) -> PathBuf {
        self.stream_path(stream).join(format!("{segment:06}.side"))
    }

    /// Makes the directory of a stream, 0700.
    ///
    /// # Errors
    /// [`ErrorCode::HomeUnusable`] where it cannot be made.
    pub fn make_stream(&self, stream: StreamId) -> Result<PathBuf, Error> {
        let path = self.stream_path(stream);
        make_directory(&path)?;
        Ok(path)
    }

    /// The directory of approvals.
    #[must_use]
    pub fn approvals_path(&self) -> PathBuf {
        self.path.join("approvals")
    }

    /// Makes the directory of approvals, 0700, if it is not there.
    ///
    /// # Errors
    /// [`ErrorCode::HomeUnusable`] where it cannot be made.
    pub fn make_approvals(&self) -> Result<(), Error> {
        make_directory(&self.approvals_path())
    }

    /// All streams that have a directory, in the order of their ids.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where the directory cannot be read.
    pub fn streams(&self) -> Result<Vec<StreamId>, Error> {
        let path = self.streams_path();
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_error(&path, "read", &error)),
        };
        let mut streams = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| io_error(&path, "read", &error))?;
            if let Some(stream) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                streams.push(stream);
            }
        }
        streams.sort_unstable();
        Ok(streams)
    }

    /// The numbers of a stream's segments, growing.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where the stream's directory cannot be read.
    pub fn segments(&self, stream: StreamId) -> Result<Vec<u32>, Error> {
        let path = self.stream_path(stream);
        let entries = std::fs::read_dir(&path).map_err(|error| io_error(&path, "read", &error))?;
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| io_error(&path, "read", &error))?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
            numbers.extend(number.and_then(|number| number.parse::<u32>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Waits for the home's lock, under which the index, the keys and the checkpoints are written.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where the lock cannot be taken.
    pub fn lock(&self) -> Result<HomeLock<'_>, Error> {
        Ok(HomeLock { home: self, _lock: FileLock::acquire(&self.path.join("lock"))? })
    }
}

/// The home's lock, held until this is dropped.
#[derive(Debug)]
pub struct HomeLock<'a> {
    home: &'a Home,
    _lock: FileLock,
}

impl HomeLock<'_> {
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
        let Some(new) = size.checked_sub(tree.bytes()) else {
            return Err(Error::new(
                ErrorCode::LedgerCorrupt,
                format!(
                    "the index `{}` lost lines while it was in use; run `counterseal ledger verify`",
                    path.display()
                ),
            )
            .with("path", path.display()));
        };
        if new > 0 {
            let mut added = vec![0; usize::try_from(new).unwrap_or(usize::MAX)];
            file.read_exact_at(&mut added, tree.bytes()).map_err(|error| io_error(&path, "read", &error))?;
            if tree.extend(&added) > 0 {
                file.set_len(tree.bytes()).map_err(|error| io_error(&path, "written", &error))?;
            }
        }
        Ok(file)
    }
}

pub(crate) fn origin(id: HomeId) -> String {
    format!("counterseal/{id}")
}

fn make_directory(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        let what = match error.kind() {
            ErrorKind::AlreadyExists => "something that is not a directory is in its place".to_owned(),
            _ => error.to_string(),
        };
        let message = format!("the directory `{}` cannot be made: {what}; choose another home", path.display());
        Error::new(ErrorCode::HomeUnusable, message).with("path", path.display())
    })
}

/// Whoever can write into the home can replace its files, and whoever owns it can make it writable.
/// The path from the root. `~` is the shell's word: here it would become a folder of that name.
fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let unusable = |why: String| {
        Error::new(ErrorCode::HomeUnusable, format!("the home `{}` cannot be used: {why}", path.display()))
            .with("path", path.display())
    };
    if path.starts_with("~") {
        return Err(unusable("`~` is not expanded; write the path out".to_owned()));
    }
    std::path::absolute(path).map_err(|error| unusable(error.to_string()))
}

fn check_trusted(path: &Path) -> Result<(), Error> {
    let unusable = |what: String| Error::new(ErrorCode::HomeUnusable, what).with("path", path.display());
    let found = std::fs::metadata(path).map_err(|error| io_error(path, "read", &error))?;
    if !found.is_dir() {
        return Err(unusable(format!("the home `{}` is not a directory; choose another home", path.display())));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(unusable(format!(
            "the home `{}` belongs to user {} and this process to user {}; use a home of your own",
            path.display(),
            found.uid(),
            rustix::process::geteuid().as_raw()
        )));
    }
    if found.mode() & 0o022 != 0 {
        return Err(unusable(format!(
            "others can write into the home `{}` (mode {:03o}); run `chmod 700` on it and verify it",
            path.display(),
            found.mode() & 0o777
        )));
    }
    for inside in ["keys", "streams", "approvals"] {
        let inside = path.join(inside);
        if std::fs::symlink_metadata(&inside).is_ok_and(|entry| !entry.is_dir()) {
            return Err(unusable(format!(
                "`{}` is not a directory of the home itself; restore it or choose another home",
                inside.display()
            )));
        }
    }
    Ok(())
}
