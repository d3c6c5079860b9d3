//! What else may lie where a file of the home belongs, and who else may touch it: told, never waited for, never believed.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails loudly")]

mod ledger_homes;

use counterseal::ErrorCode;
use counterseal::clock::Clock;
use counterseal::ledger::erase::{Request, Selection, erase};
use counterseal::ledger::read::{Filter, entries, tail};
use counterseal::ledger::verify::{Options, Report, verify};
use counterseal::ledger::{Entropy, Home, Ledger, Options as Writing};
use ledger_homes::{Maker, copy, files, folder};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

/// A home with a closed stream and one that was left open.
fn made(folder: &Path) -> PathBuf {
    let mut maker = Maker::new(folder, 9);
    let (mut first, mut second) = (maker.open(), maker.open());
    maker.call(&mut first);
    maker.close(first);
    maker.call(&mut second);
    maker.seal(&mut second);
    let home = maker.home.path().to_owned();
    fs::write(home.join("streams").join(second.stream().to_string()).join("spool"), "").unwrap();
    home
}

/// What `work` gives; a test that would wait for ever fails instead.
fn at_once<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || done.send(work()));
    finished.recv_timeout(Duration::from_secs(60)).expect(what)
}

fn checked(home: &Path) -> Report {
    verify(home, &Options { deep: true, ..Options::default() }).unwrap()
}

type Put = fn(&Path);
const STRANGERS: [(&str, Put); 4] = [
    ("a named pipe", |path| mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap()),
    ("a directory", |path| fs::create_dir(path).unwrap()),
    ("a socket", |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
    ("a symbolic link", |path| std::os::unix::fs::symlink("/dev/zero", path).unwrap()),
];

#[test]
fn nothing_waits_for_what_is_no_file() {
    let original = folder();
    let home = made(original.path());
    let names: Vec<PathBuf> = files(&home).into_iter().chain(["keys/next".into()]).collect();
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        for (kind, put) in STRANGERS {
            let folder = folder();
            let copied = folder.path().join("h");
            copy(&home, &copied);
            let place = copied.join(&name);
            let _one_is_not_there = fs::remove_file(&place);
            put(&place);
            let what = format!("{kind} as {}", name.display());
            let verified = at_once(&what, {
                let home = copied.clone();
                move || checked(&home)
            });
            // a closed stream's lock is not opened, its spool only looked at, and a next key that is none is undone
            let quiet = ["lock", "next", "spool"].contains(&name.file_name().unwrap().to_str().unwrap());
            assert!(quiet || !verified.holds(), "{what}: {verified}");
            let outcomes = at_once(&what, move || {
                let ledger = Ledger::open(&copied, Writing::default()).map(drop);
                let home = Home::open(&copied);
                let recovered = Ledger::recover(&copied, &Writing::default()).map(drop);
                let read = home.as_ref().map_err(Clone::clone).and_then(|home| {
                    entries(home, &Filter::default(), true)?.try_for_each(|entry| entry.map(drop))?;
                    tail(home, 3, &Filter::default(), true).map(drop)
                });
                let erased = home.as_ref().map_err(Clone::clone).and_then(|home| {
                    let selection = Selection { session: Some("conv-1".into()), ..Selection::default() };
                    let request = Request { selection, reason: "r".into(), by: "b".into(), ..Request::default() };
                    erase(home, &request, &Clock::System, &mut Entropy::system(), &mut |_| Ok(())).map(drop)
                });
                let digests = home.as_ref().map_err(Clone::clone).and_then(|home| home.digest_key().map(drop));
                [ledger, home.map(drop), recovered, read, erased, digests]
            });
            let told: Vec<String> =
                outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).map(ToString::to_string).collect();
            assert!(
                quiet || told.iter().any(|error| error.contains(&*name.file_name().unwrap().to_string_lossy())),
                "{what}: {told:#?}"
            );
        }
    }
}

#[test]
fn what_others_may_touch_is_refused_at_start_and_said_by_a_verification() {
    let original = folder();
    let home = made(original.path());
    for (name, mode, said) in [
        ("keys", 0o770, "others can write"),
        ("streams", 0o707, "others can write"),
        ("home.json", 0o666, "others can write"),
        ("index", 0o620, "others can write"),
        ("checkpoints", 0o602, "others can write"),
        ("lock", 0o666, "others can write"),
        ("keys/current", 0o640, "others can read the secret"),
        ("keys/current", 0o666, "others can write"),
        ("digest.key", 0o604, "others can read the secret"),
    ] {
        let place = home.join(name);
        let before = fs::metadata(&place).unwrap().permissions();
        fs::set_permissions(&place, Permissions::from_mode(mode)).unwrap();
        let read = Home::open(&home).map(drop);
        assert_eq!(read.is_ok(), said.contains("read"), "a copy that is only read may have other modes: {read:?}");
        for error in [Ledger::open(&home, Writing::default()).map(drop), read].into_iter().filter_map(Result::err) {
            assert_eq!(error.code(), ErrorCode::HomeUnusable);
            assert!(error.message().contains(said) && error.message().contains(name), "{error}");
            assert!(error.message().contains("chmod"), "{error}");
        }
        let report = checked(&home);
        assert!(report.remarks.iter().any(|remark| remark.contains(said) && remark.contains(name)), "{report}");
        fs::set_permissions(&place, before).unwrap();
    }
    Ledger::open(&home, Writing::default()).unwrap();
}

