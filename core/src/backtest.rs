//! What a policy would have said of the calls that a ledger holds.

use crate::call::ToolSpec;
use crate::clock::{Clock, UnixNanos};
use crate::decide::{Decision, Effect, Enforcement, Layer, Layers, Options, ReasonCode};
use crate::error::Error;
use crate::guard::{Config, Guard, Hindsight, Recorded, Tool, Undecidable};
use crate::ledger::read::{self, Entry, Filter, Payload};
use crate::ledger::record::typed::{self, ApprovalState, Decided};
use crate::ledger::record::{Kind, Record};
use crate::ledger::{self, Home, StreamId};
use crate::policy::Policy;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// How many calls of a group are named.
const EXAMPLES: usize = 3;

/// What a policy would have said of a ledger's calls.
#[derive(Debug, Default, Serialize)]
pub struct Backtest {
    /// Decided calls in the ledger.
    pub calls: u64,
    /// Of them, those that it decides as they were decided.
    pub same: u64,
    /// Those that it decides otherwise.
    pub changed: u64,
    /// Those that cannot be decided from what was recorded.
    pub undecidable: u64,
    /// Those whose arguments could not be captured at the time, which no policy decides.
    pub uncaptured: u64,
    /// The changes, the most frequent first.
    pub changes: Vec<Change>,
    /// What cannot be decided, the most frequent first.
    pub unknown: Vec<Unknown>,
    /// What the record does not hold and the policy counts.
    pub notes: Vec<String>,
}

/// Calls of one tool that are decided otherwise in the same way.
#[derive(Debug, Serialize)]
pub struct Change {
    /// The tool, with its source where that is not the program.
    pub tool: String,
    /// What was decided.
    pub before: &'static str,
    /// What would be.
    pub after: &'static str,
    /// What would become of the call: `run`, `refused` or `asked`.
    pub effect: &'static str,
    /// Why, as a stable code.
    pub reason_code: &'static str,
    /// The rules and limits that would decide.
    pub rules: Vec<Arc<str>>,
    /// The rules and limits that decided.
    pub rules_before: Vec<String>,
    /// How many calls.
    pub count: u64,
    /// Some of them, by action id.
    pub examples: Vec<String>,
}

/// Calls of one tool that cannot be decided for the same reason.
#[derive(Debug, Serialize)]
pub struct Unknown {
    /// The tool, with its source where that is not the program.
    pub tool: String,
    /// What is missing: `arguments`, `said`, `known`, `marks`, `limits`, `tags`, or `tool` where the tool does not fit the policy.
    pub missing: &'static str,
    /// Why, for people.
    pub why: String,
    /// How many calls.
    pub count: u64,
    /// Some of them, by action id.
    pub examples: Vec<String>,
}

/// Decides the calls of the ledger in `home` anew by `policy`, as a program does that asks for the mode `enforcement`; without one, in
/// the mode that held where `policy` itself was in force, else in its own. `directory` is an empty directory for a home that is only
/// used for this.
///
/// # Errors
/// The ledger cannot be read, or the directory not be used.
pub fn backtest(
    policy: &Arc<Policy>,
    home: &Home,
    enforcement: Option<Enforcement>,
    directory: &Path,
) -> Result<Backtest, Error> {
    let layer = Layer { name: Arc::from("local"), policy: Arc::clone(policy) };
    let guard = Guard::start(Config {
        layers: Layers::new(vec![layer], Options { enforcement, ..Options::default() })?,
        home: directory.join("home"),
        agent: None,
        clock: Clock::manual(UnixNanos(0)),
        previous: None,
        observer: None,
        asks: false,
        ledger: ledger::Options::default(),
    })?;
    let mut test = Test {
        policy: Arc::clone(policy),
        asked_mode: enforcement,
        modes: HashMap::new(),
        other_modes: BTreeSet::new(),
        refused: refused_by_people(home)?,
        told: HashSet::new(),
        tools: HashMap::new(),
        past: Hindsight::new(Arc::clone(&guard)),
        guard,
        found: Backtest::default(),
        changes: BTreeMap::new(),
        unknown: BTreeMap::new(),
    };
    let kinds = vec![Kind::Policy, Kind::Approval, Kind::Decided, Kind::Completed, Kind::Control];
    let filter = Filter { kinds, ..Filter::default() };
    for entry in read::entries(home, &filter, true)? {
        test.entry(entry?)?;
    }
    Ok(test.report())
}

