//! Many sessions of three calls each under a budget, a rate limit and a loop rule, in one process: its memory, the time of a call, and what
//! is known of the first session afterwards.
//!
//! `--home DIR` (new), `--sessions N`, `--table BYTES` (what the shared state may take, 256 MiB where left out).

use crate::Figures;
use counterseal::call::{CallContext, PROGRAM_SOURCE, ToolSpec};
use counterseal::clock::{Clock, UnixNanos};
use counterseal::decide::{Layer, Layers};
use counterseal::guard::{Admission, Captured, Config, Guard, Tool};
use counterseal::ledger::{self, Entropy, Home, Outcome};
use counterseal::state::{Options, State, StateError};
use counterseal::value::{Value, map};
use serde_json::json;
use std::borrow::Cow;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const POLICY: &str = "
version: 1
tags: [untrusted]
tools:
  read_inbox: {tags: [untrusted]}
rules:
  - {id: after-untrusted, tools: [send_email], when: 'session.saw(\"untrusted\")', decision: deny}
budgets:
  - {id: calls, per: session, calls: 1000}
rate_limits:
  - {id: rate, per: session, calls: 1000, window: 1d}
loops: {same_call: 100, window: 1d}
record: {args: digest, result: digest}
";
const PATIENCE: Duration = Duration::from_secs(120);
const START: i64 = 1_800_000_000_000_000_000;
const SESSIONS_AFTERWARDS: u64 = 100;

pub(crate) fn run(arguments: &[String]) -> Figures {
    let mut home = PathBuf::from("sessions");
    let (mut sessions, mut table, mut alone) = (1_000_000_u64, 256_u64 << 20, true);
    for pair in arguments.chunks(2) {
        match pair {
            [name, value] if name == "--home" => home = PathBuf::from(value),
            [name, value] if name == "--sessions" => sessions = value.parse()?,
            [name, value] if name == "--table" => table = value.parse()?,
            [name] if name == "--in-the-table-of-another" => alone = false,
            other => return Err(format!("unknown argument `{}`", other.join(" ")).into()),
        }
    }
    if alone {
        return beside_who_made_the_table(&home, table, arguments);
    }
    measured(&home, sessions)
}

/// The size of a table is its maker's as long as that one lives; so this process makes it, and another has the sessions.
fn beside_who_made_the_table(home: &Path, table: u64, arguments: &[String]) -> Figures {
    let options = Options { max_bytes: table, ..Options::default() };
    let state = State::open(&Home::open_or_create(home, &mut Entropy::system())?, &options)?;
    let output = Command::new(std::env::current_exe()?)
        .arg("sessions")
        .args(arguments)
        .arg("--in-the-table-of-another")
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned().into());
    }
    let mut figures: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let statistics = state.statistics().map_err(|error: StateError| error.to_string())?;
    if let Some(all) = figures.as_object_mut() {
        all.insert("table_bytes".to_owned(), json!(statistics.bytes));
        all.insert("entries".to_owned(), json!(statistics.entries));
        all.insert("evicted".to_owned(), json!(statistics.evicted));
    }
    Ok(figures)
}

fn measured(home: &Path, sessions: u64) -> Figures {
    let policy = Arc::new(counterseal::policy::load("sessions", POLICY)?);
    let layers =
        Layers::new(vec![Layer { name: Arc::from("local"), policy }], counterseal::decide::Options::default())?;
    let guard = Guard::start(Config {
        layers,
        home: home.to_owned(),
        agent: None,
        clock: Clock::manual(UnixNanos(START)),
        previous: None,
        observer: None,
        asks: false,
        ledger: ledger::Options { patience: PATIENCE, ..ledger::Options::default() },
    })?;
    let [read, note, send] = [tool(&guard, "read_inbox")?, tool(&guard, "note")?, tool(&guard, "send_email")?];
    // a millisecond a call, so that the first session is the one least recently used
    let mut now = START;
    let begun = Instant::now();
    let mut refused = 0_u64;
    for session in 0..sessions {
        let context = context(session);
        for tool in [&read, &note, &note] {
            now += 1_000_000;
            guard.clock().set(UnixNanos(now));
            refused += u64::from(call(&guard, tool, &context)?.is_some());
        }
    }
    let per_call = begun.elapsed().as_nanos() as f64 / (3 * sessions) as f64;
    let first = call(&guard, &send, &context(0))?;
    let last = call(&guard, &send, &context(sessions - 1))?;
    let mut new_refused = 0_u64;
    for session in sessions..sessions + SESSIONS_AFTERWARDS {
        new_refused += u64::from(call(&guard, &send, &context(session))?.is_some());
    }
    let memory = memory()?;
    guard.close(PATIENCE)?;
    Ok(json!({
        "sessions": sessions,
        "calls": 3 * sessions,
        "refused": refused,
        "ns_per_call": per_call.round(),
        "peak_rss_kib": memory,
        "first": first,
        "last": last,
        "new": SESSIONS_AFTERWARDS,
        "new_refused": new_refused,
    }))
}

fn tool(guard: &Guard, name: &str) -> Result<Arc<Tool>, Box<dyn Error>> {
    let spec = ToolSpec {
        name: name.to_owned(),
        source: PROGRAM_SOURCE.to_owned(),
        parameters: Some(vec!["to".to_owned()]),
        ..ToolSpec::default()
    };
    Ok(guard.tool(spec)?)
}

fn context(session: u64) -> CallContext {
    CallContext::new(format!("conversation-{session:012}"))
}

/// Why the call was refused; `None` where it ran.
fn call(guard: &Arc<Guard>, tool: &Arc<Tool>, context: &CallContext) -> Result<Option<&'static str>, Box<dyn Error>> {
    let arguments = map(vec![(Cow::Borrowed("to"), Value::Str(Cow::Borrowed("ann@example.com")))])?;
    let admission = match guard.admit(tool, Ok(&arguments), context) {
        // the spool was full, and is not any more
        Admission::Sync(pending) => pending.finish(PATIENCE),
        other => other,
    };
    match admission {
        Admission::Run(ticket) => ticket.complete(Outcome::Success, &Captured::Nothing),
        Admission::Refused(refusal) => return Ok(Some(refusal.decision.reason_code.as_str())),
        Admission::Ask(_) | Admission::Sync(_) => return Err("nobody can be asked here".into()),
    }
    Ok(None)
}

/// The most memory this process had at once, pages of mapped files among it, in KiB.
fn memory() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc/self/status")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
