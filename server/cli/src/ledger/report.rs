//! `counterseal ledger report`: what was decided, and what only observing let through.

use crate::console::{Console, Tone};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home::HomeOption;
use crate::wording::counted;
use counterseal::decide::{Effect, Enforcement, ReasonCode, Verdict};
use counterseal::ledger::read::{self, Filter};
use counterseal::ledger::record::typed::{Decided, Policy};
use counterseal::ledger::record::{Kind, Record};
use counterseal::ledger::{ActionId, StreamId};
use counterseal::plain::Plain;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

/// How many calls of a group are named.
const EXAMPLES: usize = 3;

/// Sum up what was decided, and what would have been stopped where a policy only observed
///
/// A call runs or is refused, and people may have been asked about it before. A policy or a
/// rule in the mode `observe` lets every call run and records what it would have said. This
/// lists, by tool and rule, what it would have refused or asked people about in the mode that
/// was in force beside it, `progressive` where there was none.
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
    /// Those of them that people were asked about.
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

/// What is counted while the records are read.
#[derive(Default)]
struct Tally {
    tools: BTreeMap<String, Tool>,
    groups: BTreeMap<(String, &'static str, String, Vec<String>), Group>,
    /// The mode in force in each stream, by the policy's version.
    modes: HashMap<(StreamId, [u8; 32]), Enforcement>,
    /// Calls that people were asked about.
    asked: HashSet<[u8; 16]>,
    /// Calls decided on an approval, which may be another call's: a grant lets this one run without asking.
    on_approval: Vec<(String, [u8; 16])>,
}

impl Report {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        let home = self.home.open()?;
        let filter = Filter { kinds: vec![Kind::Policy, Kind::Approval, Kind::Decided], ..Filter::default() };
        let mut tally = Tally::default();
        for entry in read::entries(&home, &filter, false)? {
            let entry = entry?;
            match entry.record {
                Record::Policy(record) => tally.in_force(entry.stream, &record),
                Record::Approval(record) => {
                    tally.asked.insert(record.action_id.0);
                }
                Record::Decided(record) if self.wants(&record) => {
                    tally.decided(&record);
                    tally.observed(entry.stream, &record);
                }
                _ => {}
            }
        }
        let document = tally.summed();
        if console.json() {
            console.document(&document);
        } else {
            print(&document, console);
        }
        Ok(Exit::Fine)
    }

    fn wants(&self, record: &Decided) -> bool {
        self.tool.as_ref().is_none_or(|tool| *tool == record.tool.name)
            && self.session.as_ref().is_none_or(|session| *session == record.session)
    }
}

impl Tally {
    /// A policy that only observes is seen as if it did not say so.
    fn in_force(&mut self, stream: StreamId, record: &Policy) {
        let mode = match record.enforcement {
            Enforcement::Observe => Enforcement::default(),
            mode => mode,
        };
        self.modes.insert((stream, record.policy.0), mode);
    }

    fn decided(&mut self, record: &Decided) {
        let name = record.tool.qualified().into_owned();
        let of = self.tools.entry(name.clone()).or_insert_with(|| Tool {
            tool: name.clone(),
            calls: 0,
            ran: 0,
            refused: 0,
            asked: 0,
        });
        of.calls += 1;
        let code = ReasonCode::ALL.iter().find(|code| code.as_str() == record.reason_code);
        let waited = record.effect == Effect::Asked || code.is_some_and(|code| code.is_of_waiting());
        match record.effect {
            Effect::Run => of.ran += 1,
            Effect::Refused => of.refused += 1,
            Effect::Asked => {}
        }
        if waited {
            of.asked += 1;
        } else if record.approval.is_some() {
            self.on_approval.push((name, record.action_id.0));
        }
    }

    /// Notes a call that ran because its policy or rule only observed.
    fn observed(&mut self, stream: StreamId, record: &Decided) {
        let ran = record.effect == Effect::Run && record.enforcement == Enforcement::Observe;
        if !ran || record.decision == Verdict::Allow {
            return;
        }
        let mode = self.modes.get(&(stream, record.policy.0)).copied().unwrap_or_default();
        let effect = mode.effect(record.decision).as_str();
        let key = (record.tool.qualified().into_owned(), effect, record.reason_code.clone(), record.rules.clone());
        let group = self.groups.entry(key).or_insert_with(|| Group {
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

    fn summed(mut self) -> Document {
        for (name, action) in self.on_approval {
            if let (true, Some(tool)) = (self.asked.contains(&action), self.tools.get_mut(&name)) {
                tool.asked += 1;
            }
        }
        let mut document = Document { tools: self.tools.into_values().collect(), ..Document::default() };
        for tool in &document.tools {
            document.calls += tool.calls;
            document.ran += tool.ran;
            document.refused += tool.refused;
            document.asked += tool.asked;
        }
        let mut groups: Vec<Group> = self.groups.into_values().collect();
        groups.sort_by_key(|group| Reverse(group.count));
        let of = |effect: &str| groups.iter().filter(|group| group.effect == effect).map(|group| group.count).sum();
        document.would_have = WouldHave { refused: of("refused"), asked: of("asked"), groups };
        document
    }
}

fn print(document: &Document, console: &mut Console<'_>) {
    for tool in &document.tools {
        let Tool { tool, calls, ran, refused, asked } = tool;
        let calls = counted(*calls, "call");
        console.line(format_args!("{}: {calls}: {}", Plain::line(tool), outcomes(*ran, *refused, *asked)));
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
    console.line(format_args!("{calls}: {}", outcomes(*ran, *refused, *asked)));
    if would.groups.is_empty() {
        console.line("nothing ran that would have been stopped but for the mode `observe`");
    } else {
        let WouldHave { refused, asked, .. } = would;
        console.line(format_args!(
            "but for the mode `observe`, {refused} more would have been refused and {asked} more asked about"
        ));
    }
}

fn outcomes(ran: u64, refused: u64, asked: u64) -> String {
    format!("{ran} ran, {refused} refused; people were asked about {asked} of them")
}
