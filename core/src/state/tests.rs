//! The table against a plain map.

use super::transaction::shard_of;
use super::*;
use crate::clock::UnixNanos;
use crate::ledger::{Entropy, Home};
use proptest::prelude::*;
use std::collections::HashMap;
use std::path::Path;

fn open(folder: &Path, max_bytes: u64) -> State {
    let home = Home::open_or_create(folder, &mut Entropy::system()).unwrap();
    State::open(&home, &Options { max_bytes, ..Options::default() }).unwrap()
}

/// A key whose entry lies in shard 0, so that a test fills one shard and not 64.
fn near(state: &State, number: u64) -> Key {
    (0_u64..)
        .map(|attempt| state.key(Kind::Budget, &[&number.to_le_bytes(), &attempt.to_le_bytes()]))
        .find(|key| shard_of(*key) == 0)
        .unwrap()
}

#[derive(Debug, Clone)]
enum Step {
    Set(usize, u64),
    Resize(usize),
    Expire(Option<i64>),
    Remove,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..40_usize, any::<u64>()).prop_map(|(index, value)| Step::Set(index, value)),
        3 => prop_oneof![5 => 0..60_usize, 2 => 0..700_usize, 1 => 0..3000_usize].prop_map(Step::Resize),
        1 => prop::option::of(0..2000_i64).prop_map(Step::Expire),
        1 => Just(Step::Remove),
    ]
}

#[derive(Debug, Clone)]
struct Turn {
    keys: Vec<usize>,
    now: i64,
    steps: Vec<(usize, Step)>,
    fails: bool,
}

fn turn() -> impl Strategy<Value = Turn> {
    let keys = prop::collection::btree_set(0..24_usize, 1..6).prop_map(|keys| keys.into_iter().collect::<Vec<_>>());
    (keys, 0..1000_i64, prop::collection::vec((0..6_usize, step()), 0..24), prop::bool::weighted(0.2))
        .prop_map(|(keys, now, steps, fails)| Turn { keys, now, steps, fails })
}

#[derive(Debug, Clone)]
struct Model {
    words: Vec<u64>,
    seen: i64,
    expires: i64,
}

#[derive(Debug, PartialEq)]
struct Refused;

impl From<StateError> for Refused {
    fn from(error: StateError) -> Self {
        panic!("{error}")
    }
}

fn run_turn(state: &State, keys: &[Key], model: &mut HashMap<usize, Model>, turn: &Turn) {
    let chosen: Vec<Key> = turn.keys.iter().map(|key| keys[*key]).collect();
    let mut next = model.clone();
    let done = state.transaction(&chosen, UnixNanos(turn.now), |entries| {
        for (number, entry) in turn.keys.iter().zip(entries.iter()) {
            let seen = next.get(number).map_or(turn.now, |model| model.seen.max(turn.now));
            let live = next.get(number).filter(|model| model.expires > seen);
            assert_eq!(entry.now().0, seen);
            assert_eq!(entry.presence(), if live.is_some() { Presence::Known } else { Presence::New });
            assert_eq!(entry.len(), live.map_or(0, |live| live.words.len()));
            for index in 0..entry.len() + 2 {
                let expected = live.and_then(|live| live.words.get(index).copied()).unwrap_or_default();
                assert_eq!(entry.get(index), expected);
            }
            if let Some(model) = next.get_mut(number) {
                model.seen = seen;
            }
        }
        for (at, step) in &turn.steps {
            let at = at % turn.keys.len();
            let (number, entry) = (turn.keys[at], &mut entries[at]);
            let seen = entry.now().0;
            let held = next.get(&number).is_some_and(|model| model.expires > seen);
            let fresh = Model { words: Vec::new(), seen, expires: i64::MAX };
            match step {
                Step::Set(index, value) => {
                    let length = entry.len();
                    assert_eq!(entry.set(*index, *value).is_ok(), *index < length);
                    if *index < length {
                        next.get_mut(&number).unwrap().words[*index] = *value;
                        assert_eq!(entry.get(*index), *value);
                    }
                }
                Step::Resize(words) => {
                    entry.resize(*words).unwrap();
                    let model = next.entry(number).or_insert_with(|| fresh.clone());
                    if !held {
                        *model = fresh;
                    }
                    model.words.resize(*words, 0);
                }
                Step::Expire(time) => {
                    // an entry must not expire within its own transaction, where the model would know it and the table not yet
                    let time = time.map(|time| seen + 1 + time);
                    if held || time.is_some() {
                        entry.expire_at(time.map(UnixNanos));
                        let model = next.entry(number).or_insert_with(|| fresh.clone());
                        if !held {
                            *model = fresh;
                        }
                        model.expires = time.unwrap_or(i64::MAX);
                    }
                }
                Step::Remove => {
                    entry.remove();
                    next.remove(&number);
                }
            }
        }
        if turn.fails { Err(Refused) } else { Ok(()) }
    });
    assert_eq!(done.is_err(), turn.fails);
    if !turn.fails {
        *model = next;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_table_does_what_a_map_does(turns in prop::collection::vec(turn(), 1..40), reopened in prop::bool::ANY) {
        let folder = tempfile::tempdir().unwrap();
        let mut state = open(folder.path(), 0);
        let keys: Vec<Key> = (0..24).map(|number| near(&state, number)).collect();
        let mut model = HashMap::new();
        for (number, turn) in turns.iter().enumerate() {
            run_turn(&state, &keys, &mut model, turn);
            if reopened && number % 10 == 9 {
                drop(state);
                state = open(folder.path(), 0);
            }
        }
    }
}
