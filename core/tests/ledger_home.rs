//! The home and its key ratchet: who may make and use one, and what a kill between two steps of a checkpoint leaves.

#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

mod ledger_homes;

use counterseal::ErrorCode;
use counterseal::clock::UnixNanos;
use counterseal::ledger::index::IndexLine;
use counterseal::ledger::lock::FileLock;
use counterseal::ledger::ratchet::{Ratchet, append_note, last_note};
use counterseal::ledger::verify::{Options, verify};
use counterseal::ledger::{Entropy, Home, StreamId};
use counterseal_spool::{Identity, Spool};
use ledger_homes::{Maker, folder};
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn open(path: &Path) -> Result<Home, counterseal::Error> {
    Home::open_or_create(path, &mut Entropy::system())
}

#[test]
fn threads_that_race_make_one_home() {
    let folder = folder();
    let path = folder.path().join("a/b/home");
    let homes: Vec<Home> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&path).unwrap())).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert!(homes.windows(2).all(|pair| pair[0].json() == pair[1].json()));
    assert_eq!(*homes[0].digest_key().unwrap(), *homes[7].digest_key().unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&path.join("digest.key")), mode(&path.join("keys/current"))), (0o700, 0o600, 0o600));
}

#[test]
fn a_home_that_cannot_be_trusted_is_refused() {
    let folder = folder();
    let path = folder.path().join("home");
    open(&path).unwrap();
    for mode in [0o770, 0o707, 0o722] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert_eq!(open(&path).unwrap_err().code(), ErrorCode::HomeUnusable, "{mode:o}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    open(&path).unwrap();

    let json = fs::read_to_string(path.join("home.json")).unwrap();
    let codes = [
        (json.replace("\"v\":1", "\"v\":2"), ErrorCode::LedgerVersion),
        ("{}".to_owned(), ErrorCode::HomeUnusable),
        (json.replace("\"home\":\"", "\"home\":\"0"), ErrorCode::HomeUnusable),
        (json.replace("origin\":\"counterseal/", "origin\":\"other/"), ErrorCode::HomeUnusable),
    ];
    for (text, code) in codes {
        fs::write(path.join("home.json"), &text).unwrap();
        assert_eq!(open(&path).unwrap_err().code(), code, "{text}");
    }
    // a link in its place is not followed
    fs::write(folder.path().join("elsewhere"), &json).unwrap();
    fs::remove_file(path.join("home.json")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), path.join("home.json")).unwrap();
    assert_eq!(open(&path).unwrap_err().code(), ErrorCode::LedgerIo);
    fs::remove_file(path.join("home.json")).unwrap();
    fs::remove_dir_all(path.join("keys")).unwrap();
    std::os::unix::fs::symlink(folder.path(), path.join("keys")).unwrap();
    assert_eq!(open(&path).unwrap_err().code(), ErrorCode::HomeUnusable);

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(open(&file).unwrap_err().code(), ErrorCode::HomeUnusable);
    assert_eq!(Home::open(&folder.path().join("none")).unwrap_err().code(), ErrorCode::LedgerNotFound);
}

#[test]
fn a_ledger_without_its_home_json_is_not_made_over() {
    let folder = folder();
    let mut maker = Maker::new(folder.path(), 1);
    let mut stream = maker.open();
    maker.call(&mut stream);
    maker.close(stream);
    fs::remove_file(maker.home.path().join("home.json")).unwrap();
    assert_eq!(open(maker.home.path()).unwrap_err().code(), ErrorCode::HomeUnusable);
}

/// Where a kill can hit a checkpoint: after each of its steps, and in the middle of the note.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
enum Killed {
    AfterSeal,
    AfterStage,
    AmidNote,
    AfterNote,
    AfterSink,
    BeforeNextIsGone,
}

