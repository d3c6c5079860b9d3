//! Appends to a ledger as fast as it takes records, for as long as asked, on the disk of `--home`.
//!
//! `--home DIR` (made, and left there), `--seconds N`, `--rate N` (records a second of the latency measurement).

use crate::Figures;
use counterseal::clock::UnixNanos;
use counterseal::decide::{Effect, Enforcement, Verdict};
use counterseal::ledger::{
    ActionId, Completed, ContextEntry, Decided, Ledger, Options, Outcome, Part, ResultEntry, ToolEntry,
};
use serde_json::json;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// As long as a flush or a close may take before the measurement is worthless.
const PATIENCE: Duration = Duration::from_secs(60);
/// Records of a burst into an idle spool: few enough to fit it.
const BURST: u64 = 4_000;
const BURSTS: usize = 41;

pub(crate) fn run(arguments: &[String]) -> Figures {
    let asked = Asked::parse(arguments)?;
    let alone = burst(&asked.home.join("burst"))?;
    let paced = paced(&asked.home.join("paced"), asked.rate)?;
    let home = asked.home.join("sustained");
    let (appended, took, slowest) = sustained(&home, asked.seconds)?;
    let (files, bytes) = sizes(&home)?;
    let per_second = appended as f64 / took.as_secs_f64();
    Ok(json!({
        "append_per_second": per_second,
        "bytes_per_record": bytes as f64 / appended as f64,
        "megabytes_per_second": bytes as f64 / took.as_secs_f64() / 1e6,
        "records": appended,
        "segments": files,
        "seconds": took.as_secs_f64(),
        "append_ns": alone,
        "saturated_append_ns": slowest,
        "paced_append_ns": paced,
        "paced_per_second": asked.rate,
    }))
}

struct Asked {
    home: PathBuf,
    seconds: u64,
    rate: u64,
}

impl Asked {
    fn parse(arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut asked = Self { home: PathBuf::from("ledger-bench"), seconds: 30, rate: 100_000 };
        for pair in arguments.chunks(2) {
            match pair {
                [name, value] if name == "--home" => asked.home = PathBuf::from(value),
                [name, value] if name == "--seconds" => asked.seconds = value.parse()?,
                [name, value] if name == "--rate" => asked.rate = value.parse()?,
                other => return Err(format!("unknown argument `{}`", other.join(" ")).into()),
            }
        }
        Ok(asked)
    }
}

/// Nanoseconds of one append into a spool with room: the median over bursts.
fn burst(home: &Path) -> Result<f64, Box<dyn Error>> {
    let ledger = Ledger::open(home, Options::default())?;
    let mut found = Vec::new();
    for round in 0..BURSTS as u64 {
        let before = Instant::now();
        for id in 0..BURST / 2 {
            pair(&ledger, round << 32 | id)?;
        }
        found.push(before.elapsed().as_secs_f64() * 1e9 / BURST as f64);
        let report = ledger.flush(PATIENCE);
        if report.pending > 0 {
            return Err("the ledger did not flush".into());
        }
    }
    ledger.close(PATIENCE)?;
    found.sort_by(f64::total_cmp);
    found.get(found.len() / 2).copied().ok_or_else(|| "no round was measured".into())
}

/// The latency of appends at a steady rate, in nanoseconds, the clock's own cost included.
fn paced(home: &Path, rate: u64) -> Figures {
    let ledger = Ledger::open(home, Options::default())?;
    let mut latencies = Vec::new();
    let start = Instant::now();
    let count = rate * 3;
    for id in 0..count / 2 {
        let due = start + Duration::from_nanos(id * 2_000_000_000 / rate.max(1));
        while Instant::now() < due {
            std::hint::spin_loop();
        }
        let before = Instant::now();
        pair(&ledger, id)?;
        latencies.push(before.elapsed().as_nanos() as u64 / 2);
    }
    ledger.close(PATIENCE)?;
    Ok(quantiles(&mut latencies))
}

/// How many records were appended and synced in `seconds` and the time until the last was on the disk.
fn sustained(home: &Path, seconds: u64) -> Result<(u64, Duration, serde_json::Value), Box<dyn Error>> {
    let ledger = Ledger::open(home, Options::default())?;
    let mut latencies = Vec::new();
    let mut id = 0;
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    loop {
        let before = Instant::now();
        if before >= end {
            break;
        }
        pair(&ledger, id)?;
        latencies.push(before.elapsed().as_nanos() as u64 / 2);
        for _ in 0..15 {
            id += 1;
            pair(&ledger, id)?;
        }
        id += 1;
    }
    let report = ledger.flush(PATIENCE);
    let took = start.elapsed();
    if report.pending > 0 || report.dropped > 0 {
        return Err(format!("records were left or lost: {report:?}").into());
    }
    ledger.close(PATIENCE)?;
    Ok((id * 2, took, quantiles(&mut latencies)))
}

fn quantiles(latencies: &mut [u64]) -> serde_json::Value {
    latencies.sort_unstable();
    let at = |part: f64| latencies.get((latencies.len() as f64 * part) as usize).copied();
    json!({"p50": at(0.5), "p99": at(0.99), "p999": at(0.999)})
}

/// The two records of one call, as small as a real one's: no payloads, no rules.
fn pair(ledger: &Ledger, id: u64) -> Result<(), counterseal::Error> {
    decided(ledger, id, None, &[])?;
    completed(ledger, id)
}

/// The record before a call.
pub(crate) fn decided(
    ledger: &Ledger,
    id: u64,
    call_id: Option<&str>,
    parts: &[Part<'_>],
) -> Result<(), counterseal::Error> {
    ledger.decided::<&str>(&Decided {
        action_id: action(id),
        time: time(id),
        call_id,
        digest: Some([5; 32]),
        tool: ToolEntry {
            source: "program",
            name: "issue_refund",
            digest: [6; 32],
            tags: &["payment"],
            risk: None,
            connector: None,
            action: None,
        },
        context: ContextEntry {
            agent: None,
            user: None,
            user_verified_by: None,
            session: "s-1",
            implicit: true,
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
    })
}

/// The record after it.
pub(crate) fn completed(ledger: &Ledger, id: u64) -> Result<(), counterseal::Error> {
    ledger.completed(&Completed {
        action_id: action(id),
        time: time(id),
        outcome: Outcome::Success,
        duration: 1_234,
        result: ResultEntry::Digest([8; 32], 120),
        cost: None,
        tokens: None,
        parts: &[],
    })
}

fn action(id: u64) -> ActionId {
    ActionId((u128::from(id) << 64 | 7).to_be_bytes())
}

const fn time(id: u64) -> UnixNanos {
    UnixNanos(1_790_000_000_000_000_000 + (id & 0xffff_ffff) as i64)
}

/// Segments of the home and their bytes.
fn sizes(home: &Path) -> Result<(u64, u64), Box<dyn Error>> {
    let (mut files, mut bytes) = (0, 0);
    for stream in std::fs::read_dir(home.join("streams"))? {
        for file in std::fs::read_dir(stream?.path())? {
            let file = file?;
            if file.file_name().to_str().is_some_and(|name| name.ends_with(".jsonl")) {
                files += 1;
                bytes += file.metadata()?.len();
            }
        }
    }
    Ok((files, bytes))
}
