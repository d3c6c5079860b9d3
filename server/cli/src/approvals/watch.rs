//! `counterseal approvals watch`: shows questions as they come, and asks for the answers on a terminal.

use super::typed::Typed;
use super::{answer, end_overdue, now, shown};
use crate::console::{Console, Tone};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home::HomeOption;
use counterseal::approval::store::Store;
use counterseal::approval::{Answer, Approval, ApprovalId, Consent, State};
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
        let end = self.seconds.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds.into())));
        let is_over = || end.is_some_and(|end| Instant::now() >= end);
        let mut typed = Typed::default();
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
                            let typed = (asks && !is_over()).then_some(&mut typed);
                            one(&store, &approval, typed, &is_over, console)?;
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
            if is_over() || console.is_lost() {
                return Ok(Exit::Fine);
            }
            std::thread::sleep(LOOK);
        }
    }
}

fn one(
    store: &Store,
    approval: &Approval,
    typed: Option<&mut Typed>,
    is_over: &impl Fn() -> bool,
    console: &mut Console<'_>,
) -> Result<(), Failure> {
    if console.json() {
        let document = shown::Document::of(store, approval, now());
        console.line(serde_json::to_string(&document).unwrap_or_default());
        return Ok(());
    }
    shown::print(store, approval, now(), console);
    console.flush();
    let Some(typed) = typed else { return Ok(()) };
    // one that cannot be read now may be answered all the same
    let is_open = || {
        store.read(approval.id()).map_or(true, |found| {
            found.is_some_and(|found| found.state() == State::Pending && found.due(now()).is_none())
        })
    };
    loop {
        let wanted = || !is_over() && is_open();
        let Some(said) = typed.word(console, "type `yes`, `no`, `no` and a reason, or `skip`: ", wanted) else {
            if !is_over() && !is_open() {
                let state = store.read(approval.id())?.map_or("taken away", |found| shown::state(&found, now()));
                console.line(format_args!("it is {state} meanwhile"));
                console.flush();
            }
            return Ok(());
        };
        let (word, rest) = said.split_once(' ').unwrap_or((&said, ""));
        let answer = match (word, rest.trim()) {
            ("yes", "") => Answer::Yes(Consent::default()),
            ("no", _) => Answer::No,
            ("skip", "") => return Ok(()),
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
