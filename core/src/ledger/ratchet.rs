//! The key ratchet: each checkpoint names the next key, and the secret that signed it is overwritten.
//!
//! A checkpoint is five steps under the home's lock, in the order that a kill between any two leaves something that
//! [`Ratchet::open`] finishes or undoes: seal (index lines, synced), [`Ratchet::stage`] (next seed, synced),
//! [`append_note`] (synced), the outside sinks, [`StagedKey::advance`].

use super::entropy::Entropy;
use super::files::{io_error, key_text, open_file, read_key, sync_directory, write_whole};
use super::home::{Home, HomeLock};
use super::index::{IndexLine, IndexTree};
use super::note::{Checkpoint, Note, VerifierKey};
use crate::clock::UnixNanos;
use crate::error::{Error, ErrorCode};
use ed25519_dalek::SigningKey;
use std::os::unix::fs::FileExt as _;
use zeroize::Zeroizing;

/// Longer than any note; the last one of a file is found in so many bytes.
const NOTE_BOUND: u64 = 4096;

/// The key that signs the next checkpoint.
#[derive(Debug)]
pub struct Ratchet {
    current: SigningKey,
}

/// A next key that is on the disk and not yet in force.
#[derive(Debug)]
pub struct StagedKey {
    seed: Zeroizing<[u8; 32]>,
}

impl Ratchet {
    /// Reads the current key, first finishing or undoing a checkpoint that broke off.
    ///
    /// # Errors
    /// [`ErrorCode::CheckpointKey`] where the key is missing or is not the one that the last checkpoint names.
    pub fn open(lock: &HomeLock<'_>) -> Result<Self, Error> {
        let home = lock.home();
        let named = last_note(home)?.map_or_else(|| home.first_key().clone(), |note| note.next_key());
        let next_path = home.next_key_path();
        if next_path.exists() {
            match read_key(&next_path)?.filter(|seed| fits(seed, &named)) {
                Some(seed) => StagedKey { seed }.advance(lock)?,
                None => remove_next(home)?,
            }
        }
        match read_key(&home.current_key_path())?.filter(|seed| fits(seed, &named)) {
            Some(seed) => Ok(Self { current: SigningKey::from_bytes(&seed) }),
            None => {
                let path = home.current_key_path();
                let what = if path.exists() { "is not the key that the last checkpoint names" } else { "is missing" };
                Err(Error::new(
                    ErrorCode::CheckpointKey,
                    format!(
                        "`{}` {what}; the ledger was put back from a copy or changed: run `counterseal ledger verify`, and go on in another home",
                        path.display()
                    ),
                )
                .with("path", path.display()))
            }
        }
    }

    /// Whether the home can be sealed: asked at start, since a key that is missing would otherwise show at the first
    /// checkpoint, with records already written.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn check(home: &Home) -> Result<(), Error> {
        // without the lock first: it may be held by a checkpoint, which moves the key and is waited for only then
        let named =
            last_note(home).ok().map(|note| note.map_or_else(|| home.first_key().clone(), |note| note.next_key()));
        let current = read_key(&home.current_key_path()).ok().flatten();
        if named.zip(current).is_some_and(|(named, seed)| fits(&seed, &named)) {
            return Ok(());
        }
        Self::open(&home.lock()?).map(|_| ())
    }

    /// Draws the next key and puts it on the disk.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where the disk or the machine's randomness fails.
    pub fn stage(&self, lock: &HomeLock<'_>, entropy: &mut Entropy) -> Result<StagedKey, Error> {
        let staged = StagedKey { seed: Zeroizing::new(entropy.draw()?) };
        write_whole(&lock.home().next_key_path(), &key_text(&staged.seed))?;
        sync_directory(&lock.home().keys_path())?;
        Ok(staged)
    }

    /// The signed note over the index as `tree` has it.
    #[must_use]
    pub fn sign(&self, lock: &HomeLock<'_>, tree: &IndexTree, next: &StagedKey, time: UnixNanos) -> String {
        Checkpoint {
            origin: lock.home().origin().to_owned(),
            size: tree.lines(),
            root: tree.root(),
            next: SigningKey::from_bytes(&next.seed).verifying_key().to_bytes(),
            time,
        }
        .sign(&self.current)
    }
}

impl StagedKey {
    /// Overwrites the old secret by this one.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where the disk fails.
    pub fn advance(self, lock: &HomeLock<'_>) -> Result<(), Error> {
        // in place, so that the old secret's block is what is overwritten
        write_whole(&lock.home().current_key_path(), &key_text(&self.seed))?;
        remove_next(lock.home())
    }
}

