//! Erasing what a spool still holds: after it, no file of the home has the text.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use crate::dying::Dying;
use crate::reading::{completed, decided};
use counterseal::ErrorCode;
use counterseal::clock::Clock;
use counterseal::ledger::erase::{ErasedReport, Request, Selection, erase, settle};
use counterseal::ledger::verify::{self, verify};
use counterseal::ledger::{Entropy, Home, Ledger, Options, Part};
use std::path::Path;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
const SECRET: &str = "4000-1234-5678-9010";

fn record_secret(ledger: &Ledger, id: u64) {
    let arguments = format!(r#"{{"card":"{SECRET}","nth":{id}}}"#);
    let parts = [Part { name: "arguments", canonical: arguments.as_bytes() }];
    ledger.decided(&decided(id, &format!("c{id}"), &parts)).unwrap();
    ledger.completed(&completed(id)).unwrap();
}

fn erase_all(home: &Path) -> ErasedReport {
    let request = Request {
        selection: Selection { session: Some("s-1".into()), ..Selection::default() },
        reason: "asked to".into(),
        by: "tests".into(),
        ..Request::default()
    };
    erase(&Home::open(home).unwrap(), &request, &Clock::System, &mut Entropy::system(), &mut |_| Ok(())).unwrap()
}

/// The files of the home that hold the secret.
fn holding(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path));
        } else if std::fs::read(&path).unwrap().windows(SECRET.len()).any(|place| place == SECRET.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

fn assert_deep(home: &Path, erased: u64) {
    let report = verify(home, &verify::Options { deep: true, ..verify::Options::default() }).unwrap();
    assert!(report.holds(), "{report}");
    assert_eq!(report.erased, Some(erased), "{report}");
}

#[test]
fn nothing_is_left_in_the_spool_of_a_living_process() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let ledger = Ledger::open(&home, Options::default()).unwrap();
    (0..40).for_each(|id| record_secret(&ledger, id));
    assert!(!holding(&home).is_empty());
    // not flushed: erasing waits for it
    assert_eq!(erase_all(&home).payloads, 40);
    assert_eq!(holding(&home), Vec::<String>::new());
    record_secret(&ledger, 40);
    ledger.close(LONG).unwrap();
    assert_eq!(holding(&home).len(), 1, "what was recorded afterwards was not asked for");
    assert_eq!(erase_all(&home).payloads, 1);
    assert_eq!(holding(&home), Vec::<String>::new());
    assert_deep(&home, 41);
}

#[test]
fn what_a_killed_process_left_does_not_come_back() {
    let mut dying = Dying::new(Options::default());
    record_secret(&dying.ledger, 0);
    let _ = dying.ledger.flush(LONG);
    (1..5).for_each(|id| record_secret(&dying.ledger, id));
    let home = dying.copy();
    assert_eq!(holding(&home).len(), 2, "in the sidecar and in the spool");
    assert_eq!(erase_all(&home).payloads, 5);
    assert_eq!(holding(&home), Vec::<String>::new());
    assert_eq!(Ledger::recover(&home, &Options::default()).unwrap(), 0);
    assert_eq!(holding(&home), Vec::<String>::new());
    assert_deep(&home, 5);
}

#[test]
fn a_process_that_does_not_write_is_named_and_nothing_is_erased() {
    let dying = Dying::new(Options::default());
    record_secret(&dying.ledger, 0);
    let _ = dying.ledger.flush(LONG);
    record_secret(&dying.ledger, 1);
    let home = dying.ledger.home();
    let error = settle(home, &Clock::System, Duration::from_millis(20), &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.code(), ErrorCode::LedgerIo);
    assert!(error.message().contains(&format!("process `{}` has calls", std::process::id())), "{error}");
    let _ = dying.ledger.flush(LONG);
    settle(home, &Clock::System, LONG, &mut |_| Ok(())).unwrap();
}

#[test]
fn a_dead_spool_that_cannot_be_read_stops_an_erasure_before_it_begins() {
    let mut dying = Dying::new(Options::default());
    record_secret(&dying.ledger, 0);
    let home = dying.copy();
    let spool = home.join("streams").join(dying.stream().to_string()).join("spool");
    let mut bytes = std::fs::read(&spool).unwrap();
    bytes[8] = 9;
    std::fs::write(&spool, bytes).unwrap();
    let opened = Home::open(&home).unwrap();
    let error = settle(&opened, &Clock::System, LONG, &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.code(), ErrorCode::LedgerVersion);
    assert!(error.message().starts_with("nothing was erased, since"), "{error}");
}
