//! `counterseal approvals`: the calls that wait for people, and the people's answers.

mod answer;
mod list;
mod show;
mod shown;
mod typed;
mod watch;
mod who;

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use counterseal::Error;
use counterseal::approval::Approval;
use counterseal::approval::store::Store;
use counterseal::clock::{Clock, UnixNanos};

/// Look at the calls that wait for people, and answer them
#[derive(Debug, clap::Subcommand)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  counterseal approvals list
  counterseal approvals show 3f2a
  counterseal approvals approve 3f2a --note 'checked with the customer'
  counterseal approvals deny 3f2a --note 'ask for the order number first'
  counterseal approvals watch"
)]
pub(crate) enum Approvals {
    List(list::List),
    Show(show::Show),
    Approve(Box<answer::Approve>),
    Deny(answer::Deny),
    Watch(watch::Watch),
}

impl Approvals {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        match self {
            Self::List(list) => list.run(console),
            Self::Show(show) => show.run(console),
            Self::Approve(approve) => approve.run(console),
            Self::Deny(deny) => deny.run(console),
            Self::Watch(watch) => watch.run(console),
        }
    }
}

/// Ends what ran out while nobody was there to see it.
fn end_overdue(store: &Store) -> Result<(), Error> {
    let now = now();
    store.end_overdue(now, &mut |locked, ended| locked.record(ended, now, &mut |_| Ok(())))
}

fn now() -> UnixNanos {
    Clock::System.now()
}

/// The one approval whose id begins with `text`.
fn named(store: &Store, text: &str) -> Result<Approval, Failure> {
    Ok(store.find(store.named(text)?)?)
}

/// The beginning of an id, as people type it.
fn prefix(text: &str) -> Result<String, &'static str> {
    let hex = !text.is_empty() && text.len() <= 32 && text.bytes().all(|one| matches!(one, b'0'..=b'9' | b'a'..=b'f'));
    if hex {
        Ok(text.to_owned())
    } else {
        Err("an approval's id has 32 lower-case hex characters; its first few will do")
    }
}
