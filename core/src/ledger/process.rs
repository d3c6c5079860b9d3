//! The ledger of a process: starts its stream with the first record, again after a fork, and closes it once.

use super::adopt;
use super::codec::{Record, Timed};
use super::entropy::Entropy;
use super::entry::{Completed, Decided};
use super::event::{ApprovalChange, Control as ControlEntry, Erased, PolicyChange};
use super::health::{FlushReport, Health};
use super::home::Home;
use super::id::StreamId;
use super::live::{Live, SyncTicket};
use super::options::Options;
use super::ratchet::Ratchet;
use super::sink::Outbox;
use crate::clock::UnixNanos;
use crate::error::{Error, ErrorCode};
use arc_swap::{ArcSwapOption, Guard};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Records what a process decides. Shared by its threads; a forked child may go on using it and gets a stream of its own
/// with its first record.
#[derive(Debug)]
pub struct Ledger {
    home: Home,
    options: Arc<Options>,
    /// Replaced as a whole: what a thread of the parent held when it forked can never block the child.
    live: ArcSwapOption<Live>,
    /// The generation of the process that is starting a stream; 0: none is.
    starting: AtomicU64,
    closed: AtomicBool,
    unrecorded: Arc<Unrecorded>,
}

/// What a process that records nothing, and so has no writer, did for its home all the same.
#[derive(Debug, Default)]
struct Unrecorded {
    adopted: AtomicU64,
    trouble: ArcSwapOption<String>,
}

impl Ledger {
    /// Opens the home at `home`, or makes it. Starts nothing: the stream and its writer begin with the first record.
    ///
    /// # Errors
    /// As [`Home::open_or_create`]; [`ErrorCode::CheckpointKey`] where the home's key is missing or not the one that the last
    /// checkpoint names; [`ErrorCode::LedgerIo`] where an outside sink cannot be written.
    pub fn open(home: &Path, options: Options) -> Result<Self, Error> {
        let home = Home::open_or_create(home, &mut Entropy::system())?;
        Ratchet::check(&home)?;
        options.sinks.iter().try_for_each(|sink| sink.check(&home))?;
        Ok(Self {
            home,
            options: Arc::new(options),
            live: ArcSwapOption::empty(),
            starting: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            unrecorded: Arc::default(),
        })
    }

    /// Takes over the streams that dead processes left in a home: repairs their tails, takes what their spools held,
    /// closes them, and signs a checkpoint. Gives back how many there were.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`], [`ErrorCode::LedgerVersion`] or [`ErrorCode::LedgerCorrupt`] of the first stream that could
    /// not be taken over; the others were.
    pub fn recover(home: &Path, options: &Options) -> Result<u64, Error> {
        let home = Home::open(home)?;
        let mut outbox = Outbox::new(&options.sinks);
        adopt::adopt_orphans(&home, &options.clock, &mut |note| outbox.send(note), &|| false).into_result()
    }

    /// The home.
    #[must_use]
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// Records a decided call. With `durable` it returns once the disk has the record.
    ///
    /// # Errors
    /// The record is not in the ledger: [`ErrorCode::LedgerFull`], [`ErrorCode::LedgerIo`], [`ErrorCode::HomeUnusable`] or
    /// [`ErrorCode::Closed`]. A durable one that is in the spool and not on the disk in time is [`ErrorCode::LedgerIo`] too.
    #[inline]
    pub fn decided<S: AsRef<str>>(&self, decided: &Decided<'_, S>) -> Result<(), Error> {
        let live = self.live()?;
        let Some(live) = live.as_ref() else { return Err(Self::closed_error()) };
        let taken = live.append(decided)?;
        if decided.durable { live.wait_synced(taken.position, self.options.sync_patience) } else { Ok(()) }
    }

    /// Records a decided call without waiting for the disk. With `durable` it gives a ticket that says when the disk has the
    /// record; without, one that is done already, and only where the record had to wait for room.
    ///
    /// # Errors
    /// As [`Ledger::decided`], but for the waiting.
    #[inline]
    pub fn decided_unless_waiting<S: AsRef<str>>(
        &self,
        decided: &Decided<'_, S>,
        durable: bool,
    ) -> Result<Option<SyncTicket>, Error> {
        let live = self.live()?;
        let Some(live) = live.as_ref() else { return Err(Self::closed_error()) };
        let taken = live.append(decided)?;
        let position = match (durable, taken.waited) {
            (true, _) => {
                live.spool.wake_consumer();
                taken.position
            }
            (false, true) => 0,
            (false, false) => return Ok(None),
        };
        Ok(Some(SyncTicket { live: Arc::clone(live), position }))
    }

