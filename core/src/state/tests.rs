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
            state.check().unwrap();
            if reopened && number % 10 == 9 {
                drop(state);
                state = open(folder.path(), 0);
            }
        }
    }
}

/// A thousand times more than fits: what is gone reads as such, what is there is right, and the table stays whole.
#[test]
fn a_full_table_forgets_the_oldest_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path(), 0);
    let (many, hot) = (20_000_u64, near(&state, u64::MAX));
    let (mut now, mut random) = (0, 1_u64);
    let mut keys = Vec::new();
    let mut largest = 0;
    for number in 0..many {
        now += 1;
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // mostly small, some large, so that blocks of unlike classes and pages compete
        let words = match random >> 60 {
            0 => 600 + (random >> 40) as usize % 2000,
            1..4 => 1 + (random >> 40) as usize % 300,
            _ => 1 + (random >> 40) as usize % 16,
        };
        let key = near(&state, number);
        keys.push(key);
        state
            .transaction(&[key, hot], UnixNanos(now), |entries| {
                let [entry, hot] = entries else { panic!("two keys, {} entries", entries.len()) };
                entry.resize(words)?;
                entry.set(words - 1, number)?;
                hot.resize(1)?;
                hot.set(0, hot.get(0) + 1)?;
                assert_eq!(hot.get(0), number + 1, "what is used all the time stays");
                Ok::<_, StateError>(())
            })
            .unwrap();
        if number % 997 == 0 {
            state.check().unwrap();
        }
        largest = largest.max(state.statistics().unwrap().bytes);
    }
    state.check().unwrap();
    let statistics = state.statistics().unwrap();
    assert!(statistics.evicted > many / 2 && statistics.entries + statistics.evicted == many + 1, "{statistics:?}");
    assert!(largest <= statistics.max_bytes, "{largest} bytes");
    let mut ages = Vec::new();
    for (number, key) in keys.iter().enumerate() {
        let presence = state.transaction(&[*key], UnixNanos(now), |entries| {
            let [entry] = entries else { panic!("one key") };
            match entry.presence() {
                Presence::Known => assert_eq!(entry.get(entry.len() - 1), number as u64),
                Presence::Evicted => assert!(entry.is_empty()),
                Presence::New => panic!("{number} was held and reads as new"),
            }
            Ok::<_, StateError>(entry.presence())
        });
        if presence.unwrap() == Presence::Known {
            ages.push(number);
        }
    }
    // by chance one in `many` would stay: those that stayed are among the youngest
    let young = ages.iter().filter(|number| **number as u64 > many - 4 * statistics.entries).count();
    assert!(young * 10 > ages.len() * 9, "{young} of {} are young", ages.len());
}

#[test]
fn what_expired_makes_room_first_and_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path(), 0);
    for number in 0..20_000 {
        let key = near(&state, number);
        let now = UnixNanos(number.cast_signed() * 10);
        state
            .transaction(&[key], now, |entries| {
                let [entry] = entries else { panic!("one key") };
                assert_eq!(entry.presence(), Presence::New);
                entry.resize(10)?;
                entry.expire_at(Some(UnixNanos(now.0 + 200)));
                Ok::<_, StateError>(())
            })
            .unwrap();
    }
    assert_eq!(state.statistics().unwrap().evicted, 0);
    let first = near(&state, 0);
    let looked = state.transaction(&[first], UnixNanos(1 << 40), |entries| Ok::<_, StateError>(entries[0].presence()));
    assert_eq!(looked.unwrap(), Presence::New);
    state.check().unwrap();
}

