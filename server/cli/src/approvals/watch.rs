//! `counterseal approvals watch`: shows questions as they come, and asks for the answers on a terminal.

use super::{answer, end_overdue, now, shown};
use crate::console::{Console, Tone};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home::HomeOption;
use counterseal::approval::store::Store;
use counterseal::approval::{Answer, Approval, ApprovalId, Consent};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How often it looks.
const LOOK: Duration = Duration::from_millis(100);

/// Show calls that wait for an answer as they come; on a terminal, ask for the answer
///
/// Runs until it is interrupted. With `--json` each is one line.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  counterseal approvals watch
  counterseal approvals watch --seconds 60 --json")]
pub(crate) struct Watch {
    #[command(flatten)]
    home: HomeOption,
    /// End after so many seconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32))]
    seconds: Option<u32>,
}

impl Watch {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        let store = Store::new(&self.home.open()?);
        end_overdue(&store)?;
        let asks = console.can_ask() && !console.json();
        let began = Instant::now();
        let mut told: BTreeSet<ApprovalId> = BTreeSet::new();
        if !console.json() {
            let waiting = console.tone(Tone::Faint, "watching; interrupt to end");
            console.line(waiting);
        }
        loop {
            let ids = store.ids()?;
            told.retain(|id| ids.binary_search(id).is_ok());
            for id in ids {
                if told.contains(&id) {
                    continue;
                }
                match store.read(id) {
                    Ok(Some(approval)) => {
                        told.insert(id);
                        if shown::state(&approval, now()) == "pending" {
                            one(&store, &approval, asks, console)?;
                        }
                    }
                    // taken away just now
                    Ok(None) => {}
                    Err(error) => {
                        told.insert(id);
                        console.error(error.message());
                    }
                }
            }
            console.flush();
            let over = self.seconds.is_some_and(|seconds| began.elapsed() >= Duration::from_secs(seconds.into()));
            if over || console.is_lost() {
                return Ok(Exit::Fine);
            }
            std::thread::sleep(LOOK);
        }
    }
}

fn one(store: &Store, approval: &Approval, asks: bool, console: &mut Console<'_>) -> Result<(), Failure> {
    if console.json() {
        let document = shown::Document::of(store, approval, now());
        console.line(serde_json::to_string(&document).unwrap_or_default());
        return Ok(());
    }
    shown::print(store, approval, now(), console);
    console.flush();
    if !asks {
        return Ok(());
    }
    loop {
        let said = answer::word(console, "type `yes`, `no`, `no` and a reason, or `skip`: ");
        let (word, rest) = said.split_once(' ').unwrap_or((&said, ""));
        let answer = match (word, rest.trim()) {
            ("yes", "") => Answer::Yes(Consent::default()),
            ("no", _) => Answer::No,
            // the end of what can be read is no answer
            ("skip" | "", "") => return Ok(()),
            _ => continue,
        };
        match answer::say(store, approval, answer, Some(rest.trim().to_owned()), None) {
            Ok(answered) => answer::tell(&answered, console),
            // answered elsewhere meanwhile, expired, not entitled: said, and the next one is looked at
            Err(failure) => drop(failure.tell(console)),
        }
        console.flush();
        return Ok(());
    }
}
