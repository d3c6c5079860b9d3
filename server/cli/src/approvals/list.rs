//! `counterseal approvals list`: what waits for an answer.

use super::{end_overdue, now, shown};
use crate::console::{Console, Tone};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home::HomeOption;
use counterseal::approval::store::Store;
use serde::Serialize;

/// List the calls that wait for an answer, the oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  counterseal approvals list
  counterseal approvals list --all --json")]
pub(crate) struct List {
    #[command(flatten)]
    home: HomeOption,
    /// Also those that have ended: they are kept for a week
    #[arg(long)]
    all: bool,
}

#[derive(Serialize)]
struct Document {
    approvals: Vec<shown::Document>,
    unreadable: Vec<String>,
}

impl List {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        let store = Store::new(&self.home.open()?);
        let now = now();
        let (mut found, mut unreadable) = (Vec::new(), Vec::new());
        if let Err(error) = end_overdue(&store) {
            unreadable.push(error.message().to_owned());
        }
        for id in store.ids()? {
            match store.read(id) {
                Ok(Some(approval)) if self.all || shown::matters(&approval, now) => found.push(approval),
                Ok(_) => {}
                Err(error) => unreadable.push(error.message().to_owned()),
            }
        }
        found.sort_by_key(|approval| (approval.request().time, approval.id()));
        let exit = if unreadable.is_empty() { Exit::Fine } else { Exit::NotFine };
        if console.json() {
            let approvals = found.iter().map(|approval| shown::Document::of(&store, approval, now)).collect();
            console.document(&Document { approvals, unreadable });
            return Ok(exit);
        }
        for approval in &found {
            let line = shown::line(approval, now, console);
            console.line(line);
        }
        if found.is_empty() {
            let nothing = if self.all { "nobody was asked anything this week" } else { "nothing waits for an answer" };
            let nothing = console.tone(Tone::Faint, nothing);
            console.line(nothing);
        }
        for trouble in &unreadable {
            console.error(trouble);
        }
        Ok(exit)
    }
}
