//! Locks and journals in every order that threads can take (loom): what is under the locks is changed whole or not at all, also where a
//! process dies before any of its stores, and where who takes it back dies doing so.
//!
//! A process is a thread here. One that died goes on, but none of its stores is made.

#![cfg(test)]

use counterseal_spool::owned::{Locks, Owner, Places, Word, Words};
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;
use std::cell::Cell;

const PLACES: Places = Places { count: 2, lock: 0, lock_stride: 1, journal: 2, journal_words: 5 };
/// Two counters that each transaction adds one to: under both locks they are equal.
const COUNTERS: [usize; 2] = [12, 13];
/// More than the stores of a transaction, and of taking one back.
const STORES: usize = 14;

loom::thread_local! {
    /// Stores until this thread's process dies.
    static LEFT: Cell<usize> = Cell::new(usize::MAX);
}

fn dies_after(stores: usize) {
    LEFT.with(|left| left.set(stores));
}

fn is_dead() -> bool {
    LEFT.with(|left| left.get() == 0)
}

/// Whether this store is still made.
fn stores() -> bool {
    LEFT.with(|left| match left.get() {
        0 => false,
        usize::MAX => true,
        more => {
            left.set(more - 1);
            true
        }
    })
}

struct Modelled(AtomicU64);

impl Word for Modelled {
    fn read(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn write(&self, value: u64) {
        if stores() {
            self.0.store(value, Ordering::Release);
        }
    }

    fn replace(&self, current: u64, new: u64) -> bool {
        stores() && self.0.compare_exchange(current, new, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

struct Memory {
    words: Vec<Modelled>,
    /// Set when the first process is dead, as its record lock is gone then.
    dead: AtomicBool,
    /// Under which the dead are dealt with.
    alone: Mutex<()>,
}

impl Words for Memory {
    type Word = Modelled;

    fn at(&self, index: usize) -> Option<&Modelled> {
        self.words.get(index)
    }
}

impl Memory {
    fn new() -> Arc<Self> {
        let words = (0..=COUNTERS[1]).map(|_| Modelled(AtomicU64::new(0))).collect();
        Arc::new(Self { words, dead: AtomicBool::new(false), alone: Mutex::new(()) })
    }

    fn counters(&self) -> [u64; 2] {
        COUNTERS.map(|at| self.words[at].read())
    }
}

const FIRST: Owner = Owner { slot: 0, generation: 1 };
const SECOND: Owner = Owner { slot: 1, generation: 1 };

/// Takes a lock, over from the first process if that is dead; `false` where this process dies over it.
fn take(memory: &Memory, lock: u8, owner: Owner) -> bool {
    let locks = Locks::new(memory, PLACES);
    loop {
        if is_dead() {
            return false;
        }
        if locks.try_take(lock, owner.holding(0)).unwrap() {
            return true;
        }
        if memory.dead.load(Ordering::Acquire) {
            let _alone = memory.alone.lock().unwrap();
            locks.take_back(FIRST).unwrap();
        }
        thread::yield_now();
    }
}

/// One transaction over both locks; how it found the counters.
fn transaction(memory: &Memory, owner: Owner) -> Option<[u64; 2]> {
    if !take(memory, 0, owner) || !take(memory, 1, owner) {
        return None;
    }
    let found = memory.counters();
    let locks = Locks::new(memory, PLACES);
    let journal = locks.journal(0);
    let mut length = 0;
    for (at, value) in COUNTERS.into_iter().zip(found) {
        journal.set(&mut length, at, value + 1).unwrap();
    }
    journal.commit();
    locks.give_back(1);
    locks.give_back(0);
    Some(found)
}

fn model(work: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(work);
}

#[test]
fn transactions_are_one_after_the_other() {
    model(|| {
        let memory = Memory::new();
        let other = Arc::clone(&memory);
        let first = thread::spawn(move || transaction(&other, FIRST).unwrap());
        let second = transaction(&memory, SECOND).unwrap();
        let mut found = [first.join().unwrap(), second];
        found.sort_unstable();
        assert_eq!(found, [[0, 0], [1, 1]]);
        assert_eq!(memory.counters(), [2, 2]);
    });
}

#[test]
fn a_process_that_dies_before_any_store_leaves_all_or_nothing() {
    for left in 0..STORES {
        model(move || {
            let memory = Memory::new();
            let other = Arc::clone(&memory);
            let first = thread::spawn(move || {
                dies_after(left);
                transaction(&other, FIRST);
                other.dead.store(true, Ordering::Release);
            });
            let found = transaction(&memory, SECOND).unwrap();
            first.join().unwrap();
            assert_eq!(found[0], found[1]);
            // whoever needs the locks next frees what the first still holds
            let last = transaction(&memory, SECOND).unwrap();
            assert_eq!(last[0], last[1]);
            assert!((1..=2).contains(&last[0]), "{last:?}");
        });
    }
}

#[test]
fn who_takes_back_may_die_too() {
    for left in 1..STORES {
        for back in 1..STORES {
            model(move || {
                let memory = Memory::new();
                let other = Arc::clone(&memory);
                let first = thread::spawn(move || {
                    dies_after(left);
                    transaction(&other, FIRST);
                });
                first.join().unwrap();
                memory.dead.store(true, Ordering::Release);
                let other = Arc::clone(&memory);
                let rescuer = thread::spawn(move || {
                    dies_after(back);
                    let _alone = other.alone.lock().unwrap();
                    let _ = Locks::new(&*other, PLACES).take_back(FIRST);
                });
                let found = transaction(&memory, SECOND).unwrap();
                rescuer.join().unwrap();
                assert_eq!(found[0], found[1]);
                assert_eq!(memory.counters(), found.map(|count| count + 1));
            });
        }
    }
}