    /// Records the end of a call.
    ///
    /// # Errors
    /// As [`Ledger::decided`].
    #[inline]
    pub fn completed(&self, completed: &Completed<'_>) -> Result<(), Error> {
        self.append(completed)
    }

    /// Records that a policy came into force.
    ///
    /// # Errors
    /// As [`Ledger::decided`].
    pub fn policy(&self, time: UnixNanos, policy: &PolicyChange<'_>) -> Result<(), Error> {
        self.append(&Timed(time, policy))
    }

    /// Records a change of an approval.
    ///
    /// # Errors
    /// As [`Ledger::decided`].
    pub fn approval(&self, time: UnixNanos, approval: &ApprovalChange<'_>) -> Result<(), Error> {
        self.append(&Timed(time, approval))
    }

    /// Records that somebody steered the engine.
    ///
    /// # Errors
    /// As [`Ledger::decided`].
    pub fn control(&self, time: UnixNanos, control: &ControlEntry<'_>) -> Result<(), Error> {
        self.append(&Timed(time, control))
    }

    /// Records that payloads were erased.
    ///
    /// # Errors
    /// As [`Ledger::decided`].
    pub fn erased(&self, time: UnixNanos, erased: &Erased<'_>) -> Result<(), Error> {
        self.append(&Timed(time, erased))
    }

    /// The stream of this process; started if there is none.
    ///
    /// # Errors
    /// [`ErrorCode::Closed`], or why none can be started.
    pub(crate) fn stream(&self) -> Result<StreamId, Error> {
        self.live()?.as_ref().map(|live| live.stream).ok_or_else(Self::closed_error)
    }

    #[inline]
    fn append(&self, record: &impl Record) -> Result<(), Error> {
        let live = self.live()?;
        live.as_ref().ok_or_else(Self::closed_error)?.append(record).map(|_| ())
    }

    /// Waits until the disk has everything recorded so far, at most for `timeout`.
    #[must_use]
    pub fn flush(&self, timeout: Duration) -> FlushReport {
        let live = self.live.load();
        let Some(live) = live.as_ref().filter(|live| live.generation == counterseal_spool::generation()) else {
            return FlushReport::default();
        };
        live.spool.wake_consumer();
        let deadline = Instant::now().checked_add(timeout).unwrap_or_else(Instant::now);
        let gone = || live.control.gone.load(Ordering::Acquire);
        let _the_report_says_it = live.spool.wait_released_unless(live.spool.head(), deadline, gone);
        let pending = live.spool.pending();
        let status = live.control.status();
        FlushReport { written: status.written, pending, dropped: status.dropped }
    }

    /// Closes this process's stream: everything recorded is written, the stream closed, a checkpoint signed. Idempotent;
    /// every later record is refused with [`ErrorCode::Closed`]. What dead processes left is taken over by a process that
    /// recorded nothing too, for a quarter of `timeout`; the rest is left to the next.
    ///
    /// # Errors
    /// [`ErrorCode::LedgerIo`] where it did not end within `timeout` (it goes on; what is not written then is recovered by
    /// the next process).
    pub fn close(&self, timeout: Duration) -> Result<(), Error> {
        self.close_counting(timeout, &[])
    }

    /// [`Ledger::close`], with counters such as `condition_failed` for the `closed` record.
    ///
    /// # Errors
    /// As [`Ledger::close`].
    pub fn close_counting(&self, timeout: Duration, counted: &[(&str, u64)]) -> Result<(), Error> {
        let first = self.refuse_further();
        let live = self.live.load();
        let Some(live) = live.as_ref().filter(|live| live.generation == counterseal_spool::generation()) else {
            if first {
                self.adopt_unrecorded(timeout);
            }
            return Ok(());
        };
        if first {
            live.control.status().counted = counted.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        }
        Self::stop(live, timeout)
    }

    /// Whether this is the first to close it. No stream begins afterwards.
    fn refuse_further(&self) -> bool {
        let first = !self.closed.swap(true, Ordering::SeqCst);
        let generation = counterseal_spool::generation();
        // somebody may be starting a stream right now; it sees `closed` or is seen here
        while self.starting.load(Ordering::SeqCst) == generation {
            std::thread::sleep(Duration::from_micros(50));
        }
        first
    }

    fn stop(live: &Live, timeout: Duration) -> Result<(), Error> {
        live.control.status().adopts_until = Some(adopt::until(timeout));
        live.control.stop.store(true, Ordering::SeqCst);
        live.spool.wake_consumer();
        if live.control.wait_finished(timeout) && !live.control.gone.load(Ordering::Acquire) {
            return Ok(());
        }
        let because = live.control.status().last_error.clone();
        let because = because.map(|trouble| format!("; the writer says: {trouble}")).unwrap_or_default();
        Err(Error::new(
            ErrorCode::LedgerIo,
            format!(
                "the ledger was not closed in {} ms{because}; nothing recorded is lost: the next process that records in the home writes and closes what is left; where the disk is slow close with a longer timeout",
                timeout.as_millis()
            ),
        ))
    }

