//! The ring as its users see it: order, wrap-around, many producers, full, panics, and what another process finds.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

use counterseal_spool::{AppendError, Consumer, Identity, Read, Spool, read_leftover};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const IDENTITY: Identity = Identity { stream: [7; 16], nonce: [9; 16], boot: [3; 16], pid: 42 };

type Make = fn(&Path, usize, &Identity) -> std::io::Result<(Arc<Spool>, Consumer)>;
const KINDS: [Make; 2] = [Spool::create, Spool::create_plain];

fn put(spool: &Spool, kind: u8, payload: &[u8]) -> Result<u64, AppendError> {
    spool.append(kind, payload.len(), Duration::ZERO, |place| place.copy_from_slice(payload))
}

fn next(consumer: &mut Consumer) -> Option<(u8, Vec<u8>)> {
    match consumer.read().expect("a readable spool") {
        Read::Record { kind, payload } => Some((kind, payload.to_vec())),
        Read::Empty => None,
        other => panic!("unexpected {other:?}"),
    }
}

#[test]
fn gives_back_what_was_put_in_and_only_once() {
    for make in KINDS {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("spool");
        let (spool, mut consumer) = make(&path, 4096, &IDENTITY).unwrap();
        assert_eq!(next(&mut consumer), None);
        let end = put(&spool, 3, b"one").unwrap();
        put(&spool, 4, b"").unwrap();
        assert_eq!(next(&mut consumer), Some((3, b"one".to_vec())));
        consumer.rewind();
        assert_eq!(next(&mut consumer), Some((3, b"one".to_vec())));
        assert!(spool.released() < end);
        consumer.release(1, 0).unwrap();
        assert!(spool.released() >= end);
        consumer.rewind();
        assert_eq!(next(&mut consumer), Some((4, Vec::new())));
        assert_eq!(next(&mut consumer), None);
        assert!(make(&path, 4096, &IDENTITY).is_err(), "a spool is created once");
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_full_spool_refuses_counts_and_takes_again_after_release() {
    for make in KINDS {
        let home = tempfile::tempdir().unwrap();
        let (spool, mut consumer) = make(&home.path().join("spool"), 4096, &IDENTITY).unwrap();
        let mut held = 0;
        while put(&spool, 2, &[held; 100]).is_ok() {
            held += 1;
        }
        assert_eq!(held, 32, "4096 bytes hold 32 slots of 128");
        assert_eq!((spool.statistics().refused, spool.statistics().waits), (1, 1));
        for expected in 0..held {
            assert_eq!(next(&mut consumer), Some((2, vec![expected; 100])));
        }
        consumer.release(0, 0).unwrap();
        put(&spool, 2, &[1; 100]).unwrap();
    }
}

#[test]
fn a_waiting_producer_gets_room_when_there_is_some() {
    for make in KINDS {
        let home = tempfile::tempdir().unwrap();
        let (spool, mut consumer) = make(&home.path().join("spool"), 4096, &IDENTITY).unwrap();
        while put(&spool, 2, &[0; 1000]).is_ok() {}
        let producer = {
            let spool = Arc::clone(&spool);
            std::thread::spawn(move || spool.append(2, 1000, Duration::from_secs(60), |place| place.fill(1)))
        };
        while spool.statistics().waits < 2 {
            std::thread::yield_now();
        }
        while next(&mut consumer).is_some() {}
        consumer.release(0, 0).unwrap();
        producer.join().unwrap().unwrap();
    }
}

#[test]
fn a_sealed_spool_takes_nothing_and_gives_everything() {
    for make in KINDS {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("spool");
        let (spool, mut consumer) = make(&path, 4096, &IDENTITY).unwrap();
        put(&spool, 2, b"taken").unwrap();
        spool.seal();
        assert!(matches!(put(&spool, 2, b"late"), Err(AppendError::Sealed)));
        assert_eq!(spool.pending(), 1);
        assert_eq!(read_leftover(&path).unwrap().records().len(), 1);
        assert_eq!(next(&mut consumer), Some((2, b"taken".to_vec())));
        assert_eq!(next(&mut consumer), None);
        consumer.release(0, 0).unwrap();
        assert_eq!((spool.pending(), spool.statistics().used, spool.statistics().refused), (0, 0, 0));
    }
}

#[test]
fn too_large_a_record_is_refused_by_size() {
    let home = tempfile::tempdir().unwrap();
    let (spool, _consumer) = Spool::create(&home.path().join("spool"), 4096, &IDENTITY).unwrap();
    assert!(matches!(put(&spool, 2, &[0; 1009]), Err(AppendError::TooLarge { size: 1009, limit: 1008 })));
    put(&spool, 2, &[0; 1008]).unwrap();
}

#[test]
fn a_panicking_producer_leaves_an_abandoned_slot_and_no_gap() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("spool");
    let (spool, mut consumer) = Spool::create(&path, 4096, &IDENTITY).unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        spool.append(2, 10, Duration::ZERO, |_| panic!("a producer fails"))
    }));
    assert!(caught.is_err());
    put(&spool, 2, b"next").unwrap();
    assert_eq!(read_leftover(&path).unwrap().skipped, 1);
    assert_eq!(consumer.read().unwrap(), Read::Abandoned);
    assert_eq!(next(&mut consumer), Some((2, b"next".to_vec())));
}

