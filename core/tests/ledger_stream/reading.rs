//! Reads a home as a stranger would and checks everything that `docs/formats.md` promises of it: chains, numbers, hashes,
//! index lines, roots, signatures, payload hashes. Written apart from the product's own verifier.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails loudly")]

use counterseal::clock::UnixNanos;
use counterseal::decide::{Effect, Enforcement, Verdict};
use counterseal::ledger::merkle::Tree;
use counterseal::ledger::note::{Note, VerifierKey, split_notes};
use counterseal::ledger::{
    ActionId, Completed, ContextEntry, Decided, Outcome, Part, ResultEntry, StreamId, ToolEntry,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// A `decided` record of the call `call`.
pub(crate) fn decided<'a>(id: u64, call: &'a str, parts: &'a [Part<'a>]) -> Decided<'a> {
    Decided {
        action_id: action(id),
        time: UnixNanos(1_790_000_000_000_000_000 + id as i64),
        call_id: Some(call),
        digest: Some([5; 32]),
        tool: ToolEntry {
            source: "program",
            name: "issue_refund",
            digest: [6; 32],
            tags: &[],
            risk: Some("high"),
            connector: None,
            action: None,
        },
        context: ContextEntry {
            agent: Some("support"),
            user: None,
            user_verified_by: None,
            session: "s-1",
            implicit: false,
            run: None,
            parent: None,
        },
        decision: Verdict::Allow,
        effect: Effect::Run,
        reason_code: "default",
        rules: &[],
        policy: [7; 32],
        enforcement: Enforcement::Progressive,
        estimated_cost: None,
        approval: None,
        parts,
        durable: false,
    }
}

/// A `completed` record.
pub(crate) fn completed(id: u64) -> Completed<'static> {
    Completed {
        action_id: action(id),
        time: UnixNanos(1_790_000_000_000_000_000 + id as i64),
        outcome: Outcome::Success,
        duration: 12,
        result: ResultEntry::Digest([8; 32], 99),
        cost: None,
        tokens: None,
        parts: &[],
    }
}

fn action(id: u64) -> ActionId {
    ActionId((u128::from(id) << 64 | 0xabc).to_be_bytes())
}

/// A home as read.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) streams: BTreeMap<StreamId, Vec<Value>>,
    pub(crate) index: Vec<Value>,
    pub(crate) notes: usize,
    pub(crate) payloads: BTreeMap<(String, String), String>,
}

impl Seen {
    pub(crate) fn kinds(&self, stream: StreamId) -> Vec<&str> {
        self.streams[&stream].iter().map(|record| record["kind"].as_str().unwrap()).collect()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Value> {
        self.streams.values().flatten()
    }

    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.all().filter(move |record| record["kind"] == kind)
    }

