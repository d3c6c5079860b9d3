//! The writer: one thread that takes records from the spool in groups, chains and appends them, waits for the disk, and
//! only then gives the spool's room back.
//!
//! What fails is tried again with growing pauses, for as long as the process lives; records stay in the spool meanwhile, and
//! callers are refused once it is full. Nothing is given up but what cannot be read at all, and that is counted.

mod group;
mod seal;

use super::adopt;
use super::entropy::Entropy;
use super::health::Control;
use super::home::Home;
use super::id::StreamId;
use super::index::IndexTree;
use super::lock::FileLock;
use super::options::Options;
use super::record::Position;
use super::segment::SegmentAppender;
use super::sink::Outbox;
use crate::error::{Error, ErrorCode};
use counterseal_spool::Consumer;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The writer keeps its timer running for so long after a record; then it sleeps until there is one.
const ACTIVE: Duration = Duration::from_secs(1);
/// The first pause after a failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Everything the writer's thread owns. It holds the stream's lock as long as it lives.
#[derive(Debug)]
pub(crate) struct Writer {
    home: Home,
    options: Arc<Options>,
    stream: StreamId,
    consumer: Consumer,
    control: Arc<Control>,
    index: IndexTree,
    entropy: Entropy,
    outbox: Outbox,
    segment: Option<OpenSegment>,
    seals: Seals,
    /// Refusals that a `dropped` record speaks of.
    refused: u64,
    _lock: FileLock,
}

/// The segment being written.
#[derive(Debug)]
struct OpenSegment {
    appender: SegmentAppender,
    opened: Instant,
}

/// What checkpoints cover and when the next is due.
#[derive(Debug)]
struct Seals {
    /// Records of the stream that a `sealed` or `closed` line covers.
    covered: u64,
    /// When the first record after those was written.
    uncovered_since: Option<Instant>,
    /// When the last checkpoint was made or tried.
    last: Option<Instant>,
    /// A line is in the index and the checkpoint over it failed.
    unsigned: bool,
    /// The `closed` record was appended.
    closed: bool,
}

impl Writer {
    pub(crate) fn new(
        home: Home,
        options: Arc<Options>,
        stream: StreamId,
        consumer: Consumer,
        control: Arc<Control>,
        lock: FileLock,
    ) -> Self {
        Self {
            outbox: Outbox::new(&options.sinks),
            home,
            options,
            stream,
            consumer,
            control,
            index: IndexTree::new(),
            entropy: Entropy::system(),
            segment: None,
            seals: Seals { covered: 0, uncovered_since: None, last: None, unsigned: false, closed: false },
            refused: 0,
            _lock: lock,
        }
    }

    /// The thread's body.
    pub(crate) fn run(mut self) {
        let adopter = self.start_adopter();
        let closed = catch_unwind(AssertUnwindSafe(|| self.write_until_stopped()));
        if closed.is_err() {
            self.control.trouble(&Error::new(ErrorCode::Panic, "the ledger's writer met a defect of this product"));
        }
        if let Some(adopter) = adopter {
            let _it_reported_by_itself = adopter.join();
        }
        let control = Arc::clone(&self.control);
        let spool = Arc::clone(self.consumer.spool());
        // the lock goes before anybody is told that the stream is closed
        drop(self);
        control.finish(closed.is_ok());
        spool.wake_waiters();
    }

    /// Orphans are taken over beside the writing, which they must not hold up.
    fn start_adopter(&self) -> Option<JoinHandle<()>> {
        let (home, options, control) = (self.home.clone(), Arc::clone(&self.options), Arc::clone(&self.control));
        let body = move || {
            let mut outbox = Outbox::new(&options.sinks);
            let enough = || control.status().adopts_until.is_some_and(|until| Instant::now() >= until);
            let adoption = adopt::adopt_orphans(&home, &options.clock, &mut |note| outbox.send(note), &enough);
            control.status().adopted += adoption.adopted;
            if let Some(error) = adoption.error {
                control.trouble(&error);
            }
        };
        let started = std::thread::Builder::new().name("counterseal-adopter".to_owned()).spawn(body);
        match started {
            Ok(thread) => Some(thread),
            Err(error) => {
                let error = Error::new(ErrorCode::LedgerIo, format!("orphaned streams are left alone: {error}"));
                self.control.trouble(&error);
                None
            }
        }
    }

