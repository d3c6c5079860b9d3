//! `counterseal ledger tail`: the last records.

use super::entry;
use crate::console::{Console, Tone};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home::HomeOption;
use counterseal::decide::Verdict;
use counterseal::ledger::read::{self, Filter};
use counterseal::ledger::record::Kind;
use serde::Serialize;

/// Show the last records of all streams, merged by time
///
/// Reading trusts the files; whether they may be trusted is what `counterseal ledger verify`
/// says. With `--tool`, `--session` or `--decision` only decisions are shown.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  counterseal ledger tail
  counterseal ledger tail -n 100 --decision deny
  counterseal ledger tail --kind decided --tool issue_refund --payloads --json")]
pub(crate) struct Tail {
    #[command(flatten)]
    home: HomeOption,
    /// How many records
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    lines: u32,
    /// Only records of this kind, such as `decided`; can be given again
    #[arg(long = "kind", value_name = "KIND", value_parser = kind)]
    kinds: Vec<Kind>,
    /// Only decisions on this tool
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Only decisions in this conversation
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only decisions of this verdict: `allow`, `deny` or `require_approval`
    #[arg(long, value_name = "VERDICT", value_parser = verdict)]
    decision: Option<Verdict>,
    /// Also show arguments, results and the like, redacted as they were recorded
    #[arg(long)]
    payloads: bool,
}

#[derive(Serialize)]
struct Document {
    records: Vec<entry::Document>,
}

impl Tail {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        let home = self.home.open()?;
        let filter = Filter {
            kinds: self.kinds,
            tool: self.tool,
            session: self.session,
            decision: self.decision,
            ..Filter::default()
        };
        let count = usize::try_from(self.lines).unwrap_or(usize::MAX);
        let found = read::tail(&home, count, &filter, self.payloads)?;
        if console.json() {
            console.document(&Document { records: found.into_iter().map(entry::Document::from).collect() });
            return Ok(Exit::Fine);
        }
        if found.is_empty() {
            let nothing = console.tone(Tone::Faint, "no such record");
            console.line(nothing);
        }
        for found in &found {
            if self.payloads {
                entry::print(found, console);
            } else {
                let line = entry::line(found, console);
                console.line(line);
            }
            if console.is_lost() {
                break;
            }
        }
        Ok(Exit::Fine)
    }
}

fn kind(text: &str) -> Result<Kind, String> {
    Kind::parse(text.as_bytes()).ok_or_else(|| format!("one of {}", names(Kind::ALL.iter().map(|kind| kind.as_str()))))
}

fn verdict(text: &str) -> Result<Verdict, String> {
    let all = [Verdict::Allow, Verdict::RequireApproval, Verdict::Deny];
    let found = all.into_iter().find(|verdict| verdict.as_str() == text);
    found.ok_or_else(|| format!("one of {}", names(all.iter().map(|verdict| verdict.as_str()))))
}

fn names(all: impl Iterator<Item = &'static str>) -> String {
    all.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
