//! Erases payloads in place: the records and their chain stay, the values they speak of are gone.
//!
//! First [`settle`]: what spools hold is brought into sidecars, where an erasure reaches it. Then three steps under the home's
//! lock, so that a kill between any two leaves a ledger that verifies: find what is to be erased, record that it is
//! ([`Erasure::record`], synced and signed), overwrite ([`Erasure::overwrite`], synced). Broken off before the last, the
//! same request erases the rest.

mod settle;

pub use settle::{PATIENCE, settle};

use super::direct::write_stream;
use super::entropy::Entropy;
use super::entry::ActionId;
use super::event::Erased;
use super::files::{io_error, open_file};
use super::home::{Home, HomeLock};
use super::lines::LineReader;
use super::read::{Entries, Filter};
use super::record::{Kind, Record, SidecarLine};
use crate::clock::{Clock, UnixNanos};
use crate::error::{Error, ErrorCode};
use std::collections::BTreeSet;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

/// Whose payloads are erased: those of all calls that any of these names.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Calls by id.
    pub actions: Vec<ActionId>,
    /// Calls on behalf of a user.
    pub user: Option<String>,
    /// Calls of a conversation.
    pub session: Option<String>,
}

/// What is to be erased, and what the record says of it.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Whose payloads.
    pub selection: Selection,
    /// Which parts; `None`: all.
    pub parts: Option<Vec<String>>,
    /// Why, for the record.
    pub reason: String,
    /// By whom, for the record.
    pub by: String,
}

/// A payload in a sidecar.
#[derive(Debug)]
struct Spot {
    path: PathBuf,
    /// Where its salt begins in the file.
    at: u64,
    length: usize,
}

/// What a request will erase.
#[derive(Debug)]
pub struct Erasure {
    actions: Vec<ActionId>,
    spots: Vec<Spot>,
}

/// What was erased.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ErasedReport {
    /// The calls.
    pub actions: Vec<String>,
    /// How many payloads; those of calls that had none left are not counted.
    pub payloads: u64,
}

/// Erases what `request` names, and leaves a record of it. Where nothing is left to erase, nothing is recorded.
///
/// It reaches every call that was recorded before it began, by living processes and dead ones ([`settle`]).
///
/// # Errors
/// [`ErrorCode::LedgerNotFound`] where no record has an action id, user or session of that name; those of [`settle`];
/// [`ErrorCode::LedgerIo`] and [`ErrorCode::CheckpointKey`] as for any writing.
pub fn erase(
    home: &Home,
    request: &Request,
    clock: &Clock,
    entropy: &mut Entropy,
    sink: &mut dyn FnMut(&str) -> Result<(), Error>,
) -> Result<ErasedReport, Error> {
    settle(home, clock, PATIENCE, sink)?;
    let lock = home.lock()?;
    let erasure = Erasure::find(&lock, request)?;
    if !erasure.spots.is_empty() {
        erasure.record(&lock, request, clock.now(), entropy, sink)?;
        erasure.overwrite()?;
    }
    let actions = erasure.actions.iter().map(ToString::to_string).collect();
    Ok(ErasedReport { actions, payloads: erasure.spots.len() as u64 })
}

impl Erasure {
    /// The calls that are named, whether they have payloads left or not.
    #[must_use]
    pub fn actions(&self) -> &[ActionId] {
        &self.actions
    }

    /// How many payloads will be erased.
    #[must_use]
    pub const fn payloads(&self) -> usize {
        self.spots.len()
    }

    /// Finds the calls and their payloads.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerNotFound`] for a name that no record has.
    pub fn find(lock: &HomeLock<'_>, request: &Request) -> Result<Self, Error> {
        let home = lock.home();
        let actions = select(home, &request.selection)?;
        let mut spots = Vec::new();
        for (path, reader) in sidecars(home)? {
            find_in(&path, reader, &actions, request.parts.as_deref(), &mut spots)
                .map_err(|error| io_error(&path, "read", &error))?;
        }
        Ok(Self { actions: actions.into_iter().collect(), spots })
    }

