//! What may be trusted: the home's identity, its checkpoints along the chain of keys, and those held outside.

use super::Options;
use super::plan::Plan;
use super::report::{Place, ProblemCode, Report};
use crate::error::{Error, ErrorCode};
use crate::ledger::files::{read_file, read_key, read_small};
use crate::ledger::home::Home;
use crate::ledger::note::{Checkpoint, Note, VerifierKey, is_torn_note, split_notes, whole_notes};
use ed25519_dalek::SigningKey;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

/// What every checkpoint begins with.
const ORIGIN: &[u8] = b"counterseal/";

/// How often the keys are read again while checkpoints are being written.
const ATTEMPTS: usize = 16;

/// Everything a checkpoint says that was found trustworthy.
#[derive(Debug, Default)]
pub(super) struct Trust {
    pub(super) home: Option<Home>,
    /// Checkpoints with a good signature, and those held outside.
    checkpoints: Vec<(Checkpoint, Place)>,
}

impl Trust {
    /// Reads what is held outside, then the home's own: in this order, what the first names is in the second even while
    /// the home is written.
    pub(super) fn read(path: &Path, options: &Options, report: &mut Report) -> Result<Self, Error> {
        let outside = match &options.outside {
            Some(file) => Some((file, read_outside(file)?)),
            None => None,
        };
        let mut trust = Self { home: read_home(path, report), checkpoints: Vec::new() };
        report.home = trust.home.as_ref().map(|home| home.id().to_string());
        let first_key = options.first_key.clone().or_else(|| trust.home.as_ref().map(|home| home.first_key().clone()));
        if let (Some(given), Some(home)) = (&options.first_key, &trust.home)
            && given != home.first_key()
        {
            let message = format!("the home says `{}`, outside it is `{given}`", home.first_key());
            report.problem(ProblemCode::FirstKeyMismatch, Place::file("home.json"), message);
        }
        let origin = trust.home.as_ref().map(|home| home.origin().to_owned());
        let (text, keys) = read_checkpoints(path, origin.as_deref(), report);
        if let Some(named) = trust.check_own(&text, first_key, report).filter(|_| !options.copy)
            && !keys.fit(&named)
        {
            let message = format!(
                "it is not the key `{named}` that the last checkpoint names: checkpoints were removed, or the key was changed"
            );
            report.problem(ProblemCode::KeyMismatch, Place::file("keys/current"), message);
        }
        if let Some((file, held)) = outside {
            trust.compare(file, &held, &text, origin.as_deref(), report);
        }
        Ok(trust)
    }

    /// Follows the chain of keys through the home's checkpoints. Gives back its end, where it holds so far.
    fn check_own(&mut self, text: &str, first_key: Option<VerifierKey>, report: &mut Report) -> Option<VerifierKey> {
        let mut key = first_key?;
        for (nth, (offset, note)) in split_notes(text).enumerate() {
            let place = Place::file("checkpoints").line(text_line(text, offset), offset as u64);
            let Some(parsed) = Note::parse(note) else {
                report.problem(
                    ProblemCode::CheckpointMalformed,
                    place,
                    format!("checkpoint {} is not a signed note; those after it cannot be trusted", nth + 1),
                );
                return None;
            };
            if !parsed.is_signed_by(&key) {
                report.problem(
                    ProblemCode::CheckpointSignature,
                    place,
                    format!("checkpoint {} is not signed by `{key}`; those after it cannot be trusted", nth + 1),
                );
                return None;
            }
            key = parsed.next_key();
            report.checkpoints += 1;
            self.checkpoints.push((parsed.checkpoint, place));
        }
        Some(key)
    }

    /// Every checkpoint held outside has to be in the home, byte for byte.
    fn compare(&mut self, file: &Path, held: &str, own: &str, origin: Option<&str>, report: &mut Report) {
        let own: BTreeSet<&str> = split_notes(own).map(|(_, note)| note).collect();
        let whole = whole_notes(held.as_bytes());
        let name = file.display().to_string();
        let mut compared = 0;
        for (offset, note) in split_notes(held.get(..whole).unwrap_or_default()) {
            let place = Place::file(name.as_str()).line(text_line(held, offset), offset as u64);
            match Note::parse(note) {
                Some(parsed) if own.contains(note) => self.checkpoints.push((parsed.checkpoint, place)),
                Some(parsed) => {
                    let message =
                        format!("a checkpoint over {} lines of the index is not in the home", parsed.checkpoint.size);
                    report.problem(ProblemCode::CheckpointMissing, place.clone(), message);
                    self.checkpoints.push((parsed.checkpoint, place));
                }
                None => report.problem(ProblemCode::CheckpointMalformed, place, "it is not a signed note"),
            }
            compared += 1;
        }
        if torn(&name, held.as_bytes().get(whole..).unwrap_or_default(), origin, report) {
            report.remark(format!("`{name}` ends in a torn checkpoint; the next one handed over takes it back"));
        }
        if compared == 0 {
            report.problem(ProblemCode::CheckpointMalformed, Place::file(name), "it holds no checkpoint");
        }
        report.outside = Some(compared);
    }

    /// The sizes at which the index's root is needed, growing.
    pub(super) fn sizes(&self) -> Vec<u64> {
        let sizes: BTreeSet<u64> = self.checkpoints.iter().map(|(checkpoint, _)| checkpoint.size).collect();
        sizes.into_iter().collect()
    }