#[test]
fn a_spool_that_others_could_write_is_not_taken_over() {
    let original = folder();
    let home = made(original.path());
    let spool = files(&home).into_iter().find(|file| file.ends_with("spool")).unwrap();
    for place in [home.join(&spool), home.join(spool.parent().unwrap())] {
        let before = fs::metadata(&place).unwrap().permissions();
        fs::set_permissions(&place, Permissions::from_mode(0o777)).unwrap();
        let error = Ledger::recover(&home, &Writing::default()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::HomeUnusable, "{error}");
        fs::set_permissions(&place, before).unwrap();
    }
    assert_eq!(Ledger::recover(&home, &Writing::default()).unwrap(), 1);
}

#[test]
fn a_home_that_can_no_longer_be_sealed_is_refused_at_start() {
    let original = folder();
    let home = made(original.path());
    let key = home.join("keys/current");
    let whole = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let error = Ledger::open(&home, Writing::default()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::CheckpointKey);
    assert!(
        error.message().contains("`keys/current` is missing") || error.message().contains("keys/current` is missing"),
        "{error}"
    );
    fs::write(&key, format!("{}\n", "a".repeat(64))).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(Ledger::open(&home, Writing::default()).unwrap_err().code(), ErrorCode::CheckpointKey);
    fs::write(&key, whole).unwrap();
    Ledger::open(&home, Writing::default()).unwrap();
}

#[test]
fn an_index_of_any_size_is_read_in_little_memory() {
    let original = folder();
    let home = made(original.path());
    let size = fs::metadata(home.join("index")).unwrap().len();
    // a hole of a terabyte: nothing could hold it
    fs::OpenOptions::new().write(true).open(home.join("index")).unwrap().set_len(1 << 40).unwrap();
    let report = checked(&home);
    assert!(report.problems.iter().any(|problem| problem.place.file == "index"), "{report}");
    let opened = Home::open(&home).unwrap();
    let error = opened.lock().unwrap().catch_up(&mut counterseal::ledger::index::IndexTree::new()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::LedgerCorrupt);
    for name in ["home.json", "digest.key", "keys/current"] {
        let copied = folder();
        let other = copied.path().join("h");
        fs::OpenOptions::new().write(true).open(home.join("index")).unwrap().set_len(size).unwrap();
        copy(&home, &other);
        fs::OpenOptions::new().write(true).open(other.join(name)).unwrap().set_len(1 << 40).unwrap();
        assert!(
            Ledger::open(&other, Writing::default()).and_then(|ledger| ledger.home().digest_key().map(drop)).is_err()
        );
        assert!(name == "digest.key" || !checked(&other).holds());
    }
}

#[test]
fn what_follows_the_last_checkpoint_is_the_beginning_of_one_or_a_problem() {
    let original = folder();
    let home = made(original.path());
    let outside = original.path().join("outside");
    let options = || Options { outside: Some(outside.clone()), ..Options::default() };
    for place in [home.join("checkpoints"), outside.clone()] {
        let whole = fs::read(&place).unwrap();
        let torn = [&whole[..], &whole[..100]].concat();
        fs::write(&place, torn).unwrap();
        let report = verify(&home, &options()).unwrap();
        assert!(report.holds() && report.remarks.iter().any(|remark| remark.contains("torn")), "{report}");
        for garbage in ["counterseal/EVIL EVIL EVIL", "x", "\0\0\0"] {
            fs::write(&place, [&whole[..], garbage.as_bytes()].concat()).unwrap();
            let report = verify(&home, &options()).unwrap();
            let codes: Vec<&str> = report.problems.iter().map(|problem| problem.code.as_str()).collect();
            assert_eq!(codes, ["checkpoint_malformed"], "{garbage:?}: {report}");
        }
        fs::write(&place, whole).unwrap();
    }
}

#[test]
fn another_key_of_digests_is_found() {
    let original = folder();
    let home = made(original.path());
    let key = home.join("digest.key");
    assert!(checked(&home).holds());
    fs::write(&key, format!("{}\n", "a".repeat(64))).unwrap();
    let report = verify(&home, &Options::default()).unwrap();
    let [problem] = &report.problems[..] else { panic!("{report}") };
    assert_eq!((problem.code.as_str(), problem.place.file.as_str()), ("digest_key_mismatch", "digest.key"));
    assert!(problem.message.contains("the digests of 2 segments"), "{report}");
    // in a copy without keys there is nothing to compare with
    assert!(verify(&home, &Options { copy: true, ..Options::default() }).unwrap().holds());
    fs::remove_file(&key).unwrap();
    assert!(!checked(&home).holds());
}