#[test]
fn a_slot_that_is_not_committed_holds_the_consumer_and_is_skipped_by_a_later_process() {
    let home = tempfile::tempdir().unwrap();
    let (path, copy) = (home.path().join("spool"), home.path().join("copy"));
    let (spool, mut consumer) = Spool::create(&path, 4096, &IDENTITY).unwrap();
    put(&spool, 2, b"first").unwrap();
    let mut inner = Ok(0);
    spool
        .append(2, 300, Duration::ZERO, |place| {
            // every word of the unfinished record looks like the marker of the record before it
            let marker = std::fs::read(&path).unwrap()[4096..4104].to_vec();
            place.chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&marker));
            inner = put(&spool, 5, b"third");
            assert_eq!(next(&mut consumer), Some((2, b"first".to_vec())));
            assert_eq!(consumer.read().unwrap(), Read::Pending);
            std::fs::copy(&path, &copy).unwrap();
        })
        .unwrap();
    inner.unwrap();
    let left = read_leftover(&copy).unwrap();
    assert_eq!(left.records().collect::<Vec<_>>(), [(2, &b"first"[..]), (5, &b"third"[..])]);
    assert_eq!((left.skipped, left.stream, left.boot, left.pid), (1, [7; 16], [3; 16], 42));
}

#[test]
fn a_later_process_finds_the_note_and_the_unaccounted_refusals() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("spool");
    let (spool, mut consumer) = Spool::create(&path, 4096, &IDENTITY).unwrap();
    while put(&spool, 2, &[0; 500]).is_ok() {}
    for note in 1..4 {
        let _ = next(&mut consumer);
        consumer.release(note, 0).unwrap();
        let left = read_leftover(&path).unwrap();
        assert_eq!((left.note, left.refused), (note, 1));
    }
    consumer.release(9, 1).unwrap();
    assert_eq!(read_leftover(&path).unwrap().refused, 0);
}

#[test]
fn unfinished_foreign_and_damaged_files_are_told_apart() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("spool");
    std::fs::write(&path, []).unwrap();
    assert_eq!(read_leftover(&path).unwrap().records().len(), 0);
    std::fs::write(&path, vec![0u8; 8192]).unwrap();
    assert_eq!(read_leftover(&path).unwrap().records().len(), 0);
    std::fs::remove_file(&path).unwrap();
    drop(Spool::create(&path, 4096, &IDENTITY).unwrap());
    let good = std::fs::read(&path).unwrap();
    for (offset, byte, expected) in [
        (8, 9, "the spool has format version 9, which this version does not read"),
        (16, 1, "the spool's header is damaged: its capacity is not one that is ever made"),
        (12, 9, "the spool's header is damaged: its mode is not one that is ever made"),
        (576, 1, "the spool's header is damaged: its head and tail do not fit together"),
        (133, 1, "the spool's header is damaged: its head and tail do not fit together"),
    ] {
        let mut bad = good.clone();
        bad[offset] = byte;
        std::fs::write(&path, bad).unwrap();
        assert_eq!(read_leftover(&path).unwrap_err().to_string(), expected);
    }
}

