//! `counterseal ledger`: look at the record, prove it, and erase what must not stay in it.

mod entry;
mod erase;
mod report;
mod show;
mod tail;
mod verify;

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use counterseal::ledger::ActionId;

/// Verify, read, sum up and erase from the ledger of a home
#[derive(Debug, clap::Subcommand)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  counterseal ledger verify --deep
  counterseal ledger tail -n 20 --decision deny
  counterseal ledger show 3f2a9c0e5b7d4811a0c6e2f4d9b81735
  counterseal ledger report
  counterseal ledger erase --user u-7 --reason 'request of 2026-11-21' --by dpo@example.com"
)]
pub(crate) enum Ledger {
    Verify(verify::Verify),
    Tail(tail::Tail),
    Show(show::Show),
    Report(report::Report),
    Erase(erase::Erase),
}

impl Ledger {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        match self {
            Self::Verify(verify) => verify.run(console),
            Self::Tail(tail) => tail.run(console),
            Self::Show(show) => show.run(console),
            Self::Report(report) => report.run(console),
            Self::Erase(erase) => erase.run(console),
        }
    }
}

fn action_id(text: &str) -> Result<ActionId, &'static str> {
    text.parse().map_err(|_| "an action id has 32 lower-case hex characters; `counterseal ledger tail` shows them")
}
