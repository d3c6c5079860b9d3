//! Replays `tests/vectors/ledger.json` on the committed ledgers of `tests/vectors/ledgers/`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails loudly")]

mod ledger_homes;

use counterseal::clock::Clock;
use counterseal::ledger::erase::{Request, Selection, erase};
use counterseal::ledger::home::Home;
use counterseal::ledger::read::{Filter, entries};
use counterseal::ledger::record::typed::Record;
use counterseal::ledger::verify::{Options, Report, verify};
use counterseal::ledger::{ActionId, Pruned};
use ledger_homes::{Maker, copy, folder};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors")
}

/// Changes a ledger as a case says.
fn mutate(home: &Path, mutation: &Value) {
    let file = home.join(mutation["file"].as_str().unwrap());
    let number = |member: &str| usize::try_from(mutation[member].as_u64().unwrap()).unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    match mutation["op"].as_str().unwrap() {
        "flip" => bytes[number("offset")] ^= 1,
        "cut" => bytes.truncate(number("length")),
        "remove" => return fs::remove_file(file).unwrap(),
        "drop" => {
            lines.remove(number("line") - 1);
            bytes = lines.concat();
        }
        "double" => {
            lines.insert(number("line"), lines[number("line") - 1].clone());
            bytes = lines.concat();
        }
        "swap" => {
            lines.swap(number("line") - 1, number("line"));
            bytes = lines.concat();
        }
        other => panic!("unknown mutation `{other}`"),
    }
    fs::write(file, bytes).unwrap();
}

fn verified(case: &Value) -> Report {
    let folder = folder();
    copy(&vectors().join("ledgers").join(case["ledger"].as_str().unwrap()), folder.path());
    let home = folder.path().join("home");
    if let Some(mutation) = case.get("mutation") {
        mutate(&home, mutation);
    }
    verify(&home, &Options { deep: true, outside: Some(folder.path().join("outside")), ..Options::default() }).unwrap()
}

fn expectation(report: &Report) -> Value {
    match report.problems.first() {
        None => json!({
            "holds": true, "records": report.records, "sealed": report.sealed, "checkpoints": report.checkpoints,
            "pruned": report.pruned, "payloads": report.payloads, "erased": report.erased,
        }),
        Some(problem) => {
            let file = if problem.place.file.ends_with("/outside") { "outside" } else { &problem.place.file };
            json!({
                "holds": false, "code": problem.code.as_str(), "file": file,
                "line": problem.place.line, "seq": problem.place.seq,
            })
        }
    }
}

