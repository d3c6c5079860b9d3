//! The writer as a process uses it: groups, rotation, checkpoints, durable records, flush, close, full and failing disks.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::dying::give_back;
use crate::reading::{completed, decided, read};
use counterseal::ErrorCode;
use counterseal::clock::{Clock, UnixNanos};
use counterseal::ledger::{Control, Decided, Erased, Ledger, Options, Part, PolicyChange, PolicyLayer, Sink};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn home() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    (folder, home)
}

#[test]
fn everything_recorded_is_there_in_order_and_verifies() {
    let (_folder, home) = home();
    let ledger = Ledger::open(&home, Options::default()).unwrap();
    assert_eq!(std::fs::read_dir(home.join("streams")).unwrap().count(), 0, "opening starts nothing");
    let layers = [PolicyLayer { layer: "local", version: [1; 32], name: None }];
    let policy =
        PolicyChange { policy: [1; 32], layers: &layers, enforcement: "progressive", rules: 1, previous: None };
    ledger.policy(UnixNanos(1), &policy).unwrap();
    let parts = [Part { name: "arguments", canonical: br#"{"amount":5}"# }];
    for id in 0..1000 {
        ledger.decided(&decided(id, &format!("call-{id}"), &parts)).unwrap();
        ledger.completed(&completed(id)).unwrap();
    }
    ledger.control(UnixNanos(2), &Control { what: "kill_switch", parts: &[] }).unwrap();
    ledger.erased(UnixNanos(3), &Erased { action_ids: &[], parts: None, reason: "asked", by: "me" }).unwrap();
    let report = ledger.flush(LONG);
    assert_eq!((report.written, report.pending, report.dropped), (1 + 1 + 2000 + 2, 0, 0));
    let stream = ledger.health().stream.unwrap();
    ledger.close_counting(LONG, &[("condition_failed", 3)]).unwrap();
    ledger.close(LONG).unwrap();
    let late = ledger.completed(&completed(1)).unwrap_err();
    assert_eq!(late.code(), ErrorCode::Closed);

    let seen = read(&home);
    let kinds = seen.kinds(stream);
    assert_eq!(kinds[..4], ["opened", "policy", "decided", "completed"]);
    assert_eq!(kinds[2002..], ["control", "erased", "closed"]);
    assert_eq!(seen.calls().len(), 1000);
    assert_eq!(seen.payloads.len(), 1000);
    let closed = seen.of_kind("closed").next().unwrap();
    assert_eq!(closed["counted"]["condition_failed"], 3);
    assert_eq!(seen.index.last().unwrap()["kind"], "closed");
    assert_eq!(seen.notes, 1);
    assert!(!home.join("streams").join(stream.to_string()).join("spool").exists());
}

#[test]
fn segments_rotate_and_checkpoints_go_to_the_sink() {
    let (folder, home) = home();
    let sink = folder.path().join("outside");
    let options = Options {
        segment_bytes: 20_000,
        checkpoint_records: 1,
        sinks: vec![Sink::File(sink.clone())],
        ..Options::default()
    };
    let ledger = Ledger::open(&home, options).unwrap();
    for id in 0..200 {
        ledger.decided(&Decided { durable: id % 10 == 0, ..decided(id, &format!("c{id}"), &[]) }).unwrap();
    }
    ledger.close(LONG).unwrap();
    let seen = read(&home);
    assert_eq!(seen.calls().len(), 200);
    let opened = seen.of_kind("opened").count();
    assert!(opened > 3, "{opened} segments");
    assert_eq!(seen.index.iter().filter(|line| line["kind"] == "closed").count(), opened);
    assert_eq!(std::fs::read(sink).unwrap(), std::fs::read(home.join("checkpoints")).unwrap());
}

#[test]
fn a_durable_record_is_on_the_disk_when_the_call_returns() {
    let (_folder, home) = home();
    let ledger = Ledger::open(&home, Options { group: Duration::from_secs(3600), ..Options::default() }).unwrap();
    for id in 0..5 {
        let call = format!("durable-{id}");
        ledger.decided(&Decided { durable: true, ..decided(id, &call, &[]) }).unwrap();
        assert!(read(&home).calls().contains_key(&call));
    }
    let ticket = ledger.decided_unless_waiting(&decided(9, "ticket", &[]), true).unwrap().unwrap();
    ticket.wait(LONG).unwrap();
    assert!(ticket.is_done());
    assert!(read(&home).calls().contains_key("ticket"));
}

#[test]
fn a_record_that_is_too_large_loses_payloads_and_says_so() {
    let (_folder, home) = home();
    let ledger = Ledger::open(&home, Options { spool_bytes: 64 << 10, ..Options::default() }).unwrap();
    let large = format!("\"{}\"", "x".repeat(20_000));
    let parts =
        [Part { name: "arguments", canonical: large.as_bytes() }, Part { name: "note", canonical: b"\"small\"" }];
    ledger.decided(&decided(1, "large", &parts)).unwrap();
    let huge = "y".repeat(20_000);
    let error = ledger.decided(&decided(2, &huge, &[])).unwrap_err();
    assert_eq!(error.code(), ErrorCode::LedgerFull);
    ledger.close(LONG).unwrap();
    let seen = read(&home);
    let record = seen.of_kind("decided").next().unwrap();
    assert!(record["payload"]["arguments"].is_null() && record["payload"]["note"].is_string());
    assert_eq!(seen.calls().len(), 1);
}

#[test]
fn a_clock_that_goes_back_is_recorded_as_it_is() {
    let (_folder, home) = home();
    let clock = Arc::new(Clock::manual(UnixNanos(5_000_000_000)));
    let ledger = Ledger::open(&home, Options { clock: Arc::clone(&clock), ..Options::default() }).unwrap();
    for id in [3, 2, 1] {
        ledger.decided(&Decided { time: UnixNanos(id * 1_000_000_000), ..decided(id as u64, "c", &[]) }).unwrap();
    }
    clock.set(UnixNanos(0));
    ledger.close(LONG).unwrap();
    let seen = read(&home);
    let times: Vec<&str> = seen.all().map(|record| record["time"].as_str().unwrap().get(17..19).unwrap()).collect();
    assert_eq!(times[1..], ["03", "02", "01", "00"]);
}

#[test]
fn threads_share_one_stream() {
    let (_folder, home) = home();
    let ledger = Ledger::open(&home, Options { spool_bytes: 32 << 10, ..Options::default() }).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let ledger = &ledger;
            scope.spawn(move || {
                for id in 0..500 {
                    ledger.decided(&decided(thread * 1000 + id, &format!("{thread}-{id}"), &[])).unwrap();
                }
            });
        }
    });
    ledger.close(LONG).unwrap();
    let seen = read(&home);
    assert_eq!((seen.streams.len(), seen.calls().len()), (1, 2000));
}

