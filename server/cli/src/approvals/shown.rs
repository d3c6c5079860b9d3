//! An approval as people see it, and as programs read it.
//!
//! What a tool, a model or a user wrote is shown so that it cannot pass for anything else.

use crate::console::{Console, Tone};
use counterseal::approval::store::Store;
use counterseal::approval::{Answer, Approval, Approver, Consent, Edit, Grant, Person, Requirement, Shown, State};
use counterseal::clock::UnixNanos;
use counterseal::plain::{Plain, wrapped};
use serde::Serialize;
use std::collections::BTreeMap;

/// An approval, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    id: String,
    state: &'static str,
    waited_for: bool,
    tool: String,
    source: String,
    arguments: BTreeMap<String, Shown>,
    hidden: u32,
    reason: Option<String>,
    reason_code: String,
    agent: Option<String>,
    user: Option<Person>,
    session: String,
    run: Option<String>,
    call_id: Option<String>,
    action_id: String,
    asked: String,
    expires: String,
    requirements: Vec<Requirement>,
    missing: Vec<u32>,
    used: bool,
    grant: Option<Grant>,
    grant_used: u32,
    answers: Vec<Given>,
}

#[derive(Debug, Serialize)]
struct Given {
    by: Person,
    answer: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    edit: Option<Edit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<Grant>,
    note: Option<String>,
}

impl Document {
    pub(super) fn of(store: &Store, approval: &Approval, now: UnixNanos) -> Self {
        let request = approval.request();
        let text = |given: &std::sync::Arc<str>| given.to_string();
        let answers = approval.answers().map(|(by, answer, note)| {
            let (answer, consent) = match answer {
                Answer::Yes(consent) => ("yes", consent.clone()),
                Answer::No => ("no", Consent::default()),
            };
            Given { by: by.clone(), answer, edit: consent.edit, grant: consent.grant, note: note.map(text) }
        });
        Self {
            id: approval.id().to_string(),
            state: state(approval, now),
            waited_for: store.is_waited_for(approval),
            tool: text(&request.call.tool),
            source: text(&request.call.source),
            arguments: request.shown.clone(),
            hidden: request.hidden,
            reason: request.reason.as_ref().map(text),
            reason_code: text(&request.reason_code),
            agent: request.call.agent.as_ref().map(text),
            user: request.call.requester.clone(),
            session: text(&request.call.session),
            run: request.call.run.as_ref().map(text),
            call_id: request.call.call_id.as_ref().map(text),
            action_id: request.call.action_id.to_string(),
            asked: request.time.to_string(),
            expires: request.expires.to_string(),
            requirements: request.requirements.clone(),
            missing: approval.missing(),
            used: approval.is_claimed(),
            grant: approval.granted().map(|granted| granted.as_one()),
            grant_used: approval.used(),
            answers: answers.collect(),
        }
    }
}

/// Where it stands now: one whose time ran out is over, whether or not anybody noted that yet.
pub(super) fn state(approval: &Approval, now: UnixNanos) -> &'static str {
    if approval.due(now).is_some() { State::Expired.as_str() } else { approval.state().as_str() }
}

/// Whether it waits for an answer, or lets like calls run that are not asked about.
pub(super) fn matters(approval: &Approval, now: UnixNanos) -> bool {
    state(approval, now) == "pending" || approval.grant(now).is_some()
}

/// One line: the id's beginning, the state, the tool, the time left, and why it is asked.
pub(super) fn line(approval: &Approval, now: UnixNanos, console: &Console<'_>) -> String {
    let request = approval.request();
    let id = approval.id().to_string();
    let start: String = id.chars().take(8).collect();
    let state = state(approval, now);
    let tone = match state {
        "pending" => Tone::Warning,
        "approved" => Tone::Good,
        _ => Tone::Faint,
    };
    let when = if state == "pending" {
        format!("{} left", span(request.expires.0.0.saturating_sub(now.0)))
    } else if let Some(grant) = approval.grant(now) {
        let which = granted(&grant.as_one());
        format!("lets run {} ({} used)", Plain::line(&which), approval.used())
    } else {
        format!("asked {} ago", span(now.0.saturating_sub(request.time.0.0)))
    };
    let why = request.reason.as_deref().unwrap_or(&request.reason_code);
    let id = console.tone(Tone::Strong, start);
    format!("{id}  {}  {}  {when}  {}", console.tone(tone, state), Plain::line(&request.call.tool), Plain::line(why))
}

