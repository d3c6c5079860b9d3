//! Every single mutation of a ledger of 200 records is found: each byte flipped, each line dropped, swapped and doubled,
//! each file removed, each tail cut. And the exact set that cannot be found, with and without an outside checkpoint.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails loudly")]

mod ledger_homes;

use counterseal::ledger::verify::{Options, ProblemCode, Report, verify};
use ledger_homes::{Maker, copy, files, folder};
use std::fs;
use std::path::{Path, PathBuf};

/// How many of the mutations are tried: `COUNTERSEAL_TRIALS=tenth` or, left out, `whole`.
fn every() -> usize {
    match std::env::var("COUNTERSEAL_TRIALS").as_deref() {
        Ok("tenth") => 10,
        Ok("whole") | Err(_) => 1,
        Ok(other) => panic!("COUNTERSEAL_TRIALS is `{other}`, not `tenth` or `whole`"),
    }
}

/// 200 records in two segments and two streams, closed and sealed, with the checkpoints held outside.
fn two_hundred(folder: &Path) -> Maker {
    let mut maker = Maker::new(folder, 1);
    let (mut first, mut second) = (maker.open(), maker.open());
    for call in 0..97 {
        match call {
            30 | 80 => maker.seal(&mut first),
            60 => maker.rotate(&mut first),
            _ => {}
        }
        maker.call(if call < 85 { &mut first } else { &mut second });
    }
    maker.seal(&mut second);
    maker.close(first);
    maker.close(second);
    maker
}

/// One home that is changed, verified and put back.
struct Patient {
    root: PathBuf,
    options: Options,
}

impl Patient {
    fn path(&self, file: &Path) -> PathBuf {
        self.root.join("home").join(file)
    }

    fn read(&self, file: &Path) -> Vec<u8> {
        fs::read(self.path(file)).unwrap()
    }

    fn verify(&self) -> Report {
        verify(&self.root.join("home"), &self.options).unwrap()
    }

    fn with(&self, file: &Path, changed: &[u8], original: &[u8]) -> Report {
        fs::write(self.path(file), changed).unwrap();
        let report = self.verify();
        fs::write(self.path(file), original).unwrap();
        report
    }
}

/// Runs `trial` on each of the numbers, spread over the processor's cores, each with a home of its own.
fn on_all_cores(outside: bool, deep: bool, trial: impl Fn(&Patient, usize, usize) + Sync) {
    let original = folder();
    let maker = two_hundred(original.path());
    drop(maker);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for core in 0..cores {
            let (trial, original) = (&trial, original.path());
            scope.spawn(move || {
                let own = folder();
                copy(original, own.path());
                let outside = outside.then(|| own.path().join("outside"));
                let options = Options { deep, outside, ..Options::default() };
                trial(&Patient { root: own.path().to_owned(), options }, core, cores);
            });
        }
    });
}

fn is_sidecar(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "side")
}

/// The files whose every byte is proved.
fn proved_files(patient: &Patient) -> Vec<PathBuf> {
    let unproved = |file: &PathBuf| file.ends_with("lock") || is_sidecar(file);
    files(&patient.root.join("home")).into_iter().filter(|file| !unproved(file)).collect()
}

/// Line number, from 1, and the record's number for a byte of a segment.
fn record_at(text: &[u8], offset: usize) -> (u64, u64) {
    let line = text[..offset].iter().filter(|byte| **byte == b'\n').count();
    let record = text.split(|byte| *byte == b'\n').nth(line).unwrap();
    let value: serde_json::Value = serde_json::from_slice(record).unwrap();
    (line as u64 + 1, value["seq"].as_u64().unwrap())
}

fn names(report: &Report, file: &Path, line: u64, seq: u64) -> bool {
    report.problems.iter().any(|problem| {
        let place = &problem.place;
        Path::new(&place.file) == file && place.line == Some(line) && place.seq == Some(seq)
    })
}

#[test]
fn the_ledger_itself_verifies() {
    on_all_cores(true, true, |patient, _, _| {
        let report = patient.verify();
        assert!(report.holds(), "{report}");
        assert_eq!((report.records, report.sealed, report.unsealed), (199, 199, 0));
        assert_eq!(report.payloads, Some(291));
        assert!(report.remarks.is_empty(), "{report}");
    });
}