/// Appends a note to the home's checkpoints and syncs them; a torn note of a dead process is cut first.
///
/// # Errors
/// [`ErrorCode::LedgerIo`] where the disk fails.
pub fn append_note(lock: &HomeLock<'_>, note: &str) -> Result<(), Error> {
    let path = lock.home().checkpoints_path();
    let file = open_file(&path)?;
    let end = last_note_end(lock.home())?;
    file.set_len(end)
        .and_then(|()| file.write_all_at(format!("{note}\n").as_bytes(), end))
        .and_then(|()| file.sync_data())
        .map_err(|error| io_error(&path, "written", &error))
}

/// All steps of a checkpoint: seals what `lines` say, signs the index and hands the note to `sink`, which stands for all
/// outside sinks. Gives back the note.
///
/// # Errors
/// [`ErrorCode::CheckpointKey`] and [`ErrorCode::LedgerIo`]; the sink's own error only after the ratchet has moved on,
/// since an outside sink that fails must not keep a used secret alive.
pub fn checkpoint(
    lock: &HomeLock<'_>,
    tree: &mut IndexTree,
    lines: &[IndexLine],
    time: UnixNanos,
    entropy: &mut Entropy,
    sink: &mut dyn FnMut(&str) -> Result<(), Error>,
) -> Result<String, Error> {
    lock.append_index(tree, lines)?;
    let ratchet = Ratchet::open(lock)?;
    let next = ratchet.stage(lock, entropy)?;
    let note = ratchet.sign(lock, tree, &next, time);
    append_note(lock, &note)?;
    let sunk = sink(&note);
    next.advance(lock)?;
    sunk.map(|()| note)
}

fn fits(seed: &[u8; 32], named: &VerifierKey) -> bool {
    SigningKey::from_bytes(seed).verifying_key().to_bytes() == named.key
}

fn remove_next(home: &Home) -> Result<(), Error> {
    let path = home.next_key_path();
    std::fs::remove_file(&path).map_err(|error| io_error(&path, "removed", &error))?;
    sync_directory(&home.keys_path())
}

/// The last whole note of the home's checkpoints.
///
/// # Errors
/// [`ErrorCode::LedgerCorrupt`] where it cannot be read as one.
pub fn last_note(home: &Home) -> Result<Option<Note>, Error> {
    let (tail, _) = checkpoints_tail(home)?;
    let Some(end) = note_end(&tail) else { return Ok(None) };
    let head = tail.get(..end).unwrap_or_default();
    let start = note_end(head.strip_suffix(b"\n\n").unwrap_or(head)).unwrap_or(0);
    let text =
        head.get(start..).and_then(|note| std::str::from_utf8(note).ok()).and_then(|note| note.strip_suffix('\n'));
    text.and_then(Note::parse).map(Some).ok_or_else(|| {
        let path = home.checkpoints_path();
        Error::new(
            ErrorCode::LedgerCorrupt,
            format!("the last checkpoint of `{}` cannot be read; run `counterseal ledger verify`", path.display()),
        )
        .with("path", path.display())
    })
}

fn last_note_end(home: &Home) -> Result<u64, Error> {
    let (tail, from) = checkpoints_tail(home)?;
    Ok(note_end(&tail).map_or(0, |end| from + end as u64))
}

/// The end of the last whole note in `text`: an empty line after a signature's line.
fn note_end(text: &[u8]) -> Option<usize> {
    memchr::memmem::rfind_iter(text, b"\n\n")
        .find(|at| {
            let line = memchr::memrchr(b'\n', text.get(..*at).unwrap_or_default()).map_or(0, |newline| newline + 1);
            text.get(line..*at).is_some_and(|line| line.starts_with("\u{2014} ".as_bytes()))
        })
        .map(|at| at + 2)
}

fn checkpoints_tail(home: &Home) -> Result<(Vec<u8>, u64), Error> {
    let path = home.checkpoints_path();
    let read = || -> std::io::Result<(Vec<u8>, u64)> {
        let file = super::files::open_for_reading(&path)?;
        let size = file.metadata()?.len();
        let from = size.saturating_sub(NOTE_BOUND);
        let mut tail = vec![0; usize::try_from(size - from).unwrap_or(0)];
        file.read_exact_at(&mut tail, from)?;
        Ok((tail, from))
    };
    read().map_err(|error| io_error(&path, "read", &error))
}
