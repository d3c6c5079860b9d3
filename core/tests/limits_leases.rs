//! Every order in which processes can reserve, settle, refund, be killed between two stores and be started again (stateright): what they
//! were granted never comes to more than the limit.
//!
//! One operation is one step, as under the lock that keeps others out of the words. A kill leaves the stores that were made, as if nobody took
//! them back, which is worse than what the home's table does.

#![cfg(test)]

use counterseal::limits::{Answer, Calendar, Held, Meter, Window, Words};
use stateright::{Checker as _, Model, Property};
use std::hash::{Hash, Hasher};

/// More than the stores of one operation on words that are not crowded.
const STORES: usize = 8;

/// A limit and those who take from it.
struct Processes {
    meter: Meter,
    count: usize,
    /// What a call may ask for.
    amounts: &'static [i64],
    /// Steps of time, each so long.
    ticks: u8,
    tick: i64,
    /// Processes that are killed, at most.
    kills: u8,
    /// Calls of each process, at most.
    calls: u8,
    /// Events of one unit each that are there from the start: what is rearranged when there are too many.
    before: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Process {
    Idle,
    /// Its body runs; it may cost less than was reserved.
    Holds(Held, usize),
    Dead,
}

/// What a body was let run for, as somebody sees it who sees everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Spent {
    at: i64,
    amount: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    words: Vec<u64>,
    now: i64,
    ticks: u8,
    kills: u8,
    processes: Vec<(Process, u8)>,
    spent: Vec<Spent>,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (&self.words, self.now, self.ticks, self.kills, &self.spent).hash(hasher);
        for (process, calls) in &self.processes {
            calls.hash(hasher);
            match process {
                Process::Idle => 0.hash(hasher),
                Process::Dead => 1.hash(hasher),
                Process::Holds(held, spent) => (2, held.amount, held.at, spent).hash(hasher),
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Reserve(usize, i64),
    /// The body is over and has cost this.
    Settle(usize, i64),
    /// Killed while it does nothing or its body runs.
    Kill(usize),
    /// Killed in the middle of an operation, after so many of its stores.
    KillReserving(usize, i64, usize),
    KillSettling(usize, i64, usize),
    Start(usize),
    Tick,
}

/// Words of a process that is killed after so many stores; whether it was.
struct Mortal<'w> {
    words: &'w mut Vec<u64>,
    left: usize,
    killed: bool,
}

impl Mortal<'_> {
    fn stores(&mut self) -> bool {
        self.killed |= self.left == 0;
        self.left = self.left.saturating_sub(1);
        !self.killed
    }
}

impl Words for Mortal<'_> {
    fn len(&self) -> usize {
        self.words.len()
    }

    fn get(&self, index: usize) -> u64 {
        Words::get(self.words, index)
    }

    fn set(&mut self, index: usize, word: u64) {
        if self.stores() {
            Words::set(self.words, index, word);
        }
    }

    fn grow(&mut self, len: usize) -> bool {
        // a process that is dead sees what it would have seen; nobody else does
        !self.stores() || self.words.grow(len)
    }
}

impl Processes {
    fn counts(&self, at: i64, now: i64) -> bool {
        match self.meter.window {
            Window::Ever => true,
            Window::Rolling(length) => at + length > now,
            Window::Calendar(calendar) => calendar.start(at) == calendar.start(now),
        }
    }

    fn spent(&self, state: &State) -> i64 {
        state.spent.iter().filter(|spent| self.counts(spent.at, state.now)).map(|spent| spent.amount).sum()
    }

    fn used(&self, state: &State) -> i64 {
        self.meter.usage(&state.words, 0, state.now).unwrap().used
    }