    /// Records what will be erased, in a stream of its own, under a checkpoint.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] and [`ErrorCode::CheckpointKey`]; nothing is erased then.
    pub fn record(
        &self,
        lock: &HomeLock<'_>,
        request: &Request,
        time: UnixNanos,
        entropy: &mut Entropy,
        sink: &mut dyn FnMut(&str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let parts: Option<Vec<&str>> = request.parts.as_ref().map(|parts| parts.iter().map(String::as_str).collect());
        let (reason, by) = (request.reason.as_str(), request.by.as_str());
        let erased = Erased { action_ids: &self.actions, parts: parts.as_deref(), reason, by };
        write_stream(lock, time, entropy, sink, |open| open.erased(time, &erased)).map(|_| ())
    }

    /// Overwrites the payloads and waits until the disk has it.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`]; repeating the request goes on.
    pub fn overwrite(&self) -> Result<(), Error> {
        for spots in self.spots.chunk_by(|one, next| one.path == next.path) {
            let Some(path) = spots.first().map(|spot| &spot.path) else { continue };
            let file = open_file(path)?;
            for spot in spots {
                file.write_all_at(&SidecarLine::erasure(spot.length), spot.at)
                    .map_err(|error| io_error(path, "written", &error))?;
            }
            file.sync_data().map_err(|error| io_error(path, "synced", &error))?;
        }
        Ok(())
    }
}

fn select(home: &Home, selection: &Selection) -> Result<BTreeSet<ActionId>, Error> {
    let wanted: BTreeSet<ActionId> = selection.actions.iter().copied().collect();
    let mut unseen = wanted.clone();
    let (mut user_seen, mut session_seen) = (selection.user.is_none(), selection.session.is_none());
    let mut actions = BTreeSet::new();
    for stream in home.streams()? {
        for entry in
            Entries::of_stream(home, stream, Filter { kinds: vec![Kind::Decided], ..Filter::default() }, false)?
        {
            let Record::Decided(decided) = entry?.record else { continue };
            let action = ActionId(decided.action_id.0);
            unseen.remove(&action);
            let of_user = decided.user.as_ref().is_some_and(|user| Some(&user.id) == selection.user.as_ref());
            let of_session = selection.session.as_ref() == Some(&decided.session);
            user_seen |= of_user;
            session_seen |= of_session;
            if wanted.contains(&action) || of_user || of_session {
                actions.insert(action);
            }
        }
    }
    let missing = |what: &str, name: &str| {
        Err(Error::new(ErrorCode::LedgerNotFound, format!("no record of the ledger has the {what} `{name}`")))
    };
    if let Some(action) = unseen.first() {
        return missing("action id", &action.to_string());
    }
    match (&selection.user, &selection.session) {
        (Some(user), _) if !user_seen => missing("user", user),
        (_, Some(session)) if !session_seen => missing("session", session),
        _ => Ok(actions),
    }
}

fn sidecars(home: &Home) -> Result<Vec<(PathBuf, LineReader)>, Error> {
    let mut found = Vec::new();
    for stream in home.streams()? {
        for segment in home.segments(stream)? {
            let path = home.sidecar_path(stream, segment);
            match super::files::open_for_reading(&path) {
                Ok(file) => found.push((path, LineReader::new(file, 0))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(io_error(&path, "read", &error)),
            }
        }
    }
    Ok(found)
}

fn find_in(
    path: &std::path::Path,
    mut reader: LineReader,
    actions: &BTreeSet<ActionId>,
    parts: Option<&[String]>,
    spots: &mut Vec<Spot>,
) -> std::io::Result<()> {
    while let Some(line) = reader.next()? {
        let Some(parsed) = SidecarLine::parse(line.text).filter(|_| line.ended) else { continue };
        let chosen = actions.contains(&parsed.action)
            && parts.is_none_or(|parts| parts.iter().any(|part| part == parsed.part))
            && !parsed.is_erased();
        if chosen {
            let at = line.at + parsed.salt_at as u64;
            spots.push(Spot { path: path.to_owned(), at, length: parsed.payload.len() });
        }
    }
    Ok(())
}
