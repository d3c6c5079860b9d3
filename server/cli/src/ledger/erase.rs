//! `counterseal ledger erase`: takes values out of the record for good, and says so in the record.

use crate::console::{Console, Tone};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home::HomeOption;
use crate::wording::counted;
use counterseal::clock::Clock;
use counterseal::ledger::erase::{self, ErasedReport, Erasure, Request, Selection};
use counterseal::ledger::{ActionId, Entropy, Home, Sink};
use counterseal::plain::Plain;
use serde::Serialize;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

/// Erase the arguments, results and notes of calls for good; the records stay and still verify
///
/// Who erased what and why becomes a record itself. Asks before it erases, unless `--yes` is
/// given. What dead processes left is taken over first, and running ones are waited for, at most
/// ten seconds, until they have written what they recorded so far.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  counterseal ledger erase --user u-7 --reason 'request of 2026-11-21' --by dpo@example.com
  counterseal ledger erase --action 3f2a9c0e5b7d4811a0c6e2f4d9b81735 --part arguments --reason 'wrong file' --by ops --yes")]
#[command(group(clap::ArgGroup::new("whose").required(true).args(["actions", "user", "session"])))]
pub(crate) struct Erase {
    #[command(flatten)]
    home: HomeOption,
    /// Of this call; can be given again
    #[arg(long = "action", value_name = "ID", value_parser = super::action_id)]
    actions: Vec<ActionId>,
    /// Of all calls on behalf of this user
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Of all calls in this conversation
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only this part; can be given again. Left out: all
    #[arg(long = "part", value_name = "PART", value_parser = ["arguments", "result", "annotations", "error", "note"])]
    parts: Vec<String>,
    /// Why; it is recorded
    #[arg(long, value_name = "TEXT", value_parser = said)]
    reason: String,
    /// By whom; it is recorded
    #[arg(long, value_name = "WHO", value_parser = said)]
    by: String,
    /// Where the checkpoint that seals the erasure is appended, besides the home
    #[arg(long, value_name = "FILE")]
    checkpoints: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    report: &'a ErasedReport,
    reason: &'a str,
    by: &'a str,
}

impl Erase {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        if !self.yes && !console.can_ask() {
            return Err(Failure::usage("erasing cannot be undone and nobody can be asked here; give `--yes` to erase"));
        }
        let home = self.home.open()?;
        let sink = self.checkpoints.map(|file| Sink::at(&file)).transpose()?;
        // what cannot be written must be known before anything is recorded or erased
        sink.as_ref().map_or(Ok(()), |sink| sink.check(&home))?;
        let request = Request {
            selection: Selection { actions: self.actions, user: self.user, session: self.session },
            parts: (!self.parts.is_empty()).then_some(self.parts),
            reason: self.reason,
            by: self.by,
        };
        let mut outside = |note: &str| sink.as_ref().map_or(Ok(()), |sink| sink.put(note));
        if !self.yes {
            erase::settle(&home, &Clock::System, erase::PATIENCE, &mut outside)?;
            if !agreed(&home, &request, console)? {
                return Err(Failure::usage("nothing was erased"));
            }
        }
        let report = erase::erase(&home, &request, &Clock::System, &mut Entropy::system(), &mut outside)?;
        if console.json() {
            console.document(&Document { report: &report, reason: &request.reason, by: &request.by });
        } else if report.payloads == 0 {
            console.line(format_args!("nothing was left to erase of {}", counted(report.actions.len(), "call")));
        } else {
            let erased = console.tone(Tone::Good, "erased");
            let payloads = counted(report.payloads, "payload");
            console.line(format_args!("{erased}: {payloads} of {}", counted(report.actions.len(), "call")));
        }
        Ok(Exit::Fine)
    }
}

/// Asks on standard error, so that standard output stays the answer alone. The home's lock is not held meanwhile.
fn agreed(home: &Home, request: &Request, console: &mut Console<'_>) -> Result<bool, Failure> {
    let found = Erasure::find(&home.lock()?, request)?;
    let what = format!("{} of {}", counted(found.payloads(), "payload"), counted(found.actions().len(), "call"));
    let place = home.path().display().to_string();
    console.error_text(&format!("erase {what} in `{}` for good? type `yes`: ", Plain::line(&place)));
    let mut answer = Vec::new();
    // an answer that cannot be read is none
    let _unread = BufReader::new(console.input().take(64)).read_until(b'\n', &mut answer);
    Ok(answer.trim_ascii() == b"yes")
}

fn said(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("it is empty, and it goes on record") } else { Ok(text.to_owned()) }
}
