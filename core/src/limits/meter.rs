//! The state machine of one limit: reserve, settle, refund.

use super::rolling::Rolling;
use super::window::Window;
use super::words::Words;

/// How much may be used within which time. Amounts are never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meter {
    /// How much at most.
    pub max: i64,
    /// Over which time.
    pub window: Window,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is taken, and counts as spent until it is settled or refunded.
    Granted(Held),
    /// It is not: nothing was taken.
    Exceeded(Usage),
}

/// An amount that was taken: a lease on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// How much.
    pub amount: i64,
    /// When it was taken, by the counter's own time, which never goes back.
    pub at: i64,
}

/// How much of a limit is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// How much is spent or reserved.
    pub used: i64,
    /// How much is left.
    pub left: i64,
    /// When what was asked for could be granted if nobody else takes anything, in nanoseconds since 1970; `None` for never.
    pub resets_at: Option<i64>,
}

/// The words are none that this machine writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// The words of a counter over a stretch of the calendar; over all time there is only the first.
const USED: usize = 0;
const START: usize = 1;

impl Meter {
    /// Takes `amount`, or says why not. An amount of nothing is granted as long as something is left.
    ///
    /// # Errors
    /// [`Unreadable`] words; nothing was taken. As for every method.
    pub fn reserve(&self, words: &mut impl Words, amount: i64, now: i64) -> Result<Answer, Unreadable> {
        match self.would_exceed(words, amount, now)? {
            Some(usage) => Ok(Answer::Exceeded(usage)),
            None => self.charge(words, amount, now).map(Answer::Granted),
        }
    }

    /// What [`Meter::reserve`] would say against it; takes nothing.
    ///
    /// # Errors
    /// [`Unreadable`] words.
    pub fn would_exceed(&self, words: &impl Words, amount: i64, now: i64) -> Result<Option<Usage>, Unreadable> {
        let used = self.used(words, now)?;
        let fits = used.checked_add(amount.max(1)).is_some_and(|all| all <= self.max);
        if fits { Ok(None) } else { self.usage(words, amount, now).map(Some) }
    }

    /// How much is used, and when `amount` could be granted.
    ///
    /// # Errors
    /// [`Unreadable`] words.
    pub fn usage(&self, words: &impl Words, amount: i64, now: i64) -> Result<Usage, Unreadable> {
        let used = self.used(words, now)?;
        let room = self.max.checked_sub(amount.max(1)).filter(|room| *room >= 0);
        let resets_at = match (self.window, room) {
            (Window::Ever, _) | (_, None) => None,
            (Window::Calendar(calendar), Some(_)) => Some(calendar.end(calendar.start(now).max(start(words)))),
            (Window::Rolling(length), Some(room)) => Rolling::read(words, length)?.falls_to(words, room, now),
        };
        Ok(Usage { used, left: self.max.saturating_sub(used).max(0), resets_at })
    }

    /// Takes `amount` whether there is room or not: for what has happened, and for what runs in spite of its limit.
    ///
    /// # Errors
    /// [`Unreadable`] words.
    pub fn charge(&self, words: &mut impl Words, amount: i64, now: i64) -> Result<Held, Unreadable> {
        let amount = amount.max(0);
        let now = now.max(0);
        match self.window {
            Window::Ever => {
                if words.is_empty() && !words.grow(1) {
                    return Err(Unreadable);
                }
                let used = self.used(words, now)?;
                words.set(USED, word(used.saturating_add(amount)));
                Ok(Held { amount, at: now })
            }
            Window::Calendar(calendar) => {
                if words.len() <= START && !words.grow(START + 1) {
                    return Err(Unreadable);
                }
                let used = self.used(words, now)?;
                let current = calendar.start(now);
                if current > start(words) {
                    // killed behind this store the new stretch begins with what the old one used: too much, never too little
                    words.set(START, word(current));
                }
                words.set(USED, word(used.saturating_add(amount)));
                Ok(Held { amount, at: start(words) })
            }
            Window::Rolling(length) => Rolling::read(words, length)?.charge(words, amount, now),
        }
    }

    /// Puts `actual` in the place of what was reserved. What is more is spent now; what is less is given back unless its
    /// time is over.
    ///
    /// # Errors
    /// [`Unreadable`] words: what was reserved stays spent.
    pub fn settle(&self, words: &mut impl Words, held: Held, actual: i64, now: i64) -> Result<(), Unreadable> {
        let less = held.amount.saturating_sub(actual.max(0));
        match less {
            0 => Ok(()),
            ..0 => self.charge(words, less.saturating_neg(), now).map(drop),
            1.. => self.give_back(words, held.at, less, now),
        }
    }

    /// Gives all that was reserved back.
    ///
    /// # Errors
    /// As [`Meter::settle`].
    pub fn refund(&self, words: &mut impl Words, held: Held, now: i64) -> Result<(), Unreadable> {
        self.settle(words, held, 0, now)
    }

    fn give_back(&self, words: &mut impl Words, at: i64, amount: i64, now: i64) -> Result<(), Unreadable> {
        match self.window {
            Window::Ever => {}
            Window::Calendar(calendar) if start(words) == at && calendar.start(now) <= at => {}
            // what it was taken from is over, also where nothing was taken since: a clock set back does not bring it again
            Window::Calendar(_) => return Ok(()),
            Window::Rolling(length) => return Rolling::read(words, length)?.give_back(words, at, amount, now),
        }
        let used = signed(words.get(USED))?;
        words.set(USED, word(used.saturating_sub(amount).max(0)));
        Ok(())
    }

    fn used(&self, words: &impl Words, now: i64) -> Result<i64, Unreadable> {
        match self.window {
            Window::Ever => signed(words.get(USED)),
            Window::Calendar(calendar) if calendar.start(now) > start(words) => Ok(0),
            Window::Calendar(_) => signed(words.get(USED)),
            Window::Rolling(length) => Rolling::read(words, length)?.used(words, now),
        }
    }
}

/// When the stretch that was last counted began.
fn start(words: &impl Words) -> i64 {
    i64::try_from(words.get(START)).unwrap_or(i64::MAX)
}

pub(super) fn signed(word: u64) -> Result<i64, Unreadable> {
    i64::try_from(word).map_err(|_| Unreadable)
}

/// A word for a number that is not negative.
pub(super) fn word(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
