//! Waiting for the consumer to move on: producers without room, and callers who wait until their record is on the disk.

use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

/// Sleepers and how they are woken. Nothing here is touched on a path that does not sleep, but for one load by the consumer.
#[derive(Debug, Default)]
pub(crate) struct Room {
    sleepers: AtomicU32,
    lock: Mutex<()>,
    moved: Condvar,
}

impl Room {
    /// Sleeps until `done` says yes or the time is `deadline`; says what `done` said last.
    pub(crate) fn wait(&self, deadline: Instant, done: impl Fn() -> bool) -> bool {
        // Registered before `done` looks, with a full fence on both sides (here and in `wake`): either `done` sees what the
        // consumer published, or the consumer sees the sleeper.
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = loop {
            if done() {
                break true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break false;
            }
            held = self.moved.wait_timeout(held, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(held);
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        outcome
    }

    /// Wakes whoever sleeps. Called after the consumer published its progress.
    pub(crate) fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            // Held for a moment, so that a sleeper between its look and its sleep is not missed.
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.moved.notify_all();
        }
    }
}
