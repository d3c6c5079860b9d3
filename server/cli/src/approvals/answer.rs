//! `counterseal approvals approve` and `deny`: an answer, recorded before it counts.

use super::{named, now, prefix, shown, who};
use crate::console::{Console, Tone};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home::HomeOption;
use counterseal::ErrorCode;
use counterseal::approval::store::Store;
use counterseal::approval::{Answer, Approval, Consent, Edit, Event, Grant, State};
use counterseal::clock::UnixNanos;
use counterseal::ledger::Sink;
use counterseal::ledger::record::scalar::Time;
use counterseal::plain::Plain;
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::PathBuf;
use std::sync::Arc;

/// Say yes: the call runs once, with the arguments shown
///
/// Shows the call and asks on a terminal, unless `--yes` is given. Recorded under the name of the
/// user that runs this command, by the operating system's word. With `--set` or `--patch` the call
/// runs with other arguments, if the policy allows those.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  counterseal approvals approve 3f2a
  counterseal approvals approve 3f2a --set amount=80 --note 'only the second item'
  counterseal approvals approve 3f2a --grant-count 5 --grant-when 'double(args.amount) < 200.0' --yes")]
pub(crate) struct Approve {
    #[command(flatten)]
    to: To,
    /// Run it with this argument instead; VALUE is JSON. Can be given again
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment, conflicts_with = "patch")]
    set: Vec<(String, Json)>,
    /// Run it with the arguments changed by this JSON Patch (RFC 6902)
    #[arg(long, value_name = "JSON", value_parser = patch)]
    patch: Option<Json>,
    /// Let this many like calls of the session run without asking
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), allow_negative_numbers = true)]
    grant_count: Option<u32>,
    /// Let like calls of the session run without asking for so many minutes
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..=525_600), allow_negative_numbers = true)]
    grant_minutes: Option<u32>,
    /// Which calls are alike: a condition on their arguments; left out, those with the same bound arguments
    #[arg(long, value_name = "CONDITION")]
    grant_when: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Say no: the call does not run, and the agent is told
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  counterseal approvals deny 3f2a
  counterseal approvals deny 3f2a --note 'ask for the order number first'")]
pub(crate) struct Deny {
    #[command(flatten)]
    to: To,
}

#[derive(Debug, clap::Args)]
pub(super) struct To {
    #[command(flatten)]
    home: HomeOption,
    /// The approval's id, or the first few characters of it
    #[arg(value_name = "ID", value_parser = prefix)]
    id: String,
    /// What to add: it is recorded, and with a no the agent is told
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Where the checkpoint that seals the answer's record is appended, besides the home
    #[arg(long, value_name = "FILE")]
    checkpoints: Option<PathBuf>,
}

impl Approve {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        let asks = !self.yes;
        if asks && !console.can_ask() {
            return Err(Failure::usage(
                "a yes lets the call run and nobody can be asked here; give `--yes` to approve",
            ));
        }
        if asks && console.json() {
            return Err(Failure::usage(
                "`--json` prints one document and does not show the call first; look at it with `counterseal approvals show`, then give `--yes`",
            ));
        }
        let set: Vec<String> = self.set.iter().map(|(name, _)| canonical(name)).collect();
        let (consent, to) = self.consent()?;
        let store = Store::new(&to.home.open()?);
        let approval = named(&store, &to.id)?;
        must_get(&approval, &set)?;
        must_be_usable(&approval, &consent)?;
        if asks && approval.state() == State::Pending {
            show_changes(&store, &approval, &consent, console);
            if word(console, "let it run? type `yes`: ").as_deref() != Some("yes") {
                console.error("nothing was answered");
                return Ok(Exit::NotDone);
            }
        }
        to.answer(&store, &approval, Answer::Yes(consent), console)
    }

    fn consent(self) -> Result<(Consent, To), Failure> {
        let patch = match self.patch {
            Some(patch) => Some(patch),
            None if self.set.is_empty() => None,
            None => Some(
                self.set
                    .into_iter()
                    .map(|(name, value)| json!({"op": "add", "path": pointer(&name), "value": value}))
                    .collect(),
            ),
        };
        let refused = |error: counterseal::Error| Failure::usage(error.message());
        let edit = patch.map(Edit::from_json).transpose().map_err(refused)?;
        let until = self
            .grant_minutes
            .map(|minutes| Time(UnixNanos(now().0.saturating_add(i64::from(minutes).saturating_mul(60_000_000_000)))));
        let granted = self.grant_count.is_some() || until.is_some();
        if self.grant_when.is_some() && !granted {
            return Err(Failure::usage(
                "`--grant-when` needs an end: give `--grant-count`, `--grant-minutes`, or both",
            ));
        }
        let grant = granted.then(|| Grant { when: self.grant_when.map(Arc::from), count: self.grant_count, until });
        if edit.is_some() && grant.as_ref().is_some_and(|grant| grant.when.is_none()) {
            return Err(Failure::usage(
                "like calls would run with the agent's own arguments, which are changed here; say with `--grant-when` which calls \
                 are granted, or leave the grant out",
            ));
        }
        let consent = Consent { edit, grant };
        consent.check().map_err(refused)?;
        Ok((consent, self.to))
    }
}

impl Deny {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        let store = Store::new(&self.to.home.open()?);
        let approval = named(&store, &self.to.id)?;
        self.to.answer(&store, &approval, Answer::No, console)
    }
}

impl To {
    fn answer(
        self,
        store: &Store,
        approval: &Approval,
        answer: Answer,
        console: &mut Console<'_>,
    ) -> Result<Exit, Failure> {
        let answered = say(store, approval, answer, self.note, self.checkpoints)?;
        if console.json() {
            console.document(&shown::Document::of(store, &answered, now()));
        } else {
            tell(&answered, console);
        }
        Ok(Exit::Fine)
    }
}

