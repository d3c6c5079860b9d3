//! How files of the home are opened, read, written and synced: regular ones alone, made 0600.

use super::hex;
use crate::error::{Error, ErrorCode};
use rustix::fs::OFlags;
use std::fs::{File, FileType, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, OpenOptionsExt as _};
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
    match read_small(path) {
        Ok(text) => {
            let text = Zeroizing::new(text);
            Ok(text.strip_suffix(b"\n").and_then(hex::parse).map(Zeroizing::new))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(path, "read", &error)),
    }
}

/// Opens a file of a home. Anything but a regular file in its place is refused: a link leads elsewhere, and a pipe or a
/// device would keep the reader waiting for ever.
pub(crate) fn open_regular(options: &mut OpenOptions, path: &Path) -> std::io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let stranger = |kind: FileType| std::io::Error::other(format!("{} is in its place; restore it", kind_of(kind)));
    match options.custom_flags(flags.bits().cast_signed()).open(path) {
        Ok(file) => {
            let kind = file.metadata()?.file_type();
            if kind.is_file() { Ok(file) } else { Err(stranger(kind)) }
        }
        // the kernel refuses some of them itself, in words that say less
        Err(error) => match std::fs::symlink_metadata(path) {
            Ok(found) if !found.is_file() => Err(stranger(found.file_type())),
            _ => Err(error),
        },
    }
}

fn kind_of(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

/// Opens a file of a home for reading.
pub(crate) fn open_for_reading(path: &Path) -> std::io::Result<File> {
    open_regular(OpenOptions::new().read(true), path)
}

/// Reads a file of a home.
pub(crate) fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    open_for_reading(path)?.read_to_end(&mut text)?;
    Ok(text)
}

/// Reads one of the home's files that never grow.
pub(crate) fn read_small(path: &Path) -> std::io::Result<Vec<u8>> {
    /// Many times what any of them has.
    const LARGEST: u64 = 64 * 1024;
    let file = open_for_reading(path)?;
    if file.metadata()?.len() > LARGEST {
        return Err(std::io::Error::other("it is larger than such a file ever is; restore it"));
    }
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text)?;
    Ok(text)
}

/// Opens a file of the ledger for reading and writing, making it 0600 if it is missing.
pub(crate) fn open_file(path: &Path) -> Result<File, Error> {
    open_regular(OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600), path)
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
    // a pipe in its place would keep the opener waiting
    let folder = OpenOptions::new().read(true).custom_flags(OFlags::DIRECTORY.bits().cast_signed()).open(path);
    folder.and_then(|directory| directory.sync_all()).map_err(|error| io_error(path, "synced", &error))
}

pub(crate) fn io_error(path: &Path, what: &str, error: &std::io::Error) -> Error {
    Error::new(ErrorCode::LedgerIo, format!("`{}` cannot be {what}: {error}", path.display()))
        .with("path", path.display())
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