/// The calls whose record tells what people made of it, but was decided when they were asked: what held then may be over.
fn refused_by_people(home: &Home) -> Result<HashMap<[u8; 16], Entry>, Error> {
    let filter = Filter { kinds: vec![Kind::Decided], ..Filter::default() };
    let mut found = HashMap::new();
    for entry in read::entries(home, &filter, true)? {
        let entry = entry?;
        if let Record::Decided(record) = &entry.record
            && record.approval.is_some()
            && record.effect == Effect::Refused
            && ReasonCode::ALL.iter().any(|code| code.as_str() == record.reason_code && code.is_of_waiting())
        {
            found.insert(record.action_id.0, entry);
        }
    }
    Ok(found)
}

/// What tells one way of declaring a tool from another; the last is what a call of it was expected to cost.
type Declared = (String, String, Vec<String>, Option<crate::call::Risk>, Option<String>, Option<String>, Option<i64>);

/// What tells one change from another: tool, before, after, effect, rules after and before.
type ChangeKey = (String, &'static str, &'static str, &'static str, Vec<Arc<str>>, Vec<String>);

struct Test {
    policy: Arc<Policy>,
    /// The mode that the program is said to ask for.
    asked_mode: Option<Enforcement>,
    /// The mode that the program of a stream asked for, where this very policy is in force there.
    modes: HashMap<StreamId, Option<Enforcement>>,
    /// Modes that held and that the program may have asked for, where that cannot be told from the records.
    other_modes: BTreeSet<Enforcement>,
    /// Calls that people did not let run, until they were asked about.
    refused: HashMap<[u8; 16], Entry>,
    /// Those that were asked about.
    told: HashSet<[u8; 16]>,
    guard: Arc<Guard>,
    tools: HashMap<Declared, Result<Arc<Tool>, Error>>,
    past: Hindsight,
    found: Backtest,
    changes: BTreeMap<ChangeKey, Change>,
    unknown: BTreeMap<(String, &'static str), Unknown>,
}

impl Test {
    fn entry(&mut self, entry: Entry) -> Result<(), Error> {
        match &entry.record {
            Record::Policy(record) => {
                self.in_force(entry.stream, record);
                Ok(())
            }
            Record::Approval(record) if record.state == ApprovalState::Pending => {
                let Some(refused) = self.refused.remove(&record.action_id.0) else { return Ok(()) };
                self.told.insert(record.action_id.0);
                self.decided(&refused, record.time.0)
            }
            Record::Decided(record) if self.told.remove(&record.action_id.0) => Ok(()),
            Record::Decided(record) => self.decided(&entry, record.time.0),
            Record::Completed(record) => {
                self.past.completed(record, part(&entry, "result"));
                Ok(())
            }
            Record::Control(record) => self.past.control(record, part(&entry, "note")),
            _ => Ok(()),
        }
    }

    /// Notes in which mode the decisions of a stream are made from now on.
    fn in_force(&mut self, stream: StreamId, record: &typed::Policy) {
        let own = self.policy.enforcement;
        let is_this = record.policy.0 == self.policy.version;
        // a policy's own mode can only have been tightened by what the program asks for, which holds for every rule
        let asked = (is_this && self.asked_mode.is_none() && record.enforcement > own).then_some(record.enforcement);
        self.modes.insert(stream, asked);
        let may_be_asked = record.enforcement != own && record.enforcement != Enforcement::default();
        let unknown = if is_this { record.enforcement < own } else { may_be_asked };
        if unknown && self.asked_mode.is_none() {
            self.other_modes.insert(record.enforcement);
        }
    }

    fn decided(&mut self, entry: &Entry, at: UnixNanos) -> Result<(), Error> {
        let Record::Decided(record) = &entry.record else { return Ok(()) };
        self.found.calls += 1;
        if record.digest.is_none() {
            self.found.uncaptured += 1;
            return Ok(());
        }
        let strange =
            self.policy.tags.as_ref().and_then(|tags| record.tags.iter().find(|tag| !tags.contains(tag.as_str())));
        let tool = match self.tool(record) {
            Ok(tool) => tool,
            Err(error) => {
                self.unknown(record, "tool", error.message().to_owned());
                return Ok(());
            }
        };
        let second = self.past.decided(
            &tool,
            &Recorded {
                record,
                arguments: part(entry, "arguments"),
                at,
                enforcement: self.modes.get(&entry.stream).copied().flatten(),
                // what it was asked about with is not what it then had
                undecidable: match strange {
                    Some(_) => Some(Undecidable::Tags),
                    None => (record.reason_code == ReasonCode::CallChanged.as_str()).then_some(Undecidable::Arguments),
                },
            },
        )?;
        if let (Some(Undecidable::Tags), Some(tag)) = (second.undecidable, strange) {
            let why = Undecidable::Tags.describe();
            self.unknown(record, Undecidable::Tags.as_str(), format!("{why}: `{tag}`"));
        } else if let Some(why) = second.undecidable {
            self.unknown(record, why.as_str(), why.describe().to_owned());
        } else if is_same(record, &second.decision) {
            self.found.same += 1;
        } else {
            self.changed(record, &second.decision);
        }
        Ok(())
    }

    /// The tool as the record describes it. Whose word its tags are is not recorded: they count as the code's, which can select no
    /// rule that allows. Those that the policy does not have no rule of it can ask for.
    fn tool(&mut self, record: &Decided) -> Result<Arc<Tool>, Error> {
        let known = |tag: &&String| self.policy.tags.as_ref().is_none_or(|tags| tags.contains(tag.as_str()));
        let tags: Vec<String> = record.tags.iter().filter(known).cloned().collect();
        let of = &record.tool;
        let key = (
            of.source.clone(),
            of.name.clone(),
            tags.clone(),
            record.risk,
            record.connector.clone(),
            record.action.clone(),
            record.estimated_cost,
        );
        let guard = &self.guard;
        let made = self.tools.entry(key).or_insert_with(|| {
            guard.tool(ToolSpec {
                name: of.name.clone(),
                source: of.source.clone(),
                tags,
                risk: record.risk,
                connector: record.connector.clone(),
                action: record.action.clone(),
                cost_micro_usd: record.estimated_cost,
                ..ToolSpec::default()
            })
        });
        made.clone()
    }

    fn changed(&mut self, record: &Decided, decision: &Decision) {
        self.found.changed += 1;
        let (tool, before, after) =
            (record.tool.qualified().into_owned(), record.decision.as_str(), decision.verdict.as_str());
        let effect = decision.effect.as_str();
        let key = (tool.clone(), before, after, effect, decision.rules.to_vec(), record.rules.clone());
        let change = self.changes.entry(key).or_insert_with(|| Change {
            tool,
            before,
            after,
            effect,
            reason_code: decision.reason_code.as_str(),
            rules: decision.rules.to_vec(),
            rules_before: record.rules.clone(),
            count: 0,
            examples: Vec::new(),
        });
        change.count += 1;
        if change.examples.len() < EXAMPLES {
            change.examples.push(ledger::ActionId(record.action_id.0).to_string());
        }
    }

    fn unknown(&mut self, record: &Decided, missing: &'static str, why: String) {
        self.found.undecidable += 1;
        let tool = record.tool.qualified().into_owned();
        let unknown = self.unknown.entry((tool.clone(), missing)).or_insert_with(|| Unknown {
            tool,
            missing,
            why,
            count: 0,
            examples: Vec::new(),
        });
        unknown.count += 1;
        if unknown.examples.len() < EXAMPLES {
            unknown.examples.push(ledger::ActionId(record.action_id.0).to_string());
        }
    }

    fn report(self) -> Backtest {
        let mut found = self.found;
        found.changes = self.changes.into_values().collect();
        found.changes.sort_by_key(|change| std::cmp::Reverse(change.count));
        found.unknown = self.unknown.into_values().collect();
        found.unknown.sort_by_key(|unknown| std::cmp::Reverse(unknown.count));
        let of_models = self.policy.limits.iter().filter(|limit| limit.measure.counts_models());
        found.notes = of_models
            .map(|limit| {
                format!("the budget `{}` counts what models took, which the ledger does not hold: it is asked of calls alone", limit.id())
            })
            .collect();
        if self.past.sub_agents().is_lost() {
            let note = "a record of whose sub-agent a session is was erased: that session is taken for one of its own";
            found.notes.push(note.to_owned());
        }
        found.notes.extend(self.other_modes.iter().map(|mode| {
            let (was, own) = (mode.as_str(), self.policy.enforcement.as_str());
            format!(
                "calls were recorded in the mode `{was}`; whether their policy or the program asked for it is not in the ledger. Here they are decided in the mode `{own}` of this policy: with `--enforcement {was}`, as in a program that asks for `{was}`"
            )
        }));
        found
    }
}

/// A payload of a record.
fn part<'e>(entry: &'e Entry, name: &str) -> Option<&'e Payload> {
    entry.payloads.iter().find(|(part, _)| part == name).map(|(_, payload)| payload)
}

/// Whether the policy says the same of the call, whatever people or the machine made of it afterwards.
fn is_same(record: &Decided, decision: &Decision) -> bool {
    let before: Effect = record.enforcement.effect(record.decision);
    record.decision == decision.verdict && before == decision.effect
}
