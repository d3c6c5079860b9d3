//! What is made of a dead process's stream. A process that died is a copy of its home: nobody holds the copy's locks.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::dying::{Dying, copy_tree, give_back};
use crate::reading::{Seen, read};
use counterseal::ErrorCode;
use counterseal::clock::UnixNanos;
use counterseal::ledger::index::{IndexLine, IndexTree, Seal};
use counterseal::ledger::ratchet::{Ratchet, append_note};
use counterseal::ledger::verify::{self, verify};
use counterseal::ledger::{Entropy, Home, Ledger, Options, StreamId};
use std::path::{Path, PathBuf};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn stream_path(home: &Path, stream: StreamId) -> PathBuf {
    home.join("streams").join(stream.to_string())
}

/// Recovers the home and checks that every call is there once, and that a second time finds nothing to do.
fn recovered(home: &Path, calls: u64) -> Seen {
    assert_eq!(Ledger::recover(home, &Options::default()).unwrap(), 1);
    let index = std::fs::read(home.join("index")).unwrap();
    assert_eq!(Ledger::recover(home, &Options::default()).unwrap(), 0);
    assert_eq!(std::fs::read(home.join("index")).unwrap(), index, "a closed stream is left alone");
    let seen = read(home);
    let expected = (0..calls).map(|id| (format!("c{id}"), 1)).collect();
    assert_eq!(seen.calls(), expected);
    let report = verify(home, &verify::Options { deep: true, ..verify::Options::default() }).unwrap();
    assert!(report.holds(), "{report}");
    assert_eq!(seen.of_kind("closed").count(), 1);
    seen
}

#[test]
fn what_the_spool_held_is_taken_once_and_the_stream_closed() {
    let (dying, home) = Dying::holding(3, 4);
    let seen = recovered(&home, 7);
    let kinds = seen.kinds(dying.stream());
    assert_eq!(kinds[kinds.len() - 2..], ["recovered", "closed"]);
    let said = seen.of_kind("recovered").next().unwrap();
    assert_eq!((&said["records"], &said["skipped"], &said["torn"]), (&8.into(), &0.into(), &0.into()));
    assert!(!stream_path(&home, dying.stream()).join("spool").exists());
}

#[test]
fn a_process_that_records_nothing_takes_it_over_when_it_is_closed() {
    let (dying, home) = Dying::holding(3, 4);
    let spool = stream_path(&home, dying.stream()).join("spool");
    drop(Ledger::open(&home, Options::default()).unwrap());
    assert!(spool.exists(), "a ledger that was only let go of touches nothing");
    let ledger = Ledger::open(&home, Options::default()).unwrap();
    assert!(spool.exists(), "nor does one that was only opened");
    ledger.close(LONG).unwrap();
    let health = ledger.health();
    assert_eq!((health.adopted, health.last_error, health.stream), (1, None, None));
    assert!(!spool.exists());
    let seen = read(&home);
    assert_eq!((seen.calls().len(), seen.of_kind("closed").count()), (7, 1));
    let later = Ledger::open(&home, Options::default()).unwrap();
    later.close(LONG).unwrap();
    assert_eq!(later.health().adopted, 0);
}

#[test]
fn what_such_a_process_cannot_take_over_is_said_and_does_not_keep_it_from_closing() {
    let (dying, home) = Dying::holding(3, 4);
    let spool = stream_path(&home, dying.stream()).join("spool");
    let mut later = std::fs::read(&spool).unwrap();
    later[8] = 2;
    std::fs::write(&spool, &later).unwrap();
    let ledger = Ledger::open(&home, Options::default()).unwrap();
    ledger.close(LONG).unwrap();
    let health = ledger.health();
    assert_eq!(health.adopted, 0);
    assert!(health.last_error.unwrap().contains("has format version 2"), "the health says why");
}

#[test]
fn a_living_stream_is_left_alone() {
    let mut dying = Dying::new(Options::default());
    dying.record(1);
    let home = dying.ledger.home().path().to_owned();
    assert_eq!(Ledger::recover(&home, &Options::default()).unwrap(), 0);
    dying.ledger.close(LONG).unwrap();
    assert_eq!(read(&home).of_kind("recovered").count(), 0);
}

