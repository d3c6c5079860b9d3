//! Counting over the last so many nanoseconds: what was taken and when, in order of time.
//!
//! Words: what is used, where the events in use begin and end, then each event's time and amount. Up to `EXACT` events are
//! kept as they were; beyond that, events of the same 64th of the window count as taken when the latest of them was, so that
//! what is kept is only ever stricter, by a 64th of the window at most.
//!
//! Events are rearranged by writing them into words that are not in use and then moving both bounds with one store. What is
//! used is stored before an event that adds to it and after one that takes from it: a kill in between leaves it too high,
//! until the events are next rearranged or all over.

use super::meter::{Held, Unreadable, signed, word};
use super::words::Words;

/// How many events within a window are kept apart.
pub(super) const EXACT: usize = 118;

/// Into how many parts a window is cut where there are more.
const PARTS: i64 = 64;

/// Events that can be left after merging: a window touches one part more than it has.
const MERGED: usize = 65;

/// The most words of one counter: room for the exact events, and for the merged ones beside them wherever they lie; no more than the
/// home's table keeps in one piece.
const MOST: usize = 499;

const USED: usize = 0;
const BOUNDS: usize = 1;
const EVENTS: usize = 2;

const _: () = assert!(EVENTS + 2 * (MERGED + EXACT + MERGED) <= MOST);

/// The events in use: those from `first` up to, not including, `end`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rolling {
    length: i64,
    first: usize,
    end: usize,
}

impl Rolling {
    pub(super) fn read(words: &impl Words, length: i64) -> Result<Self, Unreadable> {
        let bounds = words.get(BOUNDS);
        let half = |bits: u64| usize::try_from(bits & u64::from(u32::MAX)).map_err(|_| Unreadable);
        let (first, end) = (half(bounds >> 32)?, half(bounds)?);
        if first > end || end > capacity(words) { Err(Unreadable) } else { Ok(Self { length, first, end }) }
    }

    /// How much is used at `now`.
    pub(super) fn used(self, words: &impl Words, now: i64) -> Result<i64, Unreadable> {
        let now = self.time(words, now)?;
        let mut used = signed(words.get(USED))?;
        if used == i64::MAX {
            // too much to be told from still more: what goes out of the window cannot be taken from it
            return self.sum(words, now);
        }
        for event in self.first..self.end {
            if !self.is_over(time(words, event)?, now) {
                return Ok(used);
            }
            used = used.saturating_sub(amount(words, event)?);
        }
        // without an event nothing is used, whatever a kill left behind
        Ok(0)
    }

    /// When no more than `room` will be used if nothing is added.
    pub(super) fn falls_to(self, words: &impl Words, room: i64, now: i64) -> Option<i64> {
        let mut used = self.used(words, now).ok()?;
        let now = self.time(words, now).ok()?;
        let events = (self.first..self.end).filter_map(|event| Some((time(words, event).ok()?, event)));
        for (at, event) in events.filter(|(at, _)| !self.is_over(*at, now)) {
            if used <= room {
                break;
            }
            used = used.saturating_sub(amount(words, event).ok()?);
            if used <= room {
                return Some(at.saturating_add(self.length));
            }
        }
        // a kill left more behind than the events say: all is free once the last of them is over
        if used <= room { Some(now) } else { self.last(words).map(|at| at.saturating_add(self.length)) }
    }

    pub(super) fn charge(mut self, words: &mut impl Words, add: i64, now: i64) -> Result<Held, Unreadable> {
        if words.len() < 2 * EVENTS && !words.grow(8) {
            return Err(Unreadable);
        }
        let now = self.time(words, now)?;
        let mut used = self.forget(words, now)?;
        if add == 0 {
            return Ok(Held { amount: 0, at: now });
        }
        // at the same moment; or in the same part of a window that holds as many events as are kept apart, where rearranging them would
        // make one of the two
        let last = self.last(words);
        let is_crowded = self.end - self.first >= EXACT;
        let absorbs = last.is_some_and(|last| last == now || is_crowded && last / self.part() == now / self.part());
        if !absorbs && !self.has_room(words) {
            used = self.make_room(words, now)?;
        }
        words.set(USED, word(used.saturating_add(add)));
        if self.first < self.end && (absorbs || self.end >= capacity(words)) {
            // the last event takes it in, at the later time; also where no room could be had
            let event = self.end - 1;
            let sum = amount(words, event)?.saturating_add(add);
            words.set(place(event) + 1, word(sum));
            words.set(place(event), word(now));
        } else {
            words.set(place(self.end), word(now));
            words.set(place(self.end) + 1, word(add));
            self.end += 1;
            self.store_bounds(words);
        }
        Ok(Held { amount: add, at: now })
    }

