//! The limits' state machine against a model that keeps every event, and killed before each of its stores.

#![cfg(test)]

use counterseal::limits::{Answer, Calendar, Held, Meter, Window, Words};
use proptest::prelude::*;

/// How many events within a window the machine promises to keep apart.
const EXACT: usize = 118;

/// Every amount that was taken and when.
#[derive(Debug, Default, Clone)]
struct Model {
    events: Vec<(i64, i64)>,
    now: i64,
}

impl Model {
    fn tick(&mut self, now: i64) -> i64 {
        self.now = self.now.max(now);
        self.now
    }

    fn counts(window: Window, at: i64, now: i64) -> bool {
        match window {
            Window::Ever => true,
            Window::Rolling(length) => at + length > now,
            Window::Calendar(calendar) => calendar.start(at) == calendar.start(now),
        }
    }

    fn live(&self, window: Window) -> impl Iterator<Item = &(i64, i64)> {
        self.events.iter().filter(move |(at, _)| Self::counts(window, *at, self.now))
    }

    /// What is over once something is counted, be it nothing, stays over, even if the clock is set back. A stretch of the
    /// calendar that was begun is not left again.
    fn forget(&mut self, window: Window, now: i64) {
        if matches!(window, Window::Calendar(_)) {
            self.now = self.now.max(now);
        }
        for (at, amount) in &mut self.events {
            if !Self::counts(window, *at, now) {
                *amount = 0;
            }
        }
    }

    fn used(&self, window: Window) -> i64 {
        self.live(window).map(|(_, amount)| amount).sum()
    }
}

/// Words whose process is killed before its `left`th store from now.
#[derive(Debug, Default, Clone)]
struct Mortal {
    words: Vec<u64>,
    left: Option<usize>,
    most: usize,
}