fn every_flip_is_found(outside: bool) {
    on_all_cores(outside, false, |patient, core, cores| {
        let mut trials = 0_usize;
        for file in proved_files(patient) {
            let original = patient.read(&file);
            let is_segment = file.extension().is_some_and(|extension| extension == "jsonl");
            // the outside checkpoint adds nothing to single flips, so that without one a fifth of them says as much
            let every = if outside { every() } else { 5 * every() };
            for offset in (core * every..original.len()).step_by(cores * every) {
                let mut changed = original.clone();
                changed[offset] ^= 1 << (offset % 8);
                let report = patient.with(&file, &changed, &original);
                assert!(!report.holds(), "{} byte {offset}", file.display());
                if is_segment {
                    let (line, seq) = record_at(&original, offset);
                    assert!(
                        names(&report, &file, line, seq),
                        "{} byte {offset}, record {seq}: {report}",
                        file.display()
                    );
                }
                trials += 1;
            }
        }
        assert!(trials > 500, "only {trials} flips were tried");
    });
}

#[test]
fn every_flipped_byte_is_found_with_an_outside_checkpoint() {
    every_flip_is_found(true);
}

#[test]
fn every_flipped_byte_is_found_without_one_too() {
    every_flip_is_found(false);
}

fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// All ways to drop, swap with the next or double one line.
fn line_mutations(text: &[u8]) -> Vec<(String, usize, Vec<u8>)> {
    let lines = lines(text);
    let mut mutations = Vec::new();
    for nth in 0..lines.len() {
        let mut dropped = lines.clone();
        dropped.remove(nth);
        mutations.push((format!("line {nth} dropped"), nth, dropped.concat()));
        let mut doubled = lines.clone();
        doubled.insert(nth, lines[nth].clone());
        mutations.push((format!("line {nth} doubled"), nth, doubled.concat()));
        if nth + 1 < lines.len() && lines[nth] != lines[nth + 1] {
            let mut swapped = lines.clone();
            swapped.swap(nth, nth + 1);
            mutations.push((format!("lines {nth} and {} swapped", nth + 1), nth, swapped.concat()));
        }
    }
    mutations
}

#[test]
fn every_dropped_swapped_and_doubled_line_is_found() {
    for outside in [true, false] {
        on_all_cores(outside, false, |patient, core, cores| {
            for file in proved_files(patient) {
                let original = patient.read(&file);
                for (trial, (what, nth, changed)) in line_mutations(&original).into_iter().enumerate() {
                    if trial % cores != core || (trial / 3) % every() != 0 {
                        continue;
                    }
                    let report = patient.with(&file, &changed, &original);
                    assert!(!report.holds(), "{}: {what}, outside {outside}", file.display());
                    if file.extension().is_some_and(|extension| extension == "jsonl") {
                        let near = report.problems.iter().any(|problem| {
                            Path::new(&problem.place.file) == file
                                && problem.place.line.is_some_and(|line| line.abs_diff(nth as u64 + 1) <= 1)
                        });
                        assert!(near, "{}: {what}: {report}", file.display());
                    }
                }
            }
        });
    }
}

#[test]
fn every_removed_file_is_found() {
    for outside in [true, false] {
        on_all_cores(outside, true, |patient, core, cores| {
            for (nth, file) in files(&patient.root.join("home")).iter().enumerate() {
                if nth % cores != core || file.ends_with("lock") {
                    continue;
                }
                let original = patient.read(file);
                fs::remove_file(patient.path(file)).unwrap();
                let report = patient.verify();
                fs::write(patient.path(file), original).unwrap();
                assert!(!report.holds(), "{} removed, outside {outside}", file.display());
            }
        });
    }
}

#[test]
fn every_cut_tail_is_found() {
    for outside in [true, false] {
        on_all_cores(outside, false, |patient, core, cores| {
            for file in proved_files(patient) {
                let original = patient.read(&file);
                for length in (0..original.len()).filter(|length| (length / every()) % cores == core) {
                    if length % every() != 0 || (length % 7 != 0 && original[length.saturating_sub(1)] != b'\n') {
                        continue;
                    }
                    let report = patient.with(&file, &original[..length], &original);
                    assert!(!report.holds(), "{} cut to {length} bytes, outside {outside}", file.display());
                }
            }
        });
    }
}