#[test]
fn every_case_comes_out_as_published() {
    let text = fs::read_to_string(vectors().join("ledger.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() > 40);
    for case in cases {
        assert_eq!(case["op"], "verify", "{case}");
        assert_eq!(expectation(&verified(case)), case["expect"], "{}", case["name"]);
    }
}

#[test]
fn every_record_reads_as_its_type() {
    for name in LEDGERS {
        let home = Home::open(&vectors().join("ledgers").join(name).join("home"));
        // a checkout that others can write is refused as a home, and read all the same by `verify`
        let Ok(home) = home else { continue };
        for entry in entries(&home, &Filter::default(), true).unwrap() {
            let entry = entry.unwrap();
            let again: Value = serde_json::to_value(&entry.record).unwrap();
            assert_eq!(again, serde_json::from_str::<Value>(&entry.text).unwrap());
        }
    }
}

#[test]
fn unknown_members_are_kept() {
    let line = r#"{"v":1,"kind":"dropped","seq":1,"time":"2026-01-02T03:04:05.000000000Z","prev":"PREV","count":1,"why":"x","later":[1],"hash":"PREV"}"#;
    let record = Record::parse(line.replace("PREV", &"0".repeat(64)).as_bytes()).unwrap();
    let Record::Dropped(dropped) = record else { panic!("{record:?}") };
    assert_eq!(dropped.extra.get("later"), Some(&json!([1])));
}

const LEDGERS: [&str; 6] = ["plain", "rotated", "two-streams", "erased", "pruned", "marked"];

/// Makes the ledgers that are not there yet, and their expectations. One that is there stays as it is: formats never change.
#[test]
#[ignore = "writes the committed ledgers"]
fn make() {
    let root = vectors().join("ledgers");
    let text = fs::read_to_string(vectors().join("ledger.json")).unwrap();
    let published: Value = serde_json::from_str(&text).unwrap();
    let mut cases = published["cases"].as_array().unwrap().clone();
    for (nth, name) in LEDGERS.iter().enumerate() {
        let folder = root.join(name);
        if folder.exists() {
            continue;
        }
        fs::create_dir_all(&folder).unwrap();
        fill(name, Maker::new(&folder, 100 + u8::try_from(nth).unwrap()));
        cases.push(case(name, None));
        let mut mutations = mutations(&folder.join("home"), nth == 0);
        if *name == "marked" {
            mutations.push(other_digest_key(&folder.join("home")));
        }
        cases.extend(mutations.into_iter().map(|mutation| case(name, Some(mutation))));
    }
    let lines: Vec<String> = cases.iter().map(|case| format!("    {case}")).collect();
    let text = format!(
        "{{\n  \"name\": \"ledger\",\n  \"since\": \"0.1.0\",\n  \"cases\": [\n{}\n  ]\n}}\n",
        lines.join(",\n")
    );
    fs::write(vectors().join("ledger.json"), text).unwrap();
}

fn case(ledger: &str, mutation: Option<Value>) -> Value {
    let mut case = json!({"name": ledger, "op": "verify", "ledger": ledger});
    if let Some(mutation) = mutation {
        let short = mutation["file"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let at = ["offset", "length", "line"].iter().find_map(|member| mutation.get(*member));
        let at = at.map_or(String::new(), |at| format!(" at {at}"));
        case["name"] = json!(format!("{ledger}: {} {short}{at}", mutation["op"].as_str().unwrap()));
        case["mutation"] = mutation;
    }
    case["expect"] = expectation(&verified(&case));
    case
}

fn fill(name: &str, mut maker: Maker) {
    let mut open = maker.open();
    let first = maker.call(&mut open);
    match name {
        "plain" => {
            maker.seal(&mut open);
            maker.call(&mut open);
        }
        "rotated" | "pruned" => {
            maker.rotate(&mut open);
            maker.call(&mut open);
        }
        "two-streams" => {
            let mut other = maker.open();
            maker.call(&mut other);
            maker.close(other);
        }
        "erased" => {
            maker.call(&mut open);
        }
        "marked" => {
            maker.mark(&mut open);
            maker.call(&mut open);
        }
        other => panic!("unknown ledger `{other}`"),
    }
    let stream = open.stream();
    maker.close(open);
    if name == "erased" {
        let selection = Selection { actions: vec![first], ..Selection::default() };
        let request = Request { selection, parts: None, reason: "a request".into(), by: "operator".into() };
        let time = maker.time();
        let Maker { home, entropy, outside, .. } = &mut maker;
        erase(home, &request, &Clock::manual(time), entropy, &mut |note| {
            writeln!(fs::OpenOptions::new().append(true).open(&*outside).unwrap(), "{note}").unwrap();
            Ok(())
        })
        .unwrap();
    }
    if name == "pruned" {
        let closed = fs::read_to_string(maker.home.index_path()).unwrap();
        let closed = closed.lines().find(|line| line.contains("closed")).unwrap();
        let closed: Value = serde_json::from_str(closed).unwrap();
        let hash = |member: &str| -> [u8; 32] {
            let text = closed[member].as_str().unwrap();
            std::array::from_fn(|nth| u8::from_str_radix(text.get(2 * nth..2 * nth + 2).unwrap(), 16).unwrap())
        };
        let records = closed["records"].as_u64().unwrap();
        let (root, last) = (hash("root"), hash("last"));
        let mut open = maker.open();
        let time = maker.time();
        open.pruned(time, &Pruned { stream, segment: 1, records, root, last });
        maker.close(open);
        fs::remove_file(maker.home.segment_path(stream, 1)).unwrap();
        fs::remove_file(maker.home.sidecar_path(stream, 1)).unwrap();
    }
    assert_ne!(first, ActionId([0; 16]));
}

/// Another digest key than the one that the records were made with.
fn other_digest_key(home: &Path) -> Value {
    let key = fs::read(home.join("digest.key")).unwrap();
    // a digit of hex that is one with its lowest bit flipped too
    let offset = key.iter().position(u8::is_ascii_digit).unwrap();
    json!({"op": "flip", "file": "digest.key", "offset": offset})
}

/// A few mutations of every file; of the `whole` ledger, of every line.
fn mutations(home: &Path, whole: bool) -> Vec<Value> {
    let mut mutations = Vec::new();
    for file in ledger_homes::files(home) {
        if file.ends_with("lock") || file == Path::new("digest.key") {
            continue;
        }
        let length = fs::metadata(home.join(&file)).unwrap().len();
        let name = file.to_str().unwrap();
        mutations.push(json!({"op": "remove", "file": name}));
        if length == 0 {
            continue;
        }
        mutations.push(json!({"op": "flip", "file": name, "offset": length / 2}));
        if !whole || name.ends_with(".json") || name.contains("keys") {
            continue;
        }
        mutations.push(json!({"op": "cut", "file": name, "length": length - 1}));
        if name.starts_with("streams") || name == "index" {
            let lines = fs::read_to_string(home.join(&file)).unwrap().lines().count();
            for line in 1..=lines {
                mutations.push(json!({"op": "drop", "file": name, "line": line}));
                mutations.push(json!({"op": "double", "file": name, "line": line}));
                if line < lines {
                    mutations.push(json!({"op": "swap", "file": name, "line": line}));
                }
            }
        }
    }
    mutations
}
