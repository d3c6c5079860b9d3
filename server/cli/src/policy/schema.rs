//! `counterseal policy schema`: the JSON Schema of the policy document.

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;

/// Print the JSON Schema of the policy document, for editors
///
/// It describes the document's shape; `policy check` finds more, such as rules that can never match.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  counterseal policy schema > counterseal.schema.json
  then begin a policy with
  # yaml-language-server: $schema=counterseal.schema.json")]
pub(crate) struct Schema {}

impl Schema {
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "every command has this face")]
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        console.document(&counterseal::policy::schema());
        Ok(Exit::Fine)
    }
}