#[test]
fn every_mutation_of_the_sidecar_is_found_by_deep() {
    on_all_cores(true, true, |patient, core, cores| {
        let sidecars = files(&patient.root.join("home")).into_iter().filter(|file| is_sidecar(file));
        for file in sidecars {
            let original = patient.read(&file);
            // reading deep costs several times as much, so that of a tenth only a quarter is tried
            let step = if every() == 1 { 1 } else { 4 * every() };
            for offset in (core * step..original.len()).step_by(cores * step) {
                let mut changed = original.clone();
                changed[offset] ^= 1 << (offset % 8);
                let report = patient.with(&file, &changed, &original);
                assert!(!report.holds(), "{} byte {offset}", file.display());
                if (offset / step).is_multiple_of(4) {
                    let cut = patient.with(&file, &original[..offset], &original);
                    assert!(!cut.holds(), "{} cut to {offset} bytes", file.display());
                }
            }
            for (trial, (what, _, changed)) in line_mutations(&original).into_iter().enumerate() {
                if trial % cores == core && (trial / 3) % every() == 0 {
                    let report = patient.with(&file, &changed, &original);
                    assert!(!report.holds(), "{}: {what}", file.display());
                }
            }
        }
    });
}

#[test]
fn a_file_put_beside_the_others_is_found() {
    on_all_cores(false, false, |patient, core, _| {
        let segment = proved_files(patient).into_iter().find(|file| file.ends_with("000001.jsonl")).unwrap();
        let added = segment.with_file_name("000009.jsonl");
        fs::write(patient.path(&added), patient.read(&segment)).unwrap();
        let report = patient.verify();
        assert_eq!(report.problems.first().map(|problem| problem.code), Some(ProblemCode::SegmentUnindexed), "{core}");
    });
}

/// A home with ten records after its last checkpoint.
fn with_a_tail(folder: &Path) -> (PathBuf, Options) {
    let mut maker = Maker::new(folder, 2);
    let mut open = maker.open();
    for call in 0..10 {
        if call == 5 {
            maker.seal(&mut open);
        }
        maker.call(&mut open);
    }
    open.sync().unwrap();
    (maker.home.path().to_owned(), Options { outside: Some(maker.outside), ..Options::default() })
}

/// What nobody can find: whatever was not yet under a checkpoint can be cut, or written anew from there.
#[test]
fn the_tail_after_the_last_checkpoint_is_not_protected() {
    let folder = folder();
    let (home, options) = with_a_tail(folder.path());
    let file = files(&home).into_iter().find(|file| file.ends_with("000001.jsonl")).unwrap();
    let original = fs::read(home.join(&file)).unwrap();
    let report = verify(&home, &options).unwrap();
    assert!(report.holds(), "{report}");
    assert_eq!((report.sealed, report.unsealed), (11, 10));
    let sealed: usize = lines(&original)[..11].iter().map(Vec::len).sum();
    for length in (0..=original.len()).step_by(3).chain([sealed, sealed - 1]) {
        fs::write(home.join(&file), &original[..length]).unwrap();
        let report = verify(&home, &options).unwrap();
        assert_eq!(
            report.holds(),
            length >= sealed,
            "cut to {length} of {}, {sealed} sealed: {report}",
            original.len()
        );
    }
}

/// What an outside checkpoint finds and the home alone cannot: a whole older copy put back, and a whole other home.
#[test]
fn an_older_copy_and_another_home_are_found_from_outside_alone() {
    let folder = folder();
    let mut maker = Maker::new(folder.path(), 3);
    let mut open = maker.open();
    maker.call(&mut open);
    maker.seal(&mut open);
    let older = folder.path().join("older");
    copy(maker.home.path(), &older);
    maker.call(&mut open);
    maker.close(open);
    let first_key = maker.home.first_key().clone();

    let inside = Options::default();
    let outside = Options { outside: Some(maker.outside), ..Options::default() };
    let keyed = Options { first_key: Some(first_key), ..Options::default() };
    let codes = |path: &Path, options: &Options| -> Vec<ProblemCode> {
        verify(path, options).unwrap().problems.iter().map(|problem| problem.code).collect()
    };
    assert_eq!(codes(&older, &inside), [], "an older copy is a whole ledger");
    assert_eq!(codes(&older, &keyed), [], "with the right first key");
    assert_eq!(codes(&older, &outside), [ProblemCode::CheckpointMissing, ProblemCode::IndexCut]);

    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    let mut forger = Maker::new(&other, 4);
    let mut open = forger.open();
    forger.call(&mut open);
    forger.close(open);
    assert_eq!(codes(forger.home.path(), &inside), [], "another home is a whole ledger");
    assert_eq!(codes(forger.home.path(), &keyed).first(), Some(&ProblemCode::FirstKeyMismatch));
    assert_eq!(codes(forger.home.path(), &outside).first(), Some(&ProblemCode::CheckpointMissing));
}