    /// How often each call id was decided.
    pub(crate) fn calls(&self) -> BTreeMap<String, usize> {
        let mut calls = BTreeMap::new();
        for record in self.of_kind("decided") {
            *calls.entry(record["call_id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        calls
    }
}

/// Reads and checks the home at `home`.
pub(crate) fn read(home: &Path) -> Seen {
    let mut seen = Seen::default();
    let index = std::fs::read(home.join("index")).unwrap();
    let mut tree = Tree::new();
    let mut roots = vec![tree.root()];
    for line in index.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        tree.push(line);
        roots.push(tree.root());
        seen.index.push(serde_json::from_slice(line).unwrap());
    }
    assert!(index.is_empty() || index.ends_with(b"\n"), "the index ends in a torn line");
    read_notes(home, &roots, &mut seen);
    for entry in std::fs::read_dir(home.join("streams")).unwrap() {
        let entry = entry.unwrap();
        let stream: StreamId = entry.file_name().to_str().unwrap().parse().unwrap();
        let records = read_stream(&entry.path(), stream, &mut seen);
        seen.streams.insert(stream, records);
    }
    seen
}

fn read_notes(home: &Path, roots: &[[u8; 32]], seen: &mut Seen) {
    let about: Value = serde_json::from_slice(&std::fs::read(home.join("home.json")).unwrap()).unwrap();
    let mut key: VerifierKey = about["first_key"].as_str().unwrap().parse().unwrap();
    let notes = std::fs::read_to_string(home.join("checkpoints")).unwrap();
    for (_, text) in split_notes(&notes) {
        let note = Note::parse(text).expect("a note");
        assert!(note.is_signed_by(&key), "a note is signed by the key before it");
        assert_eq!(roots[note.checkpoint.size as usize], note.checkpoint.root);
        key = note.next_key();
        seen.notes += 1;
    }
    let secret = std::fs::read_to_string(home.join("keys/current")).unwrap();
    assert_eq!(secret.len(), 65);
}

fn read_stream(directory: &Path, stream: StreamId, seen: &mut Seen) -> Vec<Value> {
    let mut records = Vec::new();
    let mut prev = "0".repeat(64);
    for segment in 1.. {
        let path = directory.join(format!("{segment:06}.jsonl"));
        let Ok(bytes) = std::fs::read(&path) else { break };
        let side = std::fs::read(path.with_extension("side")).unwrap();
        let mut side = side.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut tree = Tree::new();
        let mut seals = vec![(0, tree.root(), String::new())];
        let first_prev = prev.clone();
        let mut at = 0;
        assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "{} ends in a torn line", path.display());
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            at += line.len() + 1;
            let record: Value = serde_json::from_slice(line).unwrap();
            assert_eq!(record["prev"], prev.as_str(), "the chain of {stream}");
            assert_eq!(record["seq"].as_u64().unwrap(), records.len() as u64 + 1);
            let cut = line.len() - 75;
            let hash: [u8; 32] = Sha256::digest(&line[..cut]).into();
            prev = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(record["hash"], prev.as_str());
            tree.push(&hash);
            seals.push((at, tree.root(), prev.clone()));
            read_payloads(&record, &mut side, seen);
            records.push(record);
        }
        assert!(side.next().is_none(), "the sidecar of {} has lines of no record", path.display());
        let mine = |line: &&Value| line["stream"] == stream.to_string() && line["segment"] == segment;
        let lines: Vec<&Value> = seen.index.iter().filter(mine).collect();
        assert_eq!((&lines[0]["kind"], &lines[0]["prev"]), (&"opened".into(), &first_prev.into()));
        for line in &lines[1..] {
            let (bytes, root, last) = &seals[line["records"].as_u64().unwrap() as usize];
            let root: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(line["bytes"], *bytes as u64, "{line}");
            assert_eq!((&line["root"], &line["last"]), (&root.into(), &last.as_str().into()));
        }
    }
    let last_opened = seen.index.iter().rfind(|line| line["stream"] == stream.to_string() && line["kind"] == "opened");
    if let Some(opened) = last_opened {
        let segment = opened["segment"].as_u64().unwrap();
        assert!(directory.join(format!("{segment:06}.jsonl")).exists(), "segment {segment} of {stream} is missing");
    }
    records
}

fn read_payloads<'a>(record: &Value, side: &mut impl Iterator<Item = &'a [u8]>, seen: &mut Seen) {
    let Some(parts) = record["payload"].as_object() else { return };
    // the order of members is the order of sidecar lines; a map of this library has lost it, so lines are matched by part
    let expected = parts.values().filter(|hash| !hash.is_null()).count();
    for _ in 0..expected {
        let line = side.next().expect("a payload's line");
        let text = std::str::from_utf8(line).unwrap();
        let value: Value = serde_json::from_str(text).unwrap();
        let (_, payload) = text.split_once("\"payload\":").unwrap();
        let payload = payload.strip_suffix('}').unwrap();
        let salt: Vec<u8> = value["salt"]
            .as_str()
            .unwrap()
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let hash = Sha256::digest([salt.as_slice(), payload.as_bytes()].concat());
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let part = value["part"].as_str().unwrap();
        assert_eq!(parts[part], hash.as_str());
        let action = value["action_id"].as_str().unwrap().to_owned();
        seen.payloads.insert((action, part.to_owned()), payload.to_owned());
    }
}