    /// Takes `less` from what was taken at `at`, which is in the first event that is no earlier.
    pub(super) fn give_back(self, words: &mut impl Words, at: i64, less: i64, now: i64) -> Result<(), Unreadable> {
        let now = self.time(words, now)?;
        if self.is_over(at, now) {
            return Ok(());
        }
        let (mut low, mut high) = (self.first, self.end);
        while low < high {
            let middle = low.midpoint(high);
            if time(words, middle)? < at { low = middle + 1 } else { high = middle }
        }
        if low == self.end {
            return Ok(());
        }
        let held = amount(words, low)?;
        let less = less.min(held);
        words.set(place(low) + 1, word(held.saturating_sub(less)));
        let used = signed(words.get(USED))?;
        words.set(USED, word(used.saturating_sub(less)));
        Ok(())
    }

    /// Leaves out what is over; how much is used then.
    fn forget(&mut self, words: &mut impl Words, now: i64) -> Result<i64, Unreadable> {
        let used = self.used(words, now)?;
        let mut first = self.first;
        while first < self.end && self.is_over(time(words, first)?, now) {
            first += 1;
        }
        if first > self.first {
            self.first = first;
            if first == self.end {
                (self.first, self.end) = (0, 0);
            }
            self.store_bounds(words);
            words.set(USED, word(used));
        }
        Ok(used)
    }

    /// The length of a part of the window.
    const fn part(self) -> i64 {
        let part = self.length.saturating_add(PARTS - 1) / PARTS;
        if part > 1 { part } else { 1 }
    }

    fn has_room(self, words: &impl Words) -> bool {
        self.end < capacity(words) && self.end - self.first < EXACT
    }

    /// Rearranges the events, or gets more words; how much is used then, which the events themselves say.
    fn make_room(&mut self, words: &mut impl Words, now: i64) -> Result<i64, Unreadable> {
        let count = self.end - self.first;
        if count < EXACT && count <= self.first {
            self.copy(words)?;
        } else if words.len() < MOST {
            words.grow((words.len() * 2).min(MOST));
        }
        if count >= EXACT {
            if self.first >= MERGED {
                self.merge(words, 0)?;
            } else if self.end + MERGED <= capacity(words) {
                self.merge(words, self.end)?;
            }
        }
        // what a kill left behind ends here
        let used = self.sum(words, now)?;
        words.set(USED, word(used));
        Ok(used)
    }

    fn copy(&mut self, words: &mut impl Words) -> Result<(), Unreadable> {
        for event in self.first..self.end {
            let (at, of) = (time(words, event)?, amount(words, event)?);
            words.set(place(event - self.first), word(at));
            words.set(place(event - self.first) + 1, word(of));
        }
        (self.first, self.end) = (0, self.end - self.first);
        self.store_bounds(words);
        Ok(())
    }

    /// Writes the events from `to` on, those of one part of the window as one.
    fn merge(&mut self, words: &mut impl Words, to: usize) -> Result<(), Unreadable> {
        let part = self.part();
        let mut next = to;
        let mut of_last: Option<i64> = None;
        for event in self.first..self.end {
            let (at, of) = (time(words, event)?, amount(words, event)?);
            let before = if of_last == Some(at / part) { amount(words, next.saturating_sub(1))? } else { 0 };
            if of_last != Some(at / part) {
                next += 1;
            }
            of_last = Some(at / part);
            words.set(place(next - 1), word(at));
            words.set(place(next - 1) + 1, word(before.saturating_add(of)));
        }
        (self.first, self.end) = (to, next);
        self.store_bounds(words);
        Ok(())
    }

    /// What the events add up to.
    fn sum(self, words: &impl Words, now: i64) -> Result<i64, Unreadable> {
        let mut used = 0_i64;
        for event in self.first..self.end {
            if !self.is_over(time(words, event)?, now) {
                used = used.saturating_add(amount(words, event)?);
            }
        }
        Ok(used)
    }

    fn store_bounds(self, words: &mut impl Words) {
        let half = |index: usize| u64::try_from(index).unwrap_or(u64::MAX) & u64::from(u32::MAX);
        words.set(BOUNDS, half(self.first) << 32 | half(self.end));
    }

    /// The time it is for this counter: never before its last event.
    fn time(self, words: &impl Words, now: i64) -> Result<i64, Unreadable> {
        if self.first == self.end { Ok(now.max(0)) } else { Ok(now.max(time(words, self.end - 1)?)) }
    }

    fn last(self, words: &impl Words) -> Option<i64> {
        if self.first == self.end { None } else { time(words, self.end - 1).ok() }
    }

    const fn is_over(self, at: i64, now: i64) -> bool {
        at.saturating_add(self.length) <= now
    }
}

/// How many events there is room for.
fn capacity(words: &impl Words) -> usize {
    words.len().saturating_sub(EVENTS) / 2
}

const fn place(event: usize) -> usize {
    EVENTS + 2 * event
}

fn time(words: &impl Words, event: usize) -> Result<i64, Unreadable> {
    signed(words.get(place(event)))
}

fn amount(words: &impl Words, event: usize) -> Result<i64, Unreadable> {
    signed(words.get(place(event) + 1))
}
