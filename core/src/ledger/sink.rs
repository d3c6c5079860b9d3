//! Where checkpoints go besides the home, so that a ledger cut back to an earlier checkpoint is noticed.

use super::files::{io_error, open_regular};
use super::home::{Home, asks_for_a_shell};
use super::note::{Note, is_torn_note, split_notes, whole_notes};
use crate::error::{Error, ErrorCode};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A place outside the home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// A file of notes, each followed by an empty line; it should lie where the ledger's user cannot change it afterwards.
    File(PathBuf),
}

impl Sink {
    /// The file at `path`, wherever the program may go later.
    ///
    /// # Errors
    /// [`ErrorCode::ConfigInvalid`] for a path that the shell would have to expand, or none.
    pub fn at(path: &Path) -> Result<Self, Error> {
        if asks_for_a_shell(path) {
            return Err(unusable(path, "`~` is not expanded; write the path out"));
        }
        std::path::absolute(path).map(Self::File).map_err(|error| unusable(path, &error.to_string()))
    }

    /// Whether a note could be handed over now, to a place outside `home` that holds nothing but checkpoints of it. Makes the file
    /// if it is missing.
    ///
    /// # Errors
    /// [`ErrorCode::ConfigInvalid`] for a place in the home and for a file that holds anything else, [`ErrorCode::LedgerIo`] for one that cannot be written.
    pub fn check(&self, home: &Home) -> Result<(), Error> {
        self.check_place(home.path())?;
        let Self::File(path) = self;
        let (_, held) = open(path)?;
        let whole = whole_notes(&held);
        let (notes, rest) = held.split_at_checked(whole).unwrap_or_default();
        for (_, note) in split_notes(std::str::from_utf8(notes).unwrap_or_default()) {
            match Note::parse(note) {
                Some(note) if note.checkpoint.origin == home.origin() => {}
                Some(_) => {
                    return Err(unusable(
                        path,
                        "it holds the checkpoints of another home; give each home a file of its own",
                    ));
                }
                None => return Err(damaged(path)),
            }
        }
        if is_torn_note(rest, home.origin()) { Ok(()) } else { Err(damaged(path)) }
    }

    /// Refuses a place in the home at `home`, which need not be there yet.
    ///
    /// # Errors
    /// [`ErrorCode::ConfigInvalid`].
    pub fn check_place(&self, home: &Path) -> Result<(), Error> {
        let Self::File(path) = self;
        // the file itself may have to be made; its directory tells where it lies, through whatever links
        if path.parent().is_some_and(|folder| resolved(folder).starts_with(resolved(home))) {
            return Err(unusable(path, "it lies in the home, where it proves nothing; choose a place outside"));
        }
        Ok(())
    }

    /// Hands over a note and waits until it is safe there.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`]; [`ErrorCode::ConfigInvalid`] where something else was written into the file. It is left as it is then.
    pub fn put(&self, note: &str) -> Result<(), Error> {
        match self {
            Self::File(path) => append(path, note),
        }
    }
}

/// The path without links, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    there.and_then(|(part, real)| Some(real.join(path.strip_prefix(part).ok()?))).unwrap_or(path)
}

fn unusable(path: &Path, why: &str) -> Error {
    Error::new(ErrorCode::ConfigInvalid, format!("the file of checkpoints `{}` cannot be used: {why}", path.display()))
        .with("path", path.display())
}

fn append(path: &Path, note: &str) -> Result<(), Error> {
    let origin = note.lines().next().unwrap_or_default();
    let (mut file, held) = open(path)?;
    let whole = whole_notes(&held);
    // what a killed process left half written is taken back; anything else that stands there is nobody's to remove
    let rest = held.get(whole..).unwrap_or_default();
    if !is_torn_note(rest, origin) {
        return Err(damaged(path));
    }
    let mut written = || -> std::io::Result<()> {
        if !rest.is_empty() {
            file.set_len(whole as u64)?;
        }
        file.write_all(format!("{note}\n").as_bytes())?;
        file.sync_data()
    };
    written().map_err(|error| io_error(path, "written", &error))
}

/// The file, for appending alone, so that one which the system lets nobody change otherwise will do; and what it holds.
fn open(path: &Path) -> Result<(File, Vec<u8>), Error> {
    let failed = |error| io_error(path, "opened", &error);
    let options = &mut OpenOptions::new();
    let mut file = open_regular(options.read(true).append(true).create(true).mode(0o600), path).map_err(failed)?;
    let mut held = Vec::new();
    file.read_to_end(&mut held).map_err(|error| io_error(path, "read", &error))?;
    Ok((file, held))
}

fn damaged(path: &Path) -> Error {
    unusable(path, "it holds something else than whole checkpoints; choose another file, and keep this one as evidence")
}

/// Sinks with what they have not taken yet: one that fails gets everything once it works again, in order.
#[derive(Debug)]
pub(crate) struct Outbox {
    sinks: Vec<(Sink, Vec<String>)>,
}

impl Outbox {
    pub(crate) fn new(sinks: &[Sink]) -> Self {
        Self { sinks: sinks.iter().map(|sink| (sink.clone(), Vec::new())).collect() }
    }

    /// Sends `note` and what is left of earlier ones to every sink.
    ///
    /// # Errors
    /// The first sink's error; the others were served all the same.
    pub(crate) fn send(&mut self, note: &str) -> Result<(), Error> {
        let mut outcome = Ok(());
        for (sink, waiting) in &mut self.sinks {
            waiting.push(note.to_owned());
            while let Some(first) = waiting.first() {
                if let Err(error) = sink.put(first) {
                    outcome = outcome.and(Err(error));
                    break;
                }
                waiting.remove(0);
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "counterseal/x\n1\nroot\nnext k\ntime 1\n\n\u{2014} counterseal/x sig\n";

    #[test]
    fn a_failing_sink_gets_everything_later_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let (good, late) = (folder.path().join("good"), folder.path().join("missing/late"));
        let mut outbox = Outbox::new(&[Sink::File(late.clone()), Sink::File(good.clone())]);
        outbox.send(NOTE).unwrap_err();
        std::fs::create_dir(folder.path().join("missing")).unwrap();
        outbox.send(&NOTE.replace("\n1\n", "\n2\n")).unwrap();
        assert_eq!(std::fs::read(good).unwrap(), std::fs::read(late).unwrap());
    }

    #[test]
    fn a_file_of_anything_else_is_refused_and_left() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open_or_create(&folder.path().join("home"), &mut crate::ledger::Entropy::system()).unwrap();
        let path = folder.path().join("notes");
        let sink = Sink::File(path.clone());
        let own = NOTE.replace("counterseal/x", home.origin());
        let torn = own.get(..own.len() / 2).unwrap();
        for held in [
            "root:x:0:0\n\nother\n\n",
            "\n",
            &format!("{own}\n\u{ff}{own}\n"),
            &format!("{NOTE}\n"),
            &format!("{torn}!"),
        ] {
            std::fs::write(&path, held).unwrap();
            assert_eq!(sink.check(&home).unwrap_err().code(), ErrorCode::ConfigInvalid, "{held}");
            if whole_notes(held.as_bytes()) < held.len() {
                sink.put(&own).unwrap_err();
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), held);
        }
    }

    #[test]
    fn a_torn_note_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        let whole = format!("{NOTE}\n");
        for cut in 0..whole.len() {
            std::fs::write(&path, format!("{whole}{}", whole.get(..cut).unwrap_or_default())).unwrap();
            Sink::File(path.clone()).put(NOTE).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{whole}{whole}"), "cut at {cut}");
        }
    }
}