#[test]
fn two_ledgers_write_one_home() {
    let (_folder, home) = home();
    let both = [(); 2].map(|()| Ledger::open(&home, Options::default()).unwrap());
    for id in 0..100 {
        for (which, ledger) in both.iter().enumerate() {
            ledger.decided(&decided(id, &format!("{which}-{id}"), &[])).unwrap();
        }
    }
    both.iter().for_each(|ledger| ledger.close(LONG).unwrap());
    let seen = read(&home);
    assert_eq!((seen.streams.len(), seen.calls().len(), seen.notes), (2, 200, 2));
}

#[test]
fn a_ledger_that_is_dropped_is_closed() {
    let (_folder, home) = home();
    let ledger = Ledger::open(&home, Options::default()).unwrap();
    ledger.decided(&decided(1, "one", &[])).unwrap();
    drop(ledger);
    assert_eq!(read(&home).of_kind("closed").count(), 1);
}

#[test]
fn a_home_that_cannot_be_written_refuses_the_record_and_leaves_nothing() {
    let (_folder, home) = home();
    let ledger = Ledger::open(&home, Options::default()).unwrap();
    // a file in the place of the directory: what a read-only disk does, also for a privileged user
    std::fs::remove_dir(home.join("streams")).unwrap();
    std::fs::write(home.join("streams"), "").unwrap();
    let error = ledger.decided(&decided(1, "one", &[])).unwrap_err();
    assert_eq!(error.code(), ErrorCode::HomeUnusable);
    std::fs::remove_file(home.join("streams")).unwrap();
    std::fs::create_dir(home.join("streams")).unwrap();
    ledger.decided(&decided(2, "two", &[])).unwrap();
    ledger.close(LONG).unwrap();
    assert_eq!(read(&home).calls().into_keys().collect::<Vec<_>>(), ["two"]);
}

#[test]
fn a_failing_disk_keeps_records_in_the_spool_until_it_works_again() {
    let (_folder, home) = home();
    let options = Options {
        spool_bytes: 16 << 10,
        patience: Duration::from_millis(1),
        sync_patience: Duration::from_millis(1),
        ..Options::default()
    };
    let ledger = Ledger::open(&home, options).unwrap();
    // the index cannot be opened, so the first segment cannot be
    let index = home.join("index");
    std::fs::remove_file(&index).unwrap();
    std::fs::create_dir(&index).unwrap();
    let durable = ledger.decided(&Decided { durable: true, ..decided(0, "first", &[]) }).unwrap_err();
    assert_eq!(durable.code(), ErrorCode::LedgerIo);
    let mut taken = 1;
    let full = loop {
        match ledger.decided(&decided(taken, &format!("c{taken}"), &[])) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(full.code(), ErrorCode::LedgerFull);
    while ledger.health().last_error.is_none() {
        std::thread::yield_now();
    }
    let health = ledger.health();
    assert_eq!((health.full, health.written), (1, 0));
    assert!(health.last_error.unwrap().contains("index"));
    let late = ledger.close(Duration::from_millis(1)).unwrap_err();
    assert!(late.message().contains("nothing recorded is lost"), "{late}");

    give_back(&index);
    ledger.close(LONG).unwrap();
    let seen = read(&home);
    assert_eq!(seen.calls().len() as u64, taken);
    let dropped = seen.of_kind("dropped").next().unwrap();
    assert_eq!((&dropped["count"], &dropped["why"]), (&1.into(), &"full".into()));
    assert_eq!(seen.of_kind("closed").next().unwrap()["dropped"], 1);
}
