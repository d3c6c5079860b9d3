//! `counterseal ledger show`: everything recorded of one call.

use super::entry;
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home::HomeOption;
use counterseal::ledger::{ActionId, read};
use serde::Serialize;

/// Show everything recorded of one call, with its arguments and result as far as they were kept
///
/// The action id is in `counterseal ledger tail`, in every decision, and in the error of a
/// refused call.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  counterseal ledger show 3f2a9c0e5b7d4811a0c6e2f4d9b81735
  counterseal ledger show 3f2a9c0e5b7d4811a0c6e2f4d9b81735 --json")]
pub(crate) struct Show {
    #[command(flatten)]
    home: HomeOption,
    /// The call's action id: 32 hex characters
    #[arg(value_name = "ACTION_ID", value_parser = super::action_id)]
    action_id: ActionId,
}

#[derive(Serialize)]
struct Document {
    action_id: String,
    records: Vec<entry::Document>,
}

impl Show {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        let home = self.home.open()?;
        let found = read::show(&home, self.action_id)?;
        if console.json() {
            let records = found.into_iter().map(entry::Document::from).collect();
            console.document(&Document { action_id: self.action_id.to_string(), records });
        } else {
            found.iter().for_each(|found| entry::print(found, console));
        }
        Ok(Exit::Fine)
    }
}
