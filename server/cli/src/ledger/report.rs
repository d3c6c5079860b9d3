//! `counterseal ledger report`: what was decided, and what only observing let through.

use crate::console::{Console, Tone};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home::HomeOption;
use crate::wording::counted;
use counterseal::decide::{Effect, Enforcement, Verdict};
use counterseal::ledger::ActionId;
use counterseal::ledger::read::{self, Filter};
use counterseal::ledger::record::typed::Decided;
use counterseal::ledger::record::{Kind, Record};
use counterseal::plain::Plain;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How many calls of a group are named.
const EXAMPLES: usize = 3;

/// Sum up what was decided, and what would have been stopped where a policy only observed
///
/// A policy or a rule in the mode `observe` lets every call run and records what it would
/// have said. This lists, by tool and rule, what it would have refused or asked people about.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  counterseal ledger report
  counterseal ledger report --session conv-1 --json")]
pub(crate) struct Report {
    #[command(flatten)]
    home: HomeOption,
    /// Only decisions on this tool
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Only decisions in this conversation
    #[arg(long, value_name = "ID")]
    session: Option<String>,
}

#[derive(Serialize, Default)]
struct Document {
    calls: u64,
    ran: u64,
    refused: u64,
    asked: u64,
    would_have: WouldHave,
    tools: Vec<Tool>,
}

#[derive(Serialize, Default)]
struct WouldHave {
    refused: u64,
    asked: u64,
    groups: Vec<Group>,
}

/// Calls of one tool that ran and would have been stopped for the same reason.
#[derive(Serialize)]
struct Group {
    tool: String,
    /// What would have become of them: `refused` or `asked`.
    effect: &'static str,
    decision: &'static str,
    reason_code: String,
    rules: Vec<String>,
    count: u64,
    examples: Vec<String>,
}

#[derive(Serialize)]
struct Tool {
    tool: String,
    calls: u64,
    ran: u64,
    refused: u64,
    asked: u64,
}

impl Report {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        let home = self.home.open()?;
        let filter = Filter { kinds: vec![Kind::Decided], tool: self.tool, session: self.session, ..Filter::default() };
        let mut tools: BTreeMap<String, Tool> = BTreeMap::new();
        let mut groups: BTreeMap<(String, &'static str, String, Vec<String>), Group> = BTreeMap::new();
        for entry in read::entries(&home, &filter, false)? {
            if let Record::Decided(record) = entry?.record {
                tally(&record, &mut tools);
                observed(&record, &mut groups);
            }
        }
        let document = summed(tools, groups);
        if console.json() {
            console.document(&document);
        } else {
            print(&document, console);
        }
        Ok(Exit::Fine)
    }
}

fn tally(record: &Decided, tools: &mut BTreeMap<String, Tool>) {
    let name = record.tool.qualified().into_owned();
    let of = tools.entry(name.clone()).or_insert(Tool { tool: name, calls: 0, ran: 0, refused: 0, asked: 0 });
    of.calls += 1;
    match record.effect {
        Effect::Run => of.ran += 1,
        Effect::Refused => of.refused += 1,
        Effect::Asked => of.asked += 1,
    }
}

/// Notes a call that ran because its policy or rule only observed.
fn observed(record: &Decided, groups: &mut BTreeMap<(String, &'static str, String, Vec<String>), Group>) {
    let ran = record.effect == Effect::Run && record.enforcement == Enforcement::Observe;
    if !ran || record.decision == Verdict::Allow {
        return;
    }
    let effect = Enforcement::Progressive.effect(record.decision).as_str();
    let key = (record.tool.qualified().into_owned(), effect, record.reason_code.clone(), record.rules.clone());
    let group = groups.entry(key).or_insert_with(|| Group {
        tool: record.tool.qualified().into_owned(),
        effect,
        decision: record.decision.as_str(),
        reason_code: record.reason_code.clone(),
        rules: record.rules.clone(),
        count: 0,
        examples: Vec::new(),
    });
    group.count += 1;
    if group.examples.len() < EXAMPLES {
        group.examples.push(ActionId(record.action_id.0).to_string());
    }
}

fn summed(
    tools: BTreeMap<String, Tool>,
    groups: BTreeMap<(String, &'static str, String, Vec<String>), Group>,
) -> Document {
    let mut document = Document { tools: tools.into_values().collect(), ..Document::default() };
    for tool in &document.tools {
        document.calls += tool.calls;
        document.ran += tool.ran;
        document.refused += tool.refused;
        document.asked += tool.asked;
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| Reverse(group.count));
    let of = |effect: &str| groups.iter().filter(|group| group.effect == effect).map(|group| group.count).sum();
    document.would_have = WouldHave { refused: of("refused"), asked: of("asked"), groups };
    document
}

fn print(document: &Document, console: &mut Console<'_>) {
    for tool in &document.tools {
        let Tool { tool, calls, ran, refused, asked } = tool;
        let calls = counted(*calls, "call");
        console.line(format_args!("{}: {calls}: {ran} ran, {refused} refused, {asked} asked about", Plain::line(tool)));
    }
    let would = &document.would_have;
    for group in &would.groups {
        let tone = if group.effect == "refused" { Tone::Bad } else { Tone::Warning };
        let tool = Plain::line(&group.tool).to_string();
        let head = match group.effect {
            "refused" => "would have been refused",
            _ => "would have been asked about",
        };
        let head = console.tone(tone, head);
        console.line(format_args!("{tool}: {head}: {}", counted(group.count, "call")));
        let by = if group.rules.is_empty() { group.reason_code.clone() } else { group.rules.join(", ") };
        console.line(format_args!("    by {}", Plain::line(&by)));
        console.line(format_args!("    such as {}", group.examples.join(", ")));
    }
    let Document { ran, refused, asked, .. } = document;
    let calls = counted(document.calls, "call");
    console.line(format_args!("{calls}: {ran} ran, {refused} refused, {asked} asked about"));
    if would.groups.is_empty() {
        console.line("nothing ran that would have been stopped but for the mode `observe`");
    } else {
        let WouldHave { refused, asked, .. } = would;
        console.line(format_args!(
            "but for the mode `observe`, {refused} more would have been refused and {asked} more asked about"
        ));
    }
}