#[test]
fn a_checkpoint_killed_between_any_two_steps_is_finished_or_undone() {
    use Killed::{AfterNote, AfterSeal, AfterSink, AfterStage, AmidNote, BeforeNextIsGone};
    for killed in [AfterSeal, AfterStage, AmidNote, AfterNote, AfterSink, BeforeNextIsGone] {
        let folder = folder();
        let mut maker = Maker::new(folder.path(), 7);
        let mut stream = maker.open();
        maker.call(&mut stream);
        maker.seal(&mut stream);
        maker.call(&mut stream);
        stream.sync().unwrap();
        let time = UnixNanos(ledger_homes::START);
        let home = maker.home.clone();
        {
            let lock = home.lock().unwrap();
            lock.append_index(&mut maker.index, &[IndexLine::Sealed(stream.seal(time))]).unwrap();
            let ratchet = Ratchet::open(&lock).unwrap();
            if killed >= AfterStage {
                let next = ratchet.stage(&lock, &mut maker.entropy).unwrap();
                let note = ratchet.sign(&lock, &maker.index, &next, time);
                let text = format!("{note}\n");
                let mut checkpoints = fs::OpenOptions::new().append(true).open(home.checkpoints_path()).unwrap();
                match killed {
                    AmidNote => checkpoints.write_all(&text.as_bytes()[..text.len() / 2]).unwrap(),
                    AfterNote | AfterSink | BeforeNextIsGone => append_note(&lock, &note).unwrap(),
                    AfterSeal | AfterStage => {}
                }
                if killed >= AfterSink {
                    let mut outside = fs::OpenOptions::new().append(true).open(&maker.outside).unwrap();
                    outside.write_all(text.as_bytes()).unwrap();
                }
                if killed >= BeforeNextIsGone {
                    fs::copy(home.path().join("keys/next"), home.path().join("keys/current")).unwrap();
                }
            }
        }
        let options = Options { deep: true, outside: Some(maker.outside.clone()), ..Options::default() };
        let report = verify(home.path(), &options).unwrap();
        assert!(report.holds(), "{killed:?} before the next start: {report}");
        let checkpoints = if killed >= AfterNote { 2 } else { 1 };
        assert_eq!(report.checkpoints, checkpoints, "{killed:?}");
        Ratchet::open(&home.lock().unwrap()).unwrap();
        assert!(!home.path().join("keys/next").exists(), "{killed:?}");
        maker.close(stream);
        let report = verify(home.path(), &options).unwrap();
        assert!(report.holds(), "{killed:?} after it: {report}");
        assert_eq!((report.checkpoints, report.unsealed), (checkpoints + 1, 0), "{killed:?}");
        assert_eq!(last_note(&home).unwrap().unwrap().checkpoint.size, 4, "{killed:?}");
    }
}

#[test]
fn a_key_that_was_put_back_signs_nothing() {
    let folder = folder();
    let mut maker = Maker::new(folder.path(), 8);
    let before = fs::read(maker.home.path().join("keys/current")).unwrap();
    let stream = maker.open();
    maker.close(stream);
    assert_ne!(fs::read(maker.home.path().join("keys/current")).unwrap(), before, "the used secret is gone");
    fs::write(maker.home.path().join("keys/current"), before).unwrap();
    let lock = maker.home.lock().unwrap();
    assert_eq!(Ratchet::open(&lock).unwrap_err().code(), ErrorCode::CheckpointKey);
}

#[test]
fn a_ledger_verifies_while_it_is_written() {
    let folder = folder();
    let mut maker = Maker::new(folder.path(), 9);
    let home = maker.home.clone();
    let outside = maker.outside.clone();
    let first = maker.open();
    maker.close(first);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = maker.open();
            for round in 0..60 {
                maker.call(&mut stream);
                stream.sync().unwrap();
                match round % 6 {
                    2 => maker.seal(&mut stream),
                    5 => maker.rotate(&mut stream),
                    _ => {}
                }
            }
            maker.close(stream);
            done.store(true, Ordering::Release);
        });
        let mut last = false;
        while !last {
            last = done.load(Ordering::Acquire);
            let options = Options { deep: true, outside: Some(outside.clone()), ..Options::default() };
            let report = verify(home.path(), &options).unwrap();
            assert!(report.holds(), "{report}");
        }
    });
}

#[test]
fn a_home_does_not_move_with_the_working_directory() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let relative = Path::new(folder.path().file_name().unwrap()).join("state");
    let home = Home::open_or_create(&relative, &mut Entropy::system()).unwrap();
    assert!(home.path().is_absolute());
    assert!(home.path().join("home.json").exists());
    let error = Home::open_or_create(Path::new("~/state"), &mut Entropy::system()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::HomeUnusable);
    assert!(!Path::new("~").exists(), "nothing was made");
}

/// What the ledger did not put into its home is told, and who could have.
#[test]
fn strangers_in_a_home_are_told() {
    let folder = folder();
    let mut maker = Maker::new(folder.path(), 10);
    let home = maker.home.clone();
    let stream = maker.open();
    maker.close(stream);
    let id = home.streams().unwrap()[0];
    let codes = || {
        let report = verify(home.path(), &Options::default()).unwrap();
        report.problems.iter().map(|problem| (problem.code.as_str(), problem.place.file.clone())).collect::<Vec<_>>()
    };
    assert_eq!(codes(), []);
    let folder_of = home.stream_path(id);
    for extra in [home.streams_path().join("zzz"), folder_of.join("notes.txt"), folder_of.join("1.jsonl")] {
        fs::write(&extra, "x").unwrap();
        let file = extra.strip_prefix(home.path()).unwrap().to_str().unwrap().to_owned();
        assert_eq!(codes(), [("entry_unknown", file)]);
        fs::remove_file(extra).unwrap();
    }
    // its process is gone with the lock
    drop(maker);
    spools_of_a_closed_stream_are_told_apart(&home, id);
    directories_without_records_are_told(&home);
    fs::remove_file(home.path().join("digest.key")).unwrap();
    assert_eq!(codes(), [("home_changed", "digest.key".to_owned())]);
    fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o770)).unwrap();
    let report = verify(home.path(), &Options::default()).unwrap();
    assert!(
        report.remarks.iter().any(|remark| remark.contains("others can write into the home (mode 770)")),
        "{report}"
    );
}