    fn write_until_stopped(&mut self) {
        self.consumer.populate();
        let mut pause = FIRST_PAUSE;
        let mut active_until = Instant::now() + ACTIVE;
        loop {
            match self.step() {
                Ok(Step::Closed) => return,
                Ok(Step::More) => {
                    pause = FIRST_PAUSE;
                    active_until = Instant::now() + ACTIVE;
                }
                Ok(Step::Wrote) => {
                    pause = FIRST_PAUSE;
                    active_until = Instant::now() + ACTIVE;
                    self.consumer.doze(self.options.group);
                }
                Ok(Step::Idle) if Instant::now() < active_until => self.consumer.doze(self.options.group),
                Ok(Step::Idle) => self.consumer.park(self.next_duty()),
                Err(error) => {
                    self.control.trouble(&error);
                    if error.code() == ErrorCode::LedgerNotFound {
                        // no later try can bring removed files back: callers are refused now, not once the spool is full
                        self.control.gone.store(true, Ordering::Release);
                    }
                    self.consumer.doze(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// One round: a group, and what is due besides.
    fn step(&mut self) -> Result<Step, Error> {
        let stop = self.control.stop.load(Ordering::SeqCst);
        if stop {
            // after this, what the spool holds is all there will be
            self.consumer.spool().seal();
        }
        let step = self.write_group()?;
        if self.segment.as_ref().is_some_and(|open| self.is_full(open)) {
            self.rotate()?;
        }
        if stop && step == Step::Idle && self.consumer.position() == self.consumer.spool().head() {
            self.close()?;
            return Ok(Step::Closed);
        }
        if !stop && self.checkpoint_due() {
            self.checkpoint()?;
        }
        Ok(if stop && step == Step::Wrote { Step::More } else { step })
    }

    fn is_full(&self, open: &OpenSegment) -> bool {
        // a segment of nothing but its `opened` record is never old
        open.appender.bytes() >= self.options.segment_bytes
            || (open.appender.records() > 1 && open.opened.elapsed() >= self.options.segment_age)
    }

    fn rotate(&mut self) -> Result<(), Error> {
        let Some(open) = &mut self.segment else { return Ok(()) };
        let lock = self.home.lock()?;
        open.appender.rotate(&lock, &mut self.index, self.options.clock.now())?;
        open.opened = Instant::now();
        Ok(())
    }

    /// The open segment, opened if there is none.
    fn ensure_segment(&mut self) -> Result<&mut SegmentAppender, Error> {
        if self.segment.is_none() {
            let lock = self.home.lock()?;
            let time = self.options.clock.now();
            let appender = SegmentAppender::create(
                &lock,
                &mut self.index,
                self.stream,
                1,
                Position::START,
                time,
                Entropy::system(),
            )?;
            self.segment = Some(OpenSegment { appender, opened: Instant::now() });
        }
        self.segment
            .as_mut()
            .map(|open| &mut open.appender)
            .ok_or_else(|| Error::new(ErrorCode::LedgerIo, "the segment is not open"))
    }

    /// How long until something is due although nobody records.
    fn next_duty(&self) -> Option<Duration> {
        let checkpoint =
            self.seals.uncovered_since.map(|since| self.options.checkpoint_age.saturating_sub(since.elapsed()));
        let age = self.segment.as_ref().filter(|open| open.appender.records() > 1);
        let age = age.map(|open| self.options.segment_age.saturating_sub(open.opened.elapsed()));
        checkpoint.into_iter().chain(age).min()
    }
}

/// What a round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing to do.
    Idle,
    /// A group was written and the spool is empty.
    Wrote,
    /// A group was written and there is more.
    More,
    /// The stream is closed.
    Closed,
}
