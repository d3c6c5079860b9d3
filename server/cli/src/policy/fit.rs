//! `counterseal policy fit`: a policy to begin with, from what was recorded.

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home::HomeOption;
use crate::wording::counted;
use counterseal::call::Risk;
use counterseal::decide::Effect;
use counterseal::guard::SubAgents;
use counterseal::ledger::Home;
use counterseal::ledger::read::{self, Entry, Filter, Payload};
use counterseal::ledger::record::typed::Decided;
use counterseal::ledger::record::{Kind, Record};
use counterseal::plain::Plain;
use counterseal::{Error, ErrorCode, policy};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::Write as _;

/// The window of the proposed rate limits, in nanoseconds: an hour.
const WINDOW: i64 = 3_600_000_000_000;

/// How many tools a message names.
const FEW: usize = 5;

/// Propose a policy from what was recorded: the tightest that admits every call that ran
///
/// Its scope has the tools that ran and no other, each with the tags and the highest risk it
/// was recorded with, and its limits are the most that any session made of a tool in an hour,
/// with its sub-agents. It only observes until you say otherwise. Read it, fill in tags, and
/// test it. Exit code 1: tools ran that no policy can name, so that it does not admit them.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  counterseal policy fit > counterseal.yaml
  counterseal policy fit --home /var/lib/my-agent --json")]
pub(crate) struct Fit {
    #[command(flatten)]
    home: HomeOption,
}

#[derive(Serialize)]
struct Document {
    policy: String,
    calls: u64,
    tools: Vec<Tool>,
    /// Tools that ran and that no policy can name.
    unnamed: Vec<Unnamed>,
}

#[derive(Serialize)]
struct Unnamed {
    tool: String,
    calls: u64,
}

/// What is known of one tool.
#[derive(Debug, Default, Serialize)]
struct Tool {
    /// With its source where that is not the program.
    tool: String,
    calls: u64,
    /// At the top: a sub-agent's is its parent's.
    sessions: usize,
    /// The most calls that one session made within an hour.
    most_in_an_hour: usize,
    tags: BTreeSet<String>,
    risk: Option<Risk>,
    /// The greatest number that each argument had; null where it was no number.
    arguments: BTreeMap<String, Option<f64>>,
    /// When each session called it, as far as that counts.
    #[serde(skip)]
    recent: HashMap<String, VecDeque<i64>>,
}

impl Fit {
    pub(crate) fn run(self, console: &mut Console<'_>) -> Result<Exit, Failure> {
        let home = self.home.open()?;
        let sub_agents = sub_agents(&home)?;
        let filter = Filter { kinds: vec![Kind::Decided], ..Filter::default() };
        let mut tools: BTreeMap<String, Tool> = BTreeMap::new();
        for entry in read::entries(&home, &filter, true)? {
            let entry = entry?;
            if let Record::Decided(record) = &entry.record
                && record.effect == Effect::Run
            {
                let name = record.tool.qualified().into_owned();
                let tool = tools.entry(name.clone()).or_insert_with(|| Tool { tool: name, ..Tool::default() });
                tool.add(record, &entry, &sub_agents);
            }
        }
        let mut tools: Vec<Tool> = tools.into_values().collect();
        tools.iter_mut().for_each(|tool| tool.sessions = tool.recent.len());
        let calls = tools.iter().map(|tool| tool.calls).sum();
        if calls == 0 {
            let place = home.path().display();
            let message =
                format!("no call ran in the ledger of `{place}`; let the program run in mode `observe` first");
            return Err(Error::new(ErrorCode::LedgerNotFound, message).with("path", place).into());
        }
        let (usable, others): (Vec<Tool>, Vec<Tool>) = tools.into_iter().partition(|tool| can_be_named(&tool.tool));
        if usable.is_empty() {
            let message = format!(
                "no policy can name any tool that ran: {}; give the tools names without spaces, `*` and `?`, of at most 256 bytes, and let the program run again",
                listed(&others)
            );
            return Err(Failure::Engine(Exit::NotDone, Error::new(ErrorCode::ToolInvalid, message)));
        }
        let policy = proposed(&usable, &others, sub_agents.is_lost());
        policy::load("the proposed policy", &policy)
            .map_err(|errors| Failure::Engine(Exit::NotDone, Error::from(errors)))?;
        let left = others.iter().map(|tool| tool.calls).sum::<u64>();
        let warning = (left > 0).then(|| {
            let (calls, kinds) = (counted(left, "call"), counted(others.len(), "tool"));
            format!("the policy does not admit {calls} of {kinds} that no policy can name: {}", listed(&others))
        });
        if console.json() {
            let unnamed = others.into_iter().map(|tool| Unnamed { tool: tool.tool, calls: tool.calls }).collect();
            console.document(&Document { policy, calls, tools: usable, unnamed });
        } else {
            console.text(&policy);
        }
        let Some(warning) = warning else { return Ok(Exit::Fine) };
        console.error(&warning);
        Ok(Exit::NotFine)
    }
}

/// Whose sub-agents' the sessions are: limits of a session count with those of the one at the top.
fn sub_agents(home: &Home) -> Result<SubAgents, Error> {
    let filter = Filter { kinds: vec![Kind::Control], ..Filter::default() };
    let mut found = SubAgents::default();
    for entry in read::entries(home, &filter, true)? {
        let entry = entry?;
        if let Record::Control(record) = &entry.record {
            let note = entry.payloads.iter().find(|(part, _)| part == "note").map(|(_, payload)| payload);
            found.control(record, note);
        }
    }
    Ok(found)
}

