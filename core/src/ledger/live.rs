//! This process's stream while it is written: the spool, its writer, and the way of a record into it.

use super::codec::{Measure, Omitted, Place, Record};
use super::entropy::Entropy;
use super::files::io_error;
use super::health::Control;
use super::home::Home;
use super::id::StreamId;
use super::lock::FileLock;
use super::options::Options;
use super::writer::Writer;
use crate::error::{Error, ErrorCode};
use counterseal_spool::{AppendError, Identity, Spool};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A stream that this process writes.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) stream: StreamId,
    /// The process that may use it; another one is a forked child.
    pub(crate) generation: u64,
    pub(crate) spool: Arc<Spool>,
    pub(crate) control: Arc<Control>,
    patience: Duration,
    while_waiting: fn(&mut dyn FnMut()),
}

/// A record in the spool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    /// Behind it.
    pub(crate) position: u64,
    /// Whether it had to wait for room, and other threads may have run meanwhile.
    pub(crate) waited: bool,
}

impl Live {
    /// Makes a stream and starts its writer. Nothing stays of one that could not be made whole.
    pub(crate) fn start(home: &Home, options: &Arc<Options>) -> Result<Self, Error> {
        let mut entropy = Entropy::system();
        let stream = StreamId(entropy.draw()?);
        let nonce = entropy.draw()?;
        let directory = home.make_stream(stream)?;
        let started = Self::start_in(&directory, home, options, stream, nonce);
        if started.is_err() {
            for file in ["spool", "lock"] {
                let _may_not_have_been_made = std::fs::remove_file(directory.join(file));
            }
            let _is_empty_and_harmless = std::fs::remove_dir(&directory);
        }
        started
    }

    fn start_in(
        directory: &Path,
        home: &Home,
        options: &Arc<Options>,
        stream: StreamId,
        nonce: [u8; 16],
    ) -> Result<Self, Error> {
        // the lock before the spool: a stream with a spool and without a lock is an orphan to every other process
        let lock = FileLock::try_acquire(&home.stream_lock_path(stream))?.ok_or_else(|| {
            Error::new(ErrorCode::LedgerIo, format!("the stream `{stream}` is locked by another process"))
        })?;
        let identity = Identity { stream: stream.0, nonce, boot: boot_id(), pid: std::process::id() };
        let path = directory.join("spool");
        let (spool, consumer) =
            Spool::create(&path, options.spool_bytes, &identity).map_err(|error| io_error(&path, "made", &error))?;
        let control = Arc::new(Control::default());
        let writer = Writer::new(home.clone(), Arc::clone(options), stream, consumer, Arc::clone(&control), lock);
        std::thread::Builder::new().name("counterseal-writer".to_owned()).spawn(move || writer.run()).map_err(
            |error| Error::new(ErrorCode::LedgerIo, format!("the ledger's writer cannot be started: {error}")),
        )?;
        let generation = counterseal_spool::generation();
        let Options { patience, while_waiting, .. } = **options;
        Ok(Self { stream, generation, spool, control, patience, while_waiting })
    }

    /// Puts a record into the spool.
    #[inline]
    pub(crate) fn append(&self, record: &impl Record) -> Result<Taken, Error> {
        if self.control.gone.load(Ordering::Relaxed) {
            return Err(self.refused(&AppendError::Full));
        }
        let mut measure = Measure::default();
        record.write(Omitted::default(), &mut measure);
        let limit = self.spool.limit();
        let (omitted, length) =
            if measure.0 <= limit { (Omitted::default(), measure.0) } else { Self::shrink(record, limit, measure.0) };
        self.place(record, omitted, length).map_err(|error| self.refused(&error))
    }

    #[inline]
    fn place<R: Record>(&self, record: &R, omitted: Omitted, length: usize) -> Result<Taken, AppendError> {
        let mut deadline = None;
        loop {
            let write = |place: &mut [u8]| record.write(omitted, &mut Place(place));
            if let Some(position) = self.spool.try_append(R::KIND, length, write)? {
                return Ok(Taken { position, waited: deadline.is_some() });
            }
            deadline = Some(self.room_made(length, deadline)?);
        }
    }