/// Answers, under the name of whoever runs the command.
pub(super) fn say(
    store: &Store,
    approval: &Approval,
    answer: Answer,
    note: Option<String>,
    checkpoints: Option<PathBuf>,
) -> Result<Approval, Failure> {
    let sink = checkpoints.map(|file| Sink::at(&file)).transpose()?;
    // what cannot be written must be known before anything is answered
    sink.as_ref().map_or(Ok(()), |sink| sink.check(store.home()))?;
    let mut outside = |note: &str| sink.as_ref().map_or(Ok(()), |sink| sink.put(note));
    let note = note.filter(|note| !note.trim().is_empty()).map(Arc::from);
    let locked = store.lock()?;
    let event = Event::Answered { time: Time(now()), by: who::person(), answer, note };
    Ok(locked.command(approval.id(), event, &mut outside)?)
}

/// What the answer came to.
pub(super) fn tell(approval: &Approval, console: &mut Console<'_>) {
    let tool = Plain::line(&approval.request().call.tool).to_string();
    let line = match approval.state() {
        State::Approved => format!("{}: `{tool}` may run once", console.tone(Tone::Good, "approved")),
        State::Denied => format!("{}: `{tool}` does not run", console.tone(Tone::Bad, "denied")),
        State::Pending => {
            let missing: u32 = approval.missing().into_iter().max().unwrap_or(0);
            format!("{}: `{tool}` needs {missing} more", console.tone(Tone::Warning, "noted"))
        }
        state => format!("`{tool}` is {}", state.as_str()),
    };
    console.line(line);
}

fn show_changes(store: &Store, approval: &Approval, consent: &Consent, console: &mut Console<'_>) {
    if !console.json() {
        shown::print(store, approval, now(), console);
        if let Some(edit) = &consent.edit {
            console.line(format_args!("  you change  {}", Plain::line(&edit.to_json().to_string())));
        }
        if let Some(grant) = &consent.grant {
            console.line(format_args!("  you grant   {}", Plain::line(&shown::granted(grant))));
        }
        console.flush();
    }
}

/// Asks on standard error, so that standard output stays the answer alone. What was typed before the question was there to be read
/// is no answer to it, and neither is one that cannot be read. `None` at the end of what can be.
pub(super) fn word(console: &mut Console<'_>, question: &str) -> Option<String> {
    forget_typed_ahead();
    console.error_text(question);
    let mut answer = Vec::new();
    let read = BufReader::with_capacity(1, console.input().take(4_096)).read_until(b'\n', &mut answer);
    read.is_ok_and(|read| read > 0).then(|| String::from_utf8_lossy(answer.trim_ascii()).into_owned())
}

/// Whoever typed before a question was there has not answered it.
pub(super) fn forget_typed_ahead() {
    let input = std::io::stdin();
    if input.is_terminal() {
        let _typed_ahead_or_not = rustix::termios::tcflush(&input, rustix::termios::QueueSelector::IFlush);
    }
}

/// Refuses what the question could not take, before anybody is asked to confirm it. One that has ended says so itself.
fn must_be_usable(approval: &Approval, consent: &Consent) -> Result<(), Failure> {
    let (by, answer) = (who::person(), Answer::Yes(consent.clone()));
    match approval.clone().apply(Event::Answered { time: Time(now()), by, answer, note: None }) {
        Err(error) if error.code() == ErrorCode::ApprovalInvalid => Err(error.into()),
        _ => Ok(()),
    }
}

/// Refuses the name of an argument that the call does not get. One that is not shown may be meant where that cannot be known.
fn must_get(approval: &Approval, names: &[String]) -> Result<(), Failure> {
    let request = approval.request();
    let all = request.arguments.as_ref().and_then(Json::as_object);
    if all.is_none() && request.hidden > 0 {
        return Ok(());
    }
    let gets = |name: &str| all.map_or_else(|| request.shown.contains_key(name), |all| all.contains_key(name));
    let Some(unknown) = names.iter().find(|name| !gets(name)) else { return Ok(()) };
    let quoted = |name: &String| format!("`{}`", Plain::line(name.strip_prefix('$').unwrap_or(name)));
    let mut listed = request.shown.keys().map(quoted).collect::<Vec<_>>().join(", ");
    match request.hidden {
        0 if listed.is_empty() => listed.push_str("none"),
        0 => {}
        hidden if listed.is_empty() => listed.push_str(&format!("{hidden} that are not shown")),
        hidden => listed.push_str(&format!(" and {hidden} that are not shown")),
    }
    let tool = Plain::line(&request.call.tool);
    Err(Failure::usage(format!(
        "`{tool}` gets no argument {}: it gets {listed}; nothing was answered",
        quoted(unknown)
    )))
}

fn pointer(name: &str) -> String {
    format!("/{}", canonical(name).replace('~', "~0").replace('/', "~1"))
}

/// A key as it stands in canonical form: one that begins with `$` has one more.
fn canonical(name: &str) -> String {
    if name.starts_with('$') { format!("${name}") } else { name.to_owned() }
}

fn assignment(text: &str) -> Result<(String, Json), String> {
    let named = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = named.ok_or("write NAME=VALUE, such as amount=80")?;
    let value = serde_json::from_str(value)
        .map_err(|error| format!("the value is no json ({error}); a text has quotes: {name}='\"text\"'"))?;
    Ok((name.to_owned(), value))
}

fn patch(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| {
        format!("it is no json ({error}); write a list such as [{{\"op\": \"replace\", \"path\": \"/amount\", \"value\": 80}}]")
    })
}
