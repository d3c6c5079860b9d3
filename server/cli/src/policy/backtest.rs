//! `counterseal policy backtest`: what a policy would have said of the calls that were recorded.

use crate::console::{Console, Tone};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home::HomeOption;
use crate::wording::counted;
use counterseal::backtest::{self, Backtest as Report, Change};
use counterseal::plain::Plain;
use counterseal::{Error, policy};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

/// Decide the recorded calls of a home anew by a policy, and show what would change
///
/// Sessions and limits are lived through again in the order of the records. Calls that need
/// what was not recorded, such as redacted arguments, are told apart and never guessed.
/// Nothing in the home is changed. Exit code 0, whatever would change; 1: the policy or the
/// ledger has problems.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  counterseal policy backtest draft.yaml
  counterseal policy backtest draft.yaml --home /var/lib/my-agent --json
  counterseal policy backtest draft.yaml --enforcement block")]
pub(crate) struct Backtest {
    /// The policy in YAML or JSON; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    home: HomeOption,
    /// A mode that the program asks for; it can only tighten, unless the policy says `may_loosen`
    #[arg(long, value_name = "MODE", value_parser = ["observe", "step_up", "progressive", "block"])]
    enforcement: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    policy: &'a str,
    home: String,
    #[serde(flatten)]
    report: &'a Report,
}

impl Backtest {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        let (name, bytes) = super::read(&self.file, console)?;
        let policy =
            policy::load_bytes(&name, &bytes).map_err(|errors| Failure::Engine(Exit::NotFine, Error::from(errors)))?;
        let home = self.home.open()?;
        let directory = super::scratch()?;
        let enforcement = self.enforcement.as_deref().and_then(super::mode);
        let report = backtest::backtest(&Arc::new(policy), &home, enforcement, directory.path())?;
        if console.json() {
            let home = home.path().display().to_string();
            console.document(&Document { policy: &name, home, report: &report });
        } else {
            print(&report, console);
        }
        Ok(Exit::Fine)
    }
}

fn print(report: &Report, console: &mut Console<'_>) {
    for change in &report.changes {
        print_change(change, console);
    }
    for unknown in &report.unknown {
        let tool = Plain::line(&unknown.tool).to_string();
        let head = console.tone(Tone::Faint, "cannot be decided");
        console.line(format_args!("{tool}: {head}: {}", counted(unknown.count, "call")));
        console.line(format_args!("    {}", Plain::line(&unknown.why)));
        console.line(format_args!("    such as {}", unknown.examples.join(", ")));
    }
    for note in &report.notes {
        let head = console.tone(Tone::Warning, "note");
        console.line(format_args!("{head}: {}", Plain::line(note)));
    }
    let calls = counted(report.calls, "call");
    let Report { same, changed, undecidable, .. } = report;
    let uncaptured = match report.uncaptured {
        0 => String::new(),
        count => format!(", {count} without arguments that could be captured"),
    };
    let changed = console.tone(Tone::Strong, format_args!("{changed} would change"));
    console.line(format_args!("{calls}: {same} as recorded, {changed}, {undecidable} cannot be decided{uncaptured}"));
}

fn print_change(change: &Change, console: &mut Console<'_>) {
    let tone = match change.effect {
        "run" => Tone::Good,
        "refused" => Tone::Bad,
        _ => Tone::Warning,
    };
    let tool = Plain::line(&change.tool).to_string();
    let after = console.tone(tone, format_args!("{} ({})", change.after, change.effect));
    console.line(format_args!("{tool}: {} -> {after}: {}", change.before, counted(change.count, "call")));
    let rules: Vec<&str> = change.rules.iter().map(|rule| &**rule).collect();
    let by = if rules.is_empty() { change.reason_code.to_owned() } else { rules.join(", ") };
    let before = match change.rules_before.as_slice() {
        [] => String::new(),
        rules => format!(", before by {}", rules.join(", ")),
    };
    console.line(format_args!("    by {}{}", Plain::line(&by), Plain::line(&before)));
    console.line(format_args!("    such as {}", change.examples.join(", ")));
}
