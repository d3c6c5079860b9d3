//! SIGKILL at random moments: every call whose body acted has its `decided` record exactly once after recovery, and the
//! ledger verifies. A tenth of the trials here, all of them with `COUNTERSEAL_TRIALS=whole`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails loudly")]

use counterseal::ledger::record::Record;
use counterseal::ledger::verify::{self, verify};
use counterseal::ledger::{Ledger, Options};
use std::collections::BTreeMap;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn trials(whole: u32) -> u32 {
    match std::env::var("COUNTERSEAL_TRIALS") {
        Ok(trials) if trials == "whole" => whole,
        _ => whole.div_ceil(10),
    }
}

/// Starts the program in a group of its own, waits until `least` bytes say that it acted, kills all of the group after
/// `delay` more.
fn kill_after(folder: &Path, least: u64, delay: Duration, extra: &[&str]) {
    let acts = folder.join("acts");
    let before = std::fs::metadata(&acts).map_or(0, |file| file.len());
    let mut child = Command::new(env!("CARGO_BIN_EXE_counterseal-bench"))
        .args(["crash-child", "--home"])
        .arg(folder.join("home"))
        .arg("--acts")
        .arg(&acts)
        .args(extra)
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let patience = Instant::now() + Duration::from_secs(60);
    while std::fs::metadata(&acts).map_or(0, |file| file.len()) < before + least {
        assert!(Instant::now() < patience, "the program never acted");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(delay);
    assert!(child.try_wait().unwrap().is_none(), "the program ended by itself");
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-9", "--", &group]).status().unwrap().success());
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(9));
    // forked children are not ours to wait for: they are gone when nobody holds a stream's lock
    while std::fs::read_dir(folder.join("home/streams"))
        .unwrap()
        .any(|stream| counterseal::ledger::lock::FileLock::is_held(&stream.unwrap().path().join("lock")).unwrap())
    {
        assert!(Instant::now() < patience, "a killed process still holds its lock");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How often each call id is decided in the home.
fn decided(home: &Path) -> BTreeMap<String, u32> {
    let mut calls = BTreeMap::new();
    for stream in std::fs::read_dir(home.join("streams")).unwrap() {
        for file in std::fs::read_dir(stream.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                let bytes = std::fs::read(&path).unwrap();
                for line in
                    bytes.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"v\":1,\"kind\":\"decided\""))
                {
                    let Record::Decided(record) = Record::parse(line).unwrap() else { panic!("another kind") };
                    *calls.entry(record.call_id.clone()).or_default() += 1;
                }
            }
        }
    }
    calls
}

fn check(folder: &Path) -> usize {
    let home = folder.join("home");
    Ledger::recover(&home, &Options::default()).unwrap();
    let calls = decided(&home);
    let acts = std::fs::read_to_string(folder.join("acts")).unwrap();
    for act in acts.lines().map(str::trim_end) {
        assert_eq!(calls.get(act), Some(&1), "the call {act} acted");
    }
    assert!(calls.values().all(|count| *count == 1), "a call is recorded twice");
    let report = verify(&home, &verify::Options { deep: true, ..verify::Options::default() }).unwrap();
    assert!(report.holds(), "{report}");
    acts.lines().count()
}

fn run(place: &Path, whole: u32, least: u64, longest_ms: u64, extra: &[&str]) {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64 ^ u64::from(std::process::id());
    let mut acted = 0;
    for trial in 0..trials(whole) {
        // a home lives through several deaths, so that recoveries follow each other
        let folder = tempfile::tempdir_in(place).unwrap();
        for death in 0..3 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            kill_after(folder.path(), least, Duration::from_micros((random >> 33) % (longest_ms * 1000)), extra);
            if death != 1 {
                acted = check(folder.path());
            }
        }
        assert!(acted > 0, "trial {trial} did nothing");
    }
}

#[test]
fn every_call_that_acted_is_recorded_once() {
    run(&std::env::temp_dir(), 67, 1, 60, &[]);
}

