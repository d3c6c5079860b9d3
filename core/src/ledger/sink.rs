//! Where checkpoints go besides the home, so that a ledger cut back to an earlier checkpoint is noticed.

use super::files::{io_error, open_file};
use super::note::whole_notes;
use crate::error::{Error, ErrorCode};
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
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
        if path.starts_with("~") {
            return Err(unusable(path, "`~` is not expanded; write the path out"));
        }
        std::path::absolute(path).map(Self::File).map_err(|error| unusable(path, &error.to_string()))
    }

    /// Whether a note could be handed over now, to a place outside `home`. Makes the file if it is missing.
    ///
    /// # Errors
    /// [`ErrorCode::ConfigInvalid`] for a place in the home, [`ErrorCode::LedgerIo`] for one that cannot be written.
    pub fn check(&self, home: &Path) -> Result<(), Error> {
        let Self::File(path) = self;
        // the file itself is made below; its directory tells where it lies, through whatever links
        let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
        if folder.zip(home.canonicalize().ok()).is_some_and(|(folder, home)| folder.starts_with(home)) {
            return Err(unusable(path, "it lies in the home, where it proves nothing; choose a place outside"));
        }
        open_file(path).map(|_| ())
    }

    /// Hands over a note and waits until it is safe there.
    ///
    /// # Errors
    /// [`crate::ErrorCode::LedgerIo`].
    pub fn put(&self, note: &str) -> Result<(), Error> {
        match self {
            Self::File(path) => append(path, note),
        }
    }
}

fn unusable(path: &Path, why: &str) -> Error {
    Error::new(ErrorCode::ConfigInvalid, format!("the file of checkpoints `{}` cannot be used: {why}", path.display()))
        .with("path", path.display())
}

fn append(path: &Path, note: &str) -> Result<(), Error> {
    let mut file = open_file(path)?;
    let mut written = || -> std::io::Result<()> {
        let mut held = Vec::new();
        file.read_to_end(&mut held)?;
        // what a killed process left half written is taken back; notes are never changed
        let whole = whole_notes(&held) as u64;
        if whole < held.len() as u64 {
            file.set_len(whole)?;
        }
        file.write_all_at(format!("{note}\n").as_bytes(), whole)?;
        file.sync_data()
    };
    written().map_err(|error| io_error(path, "written", &error))
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

    const NOTE: &str = "counterseal/x\n1\nroot\nnext k\ntime t\n\n\u{2014} counterseal/x sig\n";

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