    /// The writer does it where there is one. Not part of closing what is recorded, so that neither its trouble nor its taking long
    /// is an error here: the next process takes up what is left.
    fn adopt_unrecorded(&self, timeout: Duration) {
        let (home, options, told) = (self.home.clone(), Arc::clone(&self.options), Arc::clone(&self.unrecorded));
        let (ended, end) = mpsc::sync_channel(1);
        let until = adopt::until(timeout);
        let adopt = move || {
            let mut outbox = Outbox::new(&options.sinks);
            let adoption =
                adopt::adopt_orphans(&home, &options.clock, &mut |note| outbox.send(note), &|| Instant::now() >= until);
            told.adopted.store(adoption.adopted, Ordering::Relaxed);
            told.trouble.store(adoption.error.map(|error| Arc::new(error.message().to_owned())));
            // nobody listens any more where it took too long
            let _unheard = ended.send(());
        };
        match std::thread::Builder::new().name("counterseal-adopter".to_owned()).spawn(adopt) {
            Ok(_) => {
                let _in_time_or_not = end.recv_timeout(timeout);
            }
            Err(error) => {
                self.unrecorded.trouble.store(Some(Arc::new(format!("orphaned streams are left alone: {error}"))));
            }
        }
    }

    /// How it does.
    #[must_use]
    pub fn health(&self) -> Health {
        let live = self.live.load();
        let Some(live) = live.as_ref().filter(|live| live.generation == counterseal_spool::generation()) else {
            let last_error = self.unrecorded.trouble.load().as_deref().cloned();
            return Health {
                adopted: self.unrecorded.adopted.load(Ordering::Relaxed),
                last_error,
                ..Health::default()
            };
        };
        let spool = live.spool.statistics();
        let status = live.control.status();
        Health {
            stream: Some(live.stream),
            queued_bytes: spool.used,
            capacity_bytes: spool.capacity,
            waits: spool.waits,
            full: spool.refused,
            written: status.written,
            dropped: status.dropped,
            skipped: status.skipped,
            adopted: status.adopted,
            last_error: status.last_error.clone(),
            last_sync_age: status.last_sync.map(|at| at.elapsed()),
            writer_gone: live.control.gone.load(Ordering::Acquire),
        }
    }

    /// This process's stream; started if there is none.
    #[inline]
    fn live(&self) -> Result<Guard<Option<Arc<Live>>>, Error> {
        let live = self.live.load();
        if live.as_ref().is_some_and(|live| live.generation == counterseal_spool::generation()) {
            return Ok(live);
        }
        drop(live);
        self.start()?;
        Ok(self.live.load())
    }

    #[cold]
    fn start(&self) -> Result<(), Error> {
        let generation = counterseal_spool::generation();
        loop {
            if self.live.load().as_ref().is_some_and(|live| live.generation == generation) {
                return Ok(());
            }
            let starting = self.starting.load(Ordering::SeqCst);
            if starting == generation {
                // another thread of this process; the number of one that a parent left behind is another
                std::thread::sleep(Duration::from_micros(50));
            } else if self.starting.compare_exchange(starting, generation, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                let started = self.start_alone(generation);
                self.starting.store(0, Ordering::SeqCst);
                return started;
            }
        }
    }

    fn start_alone(&self, generation: u64) -> Result<(), Error> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Self::closed_error());
        }
        if self.live.load().as_ref().is_some_and(|live| live.generation == generation) {
            return Ok(());
        }
        let live = Live::start(&self.home, &self.options)?;
        leave_to_parent(self.live.swap(Some(Arc::new(live))));
        Ok(())
    }

    fn closed_error() -> Error {
        Error::new(ErrorCode::Closed, "the ledger was closed")
    }
}

/// What a forked child finds of its parent's stream is left as it is: its parts guard locks and memory that are not here.
fn leave_to_parent(live: Option<Arc<Live>>) {
    if live.as_ref().is_some_and(|live| live.generation != counterseal_spool::generation()) {
        std::mem::forget(live);
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        /// As long as a program's end may reasonably be held up by a slow disk; the rest is recovered by the next process.
        const AT_MOST: Duration = Duration::from_secs(5);
        self.refuse_further();
        let live = self.live.load_full();
        if let Some(live) = live.filter(|live| live.generation == counterseal_spool::generation()) {
            let _health_said_it = Self::stop(&live, AT_MOST);
        }
        leave_to_parent(self.live.swap(None));
    }
}