    /// Compares the index with the checkpoints. Gives back how many of its lines are proved.
    pub(super) fn check_index(&self, plan: &Plan, report: &mut Report) -> u64 {
        let mut proved = 0;
        let mut before = 0;
        for (checkpoint, place) in &self.checkpoints {
            if place.file == "checkpoints" && checkpoint.size < before {
                let message = format!("it covers {} lines, the one before it {before}", checkpoint.size);
                report.problem(ProblemCode::CheckpointOrder, place.clone(), message);
            }
            before = checkpoint.size;
        }
        let mut ordered: Vec<&(Checkpoint, Place)> = self.checkpoints.iter().collect();
        ordered.sort_by_key(|(checkpoint, _)| checkpoint.size);
        for (checkpoint, place) in ordered {
            match plan.roots.get(&checkpoint.size) {
                Some(root) if *root == checkpoint.root => proved = checkpoint.size,
                Some(_) => {
                    let message =
                        format!("lines {} to {} of the index are not those it signed", proved + 1, checkpoint.size);
                    report.problem(ProblemCode::CheckpointRoot, place.clone(), message);
                    break;
                }
                None => {
                    let message = format!("the index has {} lines, it signed {}", plan.lines, checkpoint.size);
                    report.problem(ProblemCode::IndexCut, place.clone(), message);
                    break;
                }
            }
        }
        proved
    }
}

fn read_home(path: &Path, report: &mut Report) -> Option<Home> {
    let place = || Place::file("home.json");
    let text = match read_small(&path.join("home.json")) {
        Ok(text) => text,
        Err(error) => {
            report.problem(ProblemCode::HomeChanged, place(), format!("it cannot be read: {error}"));
            return None;
        }
    };
    match Home::parse(path, &text) {
        Ok(home) if home.json().as_bytes() == text => Some(home),
        Ok(home) => {
            report.problem(ProblemCode::HomeChanged, place(), "it is not as it was written");
            Some(home)
        }
        Err(error) => {
            report.problem(ProblemCode::HomeChanged, place(), error.message());
            None
        }
    }
}

/// The home's checkpoints and the keys that belong to them: a checkpoint that is being made moves both.
fn read_checkpoints(path: &Path, origin: Option<&str>, report: &mut Report) -> (String, Keys) {
    let file = path.join("checkpoints");
    let mut bytes = read_or_report(&file, "checkpoints", report);
    let mut keys = Keys::read(path);
    for _ in 0..ATTEMPTS {
        let again = read_file(&file).unwrap_or_default();
        if again == bytes {
            break;
        }
        bytes = again;
        keys = Keys::read(path);
    }
    let whole = whole_notes(&bytes);
    let rest = bytes.get(whole..).unwrap_or_default();
    if torn("checkpoints", rest, origin, report) {
        report.remark(format!("the checkpoints end in a torn note of {} bytes", rest.len()));
    }
    bytes.truncate(whole);
    (String::from_utf8(bytes).unwrap_or_default(), keys)
}

/// Whether `rest`, which follows the last whole note of `file`, is the beginning of another; a kill leaves that and nothing
/// else, so anything else is a problem.
fn torn(file: &str, rest: &[u8], origin: Option<&str>, report: &mut Report) -> bool {
    // without the home's own word for it, its beginning is all that is known
    if origin.map_or_else(
        || rest.iter().zip(ORIGIN).all(|(byte, expected)| byte == expected),
        |origin| is_torn_note(rest, origin),
    ) {
        return !rest.is_empty();
    }
    let message = format!("{} bytes behind the last checkpoint are not the beginning of one", rest.len());
    report.problem(ProblemCode::CheckpointMalformed, Place::file(file), message);
    false
}

fn read_outside(file: &Path) -> Result<String, Error> {
    let unreadable = |why: String| {
        Error::new(
            ErrorCode::LedgerNotFound,
            format!("the checkpoints held outside, `{}`, cannot be read: {why}; name the file that checkpoints were handed to", file.display()),
        )
        .with("path", file.display())
    };
    // given by whoever verifies, so it may well be a link
    let bytes = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| unreadable("it is not text".to_owned()))
}

/// A file of the home; one that cannot be read is a problem and empty.
fn read_or_report(path: &Path, name: &str, report: &mut Report) -> Vec<u8> {
    read_file(path).unwrap_or_else(|error| {
        report.problem(ProblemCode::FileUnreadable, Place::file(name), format!("it cannot be read: {error}"));
        Vec::new()
    })
}

fn text_line(text: &str, offset: usize) -> u64 {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    memchr::memchr_iter(b'\n', before).count() as u64 + 1
}

/// The public keys of the secrets on the disk.
#[derive(Debug)]
struct Keys(Vec<[u8; 32]>);

impl Keys {
    /// The next one first: once it is gone, the current one has been replaced by it.
    fn read(path: &Path) -> Self {
        let public = |name: &str| match read_key(&path.join(name)) {
            Ok(seed) => seed.map(|seed| SigningKey::from_bytes(&seed).verifying_key().to_bytes()),
            Err(_) => None,
        };
        let next = public("keys/next");
        Self(next.into_iter().chain(public("keys/current")).collect())
    }

    fn fit(&self, named: &VerifierKey) -> bool {
        self.0.contains(&named.key)
    }
}

/// Whether a path names nothing.
pub(super) fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
}