    /// Kills `process` after so many stores of `work`; `None` where it is over by then.
    fn killed(
        &self,
        mut state: State,
        process: usize,
        stores: usize,
        work: impl FnOnce(&Meter, &mut Mortal<'_>, i64),
    ) -> Option<State> {
        let mut words = Mortal { words: &mut state.words, left: stores, killed: false };
        work(&self.meter, &mut words, state.now);
        if !words.killed {
            return None;
        }
        state.processes[process].0 = Process::Dead;
        state.kills += 1;
        Some(state)
    }
}

impl Model for Processes {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut words = Vec::new();
        let mut spent = Vec::new();
        let start = 7_200_000_000_000;
        for event in 0..self.before {
            self.meter.charge(&mut words, 1, start + event).unwrap();
            spent.push(Spent { at: start + event, amount: 1 });
        }
        let processes = vec![(Process::Idle, 0); self.count];
        vec![State { words, now: start + self.before, ticks: 0, kills: 0, processes, spent }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.ticks < self.ticks {
            actions.push(Action::Tick);
        }
        for (number, (process, calls)) in state.processes.iter().enumerate() {
            let may_die = state.kills < self.kills;
            match process {
                Process::Idle if *calls < self.calls => {
                    for amount in self.amounts {
                        actions.push(Action::Reserve(number, *amount));
                        if may_die {
                            actions.extend((0..STORES).map(|stores| Action::KillReserving(number, *amount, stores)));
                        }
                    }
                }
                Process::Holds(held, _) => {
                    // refused by something else, cheaper than expected, as expected
                    for actual in [0, held.amount / 2, held.amount] {
                        actions.push(Action::Settle(number, actual));
                        if may_die {
                            actions.extend((0..STORES).map(|stores| Action::KillSettling(number, actual, stores)));
                        }
                    }
                    if may_die {
                        actions.push(Action::Kill(number));
                    }
                }
                Process::Dead => actions.push(Action::Start(number)),
                Process::Idle => {}
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tick => {
                state.now += self.tick;
                state.ticks += 1;
            }
            Action::Start(number) => state.processes[number].0 = Process::Idle,
            Action::Kill(number) => {
                // whether its body has run nobody knows, so it has
                state.processes[number].0 = Process::Dead;
                state.kills += 1;
            }
            Action::Reserve(number, amount) => {
                let answer = self.meter.reserve(&mut state.words, amount, state.now).unwrap();
                let process = &mut state.processes[number];
                process.1 += 1;
                if let Answer::Granted(held) = answer {
                    process.0 = Process::Holds(held, state.spent.len());
                    state.spent.push(Spent { at: state.now, amount });
                }
            }
            Action::Settle(number, actual) => {
                let Process::Holds(held, spent) = state.processes[number].0 else { return None };
                self.meter.settle(&mut state.words, held, actual, state.now).unwrap();
                state.processes[number].0 = Process::Idle;
                state.spent[spent].amount = actual;
            }
            Action::KillReserving(number, amount, stores) => {
                return self.killed(state, number, stores, |meter, words, now| {
                    // it was never told, so no body runs
                    let _died = meter.reserve(words, amount, now);
                });
            }
            Action::KillSettling(number, actual, stores) => {
                let Process::Holds(held, spent) = state.processes[number].0 else { return None };
                state.spent[spent].amount = actual;
                return self.killed(state, number, stores, |meter, words, now| {
                    let _died = meter.settle(words, held, actual, now);
                });
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no more is granted than the limit", |model: &Self, state| {
                model.spent(state) <= model.meter.max
            }),
            Property::always("what was spent counts", |model: &Self, state| model.used(state) >= model.spent(state)),
            Property::sometimes("all of it is granted", |model: &Self, state| model.spent(state) == model.meter.max),
            Property::sometimes("what the dead held stays spent", |model: &Self, state: &State| {
                let dead = |(process, _): &(Process, u8)| *process == Process::Dead;
                state.processes.iter().any(dead) && model.used(state) > 0 && model.spent(state) > 0
            }),
            Property::sometimes("what was given back is granted again", |model: &Self, state: &State| {
                let granted: i64 = state.spent.iter().map(|spent| spent.amount).sum();
                state.spent.iter().any(|spent| spent.amount == 0) && granted == model.meter.max
            }),
        ]
    }
}

fn every_order(model: Processes) {
    let checked = model.checker().threads(2).spawn_dfs().join();
    checked.assert_properties();
    assert!(checked.is_done() && checked.unique_state_count() > 1000, "{}", checked.unique_state_count());
}

#[test]
fn over_all_time() {
    let meter = Meter { max: 3, window: Window::Ever };
    every_order(Processes { meter, count: 3, amounts: &[1, 2], ticks: 0, tick: 0, kills: 2, calls: 2, before: 0 });
}

#[test]
fn over_a_rolling_window() {
    let meter = Meter { max: 3, window: Window::Rolling(2) };
    every_order(Processes { meter, count: 2, amounts: &[1, 2], ticks: 3, tick: 1, kills: 1, calls: 2, before: 0 });
}

#[test]
fn over_stretches_of_the_calendar() {
    let meter = Meter { max: 3, window: Window::Calendar(Calendar::Hour) };
    let tick = 1_800_000_000_000;
    every_order(Processes { meter, count: 2, amounts: &[1, 2], ticks: 3, tick, kills: 1, calls: 2, before: 0 });
}

/// A window that is so crowded that its events are rearranged and merged, killed while that is done.
#[test]
fn over_a_crowded_window() {
    let meter = Meter { max: 121, window: Window::Rolling(1000) };
    every_order(Processes { meter, count: 2, amounts: &[1, 2], ticks: 2, tick: 450, kills: 1, calls: 2, before: 117 });
}
