//! A record of the ledger, as text for people and as JSON that keeps the record's exact line.

use crate::console::{Console, Tone};
use counterseal::ledger::read::{Entry, Payload};
use counterseal::plain::Plain;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// Members that say where a record stands in its chain, which only `verify` needs.
const CHAIN: &[&str] = &["v", "kind", "seq", "time", "prev", "payload", "hash"];

/// A record with its payloads, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    stream: String,
    segment: u32,
    record: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    payloads: BTreeMap<String, Part>,
}

#[derive(Debug, Serialize)]
struct Part {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
}

impl From<Entry> for Document {
    fn from(entry: Entry) -> Self {
        let payloads = entry.payloads.into_iter().map(|(part, payload)| {
            let (state, value) = match payload {
                Payload::Value(bytes) => ("kept", String::from_utf8(bytes).ok().and_then(raw)),
                Payload::Erased => ("erased", None),
                Payload::Missing => ("missing", None),
            };
            (part, Part { state, value })
        });
        let payloads = payloads.collect();
        Self { stream: entry.stream.to_string(), segment: entry.segment, record: raw(entry.text), payloads }
    }
}

fn raw(text: String) -> Option<Box<RawValue>> {
    RawValue::from_string(text).ok()
}

/// The members of a record in the order of its line, each as its exact JSON.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl Members {
    fn of(entry: &Entry) -> Self {
        serde_json::from_str(&entry.text).unwrap_or_else(|_| Self(Vec::new()))
    }

    /// A member's text: what is in a string, the JSON of anything else; empty where it is missing.
    fn text(&self, name: &str) -> String {
        self.0.iter().find(|(key, _)| key == name).map_or_else(String::new, |(_, value)| shown(value.get()))
    }
}

/// A JSON text for people: a string without its quotes, nothing that could steer a terminal.
fn shown(json: &str) -> String {
    let text: Option<String> = serde_json::from_str(json).ok();
    Plain::line(text.as_deref().unwrap_or(json)).to_string()
}

/// One line of `ledger tail`.
pub(crate) fn line(entry: &Entry, console: &Console<'_>) -> String {
    let members = Members::of(entry);
    let kind = members.text("kind");
    let time = members.text("time");
    let time = console.tone(Tone::Faint, shortened(&time));
    let rest = match kind.as_str() {
        "decided" => {
            let decision = decision(&members, console);
            let tool =
                members.0.iter().find(|(key, _)| key == "tool").map_or_else(String::new, |(_, tool)| named(tool));
            format!(
                "{decision}  {tool}  {}  {}  {}",
                members.text("reason_code"),
                listed(&members.text("rules")),
                members.text("action_id")
            )
        }
        "completed" => format!("{}  {}", outcome(&members, console), members.text("action_id")),
        _ => {
            let told = members.0.iter().filter(|(key, value)| !CHAIN.contains(&key.as_str()) && value.get() != "null");
            told.map(|(key, value)| format!("{key}={}", shown(value.get()))).collect::<Vec<_>>().join("  ")
        }
    };
    format!("{time}  {kind:<9}  {rest}")
}

/// A record of `ledger show`, member by member.
pub(crate) fn print(entry: &Entry, console: &mut Console<'_>) {
    let members = Members::of(entry);
    let head = console.tone(Tone::Strong, members.text("kind"));
    let place = console.tone(Tone::Faint, format_args!("record {} of stream {}", members.text("seq"), entry.stream));
    console.line(format_args!("{head}  {}  {place}", members.text("time")));
    for (key, value) in &members.0 {
        if !CHAIN.contains(&key.as_str()) && !matches!(value.get(), "null" | "[]") {
            let text = match key.as_str() {
                "decision" => decision(&members, console),
                "outcome" => outcome(&members, console),
                _ => shown(value.get()),
            };
            console.line(format_args!("  {:<16} {text}", Plain::line(key).to_string()));
        }
    }
    for (part, payload) in &entry.payloads {
        let text = match payload {
            Payload::Value(bytes) => Plain::line(&String::from_utf8_lossy(bytes)).to_string(),
            Payload::Erased => console.tone(Tone::Warning, "erased"),
            Payload::Missing => console.tone(Tone::Warning, "not kept, or missing from the sidecar"),
        };
        console.line(format_args!("  {:<16} {text}", Plain::line(part).to_string()));
    }
}

fn decision(members: &Members, console: &Console<'_>) -> String {
    let decision = members.text("decision");
    let tone = match members.text("effect").as_str() {
        "run" => Tone::Good,
        "refused" => Tone::Bad,
        _ => Tone::Warning,
    };
    console.tone(tone, format_args!("{decision:<16}"))
}

fn outcome(members: &Members, console: &Console<'_>) -> String {
    let outcome = members.text("outcome");
    let tone = if outcome == "success" { Tone::Good } else { Tone::Warning };
    console.tone(tone, format_args!("{outcome:<16}"))
}

fn named(tool: &RawValue) -> String {
    let tool: Option<Members> = serde_json::from_str(tool.get()).ok();
    let Some(tool) = tool else { return String::new() };
    match tool.text("source").as_str() {
        counterseal::call::PROGRAM_SOURCE | "" => tool.text("name"),
        source => format!("{source}/{}", tool.text("name")),
    }
}

fn listed(json: &str) -> String {
    let items: Vec<String> = serde_json::from_str(json).unwrap_or_default();
    Plain::line(&items.join(",")).to_string()
}

/// A time to the millisecond.
fn shortened(time: &str) -> String {
    time.get(..23).map_or_else(|| time.to_owned(), |short| format!("{short}Z"))
}