#[test]
fn many_producers_lose_nothing_and_keep_their_own_order() {
    const PRODUCERS: u8 = 4;
    const EACH: u32 = 20_000;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("spool");
    let (spool, mut consumer) = Spool::create(&path, 16 * 1024, &IDENTITY).unwrap();
    let finished = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|who| {
                let spool = &spool;
                scope.spawn(move || {
                    for number in 0..EACH {
                        let length = 4 + number as usize % 90;
                        spool
                            .append(who, length, Duration::from_secs(60), |place| {
                                place.fill(who);
                                place[..4].copy_from_slice(&number.to_le_bytes());
                            })
                            .unwrap();
                    }
                })
            })
            .collect();
        // a third party looks on all the time: it neither disturbs the others nor fails
        let looks = scope.spawn(|| {
            let mut looks = 0;
            while !finished.load(Ordering::Relaxed) {
                if let Ok(left) = read_leftover(&path) {
                    looks += left.records().len();
                }
            }
            looks
        });
        let mut expected = [0u32; PRODUCERS as usize];
        let mut seen = 0;
        while seen < u32::from(PRODUCERS) * EACH {
            match consumer.read().unwrap() {
                Read::Record { kind, payload } => {
                    let number = &mut expected[usize::from(kind)];
                    assert_eq!(payload[..4], number.to_le_bytes());
                    assert_eq!(payload.len(), 4 + *number as usize % 90);
                    assert!(payload[4..].iter().all(|byte| *byte == kind));
                    *number += 1;
                    seen += 1;
                }
                Read::Abandoned => panic!("nobody panicked"),
                Read::Pending | Read::Empty => {
                    consumer.release(u64::from(seen), 0).unwrap();
                    consumer.doze(Duration::from_millis(1));
                }
            }
        }
        consumer.release(0, 0).unwrap();
        finished.store(true, Ordering::Relaxed);
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        looks.join().unwrap();
        assert_eq!(expected, [EACH; PRODUCERS as usize]);
    });
}

#[test]
fn a_parked_consumer_wakes_for_the_first_record() {
    let home = tempfile::tempdir().unwrap();
    let (spool, mut consumer) = Spool::create(&home.path().join("spool"), 4096, &IDENTITY).unwrap();
    let reader = std::thread::spawn(move || {
        for expected in 0..200u8 {
            loop {
                match consumer.read().unwrap() {
                    Read::Record { payload, .. } => {
                        assert_eq!(payload, [expected]);
                        break;
                    }
                    _ => consumer.park(None),
                }
            }
            consumer.release(0, 0).unwrap();
        }
    });
    for number in 0..200u8 {
        let end = put(&spool, 2, &[number]).unwrap();
        assert!(spool.wait_released(end, Instant::now() + Duration::from_secs(60)), "the consumer slept on");
    }
    reader.join().unwrap();
}

#[derive(Debug, Clone)]
enum Step {
    Put(Vec<u8>),
    Read(usize),
    Release,
    Rewind,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..1000).prop_map(Step::Put),
        2 => (1usize..8).prop_map(Step::Read),
        2 => Just(Step::Release),
        1 => Just(Step::Rewind),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any sequence behaves like a queue, over many laps, and a process that looks at any moment finds exactly what was not released.
    #[test]
    fn behaves_like_a_queue_and_leaves_exactly_what_was_not_released(steps in steps(), plain in any::<bool>()) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("spool");
        let (spool, mut consumer) = KINDS[usize::from(plain)](&path, 4096, &IDENTITY).unwrap();
        let mut model: VecDeque<Vec<u8>> = VecDeque::new();
        let mut read = 0;
        for step in steps {
            match step {
                Step::Put(payload) => {
                    if put(&spool, 2, &payload).is_ok() {
                        model.push_back(payload);
                    } else {
                        prop_assert!(!model.is_empty(), "refused while empty");
                    }
                }
                Step::Read(count) => {
                    for _ in 0..count {
                        let found = next(&mut consumer);
                        prop_assert_eq!(found.as_ref().map(|(_, payload)| payload), model.get(read));
                        read += usize::from(found.is_some());
                    }
                }
                Step::Release => {
                    consumer.release(0, 0).unwrap();
                    model.drain(..read);
                    read = 0;
                }
                Step::Rewind => {
                    consumer.rewind();
                    read = 0;
                }
            }
            let left = read_leftover(&path).unwrap();
            prop_assert_eq!(left.records().map(|(_, payload)| payload.to_vec()).collect::<VecDeque<_>>(), model.clone());
            prop_assert_eq!(left.skipped, 0);
        }
    }

    /// Whatever bytes a spool file holds, reading it ends, and without a panic.
    #[test]
    fn reads_any_bytes(mut noise in prop::collection::vec((0usize..12288, any::<u8>()), 0..60), cut in 0usize..12289) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("spool");
        let (spool, _consumer) = Spool::create(&path, 8192, &IDENTITY).unwrap();
        while put(&spool, 2, &[5; 700]).is_ok() {}
        let mut bytes = std::fs::read(&path).unwrap();
        noise.drain(..).for_each(|(at, byte)| bytes[at] = byte);
        bytes.truncate(cut);
        let copy = home.path().join("copy");
        std::fs::write(&copy, bytes).unwrap();
        if let Ok(left) = read_leftover(&copy) {
            prop_assert!(left.records().len() <= 512);
        }
    }
}