/// 4 KiB hold about eight calls, and each act is a line of 16 bytes: a thousand calls wrap the ring over a hundred
/// times. In memory where there is such a place: what is tested is the ring, not the disk.
#[test]
fn every_call_that_acted_is_recorded_once_in_a_spool_that_wraps() {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    run(&place, 67, 16_000, 50, &["--spool", "4096"]);
}

#[test]
fn every_call_that_a_forked_child_acted_is_recorded_once() {
    run(&std::env::temp_dir(), 67, 1, 120, &["--children", "3"]);
}

/// A file that may not grow is what a full disk is to the writer: part of a group is written, the rest refused. Calls are
/// refused once the spool is full, and everything that acted is there when there is room again.
#[test]
fn a_disk_that_fills_up_loses_nothing_that_acted() {
    let folder = tempfile::tempdir().unwrap();
    let limited = "trap '' XFSZ; ulimit -f 200; exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", limited, "sh", env!("CARGO_BIN_EXE_counterseal-bench"), "crash-child"])
        .args(["--spool", "16384", "--patience", "3000", "--home"])
        .arg(folder.path().join("home"))
        .arg("--acts")
        .arg(folder.path().join("acts"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("no room came free"), "{said}");
    assert!(said.contains("cannot be written"), "{said}");
    assert!(check(folder.path()) > 0);
}

/// Nobody is killed: the parent and its children close, and nothing is left to recover.
#[test]
fn forked_children_write_streams_of_their_own_and_close_them() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let status = Command::new(env!("CARGO_BIN_EXE_counterseal-bench"))
        .args(["crash-child", "--children", "3", "--calls", "50", "--home"])
        .arg(&home)
        .arg("--acts")
        .arg(folder.path().join("acts"))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let patience = Instant::now() + Duration::from_secs(60);
    let open = |home: &Path| {
        std::fs::read_dir(home.join("streams")).unwrap().any(|stream| stream.unwrap().path().join("spool").exists())
    };
    while decided(&home).len() < 1 + 4 * 49 || open(&home) {
        assert!(Instant::now() < patience, "{} calls", decided(&home).len());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(Ledger::recover(&home, &Options::default()).unwrap(), 0);
    check(folder.path());
    assert_eq!(std::fs::read_dir(home.join("streams")).unwrap().count(), 4);
}

/// Several processes start at once over what two killed ones left: each orphan is taken over by one of them, whole.
#[test]
fn processes_that_start_at_once_take_over_each_orphan_once() {
    for _ in 0..trials(30) {
        let folder = tempfile::tempdir().unwrap();
        let acts = folder.path().join("acts");
        for _ in 0..2 {
            kill_after(folder.path(), 64, Duration::from_millis(3), &[]);
        }
        // the second one took over what the first had left; its own stream is an orphan, and so may be the first's
        let home = folder.path().join("home");
        let start = || {
            Command::new(env!("CARGO_BIN_EXE_counterseal-bench"))
                .args(["crash-child", "--calls", "50", "--home"])
                .arg(&home)
                .arg("--acts")
                .arg(&acts)
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        };
        let mut racers = [(); 4].map(|()| start());
        for racer in &mut racers {
            assert!(racer.wait().unwrap().success());
        }
        assert_eq!(Ledger::recover(&home, &Options::default()).unwrap(), 0, "an orphan is left");
        check(folder.path());
        let mut recovered = BTreeMap::new();
        for stream in std::fs::read_dir(home.join("streams")).unwrap() {
            let folder = stream.unwrap().path();
            assert!(!folder.join("spool").exists(), "a spool is left");
            let texts = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
            let texts = texts.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
            let text: String = texts.map(|path| std::fs::read_to_string(path).unwrap()).collect();
            assert_eq!(text.matches("\"kind\":\"closed\"").count(), 1);
            recovered.insert(folder, text.matches("\"kind\":\"recovered\"").count());
        }
        assert_eq!(recovered.values().filter(|count| **count == 1).count(), 2, "{recovered:?}");
        assert!(recovered.values().all(|count| *count <= 1), "{recovered:?}");
    }
}