/// Everything that whoever answers has to know.
pub(super) fn print(store: &Store, approval: &Approval, now: UnixNanos, console: &mut Console<'_>) {
    let request = approval.request();
    let call = &request.call;
    let question = console.tone(Tone::Strong, wrapped("", &format!("May `{}` run?", call.tool)));
    console.line(question);
    row(console, "approval", &approval.id().to_string());
    let mut stands = state(approval, now).to_owned();
    match approval.state() {
        State::Pending if approval.due(now).is_none() => {
            stands.push_str(&format!(", {} left", span(request.expires.0.0.saturating_sub(now.0))));
            if !store.is_waited_for(approval) {
                stands.push_str("; nobody waits for it now, the next like call takes it up");
            }
        }
        State::Approved if approval.is_claimed() => stands.push_str(", and the call went on"),
        _ => {}
    }
    row(console, "state", &stands);
    row(console, "why asked", request.reason.as_deref().unwrap_or(&request.reason_code));
    if *call.source != *counterseal::call::PROGRAM_SOURCE {
        row(console, "from", &call.source);
    }
    if let Some(agent) = &call.agent {
        row(console, "agent", agent);
    }
    let on_behalf = call.requester.as_ref().map_or_else(|| "nobody named".to_owned(), person);
    row(console, "for", &on_behalf);
    let run = call.run.as_ref().map_or_else(String::new, |run| format!(", run {run}"));
    row(console, "session", &format!("{}{run}", call.session));
    row(console, "asked", &request.time.to_string());
    for (requirement, missing) in request.requirements.iter().zip(approval.missing()) {
        row(console, "needs", &needs(requirement, missing));
    }
    let warned =
        console.tone(Tone::Faint, "written by the agent or by what it read: do not take their word for anything");
    console.line(format_args!("  arguments   {warned}"));
    for (name, shown) in &request.shown {
        let end = if shown.bound { "" } else { "   (may be another when it runs)" };
        console.line(wrapped("    ", &format!("{name} = {}", shown.value)) + end);
    }
    if request.hidden > 0 {
        console.line(format_args!("    and {} not shown", request.hidden));
    }
    for (by, answer, note) in approval.answers() {
        let said = match answer {
            Answer::Yes(Consent { edit: Some(_), .. }) => "yes, changed",
            Answer::Yes(_) => "yes",
            Answer::No => "no",
        };
        let note = note.map_or_else(String::new, |note| format!(": {note}"));
        row(console, "answer", &format!("{said} by {}{note}", person(by)));
        if let Answer::Yes(Consent { edit: Some(edit), .. }) = answer {
            row(console, "change", &edit.to_json().to_string());
        }
        if let Some(grant) = answer.consent().and_then(|consent| consent.grant.as_ref()) {
            row(console, "grants", &granted(grant));
        }
    }
    if let Some(agreed) = approval.granted() {
        let state = match (agreed.lasts(approval.used(), now), approval.used()) {
            (true, 0) => "not used yet".to_owned(),
            (true, used) => format!("used {used} times"),
            (false, used) => format!("over, used {used} times"),
        };
        row(console, "granted", &format!("{} ({state})", granted(&agreed.as_one())));
        if agreed.is_for_same_arguments() && !agreed.conditions().is_empty() {
            row(console, "", "and with the same bound arguments");
        }
    }
}

/// Which calls a grant lets run.
pub(super) fn granted(grant: &Grant) -> String {
    let mut text = match grant.count {
        None => "like calls".to_owned(),
        Some(1) => "1 like call".to_owned(),
        Some(count) => format!("{count} like calls"),
    };
    if let Some(until) = grant.until {
        text.push_str(&format!(", until {until}"));
    }
    text.push_str(&match &grant.when {
        None => ", with the same bound arguments".to_owned(),
        Some(when) => format!(", where {when}"),
    });
    text
}

fn row(console: &mut Console<'_>, name: &str, text: &str) {
    console.line(wrapped(&format!("  {name:<11} "), text));
}

/// Who, and by whose word.
pub(super) fn person(of: &Person) -> String {
    match &of.verified_by {
        Some(by) => format!("{} (vouched for by {by})", of.id),
        None => format!("{} (nobody vouches for that name)", of.id),
    }
}

fn needs(requirement: &Requirement, missing: u32) -> String {
    let who: Vec<String> = requirement.approvers.iter().map(Approver::to_string).collect();
    let who = if who.is_empty() { "anybody".to_owned() } else { who.join(" or ") };
    let count = if requirement.quorum == 1 { "1 yes".to_owned() } else { format!("{} yeses", requirement.quorum) };
    let apart = if requirement.not_by_requester { ", not by whom the agent acts for" } else { "" };
    let left = if missing == 0 { "; met".to_owned() } else { String::new() };
    format!("{count} of {who}{apart} ({}){left}", requirement.rule)
}

/// A time span in its largest unit.
pub(super) fn span(nanos: i64) -> String {
    let seconds = nanos.max(0) / 1_000_000_000;
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