#[test]
fn a_stream_that_never_reached_its_first_segment_gets_one() {
    let mut dying = Dying::new(Options::default());
    // the writer cannot open a segment: the index is a directory for as long
    let index = dying.ledger.home().index_path();
    std::fs::remove_file(&index).unwrap();
    std::fs::create_dir(&index).unwrap();
    dying.record(2);
    let home = dying.copy();
    for path in [&index, &home.join("index")] {
        give_back(path);
    }
    recovered(&home, 2);
}

/// The state of a process killed after its group was written and before the spool's room was given back, with the
/// segment torn at every byte: whatever the cut took comes from the spool again, with its payload.
#[test]
fn a_torn_tail_is_repaired_at_every_byte() {
    let (mut dying, held) = Dying::holding(1, 2);
    let stream = dying.stream();
    let before = std::fs::metadata(stream_path(&held, stream).join("000001.jsonl")).unwrap().len();
    let spool = std::fs::read(stream_path(&held, stream).join("spool")).unwrap();
    let _ = dying.ledger.flush(LONG);
    let whole = dying.copy();
    let segment = std::fs::read(stream_path(&whole, stream).join("000001.jsonl")).unwrap();
    let step = if std::env::var("COUNTERSEAL_TRIALS").is_ok_and(|trials| trials == "whole") { 1 } else { 17 };
    for cut in (before as usize..=segment.len()).step_by(step).chain([segment.len()]) {
        let home = dying.copy();
        let directory = stream_path(&home, stream);
        std::fs::write(directory.join("spool"), &spool).unwrap();
        std::fs::write(directory.join("000001.jsonl"), &segment[..cut]).unwrap();
        let seen = recovered(&home, 3);
        let torn = cut - segment[..cut].iter().rposition(|byte| *byte == b'\n').unwrap() - 1;
        assert_eq!(seen.of_kind("recovered").next().unwrap()["torn"], torn as u64);
        std::fs::remove_dir_all(home).unwrap();
    }
}

/// The adopter itself killed at every byte of what it appends, before it closed the segment.
#[test]
fn an_adoption_that_was_cut_short_is_finished_by_the_next() {
    // every state is made of one copy: the living process may write on meanwhile
    let (dying, dead) = Dying::holding(1, 2);
    let stream = dying.stream();
    let again = |name: &str| {
        let to = dying.folder.path().join(name);
        copy_tree(&dead, &to);
        to
    };
    let adopted = again("adopted");
    recovered(&adopted, 3);
    let segment = std::fs::read(stream_path(&adopted, stream).join("000001.jsonl")).unwrap();
    let sidecar = std::fs::read(stream_path(&adopted, stream).join("000001.side")).unwrap();
    let start = std::fs::metadata(stream_path(&dead, stream).join("000001.jsonl")).unwrap().len();
    let mut closed = 0;
    for cut in (start as usize..=segment.len()).step_by(41).chain([segment.len()]) {
        let home = again("cut-short");
        std::fs::write(stream_path(&home, stream).join("000001.jsonl"), &segment[..cut]).unwrap();
        std::fs::write(stream_path(&home, stream).join("000001.side"), &sidecar).unwrap();
        let seen = recovered(&home, 3);
        closed += usize::from(cut == segment.len());
        assert!(!seen.of_kind("recovered").collect::<Vec<_>>().is_empty());
        std::fs::remove_dir_all(home).unwrap();
    }
    assert!(closed > 0);
}

