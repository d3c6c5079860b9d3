//! How a producer wakes the consumer: one load on the fast path, one futex call on a transition.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use std::thread::{self, Thread};
use std::time::Duration;

/// The consumer works, or is about to look.
const AWAKE: u32 = 0;
/// It sleeps on its timer; only a filling spool or somebody who waits is worth waking it.
const DOZING: u32 = 1;
/// It sleeps until there is a record.
const PARKED: u32 = 2;

/// Between producers and the one consumer.
#[derive(Debug, Default)]
pub(crate) struct Doorbell {
    state: AtomicU32,
    /// Somebody rang: the next sleep is skipped. Without it a ring between the consumer's last look and its sleep would
    /// cost a whole timer tick.
    rung: AtomicBool,
    consumer: OnceLock<Thread>,
}

impl Doorbell {
    /// After a record was committed; `pressed` where the spool is at least half full.
    ///
    /// The reservation before this (a read-modify-write of the head) and the fence in [`Doorbell::sleep`] order this load:
    /// either it sees PARKED, or the consumer sees the record before it parks.
    #[inline]
    pub(crate) fn after_append(&self, pressed: bool) {
        let state = self.state.load(Ordering::SeqCst);
        if state != AWAKE && (state == PARKED || pressed) {
            self.ring();
        }
    }

    /// Wakes the consumer if it sleeps.
    #[cold]
    pub(crate) fn ring(&self) {
        self.rung.store(true, Ordering::SeqCst);
        if self.state.swap(AWAKE, Ordering::SeqCst) != AWAKE
            && let Some(consumer) = self.consumer.get()
        {
            consumer.unpark();
        }
    }

    /// Sleeps until somebody rings, at most for `time`; where `parked`, also until there is a record; not at all where
    /// `wanted` says there is work. Only the consumer's thread calls it. It may return early.
    pub(crate) fn sleep(&self, parked: bool, time: Option<Duration>, wanted: impl Fn() -> bool) {
        self.consumer.get_or_init(thread::current);
        self.state.store(if parked { PARKED } else { DOZING }, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if !wanted() && !self.rung.load(Ordering::SeqCst) {
            match time {
                Some(time) => thread::park_timeout(time),
                None => thread::park(),
            }
        }
        self.state.store(AWAKE, Ordering::SeqCst);
        self.rung.store(false, Ordering::SeqCst);
    }
}
