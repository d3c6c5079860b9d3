//! Brings what spools hold to where an erasure reaches it: those of dead processes are taken over, living ones are waited for.

use crate::clock::Clock;
use crate::error::{Error, ErrorCode};
use crate::ledger::adopt::adopt_orphans;
use crate::ledger::home::Home;
use crate::ledger::id::StreamId;
use crate::ledger::lock::FileLock;
use counterseal_spool::{Extent, LeftoverError, read_extent};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long [`super::erase()`] waits for living processes. They write within milliseconds unless their disk fails.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How often a living process's spool is looked at.
const PAUSE: Duration = Duration::from_millis(5);

/// Takes over the streams of dead processes and waits until living ones have written what they had recorded when this
/// began, and have overwritten it in their spools. Checkpoints go to `sink` too.
///
/// # Errors
/// [`ErrorCode::LedgerIo`] where a living process has not written after `patience`; where a dead one's spool cannot be taken
/// over, why: an erasure would miss what it holds, and it would come back with the next process.
pub fn settle(
    home: &Home,
    clock: &Clock,
    patience: Duration,
    sink: &mut dyn FnMut(&str) -> Result<(), Error>,
) -> Result<(), Error> {
    let deadline = Instant::now().checked_add(patience).unwrap_or_else(Instant::now);
    let mut waiting = spools(home)?;
    loop {
        let mut living = Vec::new();
        let mut dead = None;
        for spool in waiting {
            match extent(&spool) {
                // gone with its stream's end
                Ok(None) => {}
                _ if !FileLock::is_held(&home.stream_lock_path(spool.stream))? => {
                    dead = Some(spool.stream);
                    living.push(spool);
                }
                Ok(Some(extent)) if extent.tail >= spool.head => {}
                Ok(Some(_)) => living.push(spool),
                Err(error) => return Err(unreadable(&spool, &error)),
            }
        }
        if living.is_empty() {
            return Ok(());
        }
        if let Some(stream) = dead {
            let adoption = adopt_orphans(home, clock, sink, &|| false);
            let left = home.stream_path(stream).join("spool");
            if let Some(error) = adoption.error.filter(|_| left.exists()) {
                let message = format!(
                    "nothing was erased, since a dead process's stream cannot be taken over: {}",
                    error.message()
                );
                return Err(Error::new(error.code(), message).with("stream", stream));
            }
        }
        if Instant::now() >= deadline {
            return Err(late(&living, patience));
        }
        waiting = living;
        std::thread::sleep(PAUSE);
    }
}

/// A spool of the home and what it held at first sight.
struct Seen {
    stream: StreamId,
    path: PathBuf,
    head: u64,
    pid: u32,
}

fn spools(home: &Home) -> Result<Vec<Seen>, Error> {
    let mut found = Vec::new();
    for stream in home.streams()? {
        let path = home.stream_path(stream).join("spool");
        let mut seen = Seen { stream, path, head: 0, pid: 0 };
        // one that cannot be read is looked at again, with its lock
        match extent(&seen) {
            Ok(None) => continue,
            Ok(Some(extent)) => (seen.head, seen.pid) = (extent.head, extent.pid),
            Err(_) => {}
        }
        found.push(seen);
    }
    Ok(found)
}

/// What a spool holds now; `None` where its file is gone. One that is being made, or never was finished, holds nothing.
fn extent(spool: &Seen) -> Result<Option<Extent>, LeftoverError> {
    match read_extent(&spool.path) {
        Ok(extent) => Ok(Some(extent.unwrap_or(Extent { pid: 0, head: 0, tail: 0 }))),
        Err(LeftoverError::Io(error)) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn unreadable(spool: &Seen, error: &LeftoverError) -> Error {
    let message = format!(
        "nothing was erased: the spool `{}` of a running process cannot be read: {error}",
        spool.path.display()
    );
    Error::new(ErrorCode::LedgerIo, message).with("path", spool.path.display())
}

fn late(living: &[Seen], patience: Duration) -> Error {
    let mut processes: Vec<u32> = living.iter().map(|spool| spool.pid).collect();
    processes.sort_unstable();
    processes.dedup();
    let names: Vec<String> = processes.iter().map(|pid| format!("`{pid}`")).collect();
    let message = format!(
        "nothing was erased: process {} has calls that it recorded and did not write in {} ms, and these would stay; its `health()` says why; end it or let it flush, then erase again",
        names.join(", "),
        patience.as_millis()
    );
    Error::new(ErrorCode::LedgerIo, message).with("processes", names.join(", "))
}