    /// Waits for room, until `deadline` or as long as the options say; when that is.
    #[cold]
    fn room_made(&self, length: usize, deadline: Option<Instant>) -> Result<Instant, AppendError> {
        let begun = Instant::now();
        let deadline = deadline.unwrap_or_else(|| begun.checked_add(self.patience).unwrap_or(begun));
        // refused is what was never waited for
        let mut outcome = Err(AppendError::Full);
        (self.while_waiting)(&mut || outcome = self.spool.wait_for_room(length, deadline));
        outcome.map(|()| deadline)
    }

    /// Leaves out parts, the largest first, until the record fits.
    #[cold]
    fn shrink(record: &impl Record, limit: usize, mut length: usize) -> (Omitted, usize) {
        let mut omitted = Omitted::default();
        while length > limit && omitted.largest(record.parts()) {
            let mut measure = Measure::default();
            record.write(omitted, &mut measure);
            length = measure.0;
        }
        (omitted, length)
    }

    #[cold]
    fn refused(&self, error: &AppendError) -> Error {
        let trouble = self.control.status().last_error.clone();
        let because = trouble.map(|trouble| format!("; the writer says: {trouble}")).unwrap_or_default();
        if self.control.gone.load(Ordering::Acquire) {
            return Error::new(ErrorCode::LedgerIo, format!("the ledger's writer has ended{because}"));
        }
        match error {
            AppendError::Full => Error::new(
                ErrorCode::LedgerFull,
                format!("no room came free in the ledger's spool in {} ms{because}", self.patience.as_millis()),
            ),
            AppendError::TooLarge { size, limit } => Error::new(
                ErrorCode::LedgerFull,
                format!(
                    "a record has {size} bytes without its payloads and the spool takes {limit}; shorten its ids or raise the spool's size"
                ),
            ),
            AppendError::Sealed => Error::new(ErrorCode::Closed, "the ledger was closed"),
            AppendError::Forked => Error::new(ErrorCode::Forked, "the spool belongs to the parent process"),
            AppendError::Io(error) => Error::new(ErrorCode::LedgerIo, format!("the spool cannot be written: {error}")),
        }
    }

    /// Waits until the disk has everything before `position`.
    pub(crate) fn wait_synced(&self, position: u64, timeout: Duration) -> Result<(), Error> {
        self.spool.wake_consumer();
        let deadline = Instant::now().checked_add(timeout).unwrap_or_else(Instant::now);
        if self.spool.wait_released_unless(position, deadline, || self.control.gone.load(Ordering::Acquire)) {
            return Ok(());
        }
        let because = self.control.status().last_error.clone();
        let because = because.map(|trouble| format!("; the writer says: {trouble}")).unwrap_or_default();
        Err(Error::new(
            ErrorCode::LedgerIo,
            format!("the record is not on the disk after {} ms{because}", timeout.as_millis()),
        ))
    }
}

/// A record on its way to the disk, where a call waits for that.
#[derive(Debug, Clone)]
pub struct SyncTicket {
    pub(crate) live: Arc<Live>,
    pub(crate) position: u64,
}

impl SyncTicket {
    /// Tells the spools of one process apart: records of the same one reach the disk in the order in which they were taken.
    #[must_use]
    pub fn queue(&self) -> usize {
        Arc::as_ptr(&self.live).addr()
    }

    /// Whether the disk has it. Never blocks.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.live.spool.released() >= self.position
    }

    /// Waits until the disk has it.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where it has not after `timeout`, or the writer ended. The record may still be written later.
    pub fn wait(&self, timeout: Duration) -> Result<(), Error> {
        self.live.wait_synced(self.position, timeout)
    }
}

/// Names the boot of this machine; zero where it has no name. The spool's pages live in the kernel's cache, so what they
/// hold is worth reading only in the boot that wrote them.
pub(crate) fn boot_id() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    super::hex::parse(&digits).unwrap_or_default()
}