impl Mortal {
    fn lives(&mut self) -> bool {
        match &mut self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

impl Words for Mortal {
    fn len(&self) -> usize {
        self.words.len()
    }

    fn get(&self, index: usize) -> u64 {
        Words::get(&self.words, index)
    }

    fn set(&mut self, index: usize, word: u64) {
        if self.lives() {
            Words::set(&mut self.words, index, word);
        }
    }

    fn grow(&mut self, len: usize) -> bool {
        len <= self.most && self.lives() && self.words.grow(len)
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// Time moves on, or the clock is set back.
    Wait(i64),
    Reserve(i64),
    Charge(i64),
    /// Of the reservations still held, one is settled at so many per cent.
    Settle(usize, i64),
    Refund(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (-5_i64..40).prop_map(Step::Wait),
        6 => (0_i64..20).prop_map(Step::Reserve),
        1 => (0_i64..20).prop_map(Step::Charge),
        1 => (any::<usize>(), 0_i64..250).prop_map(|(which, percent)| Step::Settle(which, percent)),
        1 => any::<usize>().prop_map(Step::Refund),
    ]
}

fn window() -> impl Strategy<Value = Window> {
    const HOUR: i64 = 3_600_000_000_000;
    prop_oneof![
        Just(Window::Ever),
        (1_i64..500).prop_map(Window::Rolling),
        Just(Window::Rolling(64)),
        Just(Window::Calendar(Calendar::Hour)),
        Just(Window::Rolling(HOUR)),
    ]
}

/// A step's length in nanoseconds: the window passes within a few dozen of them, or so slowly that it gets crowded.
fn pace(window: Window, crowded: bool) -> i64 {
    match window {
        Window::Ever => 1,
        Window::Rolling(length) => (length / if crowded { 9000 } else { 300 }).max(1),
        Window::Calendar(_) => 60_000_000_000,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Up to the promised number of events nothing is granted or refused that the model would not; beyond it only more is
    /// refused, and what is used is what the model says of a window longer by a 64th.
    #[test]
    fn the_machine_is_the_model(
        window in window(),
        crowded in any::<bool>(),
        max in prop_oneof![1_i64..600, Just(1_000_000)],
        steps in prop::collection::vec(step(), 1..1000),
    ) {
        let meter = Meter { max, window };
        let mut words: Vec<u64> = Vec::new();
        let mut model = Model::default();
        let mut wall = 7_200_000_000_000;
        let mut held: Vec<(Held, usize)> = Vec::new();
        let mut exact = true;
        for step in steps {
            match step {
                Step::Wait(units) => wall += units * pace(window, crowded),
                Step::Reserve(amount) => {
                    // the counter's time goes on only where something is counted
                    let now = model.now.max(wall);
                    let before = Model { now, ..model.clone() };
                    let fits = before.used(window) + amount.max(1) <= max;
                    match meter.reserve(&mut words, amount, wall).unwrap() {
                        Answer::Granted(taken) => {
                            prop_assert!(fits, "granted {} beyond {} used", amount, before.used(window));
                            model.forget(window, now);
                            if amount > 0 {
                                model.tick(wall);
                                held.push((taken, model.events.len()));
                                model.events.push((model.now, amount));
                            }
                        }
                        Answer::Exceeded(usage) => {
                            prop_assert!(!fits || !exact);
                            if let Some(at) = usage.resets_at {
                                prop_assert!(at > wall || !exact);
                                let then = meter.usage(&words, amount, at).unwrap();
                                prop_assert!(then.used + amount.max(1) <= max, "{:?} {:?}", usage, then);
                                let sooner = meter.usage(&words, amount, at - 1).unwrap();
                                prop_assert!(sooner.used + amount.max(1) > max);
                            }
                        }
                    }
                }
                Step::Charge(amount) => {
                    let taken = meter.charge(&mut words, amount, wall).unwrap();
                    model.forget(window, model.now.max(wall));
                    if amount > 0 {
                        model.tick(wall);
                        held.push((taken, model.events.len()));
                        model.events.push((model.now, amount));
                    }
                }
                Step::Settle(which, percent) if !held.is_empty() => {
                    let (taken, event) = held.swap_remove(which % held.len());
                    let actual = taken.amount * percent / 100;
                    meter.settle(&mut words, taken, actual, wall).unwrap();
                    let now = model.now.max(wall);
                    let at = model.events[event].0;
                    if actual > taken.amount {
                        model.forget(window, now);
                        model.tick(wall);
                        model.events.push((model.now, actual - taken.amount));
                    } else if Model::counts(window, at, now) {
                        model.events[event].1 = actual;
                    }
                }
                Step::Refund(which) if !held.is_empty() => {
                    let (taken, event) = held.swap_remove(which % held.len());
                    meter.refund(&mut words, taken, wall).unwrap();
                    if Model::counts(window, model.events[event].0, model.now.max(wall)) {
                        model.events[event].1 = 0;
                    }
                }
                Step::Settle(..) | Step::Refund(_) => {}
            }
            let seen = Model { now: model.now.max(wall), ..model.clone() };
            exact &= seen.live(window).count() <= EXACT;
            let used = meter.usage(&words, 0, wall).unwrap().used;
            if exact {
                prop_assert_eq!(used, seen.used(window));
            } else {
                prop_assert!(used >= seen.used(window));
                if let Window::Rolling(length) = window {
                    let longer = Window::Rolling(length + length / 64 + 1);
                    prop_assert!(used <= seen.used(longer), "{} of {}", used, seen.used(longer));
                }
            }
            prop_assert!(words.len() <= 499);
        }
    }

    /// Killed before any store, and with little or no room to grow, what is used reads as no less than the model says.
    #[test]
    fn a_kill_leaves_too_much_and_never_too_little(
        window in window(),
        crowded in any::<bool>(),
        most in prop_oneof![Just(8_usize), Just(64), Just(499)],
        kills in prop::collection::vec(0_usize..1000, 0..24),
        steps in prop::collection::vec(step(), 1..1000),
    ) {
        let meter = Meter { max: i64::MAX, window };
        let mut words = Mortal { most, ..Mortal::default() };
        let mut model = Model::default();
        let mut wall = 7_200_000_000_000;
        let mut held: Vec<(Held, usize)> = Vec::new();
        for (index, step) in steps.into_iter().enumerate() {
            words.left = kills.iter().find(|kill| **kill == index).map(|kill| kill % 7);
            let dies = words.left.is_some();
            match step {
                Step::Wait(units) => wall += units.max(0) * pace(window, crowded),
                Step::Reserve(amount) | Step::Charge(amount) => {
                    let taken = meter.charge(&mut words, amount, wall);
                    // a process that was killed ran no body
                    if !dies && amount > 0 {
                        model.tick(wall);
                        held.push((taken.unwrap(), model.events.len()));
                        model.events.push((model.now, amount));
                    }
                }
                Step::Settle(which, percent) if !held.is_empty() => {
                    let (taken, event) = held.swap_remove(which % held.len());
                    let actual = taken.amount * percent.min(100) / 100;
                    meter.settle(&mut words, taken, actual, wall).unwrap();
                    model.events[event].1 = actual;
                }
                Step::Refund(which) if !held.is_empty() => {
                    let (taken, event) = held.swap_remove(which % held.len());
                    meter.refund(&mut words, taken, wall).unwrap();
                    model.events[event].1 = 0;
                }
                Step::Settle(..) | Step::Refund(_) => {}
            }
            words.left = None;
            let seen = Model { now: model.now.max(wall), ..model.clone() };
            let used = meter.usage(&words, 0, wall).unwrap().used;
            prop_assert!(used >= seen.used(window), "{} is less than {}", used, seen.used(window));
        }
        // what a kill left is gone with the window
        if let Window::Rolling(length) = window {
            prop_assert_eq!(meter.usage(&words, 0, wall.max(model.now) + 2 * length).unwrap().used, 0);
        }
    }

    /// Words that nobody wrote are refused or read, and never a panic.
    #[test]
    fn any_words_are_read_or_refused(mut words in prop::collection::vec(any::<u64>(), 0..40), now in any::<i64>()) {
        for window in [Window::Ever, Window::Rolling(60), Window::Calendar(Calendar::Month)] {
            let meter = Meter { max: 100, window };
            assert!(meter.usage(&words, 1, now).is_ok_and(|usage| usage.used >= 0) || words.iter().any(|word| *word > 0));
            let _ = meter.reserve(&mut words, 1, now);
            let _ = meter.refund(&mut words, Held { amount: 5, at: now }, now);
        }
    }
}

#[test]
fn amounts_beyond_the_count_never_wrap() {
    for window in [Window::Ever, Window::Rolling(10), Window::Calendar(Calendar::Day)] {
        let meter = Meter { max: 5, window };
        let mut words: Vec<u64> = Vec::new();
        meter.charge(&mut words, i64::MAX, 0).unwrap();
        let held = meter.charge(&mut words, i64::MAX, 5).unwrap();
        assert_eq!(meter.usage(&words, 1, 5).unwrap().used, i64::MAX);
        assert!(matches!(meter.reserve(&mut words, i64::MAX, 5).unwrap(), Answer::Exceeded(_)));
        if window == Window::Rolling(10) {
            assert_eq!(meter.usage(&words, 1, 12).unwrap().used, i64::MAX, "the second is not over");
            meter.refund(&mut words, held, 12).unwrap();
            assert_eq!(meter.usage(&words, 1, 15).unwrap().used, 0);
        }
    }
}

#[test]
fn what_never_fits_never_resets() {
    for window in [Window::Ever, Window::Rolling(10), Window::Calendar(Calendar::Day)] {
        let meter = Meter { max: 5, window };
        let words: Vec<u64> = Vec::new();
        let usage = meter.would_exceed(&words, 6, 100).unwrap().unwrap();
        assert_eq!((usage.used, usage.left, usage.resets_at), (0, 5, None));
    }
}

#[test]
fn a_refund_after_its_stretch_gives_nothing_back_to_a_clock_set_back() {
    for window in [Window::Rolling(3_600_000_000_000), Window::Calendar(Calendar::Hour)] {
        let meter = Meter { max: 5, window };
        let mut words: Vec<u64> = Vec::new();
        let held = meter.charge(&mut words, 4, 0).unwrap();
        meter.refund(&mut words, held, 3_600_000_000_000).unwrap();
        assert_eq!(meter.usage(&words, 1, 1).unwrap().used, 4, "{window:?}");
        let held = meter.charge(&mut words, 1, 1).unwrap();
        meter.refund(&mut words, held, 3_599_999_999_999).unwrap();
        assert_eq!(meter.usage(&words, 1, 1).unwrap().used, 4, "{window:?}");
    }
}
