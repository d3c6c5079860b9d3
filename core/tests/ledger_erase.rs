//! Erasing: what is gone, what stays, and what a kill between its steps leaves.
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

mod ledger_homes;

use counterseal::clock::{Clock, UnixNanos};
use counterseal::ledger::erase::{Erasure, Request, Selection, erase};
use counterseal::ledger::read::{Filter, Payload, entries, show, tail};
use counterseal::ledger::verify::{Options, Report, verify};
use counterseal::ledger::{ActionId, Entropy};
use counterseal::{ErrorCode, ledger::Home};
use ledger_homes::{Maker, folder};
use std::path::Path;

fn made(folder: &Path) -> (Home, Vec<ActionId>) {
    let mut maker = Maker::new(folder, 5);
    let (mut first, mut second) = (maker.open(), maker.open());
    let actions = (0..6).map(|n| maker.call(if n < 4 { &mut first } else { &mut second })).collect();
    maker.rotate(&mut first);
    maker.close(first);
    maker.seal(&mut second);
    (maker.home, actions)
}

fn deep(home: &Home) -> Report {
    let report = verify(home.path(), &Options { deep: true, ..Options::default() }).unwrap();
    assert!(report.holds(), "{report}");
    report
}

fn request(selection: Selection) -> Request {
    Request { selection, parts: None, reason: "asked to".into(), by: "tests".into() }
}

const NOW: UnixNanos = UnixNanos(ledger_homes::START + 1_000_000_000_000);

#[test]
fn what_is_erased_is_gone_and_the_rest_stays() {
    let folder = folder();
    let (home, actions) = made(folder.path());
    let chosen = request(Selection { actions: vec![actions[1]], ..Selection::default() });
    let mut notes = Vec::new();
    let done = erase(&home, &chosen, &Clock::manual(NOW), &mut Entropy::system(), &mut |note| {
        notes.push(note.to_owned());
        Ok(())
    })
    .unwrap();
    assert_eq!((done.payloads, notes.len()), (3, 1));
    let report = deep(&home);
    assert_eq!((report.erased, report.payloads), (Some(3), Some(15)));
    let shown = show(&home, actions[1]).unwrap();
    assert_eq!(shown.len(), 2);
    assert!(shown.iter().flat_map(|entry| &entry.payloads).all(|(_, payload)| *payload == Payload::Erased));
    let others = show(&home, actions[2]).unwrap();
    assert!(matches!(&others[0].payloads[..], [(part, Payload::Value(_))] if part == "arguments"));
    assert_eq!(others[1].payloads[0].1, Payload::Value(b"\"ok\"".to_vec()));
    for file in ledger_homes::files(home.path()) {
        let bytes = std::fs::read(home.path().join(&file)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("\"amount\":2,"), "{}", file.display());
    }
    // again: nothing is left, nothing is recorded
    let again = erase(&home, &chosen, &Clock::manual(NOW), &mut Entropy::system(), &mut |_| Ok(())).unwrap();
    assert_eq!((again.payloads, deep(&home).records), (0, report.records));
}

#[test]
fn users_and_sessions_select_their_calls() {
    let folder = folder();
    let (home, actions) = made(folder.path());
    let of =
        |selection| erase(&home, &request(selection), &Clock::manual(NOW), &mut Entropy::system(), &mut |_| Ok(()));
    let user = of(Selection { user: Some("u-7".into()), ..Selection::default() }).unwrap();
    assert_eq!(user.actions, [actions[1], actions[3], actions[5]].map(|id| id.to_string()));
    let session = of(Selection { session: Some("conv-1".into()), ..Selection::default() }).unwrap();
    assert_eq!((session.actions.len(), session.payloads), (6, 9));
    assert_eq!(deep(&home).payloads, Some(0));
    for unknown in [
        Selection { actions: vec![ActionId([99; 16])], ..Selection::default() },
        Selection { user: Some("nobody".into()), ..Selection::default() },
        Selection { session: Some("nowhere".into()), ..Selection::default() },
    ] {
        assert_eq!(of(unknown).unwrap_err().code(), ErrorCode::LedgerNotFound);
    }
}