/// Every state between two steps of closing: the `closed` record, the index line, the spool's removal.
#[test]
fn a_close_that_was_cut_short_is_finished() {
    let mut dying = Dying::new(Options::default());
    dying.record(2);
    let _ = dying.ledger.flush(LONG);
    let stream = dying.stream();
    let open = dying.copy();
    let index = std::fs::read(open.join("index")).unwrap();
    let spool = std::fs::read(stream_path(&open, stream).join("spool")).unwrap();
    dying.ledger.close(LONG).unwrap();

    let unindexed = dying.copy();
    std::fs::write(unindexed.join("index"), &index).unwrap();
    std::fs::write(unindexed.join("checkpoints"), "").unwrap();
    std::fs::copy(open.join("keys/current"), unindexed.join("keys/current")).unwrap();
    std::fs::write(stream_path(&unindexed, stream).join("spool"), &spool).unwrap();
    let seen = recovered(&unindexed, 2);
    assert_eq!(seen.of_kind("recovered").count(), 0);

    let only_spool_left = dying.copy();
    std::fs::write(stream_path(&only_spool_left, stream).join("spool"), &spool).unwrap();
    recovered(&only_spool_left, 2);
    assert!(!stream_path(&only_spool_left, stream).join("spool").exists());
}

#[test]
fn a_segment_that_was_announced_and_never_begun_is_no_damage_and_is_made() {
    let mut dying = Dying::new(Options::default());
    // the writer cannot open its segment, and the line is put there as it would have been
    let index = dying.ledger.home().index_path();
    std::fs::remove_file(&index).unwrap();
    std::fs::create_dir(&index).unwrap();
    dying.record(2);
    let home = dying.copy();
    for path in [&index, &home.join("index")] {
        give_back(path);
    }
    let opened = IndexLine::Opened { time: UnixNanos(1), stream: dying.stream(), segment: 1, prev: [0; 32] };
    Home::open(&home).unwrap().lock().unwrap().append_index(&mut IndexTree::new(), &[opened]).unwrap();
    let report = verify(&home, &verify::Options::default()).unwrap();
    assert!(report.holds(), "{report}");
    assert!(report.to_string().contains("its process ended before it made it"), "{report}");
    recovered(&home, 2);
}

#[test]
fn a_segment_that_held_records_and_was_removed_stays_missing() {
    for other_boot in [false, true] {
        let (dying, home) = Dying::holding(2, 1);
        let stream = stream_path(&home, dying.stream());
        for file in ["000001.jsonl", "000001.side"] {
            std::fs::remove_file(stream.join(file)).unwrap();
        }
        if other_boot {
            let mut spool = std::fs::read(stream.join("spool")).unwrap();
            spool[64] ^= 1;
            std::fs::write(stream.join("spool"), spool).unwrap();
        }
        let missing = || {
            let report = verify(&home, &verify::Options::default()).unwrap();
            report.problems.iter().any(|problem| problem.code == verify::ProblemCode::SegmentMissing)
        };
        assert!(missing());
        if !other_boot {
            let error = Ledger::recover(&home, &Options::default()).unwrap_err();
            assert_eq!(error.code(), ErrorCode::LedgerCorrupt);
            assert!(error.message().contains("is missing and held records up to"), "{error}");
            assert!(missing(), "taking the stream over does not hide it");
        }
    }
}

/// A kill between any two steps of a checkpoint, and then life goes on.
#[test]
fn a_checkpoint_that_was_cut_short_is_finished_or_undone() {
    for steps in 0..5 {
        let mut dying = Dying::new(Options::default());
        dying.record(2);
        let _ = dying.ledger.flush(LONG);
        let path = dying.copy();
        let home = Home::open(&path).unwrap();
        let stream = dying.stream();
        let seen = read(&path);
        let records = seen.streams[&stream].len() as u64;
        let bytes = std::fs::metadata(home.segment_path(stream, 1)).unwrap().len();
        {
            let lock = home.lock().unwrap();
            let mut tree = IndexTree::new();
            let mut segment = counterseal::ledger::merkle::Tree::new();
            let mut last = [0; 32];
            for record in &seen.streams[&stream] {
                let digits = record["hash"].as_str().unwrap();
                last =
                    std::array::from_fn(|at| u8::from_str_radix(digits.get(at * 2..at * 2 + 2).unwrap(), 16).unwrap());
                segment.push(&last);
            }
            let seal = Seal { time: UnixNanos(1), stream, segment: 1, records, bytes, root: segment.root(), last };
            lock.catch_up(&mut tree).unwrap();
            if steps > 0 {
                lock.append_index(&mut tree, &[IndexLine::Sealed(seal)]).unwrap();
            }
            if steps > 1 {
                let ratchet = Ratchet::open(&lock).unwrap();
                let next = ratchet.stage(&lock, &mut Entropy::system()).unwrap();
                let note = ratchet.sign(&lock, &tree, &next, UnixNanos(1));
                if steps > 2 {
                    append_note(&lock, &note).unwrap();
                }
                if steps > 3 {
                    next.advance(&lock).unwrap();
                }
            }
        }
        let seen = recovered(&path, 2);
        assert_eq!(seen.notes, if steps > 2 { 2 } else { 1 }, "after {steps} steps");
        assert!(!path.join("keys/next").exists());
    }
}

