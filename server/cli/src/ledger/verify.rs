//! `counterseal ledger verify`: proves that nothing in the record was changed, or names what was.

use crate::console::{Console, Tone};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home::HomeOption;
use crate::wording::counted;
use counterseal::ledger::note::VerifierKey;
use counterseal::ledger::verify::{self, Options, Report};
use counterseal::plain::Plain;
use serde::Serialize;
use std::path::PathBuf;

/// Prove that no record was changed, removed, moved or added, or name the first that was
///
/// Reads alone and locks nothing, so it can run beside the agents. Without `--key` or
/// `--checkpoints` the home's own word is taken for where the ledger began: whoever can
/// write the home could have written it anew.
/// Exit code 0: it verifies; 1: it does not; 3: there is no ledger, or a file given here
/// cannot be read.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  counterseal ledger verify
  counterseal ledger verify --deep --checkpoints /mnt/outside/checkpoints --key \"$(cat first.key)\"
  counterseal ledger verify --home backup/home --copy --json")]
pub(crate) struct Verify {
    #[command(flatten)]
    home: HomeOption,
    /// Also read the sidecars and every record as JSON against its schema
    #[arg(long)]
    deep: bool,
    /// Checkpoints held where whoever could change the home could not
    #[arg(long, value_name = "FILE")]
    checkpoints: Option<PathBuf>,
    /// The first key, as `counterseal init` printed it
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// The home is a copy made without its secret keys
    #[arg(long)]
    copy: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    ok: bool,
    path: String,
    #[serde(flatten)]
    report: &'a Report,
}

impl Verify {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        let first_key = self.key.as_deref().map(parse_key).transpose()?;
        let path = self.home.path()?;
        let options = Options { deep: self.deep, outside: self.checkpoints, first_key, copy: self.copy };
        let report = verify::verify(&path, &options)?;
        let exit = if report.holds() { Exit::Fine } else { Exit::NotFine };
        if console.json() {
            console.document(&Document { ok: report.holds(), path: path.display().to_string(), report: &report });
        } else {
            print(&report, console);
        }
        Ok(exit)
    }
}

fn parse_key(text: &str) -> Result<VerifierKey, Failure> {
    text.trim().parse().map_err(|_| {
        let form = "`counterseal/<32 hex>+<8 hex>+<base64>`, as `counterseal init` printed it";
        Failure::usage(format!("`{text}` is no value of `--key`: a first key is {form}"))
    })
}

fn print(report: &Report, console: &mut Console<'_>) {
    for problem in &report.problems {
        let code = console.tone(Tone::Bad, problem.code.as_str());
        let text = problem.to_string();
        let rest = text.strip_prefix(problem.code.as_str()).unwrap_or(&text);
        console.line(format_args!("{code}{}", Plain::line(rest)));
    }
    let listed = u64::try_from(report.problems.len()).unwrap_or(u64::MAX);
    if report.problems_found > listed {
        console.line(format_args!("and {} not shown", counted(report.problems_found - listed, "problem")));
    }
    for remark in &report.remarks {
        let note = console.tone(Tone::Warning, "note");
        console.line(format_args!("{note}: {}", Plain::line(remark)));
    }
    let verdict = if report.holds() {
        console.tone(Tone::Good, "the ledger verifies")
    } else {
        console.tone(Tone::Bad, "the ledger does not verify")
    };
    let doubtful = match report.doubtful {
        0 => String::new(),
        doubtful => format!("{doubtful} under a seal that does not hold, "),
    };
    console.line(format_args!(
        "{verdict}: {} in {} of {}, {} by {}, {doubtful}{} not sealed yet",
        counted(report.records, "record"),
        counted(report.segments, "segment"),
        counted(report.streams, "stream"),
        format_args!("{} sealed", report.sealed),
        counted(report.checkpoints, "checkpoint"),
        report.unsealed,
    ));
    if let (Some(payloads), Some(erased)) = (report.payloads, report.erased) {
        console.line(format_args!("{} verified, {erased} erased", counted(payloads, "payload")));
    }
    if report.pruned > 0 {
        console.line(format_args!("{} pruned", counted(report.pruned, "segment")));
    }
    match report.outside {
        Some(outside) => console.line(format_args!("compared with {} held outside", counted(outside, "checkpoint"))),
        None => console.line("not compared with any checkpoint held outside"),
    }
    if !report.holds() {
        console.line("keep these files as they are: they are the evidence; the first finding is where to look, a backup that verifies is what to go on with");
    }
}
