//! The approvals of a home: one file each, replaced as a whole under the approvals' lock (`docs/formats.md` §9).

use super::event::Event;
use super::machine::{Approval, State};
use super::request::{ApprovalId, Request};
use crate::clock::UnixNanos;
use crate::error::{Error, ErrorCode};
use crate::ledger::lock::FileLock;
use crate::ledger::record::scalar::{Id, Time};
use crate::ledger::{ActionId, ApprovalChange, Entropy, Home, Part, StreamId, files};
use crate::value::{self, Value};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The version of the files that this one writes, and the only one it reads.
const VERSION: u32 = 1;

/// The approvals of one home.
#[derive(Debug, Clone)]
pub struct Store {
    home: Home,
    directory: PathBuf,
}

#[derive(Serialize)]
struct Written<'a> {
    v: u32,
    request: &'a Request,
    events: &'a [Event],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    #[serde(rename = "v")]
    _version: u32,
    request: Request,
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// What tells one version of a file from the next: each is another file under the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    changed: (i64, i64),
    size: u64,
}

/// The approvals' lock, held until this is dropped: nobody else changes one meanwhile.
#[derive(Debug)]
pub struct Locked<'s> {
    store: &'s Store,
    _lock: FileLock,
}

impl Store {
    /// The approvals of `home`; nothing is made before the first one is.
    #[must_use]
    pub fn new(home: &Home) -> Self {
        Self { directory: home.approvals_path(), home: home.clone() }
    }

    /// The home.
    #[must_use]
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// Where they lie.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Waits until nobody else changes an approval of this home.
    ///
    /// # Errors
    /// [`ErrorCode::HomeUnusable`] where the directory cannot be made, [`ErrorCode::LedgerIo`] where it cannot be locked.
    pub fn lock(&self) -> Result<Locked<'_>, Error> {
        self.home.make_approvals()?;
        Ok(Locked { store: self, _lock: FileLock::acquire(&self.directory.join("lock"))? })
    }

    /// The approval called `id`; `None` where there is none.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where it cannot be read, [`ErrorCode::LedgerVersion`] where a later version wrote it,
    /// [`ErrorCode::LedgerCorrupt`] where it is damaged or tells of what could not have happened.
    pub fn read(&self, id: ApprovalId) -> Result<Option<Approval>, Error> {
        let path = self.path(id);
        match files::read_file(&path) {
            Ok(text) => parse(&path, &text).and_then(|approval| {
                if approval.id() == id { Ok(Some(approval)) } else { Err(damaged(&path, "names another approval")) }
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(files::io_error(&path, "read", &error)),
        }
    }

    /// The approval called `id`.
    ///
    /// # Errors
    /// [`ErrorCode::ApprovalNotFound`] where there is none; else as [`Store::read`].
    pub fn find(&self, id: ApprovalId) -> Result<Approval, Error> {
        self.read(id)?.ok_or_else(|| {
            let message =
                format!("there is no approval `{id}` in this home; `counterseal approvals list` shows those there are");
            Error::new(ErrorCode::ApprovalNotFound, message).with("approval", id)
        })
    }

    /// Ends what ran out while nobody was there to see it; `record` puts that on record before it counts.
    ///
    /// # Errors
    /// As [`Store::ids`], [`Store::lock`] and [`Locked::end_overdue`]. One that cannot be read stays for people to look at.
    pub fn end_overdue(
        &self,
        now: UnixNanos,
        record: &mut dyn FnMut(&Locked<'_>, &Approval) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut overdue = self.ids()?;
        overdue.retain(|id| self.read(*id).ok().flatten().is_some_and(|approval| approval.is_overdue(now)));
        if overdue.is_empty() {
            return Ok(());
        }
        let locked = self.lock()?;
        for id in overdue {
            locked.end_overdue(id, now, &mut |ended| record(&locked, ended))?;
        }
        Ok(())
    }

    /// The id of the one approval whose id begins with `beginning`.
    ///
    /// # Errors
    /// [`ErrorCode::ApprovalNotFound`] where there is none, or more than one; else as [`Store::ids`].
    pub fn named(&self, beginning: &str) -> Result<ApprovalId, Error> {
        let mut found = self.ids()?;
        found.retain(|id| !beginning.is_empty() && id.to_string().starts_with(beginning));
        let message = match found.as_slice() {
            [id] => return Ok(*id),
            [] => format!(
                "there is no approval `{beginning}` in this home; `counterseal approvals list --all` shows those there are"
            ),
            several => format!("`{beginning}` begins {} approvals; write more of the id", several.len()),
        };
        Err(Error::new(ErrorCode::ApprovalNotFound, message).with("approval", beginning))
    }

    /// Whether a living process waits for its answer; one that cannot be asked does.
    #[must_use]
    pub fn is_waited_for(&self, approval: &Approval) -> bool {
        let alive = |asker: Id| FileLock::is_lived_in(&self.home.stream_lock_path(StreamId(asker.0))).unwrap_or(true);
        approval.asker().is_some_and(alive)
    }

    /// The ids of all approvals, sorted.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where the directory cannot be read.
    pub fn ids(&self) -> Result<Vec<ApprovalId>, Error> {
        let mut ids = Vec::new();
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(ids),
            Err(error) => return Err(files::io_error(&self.directory, "read", &error)),
        };
        for entry in entries {
            let name = entry.map_err(|error| files::io_error(&self.directory, "read", &error))?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".json"));
            ids.extend(id.and_then(|id| id.parse::<ActionId>().ok()).map(|id| Id(id.0)));
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// When the directory last changed, in nanoseconds since 1970 as its file system says; `None` where there is none.
    pub(super) fn changed(&self) -> Option<i64> {
        let found = std::fs::symlink_metadata(&self.directory).ok()?;
        Some(found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec()))
    }

    pub(super) fn stamp(&self, id: ApprovalId) -> Option<Stamp> {
        let found = std::fs::symlink_metadata(self.path(id)).ok()?;
        Some(Stamp { inode: found.ino(), changed: (found.mtime(), found.mtime_nsec()), size: found.len() })
    }

    fn path(&self, id: ApprovalId) -> PathBuf {
        self.directory.join(format!("{id}.json"))
    }
}