#[test]
fn spools_of_later_versions_are_refused_by_name_and_left() {
    let mut dying = Dying::new(Options::default());
    dying.record(1);
    let home = dying.copy();
    let spool = stream_path(&home, dying.stream()).join("spool");
    let good = std::fs::read(&spool).unwrap();
    let mut later = good.clone();
    later[8] = 2;
    std::fs::write(&spool, &later).unwrap();
    let error = Ledger::recover(&home, &Options::default()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::LedgerVersion);
    assert_eq!(std::fs::read(&spool).unwrap(), later);
    std::fs::write(&spool, &good).unwrap();
    recovered(&home, 1);
}

#[test]
fn a_spool_of_another_boot_is_not_believed() {
    let (dying, home) = Dying::holding(2, 1);
    let spool = stream_path(&home, dying.stream()).join("spool");
    let mut other = std::fs::read(&spool).unwrap();
    other[64] ^= 1;
    std::fs::write(&spool, other).unwrap();
    recovered(&home, 2);
}

/// After a failure of the machine the segment can be ahead of its sidecar.
#[test]
fn a_record_without_its_payload_is_torn() {
    let (mut dying, held) = Dying::holding(1, 2);
    let stream = dying.stream();
    let spool = std::fs::read(stream_path(&held, stream).join("spool")).unwrap();
    let _ = dying.ledger.flush(LONG);
    let home = dying.copy();
    let directory = stream_path(&home, stream);
    std::fs::write(directory.join("spool"), spool).unwrap();
    let sidecar = std::fs::read(directory.join("000001.side")).unwrap();
    std::fs::write(directory.join("000001.side"), &sidecar[..sidecar.len() - 10]).unwrap();
    let seen = recovered(&home, 3);
    assert_eq!(seen.payloads.len(), 3);
}

#[test]
fn damage_before_the_seal_is_no_torn_tail() {
    let mut dying = Dying::new(Options { checkpoint_records: 1, ..Options::default() });
    dying.record(3);
    let _ = dying.ledger.flush(LONG);
    while read(dying.ledger.home().path()).notes == 0 {
        std::thread::yield_now();
    }
    let home = dying.copy();
    let segment = stream_path(&home, dying.stream()).join("000001.jsonl");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[900] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let error = Ledger::recover(&home, &Options::default()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::LedgerCorrupt);
    assert_eq!(std::fs::read(&segment).unwrap(), bytes, "evidence is not cut away");
}

#[test]
fn many_orphans_are_adopted_once_by_two_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    drop(Home::open_or_create(&home, &mut Entropy::system()).unwrap());
    let mut dying: Vec<Dying> = (0..4).map(|_| Dying::new(Options::default())).collect();
    for (which, dead) in dying.iter_mut().enumerate() {
        dead.next = which as u64 * 10;
        // a stream with nothing but a spool can be carried into any home
        let index = dead.ledger.home().index_path();
        std::fs::remove_file(&index).unwrap();
        std::fs::create_dir(&index).unwrap();
        dead.record(3);
        let stream = dead.stream();
        copy_tree(&stream_path(dead.ledger.home().path(), stream), &stream_path(&home, stream));
        give_back(&index);
    }
    let adopted: u64 = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| Ledger::recover(&home, &Options::default()).unwrap()));
        both.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(adopted, 4);
    let seen = read(&home);
    assert_eq!(seen.calls().len(), 12);
    assert!(seen.calls().values().all(|count| *count == 1));
    assert_eq!(seen.of_kind("closed").count(), 4);
}
