//! How fast a ledger is verified, plain and `--deep`, on one core: `--home DIR --calls N`, both ledgers written first.

use crate::Figures;
use crate::guarded::Guarded;
use crate::subject::STANDARD;
use counterseal::ledger::verify::{Options, verify};
use serde_json::json;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Verifications of each ledger; the first one also fills the page cache.
const ROUNDS: usize = 5;
/// Calls between two waits for the disk: few enough to fit the spool.
const STRIDE: u64 = 1_500;

pub(crate) fn run(arguments: &[String]) -> Figures {
    let [home_flag, home, calls_flag, calls] = arguments else {
        return Err("`verify` takes `--home DIR --calls N`".into());
    };
    if (home_flag.as_str(), calls_flag.as_str()) != ("--home", "--calls") {
        return Err("`verify` takes `--home DIR --calls N`".into());
    }
    let (home, calls) = (PathBuf::from(home), calls.parse()?);
    let bare = format!("{}\nrecord: {{args: digest, result: digest}}\n", without_record(STANDARD));
    let plain = measured(&home.join("plain"), &bare, calls, false)?;
    // every call has a payload here, and the sidecar is read with it
    let deep = measured(&home.join("deep"), STANDARD, calls / 5, true)?;
    Ok(json!({ "plain": plain, "deep": deep }))
}

/// The policy without its last section, which this bench writes anew.
fn without_record(policy: &str) -> String {
    policy.lines().filter(|line| !line.starts_with("record:")).collect::<Vec<_>>().join("\n")
}

fn measured(home: &Path, policy: &str, calls: u64, deep: bool) -> Figures {
    write(home, policy, calls)?;
    let options = Options { deep, ..Options::default() };
    let mut rates = Vec::new();
    let mut records = 0;
    for _ in 0..=ROUNDS {
        let before = Instant::now();
        let report = verify(home, &options)?;
        let seconds = before.elapsed().as_secs_f64();
        if let Some(problem) = report.problems.first() {
            return Err(format!("a ledger that nobody touched does not verify: {problem:?}").into());
        }
        records = report.records;
        rates.push(records as f64 / seconds);
    }
    rates.remove(0);
    rates.sort_by(f64::total_cmp);
    Ok(json!({
        "records": records,
        "records_per_second": rates.get(ROUNDS / 2),
        "bytes_per_record": bytes(home)? as f64 / records as f64,
    }))
}

fn write(home: &Path, policy: &str, calls: u64) -> Result<(), Box<dyn Error>> {
    let guarded = Guarded::start(policy, home)?;
    for call in 1..=calls {
        if !guarded.call() {
            return Err("the measured call was refused".into());
        }
        if call % STRIDE == 0 && !guarded.settle() {
            return Err("the ledger did not flush".into());
        }
    }
    guarded.close()
}

/// Bytes of all segments and sidecars.
fn bytes(home: &Path) -> Result<u64, Box<dyn Error>> {
    let mut bytes = 0;
    for stream in std::fs::read_dir(home.join("streams"))? {
        for file in std::fs::read_dir(stream?.path())? {
            let file = file?;
            if [".jsonl", ".side"].iter().any(|end| file.file_name().to_string_lossy().ends_with(end)) {
                bytes += file.metadata()?.len();
            }
        }
    }
    Ok(bytes)
}
