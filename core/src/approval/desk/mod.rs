//! The desk of a process: one thread that makes its approvals, looks for answers, and wakes whoever waits.
//!
//! All of the disk's work on approvals is done there, so that asking never holds up an event loop, and a thousand calls that
//! wait need no thread each. The thread starts with the first question, sleeps while nobody waits, and ends with its guard. A
//! forked child starts one of its own.

mod known;
mod trouble;
mod wait;
mod watch;

pub use wait::{Settled, Wait};

use super::event::Answer;
use super::person::Person;
use super::request::Request;
use super::store::Store;
use crate::clock::UnixNanos;
use crate::error::{Error, ErrorCode};
use crate::ledger::{ApprovalChange, StreamId};
use arc_swap::ArcSwapOption;
use counterseal_spool::generation;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// What the desk works for.
pub(crate) trait Office: Send + Sync {
    /// The time now.
    fn now(&self) -> UnixNanos;

    /// The stream of this process, which says that it lives.
    fn stream(&self) -> Result<StreamId, Error>;

    /// Puts a change on record.
    fn record(&self, time: UnixNanos, change: &ApprovalChange<'_>) -> Result<(), Error>;

    /// Whether nothing may run any more.
    fn is_closed(&self) -> bool;
}

/// A question before it is known whether it was asked before.
#[derive(Debug)]
pub(crate) struct Question {
    /// What people are asked; its id and asker are the desk's to fill in.
    pub(crate) request: Request,
    /// How long they have.
    pub(crate) timeout: Duration,
    /// The canonical arguments, for the conditions of grants.
    pub(crate) canonical: Arc<[u8]>,
    /// The calls of the session before whose answers it does not run.
    pub(crate) turn: Option<Arc<[Arc<str>]>>,
}

#[derive(Debug)]
enum Command {
    Ask(Box<Question>, Wait),
    Answer { wait: Wait, by: Person, answer: Answer, note: Option<Arc<str>> },
    Cancel(Wait),
    Leave(Wait),
    Suspend(Wait),
}

/// What the thread and its callers share.
#[derive(Debug)]
struct Running {
    generation: u64,
    queue: Mutex<Queue>,
    called: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    commands: Vec<Command>,
    stop: bool,
    /// Whether the thread touches nothing of the home any more.
    ended: bool,
}

/// Says that the thread has ended, however it did.
struct Ending(Arc<Running>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.queue().ended = true;
        self.0.called.notify_all();
    }
}

/// The desk of a guard.
pub(crate) struct Desk {
    store: Store,
    running: ArcSwapOption<Running>,
    /// The generation of the process that is starting its thread; 0: none is.
    starting: AtomicU64,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("directory", &self.store.directory()).finish_non_exhaustive()
    }
}

impl Desk {
    pub(crate) const fn new(store: Store) -> Self {
        Self { store, running: ArcSwapOption::const_empty(), starting: AtomicU64::new(0) }
    }

    /// The approvals of its home.
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// Asks people. The answer comes to the [`Wait`]; so does whatever keeps the question from being asked.
    pub(crate) fn ask(&self, office: Weak<dyn Office>, question: Box<Question>) -> Wait {
        let wait = Wait::new(question.turn.clone());
        match self.running(office) {
            Ok(running) => running.call(Command::Ask(question, wait.clone())),
            Err(error) => wait.settle(Settled::Failed(error)),
        }
        wait
    }

    /// What the program itself says to a question that it asked.
    pub(crate) fn answer(&self, wait: &Wait, by: Person, answer: Answer, note: Option<Arc<str>>) {
        wait.answering();
        self.call(wait, Command::Answer { wait: wait.clone(), by, answer, note });
    }

    /// Takes a question back.
    pub(crate) fn cancel(&self, wait: &Wait) {
        self.call(wait, Command::Cancel(wait.clone()));
    }

    /// Stops waiting; the question stays open, and the next like call takes it up.
    pub(crate) fn leave(&self, wait: &Wait) {
        self.call(wait, Command::Leave(wait.clone()));
    }

