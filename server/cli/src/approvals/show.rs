//! `counterseal approvals show`: one question, whole.

use super::{named, now, prefix, shown};
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home::HomeOption;
use counterseal::approval::store::Store;

/// Show what one call asks for: the tool, the arguments, why, on whose behalf, and who may say yes
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  counterseal approvals show 3f2a
  counterseal approvals show 3f2a9c0e5b7d4811a0c6e2f4d9b81735 --json")]
pub(crate) struct Show {
    #[command(flatten)]
    home: HomeOption,
    /// The approval's id, or the first few characters of it
    #[arg(value_name = "ID", value_parser = prefix)]
    id: String,
}

impl Show {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        let store = Store::new(&self.home.open()?);
        let approval = named(&store, &self.id)?;
        if console.json() {
            console.document(&shown::Document::of(&store, &approval, now()));
        } else {
            shown::print(&store, &approval, now(), console);
        }
        Ok(Exit::Fine)
    }
}