/// The names of a few tools.
fn listed(tools: &[Tool]) -> String {
    let names: Vec<String> = tools.iter().take(FEW).map(|tool| format!("`{}`", Plain::line(&tool.tool))).collect();
    let more = match tools.len().saturating_sub(FEW) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", names.join(", "))
}

impl Tool {
    fn add(&mut self, record: &Decided, entry: &Entry, sub_agents: &SubAgents) {
        self.calls += 1;
        self.tags.extend(record.tags.iter().cloned());
        self.risk = self.risk.max(record.risk);
        for session in sub_agents.tops(&record.session) {
            let recent = self.recent.entry(session.to_owned()).or_default();
            let now = record.time.0.0;
            recent.push_back(now);
            while recent.front().is_some_and(|first| now.saturating_sub(*first) >= WINDOW) {
                recent.pop_front();
            }
            self.most_in_an_hour = self.most_in_an_hour.max(recent.len());
        }
        let arguments = entry.payloads.iter().find(|(part, _)| part == "arguments");
        let Some((_, Payload::Value(bytes))) = arguments else { return };
        let Ok(serde_json::Value::Object(members)) = serde_json::from_slice(bytes) else { return };
        for (name, value) in members {
            let greatest = self.arguments.entry(name).or_insert(None);
            if let Some(number) = value.as_f64() {
                *greatest = Some(greatest.map_or(number, |so_far| so_far.max(number)));
            }
        }
    }
}

/// The policy as text, with what it was made from as comments.
fn proposed(usable: &[Tool], others: &[Tool], lost: bool) -> String {
    let mut text = String::new();
    let of = |tools: &[Tool]| {
        let calls = tools.iter().map(|tool| tool.calls).sum::<u64>();
        (counted(calls, "call"), counted(tools.len(), "tool"))
    };
    let (all, kinds) = of(usable);
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    line(&format!("# proposed from {all} of {kinds} that ran; what did not happen is not in it, good or bad"));
    if !others.is_empty() {
        let (left, kinds) = of(others);
        line(&format!("# it does not admit {left} of {kinds} that ran too: no policy can name them"));
    }
    if lost {
        line(
            "# a record of whose sub-agent a session is was erased: its calls are counted as those of a session of its own",
        );
    }
    line("version: 1");
    line("name: fitted");
    line("# it stops nothing yet: `counterseal ledger report` shows what it would have stopped; then remove this line");
    line("enforcement: observe");
    line("# every other tool is denied");
    line("scope:");
    for tool in usable {
        line(&format!("  - {}", quoted(&tool.tool)));
    }
    for tool in others {
        line(&format!("  # no policy can name {}", Plain::line(&tool.tool)));
    }
    line(
        "# fill in tags, so that rules can speak of many tools: untrusted (others write what it reads), private, external (it sends",
    );
    line("# something out), payment; and the risk: low, medium, high");
    line("tools:");
    for tool in usable {
        let tags: Vec<String> = tool.tags.iter().map(|tag| quoted(tag)).collect();
        let risk = tool.risk.map_or_else(String::new, |risk| format!(", risk: {}", risk.as_str()));
        line(&format!("  # {}", described(tool)));
        line(&format!("  {}: {{tags: [{}]{risk}}}", quoted(&tool.tool), tags.join(", ")));
    }
    line("# the most that any session made of each within an hour, with its sub-agents");
    line("rate_limits:");
    let mut ids = BTreeSet::new();
    for tool in usable {
        let id = id_of(&tool.tool, &mut ids);
        let (name, most) = (quoted(&tool.tool), tool.most_in_an_hour);
        line(&format!("  - {{id: {id}, tools: [{name}], per: session, calls: {most}, window: 1h}}"));
    }
    text
}

fn described(tool: &Tool) -> String {
    let mut text = format!("{} in {}", counted(tool.calls, "call"), counted(tool.sessions, "session"));
    for (place, (name, greatest)) in tool.arguments.iter().enumerate() {
        text.push_str(if place == 0 { "; " } else { ", " });
        let _infallible = write!(text, "args.{}", Plain::line(name));
        if let Some(greatest) = greatest {
            let _infallible = write!(text, " at most {greatest}");
        }
    }
    text
}

/// Whether a policy can name the tool: it loads one that does.
fn can_be_named(tool: &str) -> bool {
    let name = quoted(tool);
    policy::load("one tool", &format!("version: 1\nscope: [{name}]\ntools: {{{name}: {{}}}}\n")).is_ok()
}

/// As a YAML text in double quotes, which JSON's are.
fn quoted(text: &str) -> String {
    let plain = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !matches!(text, "true" | "false" | "null");
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// An id that no other limit has.
fn id_of(tool: &str, taken: &mut BTreeSet<String>) -> String {
    let fits = |byte: char| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { '-' };
    let stem: String = tool.chars().map(fits).take(48).collect();
    let stem = format!("rate-{}", stem.trim_matches('-'));
    let numbered = (2..).map(|number: u32| format!("{stem}-{number}"));
    let id = std::iter::once(stem.clone()).chain(numbered).find(|id| !taken.contains(id)).unwrap_or(stem);
    taken.insert(id.clone());
    id
}
