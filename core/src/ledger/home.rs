//! The home: the directory that the processes of one agent share (`docs/formats.md` §3).

mod locked;
mod paths;
mod streams;
pub(crate) mod trust;

pub use locked::HomeLock;

use super::entropy::Entropy;
use super::files::{io_error, key_text, read_key, read_small, sync_directory, write_whole};
use super::id::HomeId;
use super::lock::FileLock;
use super::note::VerifierKey;
use crate::error::{Error, ErrorCode};
use crate::value::digest::DigestKey;
use ed25519_dalek::SigningKey;
use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
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
        trust::check(path)?;
        trust::check_secrets(path)?;
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
            Ok(_) => trust::check(path)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing()),
            Err(error) => return Err(io_error(path, "read", &error)),
        }
        Self::read(path)?.ok_or_else(missing)
    }

    fn read(path: &Path) -> Result<Option<Self>, Error> {
        // the program may change its working directory, and its records must not move with it
        let path = &absolute(path)?;
        let file = path.join("home.json");
        let text = match read_small(&file) {
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

    /// The check value of the key of keyed digests; `None` where the key is missing or damaged.
    pub(crate) fn digest_key_check(&self) -> Option<[u8; 32]> {
        self.digest_key().ok().map(|mut key| DigestKey::new(&mut key).check_value())
    }

    /// Waits for the home's lock, under which the index, the keys and the checkpoints are written.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where the lock cannot be taken.
    pub fn lock(&self) -> Result<HomeLock<'_>, Error> {
        HomeLock::acquire(self)
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