/// A spool that says nothing new is what a kill leaves; anything else is a finding.
fn spools_of_a_closed_stream_are_told_apart(home: &Home, stream: StreamId) {
    let spool = home.stream_path(stream).join("spool");
    let file = format!("streams/{stream}/spool");
    let verified = || verify(home.path(), &Options::default()).unwrap();
    let found = || {
        let report = verified();
        report.problems.iter().map(|problem| (problem.code.as_str(), problem.place.file.clone())).collect::<Vec<_>>()
    };
    for kept in [b"".as_slice(), [0; 8192].as_slice()] {
        fs::write(&spool, kept).unwrap();
        let report = verified();
        assert!(report.holds(), "{report}");
        assert!(report.remarks.iter().any(|remark| remark.contains("spool: its stream is closed")), "{report}");
    }
    fs::write(&spool, "no spool").unwrap();
    assert_eq!(found(), [("entry_unknown", file.clone())]);
    fs::remove_file(&spool).unwrap();
    for (owner, record, holds) in [(stream.0, None, true), ([9; 16], None, false), (stream.0, Some(b"forged"), false)] {
        let identity = Identity { stream: owner, boot: [1; 16], nonce: [2; 16], pid: 1 };
        let (made, consumer) = Spool::create(&spool, 4096, &identity).unwrap();
        if let Some(record) = record {
            made.append(1, record.len(), Duration::ZERO, |bytes| bytes.copy_from_slice(record)).unwrap();
        }
        drop((made, consumer));
        let report = verified();
        assert_eq!(report.holds(), holds, "{report}");
        assert_eq!(found(), if holds { vec![] } else { vec![("entry_unknown", file.clone())] });
        fs::remove_file(&spool).unwrap();
    }
}

/// What would be a stream and is in no index is said, and what lies in it as its spool is looked at.
fn directories_without_records_are_told(home: &Home) {
    let stream = StreamId([0xcd; 16]);
    home.make_stream(stream).unwrap();
    let spool = home.stream_path(stream).join("spool");
    let said = |needle: &str| {
        let report = verify(home.path(), &Options::default()).unwrap();
        assert!(report.holds(), "{report}");
        let name = format!("streams/{stream}");
        let of_it: Vec<&String> = report.remarks.iter().filter(|remark| remark.starts_with(&name)).collect();
        assert!(matches!(of_it[..], [remark] if remark.contains(needle)), "{needle}: {report}");
    };
    said("its process ended before its first record");
    {
        let _alive = FileLock::acquire(&home.stream_lock_path(stream)).unwrap();
        said("its process runs and has recorded nothing yet");
    }
    let identity = Identity { stream: stream.0, boot: [1; 16], nonce: [2; 16], pid: 1 };
    let (made, consumer) = Spool::create(&spool, 4096, &identity).unwrap();
    made.append(1, 2, Duration::ZERO, |bytes| bytes.fill(1)).unwrap();
    drop((made, consumer));
    said("its spool holds 1 records");
    fs::write(&spool, "no spool").unwrap();
    let report = verify(home.path(), &Options::default()).unwrap();
    let places: Vec<&str> = report.problems.iter().map(|problem| problem.place.file.as_str()).collect();
    assert_eq!(places, [format!("streams/{stream}/spool")]);
    fs::remove_dir_all(home.stream_path(stream)).unwrap();
}

/// What is counted is what holds, also where one segment has several findings.
#[test]
fn the_counts_of_a_damaged_segment_are_those_of_what_holds() {
    let folder = folder();
    let mut maker = Maker::new(folder.path(), 11);
    let mut stream = maker.open();
    for _ in 0..4 {
        maker.call(&mut stream);
    }
    maker.seal(&mut stream);
    for _ in 0..3 {
        maker.call(&mut stream);
    }
    maker.seal(&mut stream);
    let id = maker.home.streams().unwrap()[0];
    let path = maker.home.segment_path(id, 1);
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    assert_eq!(lines.len(), 15);
    let counted = |text: String| {
        fs::write(&path, text).unwrap();
        let report = verify(maker.home.path(), &Options::default()).unwrap();
        let codes: Vec<&str> = report.problems.iter().map(|problem| problem.code.as_str()).collect();
        assert_eq!(report.problems_found, codes.len() as u64);
        (codes.join(" "), [report.records, report.sealed, report.doubtful, report.unsealed])
    };
    assert_eq!(counted(whole.clone()), (String::new(), [15, 15, 0, 0]));
    // a changed record and a cut tail behind the first seal: what that seal holds still holds
    let changed = lines[10].replace("\"kind\":\"completed\"", "\"kind\":\"completeD\"");
    let text = [&lines[..10].concat(), changed.as_str(), &lines[11..13].concat()].concat();
    assert_eq!(counted(text), ("record_changed records_cut".to_owned(), [13, 9, 4, 0]));
    // one dropped before the first seal, a line that is no record, one doubled
    let text = [&lines[..3].concat(), &lines[4..8].concat(), "garbage\n", &lines[9..].concat(), lines[14]].concat();
    let (codes, counts) = counted(text);
    assert_eq!(codes, "record_missing record_malformed record_moved");
    assert_eq!(counts, [14, 0, 14, 0]);
    let _still_open = stream;
}