impl Locked<'_> {
    /// Puts the approval as it now is in the place of what was there. With `synced` the disk has it when this returns.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where it cannot be written; what was there before still is then.
    pub fn write(&self, approval: &Approval, synced: bool) -> Result<(), Error> {
        let written = Written { v: VERSION, request: approval.request(), events: approval.events() };
        let mut text = serde_json::to_vec(&written)
            .map_err(|error| Error::new(ErrorCode::LedgerIo, format!("an approval cannot be written: {error}")))?;
        text.push(b'\n');
        let path = self.store.path(approval.id());
        // one writer at a time: the lock is held
        let draft = self.store.directory.join("draft");
        if synced {
            files::write_whole(&draft, &text)?;
        } else {
            files::write_unsynced(&draft, &text)?;
        }
        std::fs::rename(&draft, &path).map_err(|error| files::io_error(&path, "written", &error))?;
        if synced { files::sync_directory(&self.store.directory) } else { Ok(()) }
    }

    /// Waits until the disk has these approvals as they now are.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where it cannot.
    pub fn sync(&self, ids: impl Iterator<Item = ApprovalId>) -> Result<(), Error> {
        for id in ids {
            let path = self.store.path(id);
            let synced = files::open_for_reading(&path).and_then(|file| file.sync_all());
            synced.map_err(|error| files::io_error(&path, "synced", &error))?;
        }
        files::sync_directory(&self.store.directory)
    }

    /// Takes an approval away.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where it cannot be removed.
    pub fn remove(&self, id: ApprovalId) -> Result<(), Error> {
        let path = self.store.path(id);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(files::io_error(&path, "removed", &error)),
            _ => Ok(()),
        }
    }

    /// Ends the approval called `id` where that is overdue, without the arguments that were kept for its call. The end of a question
    /// is put on record first; a yes that no call came for is on record already. `None` where nothing was overdue.
    ///
    /// # Errors
    /// Those of `record`, of [`Store::read`] and of writing.
    pub fn end_overdue(
        &self,
        id: ApprovalId,
        now: UnixNanos,
        record: &mut dyn FnMut(&Approval) -> Result<(), Error>,
    ) -> Result<Option<Approval>, Error> {
        let Some(mut approval) = self.store.read(id)?.filter(|approval| approval.is_overdue(now)) else {
            return Ok(None);
        };
        if let Some(due) = approval.due(now) {
            approval.apply(due)?;
            record(&approval)?;
        } else {
            approval.apply(Event::Delivered { time: Time(now) })?;
        }
        self.write(&approval, false)?;
        Ok(Some(approval))
    }

    /// What a command does: applies an event to the approval called `id`, records it in a stream of its own, and keeps it.
    /// The record is on the disk first: killed in between, a yes stands in the ledger and has no effect.
    ///
    /// # Errors
    /// Those of [`Approval::apply`], of [`Store::find`], and of writing.
    pub fn command(
        &self,
        id: ApprovalId,
        event: Event,
        sink: &mut dyn FnMut(&str) -> Result<(), Error>,
    ) -> Result<Approval, Error> {
        let mut approval = self.store.find(id)?;
        let time = event.time().0;
        if let Some(due) = approval.due(time) {
            approval.apply(due)?;
            self.record(&approval, time, sink)?;
            self.write(&approval, true)?;
        }
        approval.apply(event)?;
        self.record(&approval, time, sink)?;
        self.write(&approval, true)?;
        Ok(approval)
    }

    /// Records the last thing that happened to an approval, in a stream of its own.
    ///
    /// # Errors
    /// Where the home's ledger cannot be written.
    pub fn record(
        &self,
        approval: &Approval,
        time: UnixNanos,
        sink: &mut dyn FnMut(&str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut entropy = Entropy::system();
        let lock = self.store.home.lock()?;
        let mut appended = Ok(());
        with_change(approval, |change| {
            crate::ledger::write_stream(&lock, time, &mut entropy, sink, |open| appended = open.approval(time, change))
        })?;
        appended
    }
}

