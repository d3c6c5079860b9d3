//! Time as the engine sees it: injected everywhere, so that tests and replay choose it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixNanos(pub i64);

/// The machine's clock, or one that a test moves by hand.
#[derive(Debug)]
pub enum Clock {
    /// `CLOCK_REALTIME`.
    System,
    /// Stands still until [`Clock::set`].
    Manual(AtomicI64),
}

impl Clock {
    /// A clock that shows `start` until it is moved.
    #[must_use]
    pub const fn manual(start: UnixNanos) -> Self {
        Self::Manual(AtomicI64::new(start.0))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> UnixNanos {
        match self {
            Self::System => {
                let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_nanos());
                UnixNanos(i64::try_from(nanos).unwrap_or(i64::MAX))
            }
            Self::Manual(at) => UnixNanos(at.load(Ordering::Acquire)),
        }
    }

    /// Moves a manual clock; the machine's own is left alone.
    pub fn set(&self, to: UnixNanos) {
        if let Self::Manual(at) = self {
            at.store(to.0, Ordering::Release);
        }
    }
}