    /// Notes that the call that was let run by the yes was left only to be entered again.
    pub(crate) fn suspend(&self, wait: &Wait) {
        self.call(wait, Command::Suspend(wait.clone()));
    }

    /// Ends the thread of a guard that is closed, and waits for that, at most for `patience`.
    pub(crate) fn close(&self, patience: Duration) {
        let running = self.running.load_full().filter(|running| running.generation == generation());
        if let Some(running) = running {
            let mut queue = running.queue();
            queue.stop = true;
            running.called.notify_all();
            let waited = running.called.wait_timeout_while(queue, patience, |queue| !queue.ended);
            // what has not ended by then holds up nobody: it leaves whole files
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn call(&self, wait: &Wait, command: Command) {
        let running = self.running.load();
        match running.as_ref().filter(|running| running.generation == generation()) {
            Some(running) => running.call(command),
            None => wait.settle(Settled::Failed(closed())),
        }
    }

    fn running(&self, office: Weak<dyn Office>) -> Result<Arc<Running>, Error> {
        let process = generation();
        loop {
            if let Some(running) = self.running.load().as_ref().filter(|running| running.generation == process) {
                return Ok(Arc::clone(running));
            }
            let starting = self.starting.load(Ordering::SeqCst);
            if starting == process {
                // another thread of this process; the number of one that a parent left behind is another
                std::thread::sleep(Duration::from_micros(50));
            } else if self.starting.compare_exchange(starting, process, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                let started = self.start(process, office);
                self.starting.store(0, Ordering::SeqCst);
                return started;
            }
        }
    }

    fn start(&self, process: u64, office: Weak<dyn Office>) -> Result<Arc<Running>, Error> {
        if let Some(running) = self.running.load().as_ref().filter(|running| running.generation == process) {
            return Ok(Arc::clone(running));
        }
        let running = Arc::new(Running { generation: process, queue: Mutex::default(), called: Condvar::new() });
        let (of_thread, store) = (Arc::clone(&running), self.store.clone());
        std::thread::Builder::new()
            .name("counterseal-desk".to_owned())
            .spawn(move || {
                let ending = Ending(of_thread);
                watch::run(&ending.0, &office, store);
            })
            .map_err(|error| {
                Error::new(ErrorCode::LedgerIo, format!("nobody can be asked: no thread can be started: {error}"))
            })?;
        leave_to_parent(self.running.swap(Some(Arc::clone(&running))));
        Ok(running)
    }
}

/// What a forked child finds of its parent's desk is left as it is: a thread that is not here may hold its mutex.
fn leave_to_parent(running: Option<Arc<Running>>) {
    if running.as_ref().is_some_and(|running| running.generation != generation()) {
        std::mem::forget(running);
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let running = self.running.swap(None);
        if let Some(running) = running.as_ref().filter(|running| running.generation == generation()) {
            running.queue().stop = true;
            running.called.notify_one();
        }
        leave_to_parent(running);
    }
}

impl Running {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // a list of commands is whole whenever its mutex is free
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self, command: Command) {
        let mut queue = self.queue();
        if queue.stop {
            drop(queue);
            command.wait().settle(Settled::Failed(closed()));
            return;
        }
        queue.commands.push(command);
        drop(queue);
        self.called.notify_one();
    }

    /// The commands given since the last time; waits for the first, at most for `patience`. `None` once it is over.
    fn commands(&self, patience: Option<Duration>) -> Option<Vec<Command>> {
        let mut queue = self.queue();
        while queue.commands.is_empty() && !queue.stop {
            match patience {
                None => queue = self.called.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    queue = self.called.wait_timeout(queue, patience).unwrap_or_else(PoisonError::into_inner).0;
                    break;
                }
            }
        }
        if queue.stop && queue.commands.is_empty() { None } else { Some(std::mem::take(&mut queue.commands)) }
    }
}

impl Command {
    const fn wait(&self) -> &Wait {
        match self {
            Self::Ask(_, wait)
            | Self::Answer { wait, .. }
            | Self::Cancel(wait)
            | Self::Leave(wait)
            | Self::Suspend(wait) => wait,
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorCode::Closed, "the guard was closed while people were asked")
}