#[test]
fn a_kill_between_the_steps_is_found_until_the_erasure_is_repeated() {
    let folder = folder();
    let (home, actions) = made(folder.path());
    let chosen = request(Selection { actions: vec![actions[0]], ..Selection::default() });
    {
        let lock = home.lock().unwrap();
        let erasure = Erasure::find(&lock, &chosen).unwrap();
        erasure.record(&lock, &chosen, NOW, &mut Entropy::system(), &mut |_| Ok(())).unwrap();
        // killed here: recorded, and nothing is overwritten yet
    }
    let report = verify(home.path(), &Options { deep: true, ..Options::default() }).unwrap();
    let codes: Vec<&str> = report.problems.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!((codes.as_slice(), report.erased), (["erasure_unfinished"; 3].as_slice(), Some(0)), "{report}");
    let done = erase(&home, &chosen, &Clock::manual(NOW), &mut Entropy::system(), &mut |_| Ok(())).unwrap();
    assert_eq!((done.payloads, deep(&home).erased), (3, Some(3)));
}

#[test]
fn a_payload_that_was_put_back_is_found_and_one_recorded_later_is_said() {
    let folder = folder();
    let mut maker = Maker::new(folder.path(), 6);
    let mut stream = maker.open();
    let action = maker.call(&mut stream);
    maker.close(stream);
    let home = maker.home;
    let files = ledger_homes::files(home.path());
    let sidecar =
        home.path().join(files.iter().find(|file| file.extension().is_some_and(|end| end == "side")).unwrap());
    let before = std::fs::read(&sidecar).unwrap();
    let chosen = |part: &str| Request {
        parts: Some(vec![part.to_owned()]),
        ..request(Selection { actions: vec![action], ..Selection::default() })
    };
    erase(&home, &chosen("result"), &Clock::manual(NOW), &mut Entropy::system(), &mut |_| Ok(())).unwrap();
    assert_eq!(deep(&home).erased, Some(1));
    std::fs::write(&sidecar, &before).unwrap();
    let report = verify(home.path(), &Options { deep: true, ..Options::default() }).unwrap();
    let [problem] = &report.problems[..] else { panic!("{report}") };
    assert_eq!((problem.code.as_str(), problem.place.line), ("erasure_unfinished", Some(2)));
    assert!(
        problem.message.contains("the payload `result`") && problem.message.ends_with("erase it again"),
        "{report}"
    );
    // the record of an erasure that was made before the call completed does not speak of what came later
    let folder = ledger_homes::folder();
    let mut maker = Maker::new(folder.path(), 6);
    let mut stream = maker.open();
    let action = maker.call(&mut stream);
    maker.close(stream);
    let home = maker.home;
    let chosen = request(Selection { actions: vec![action], ..Selection::default() });
    let lock = home.lock().unwrap();
    let erasure = Erasure::find(&lock, &chosen).unwrap();
    erasure.record(&lock, &chosen, UnixNanos(ledger_homes::START), &mut Entropy::system(), &mut |_| Ok(())).unwrap();
    drop(lock);
    let report = deep(&home);
    assert!(
        matches!(&report.remarks[..], [remark] if remark.starts_with("3 payloads were recorded after")),
        "{report}"
    );
}

#[test]
fn an_erasure_nobody_recorded_is_found() {
    let folder = folder();
    let (home, actions) = made(folder.path());
    let chosen = request(Selection { actions: vec![actions[0]], ..Selection::default() });
    let lock = home.lock().unwrap();
    Erasure::find(&lock, &chosen).unwrap().overwrite().unwrap();
    drop(lock);
    let report = verify(home.path(), &Options { deep: true, ..Options::default() }).unwrap();
    let codes: Vec<&str> = report.problems.iter().map(|problem| problem.code.as_str()).collect();
    assert_eq!(codes, ["erased_unrecorded"; 3]);
}

#[test]
fn records_come_in_the_order_of_their_time() {
    let folder = folder();
    let (home, _) = made(folder.path());
    let all: Vec<_> = entries(&home, &Filter::default(), false).unwrap().map(Result::unwrap).collect();
    assert!(all.windows(2).all(|pair| pair[0].record.time() <= pair[1].record.time()));
    assert_eq!(all.len() as u64, deep(&home).records);
    let last = tail(&home, 3, &Filter::default(), true).unwrap();
    let texts = |entries: &[counterseal::ledger::read::Entry]| -> Vec<String> {
        entries.iter().map(|entry| entry.text.clone()).collect()
    };
    assert_eq!(texts(&last), texts(&all[all.len() - 3..]));
    let filter = Filter { tool: Some("send \"money\"".into()), session: Some("conv-1".into()), ..Filter::default() };
    assert_eq!(entries(&home, &filter, false).unwrap().count(), 6);
}
