//! Makes small ledgers whose every byte is fixed: by a seed, a clock and the order of calls.
#![allow(dead_code, reason = "each test uses its part")]
#![expect(clippy::unwrap_used, reason = "a test fails loudly")]

use counterseal::clock::UnixNanos;
use counterseal::decide::{Effect, Enforcement, Verdict};
use counterseal::ledger::index::{IndexLine, IndexTree};
use counterseal::ledger::lock::FileLock;
use counterseal::ledger::record::Position;
use counterseal::ledger::segment::SegmentAppender;
use counterseal::ledger::{
    ActionId, Completed, ContextEntry, Control, Decided, Entropy, Home, Outcome, Part, ResultEntry, StreamId,
    ToolEntry, ratchet,
};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// 2026-01-02T03:04:05Z.
pub(crate) const START: i64 = 1_767_323_045_000_000_000;

/// A home that is written by hand, step by step.
pub(crate) struct Maker {
    pub(crate) home: Home,
    pub(crate) index: IndexTree,
    pub(crate) entropy: Entropy,
    pub(crate) outside: PathBuf,
    time: i64,
    calls: u8,
    /// The streams' locks: they live as long as their maker.
    alive: Vec<FileLock>,
}

impl Maker {
    /// A new home in `folder`, with the file of outside checkpoints beside it.
    pub(crate) fn new(folder: &Path, seed: u8) -> Self {
        let mut entropy = Entropy::fixed([seed; 32]);
        let home = Home::open_or_create(&folder.join("home"), &mut entropy).unwrap();
        Self {
            home,
            index: IndexTree::new(),
            entropy,
            outside: folder.join("outside"),
            time: START,
            calls: 0,
            alive: Vec::new(),
        }
    }

    pub(crate) fn time(&mut self) -> UnixNanos {
        self.time += 1_000_000_007;
        UnixNanos(self.time)
    }

    pub(crate) fn open(&mut self) -> SegmentAppender {
        let stream = StreamId(self.entropy.draw().unwrap());
        self.home.make_stream(stream).unwrap();
        self.alive.push(FileLock::acquire(&self.home.stream_lock_path(stream)).unwrap());
        let salts = Entropy::fixed(self.entropy.draw().unwrap());
        let time = self.time();
        let lock = self.home.lock().unwrap();
        SegmentAppender::create(&lock, &mut self.index, stream, 1, Position::START, time, salts).unwrap()
    }

    /// Appends the two records of a call, with payloads.
    pub(crate) fn call(&mut self, open: &mut SegmentAppender) -> ActionId {
        self.calls += 1;
        let action_id = ActionId([self.calls; 16]);
        let arguments = format!(r#"{{"amount":{},"to":"someone"}}"#, self.calls);
        let time = self.time();
        open.decided::<&str>(&Decided {
            action_id,
            time,
            call_id: None,
            digest: Some([self.calls; 32]),
            tool: ToolEntry {
                source: "program",
                name: "send \"money\"",
                digest: [7; 32],
                tags: &["external", "payment"],
                risk: Some("high"),
                connector: None,
                action: None,
            },
            context: ContextEntry {
                agent: Some("agent-1"),
                user: self.calls.is_multiple_of(2).then_some("u-7"),
                user_verified_by: None,
                session: "conv-1",
                implicit: false,
                run: None,
                parent: None,
            },
            decision: Verdict::Allow,
            effect: Effect::Run,
            reason_code: "default",
            rules: &[],
            policy: [9; 32],
            enforcement: Enforcement::Progressive,
            estimated_cost: None,
            approval: None,
            parts: &[Part { name: "arguments", canonical: arguments.as_bytes() }],
            durable: false,
        })
        .unwrap();
        let time = self.time();
        open.completed(&Completed {
            action_id,
            time,
            outcome: Outcome::Success,
            duration: 1_234,
            result: ResultEntry::Digest([self.calls; 32], 4),
            cost: None,
            tokens: None,
            parts: &[Part { name: "result", canonical: b"\"ok\"" }, Part { name: "note", canonical: b"1" }],
        })
        .unwrap();
        action_id
    }

    /// Appends the record of a session that is marked with a tag.
    pub(crate) fn mark(&mut self, open: &mut SegmentAppender) {
        let time = self.time();
        let note = Part { name: "note", canonical: br#"{"session":"conv-1","tag":"private"}"# };
        open.control(time, &Control { what: "mark", parts: &[note] }).unwrap();
    }

    pub(crate) fn rotate(&mut self, open: &mut SegmentAppender) {
        let time = self.time();
        open.rotate(&self.home.lock().unwrap(), &mut self.index, time).unwrap();
    }

    /// Seals what is written and signs it, home and outside.
    pub(crate) fn seal(&mut self, open: &mut SegmentAppender) {
        open.sync().unwrap();
        let time = self.time();
        self.sign(&[IndexLine::Sealed(open.seal(time))]);
    }

    /// Closes a stream and signs it.
    pub(crate) fn close(&mut self, mut open: SegmentAppender) {
        let time = self.time();
        open.closed(time, 0, &[("condition_failed", 0)]);
        open.sync().unwrap();
        let time = self.time();
        self.sign(&[IndexLine::Closed(open.seal(time))]);
    }

    pub(crate) fn sign(&mut self, lines: &[IndexLine]) {
        let time = self.time();
        let lock = self.home.lock().unwrap();
        let outside = &self.outside;
        ratchet::checkpoint(&lock, &mut self.index, lines, time, &mut self.entropy, &mut |note| {
            let mut file = fs::OpenOptions::new().create(true).append(true).open(outside).unwrap();
            writeln!(file, "{note}").unwrap();
            Ok(())
        })
        .unwrap();
    }
}

/// A folder in memory where there is one: the tests write it thousands of times.
pub(crate) fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// Copies a folder with everything in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Every file under a folder, by its path from there, sorted.
pub(crate) fn files(root: &Path) -> Vec<PathBuf> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(root, root, &mut found);
    found.sort();
    found
}