#[test]
fn lost_history_is_lost_until_somebody_trusts_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path(), 0);
    let key = near(&state, 0);
    let with = |work: &dyn Fn(&mut Entry<'_>) -> Result<(), StateError>| {
        state
            .transaction(&[key], UnixNanos(5), |entries| work(&mut entries[0]).map(|()| entries[0].presence()))
            .unwrap()
    };
    assert_eq!(with(&|entry| entry.resize(400)), Presence::Known);
    for number in 1..5_000 {
        let other = near(&state, number);
        state.transaction(&[other], UnixNanos(6), |entries| entries[0].resize(400)).unwrap();
    }
    assert_eq!(with(&|_| Ok(())), Presence::Evicted);
    assert_eq!(with(&|entry| entry.resize(3)), Presence::Evicted);
    assert_eq!(with(&|entry| entry.set(1, 2)), Presence::Evicted);
    assert_eq!(
        with(&|entry| {
            entry.trust();
            Ok(())
        }),
        Presence::Known
    );
    assert_eq!(with(&|_| Ok(())), Presence::Known);
}

#[test]
fn wrong_uses_damage_and_later_versions_are_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(folder.path(), 0);
    let key = near(&state, 0);
    let twice = state.transaction(&[key, key], UnixNanos(0), |_| Ok::<_, StateError>(()));
    assert!(matches!(twice, Err(StateError::Misuse(_))));
    let many: Vec<Key> = (0..=MAX_KEYS as u64).map(|number| near(&state, number)).collect();
    let many = state.transaction(&many, UnixNanos(0), |_| Ok::<_, StateError>(()));
    assert!(matches!(many, Err(StateError::Misuse(_))));
    let huge = state.transaction(&[key], UnixNanos(0), |entries| entries[0].resize(MAX_WORDS + 1));
    assert!(matches!(huge, Err(StateError::Full(_))));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        state.transaction(&[key], UnixNanos(0), |entries| {
            entries[0].resize(4)?;
            if entries[0].len() == 4 {
                panic!("on purpose")
            }
            Ok::<_, StateError>(())
        })
    }));
    assert!(caught.is_err());
    let after = state.transaction(&[key], UnixNanos(0), |entries| Ok::<_, StateError>(entries[0].presence()));
    assert_eq!(after.unwrap(), Presence::New);
    drop(state);

    let home = Home::open_or_create(folder.path(), &mut Entropy::system()).unwrap();
    let path = folder.path().join("state/table");
    let whole = std::fs::read(&path).unwrap();
    let broken = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        let error = State::open(&home, &Options::default()).unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "left as it is");
        error
    };
    assert!(matches!(broken(&|bytes| bytes[8] = 2), StateError::Version { found: 2, known: 1, .. }));
    assert!(matches!(broken(&|bytes| bytes[0] ^= 1), StateError::Damaged { .. }));
    assert!(matches!(broken(&|bytes| bytes.clear()), StateError::Damaged { .. }));
    assert!(matches!(broken(&|bytes| bytes.truncate(8192)), StateError::Damaged { .. }));
    assert!(matches!(broken(&|bytes| bytes[39] = 1), StateError::Damaged { .. }));
}

#[test]
fn any_number_of_changed_words_is_one_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let state = open(&folder.path().join("home"), 256 << 20);
    let keys: Vec<Key> = (0..MAX_KEYS as u64).map(|number| near(&state, number)).collect();
    let now = UnixNanos(1);
    for changed in [1_usize, 60, 250, 300] {
        state
            .transaction(&keys, now, |entries| {
                for entry in entries {
                    entry.resize(300)?;
                    for index in 0..changed {
                        entry.set(index, entry.get(index) + 1 + index as u64)?;
                    }
                }
                Ok::<_, StateError>(())
            })
            .unwrap();
    }
    state.check().unwrap();
    let expected = |index: usize| [1, 60, 250, 300].iter().filter(|changed| index < **changed).count() * (1 + index);
    let read = state.transaction(&keys, now, |entries| {
        let right = |entry: &Entry<'_>| (0..300).all(|index| entry.get(index) == expected(index) as u64);
        Ok::<_, StateError>(entries.iter().all(right))
    });
    assert!(read.unwrap());
}