/// Lends the record of the last thing that happened to an approval.
pub(crate) fn with_change<R>(approval: &Approval, use_it: impl FnOnce(&ApprovalChange<'_>) -> R) -> R {
    let id = approval.id().to_string();
    let said = match approval.events().last() {
        Some(Event::Answered { by, note, .. }) => Some((by, note.as_deref())),
        _ => None,
    };
    let mut note = Vec::new();
    let noted = said.and_then(|(_, note)| note).is_some_and(|text| {
        // a note too large to be a value is left out of the record; the approval itself keeps it
        value::encode(&Value::Str(Cow::Borrowed(text)), &mut note).is_ok()
    });
    let parts = [Part { name: "note", canonical: &note }];
    use_it(&ApprovalChange {
        approval: &id,
        action_id: ActionId(approval.request().call.action_id.0),
        state: approval.state().as_str(),
        decided_by: said.map(|(by, _)| &*by.id),
        parts: if noted { &parts } else { &[] },
    })
}

/// Whether a finished approval has been kept long enough: a yes by its grant's end, everything by a week.
#[must_use]
pub fn is_outdated(approval: &Approval, now: UnixNanos) -> bool {
    const WEEK: i64 = 7 * 24 * 60 * 60 * 1_000_000_000;
    let since = match approval.state() {
        State::Pending => approval.request().expires.0,
        _ => approval.decided_at().unwrap_or(approval.request().expires.0),
    };
    now.0 > since.0.saturating_add(WEEK) && approval.grant(now).is_none()
}

fn parse(path: &Path, text: &[u8]) -> Result<Approval, Error> {
    let unreadable = |error: serde_json::Error| damaged(path, &format!("is damaged: {error}"));
    let Version { v } = serde_json::from_slice(text).map_err(unreadable)?;
    if v != VERSION {
        let message = format!("`{}` has version {v} and this product reads version {VERSION}", path.display());
        return Err(Error::new(ErrorCode::LedgerVersion, message).with("path", path.display()));
    }
    let kept: Kept = serde_json::from_slice(text).map_err(unreadable)?;
    Approval::fold(kept.request, kept.events)
        .map_err(|error| damaged(path, &format!("tells of what could not have happened: {error}")))
}

fn damaged(path: &Path, what: &str) -> Error {
    let message = format!("the approval `{}` {what}; remove it, and the call is asked about again", path.display());
    Error::new(ErrorCode::LedgerCorrupt, message).with("path", path.display())
}
