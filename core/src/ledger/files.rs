//! How files of the home are opened, read, written and synced: never through a symbolic link, made 0600.

use super::hex;
use crate::error::{Error, ErrorCode};
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use zeroize::Zeroizing;

/// A key as its file holds it: 64 hex characters and a newline.
pub(crate) fn key_text(key: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(hex::digits64(key).to_vec());
    text.push(b'\n');
    text
}

/// The key in a file; `None` where the file is missing or holds something else.
pub(crate) fn read_key(path: &Path) -> Result<Option<Zeroizing<[u8; 32]>>, Error> {
    match read_file(path) {
        Ok(text) => {
            let text = Zeroizing::new(text);
            Ok(text.strip_suffix(b"\n").and_then(hex::parse).map(Zeroizing::new))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(path, "read", &error)),
    }
}

/// Opens a file that is no symbolic link.
pub(crate) fn open_for_reading(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).custom_flags(no_follow()).open(path)
}

/// Reads a file that is no symbolic link.
pub(crate) fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = open_for_reading(path)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// Opens a file of the ledger for reading and writing, making it 0600 if it is missing.
pub(crate) fn open_file(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(path)
        .map_err(|error| io_error(path, "opened", &error))
}

/// Writes a file from its start, 0600, and syncs it.
pub(crate) fn write_whole(path: &Path, text: &[u8]) -> Result<(), Error> {
    let file = open_file(path)?;
    file.write_all_at(text, 0)
        .and_then(|()| file.set_len(text.len() as u64))
        .and_then(|()| file.sync_all())
        .map_err(|error| io_error(path, "written", &error))
}

/// Writes a file from its start, 0600, and leaves it to the system when the disk gets it.
pub(crate) fn write_unsynced(path: &Path, text: &[u8]) -> Result<(), Error> {
    let file = open_file(path)?;
    file.write_all_at(text, 0)
        .and_then(|()| file.set_len(text.len() as u64))
        .map_err(|error| io_error(path, "written", &error))
}

/// Syncs a directory, so that the names in it survive the machine.
pub(crate) fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(|error| io_error(path, "synced", &error))
}

pub(crate) fn io_error(path: &Path, what: &str, error: &std::io::Error) -> Error {
    Error::new(ErrorCode::LedgerIo, format!("`{}` cannot be {what}: {error}", path.display()))
        .with("path", path.display())
}

const fn no_follow() -> i32 {
    OFlags::NOFOLLOW.bits().cast_signed()
}

/// Makes a file that holds nothing yet, 0600; an empty one is what an attempt that failed left behind.
pub(crate) fn create_file(path: &Path) -> Result<File, Error> {
    let file = open_file(path)?;
    match file.metadata() {
        Ok(found) if found.len() == 0 => Ok(file),
        Ok(_) => Err(io_error(path, "made", &ErrorKind::AlreadyExists.into())),
        Err(error) => Err(io_error(path, "made", &error)),
    }
}
